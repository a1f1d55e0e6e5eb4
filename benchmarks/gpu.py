"""`python -m benchmarks.gpu [experiment]`: the speed of the full training step on a GPU, against the GPU's peaks.

It prints faces per second by batch and setting, operations per second as a share of a large matrix product's, bytes per
second as a share of a large copy's, then the slowest operations. Without a GPU it says so and measures nothing.
"""

import sys
from collections.abc import Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.report import machine
from src.config.compose import compose
from src.system.console import show_everything
from src.training.config import TrainConfig
from src.training.tuning import FullStep, Setting, fastest_seconds

BATCHES = (8, 32, 128, 512)
SETTINGS = (
    Setting("32-true", channels_last=False),
    Setting("bf16-mixed", channels_last=False),
    Setting("bf16-mixed", channels_last=True),
    Setting("bf16-mixed", channels_last=True, compile=True),
)
ROUNDS = 10
PROFILED = 128  # faces of the profiled step


class Traffic(TorchDispatchMode):
    """Counts the bytes that eager operations read and write: all input and output tensors, except views and `empty`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not (_is_view(func) or func.overloadpacket.__name__.startswith(("empty", "new_empty"))):
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return result


def _is_view(func: Any) -> bool:
    """Whether an operation returns only views of its inputs and does not change them."""
    aliases = [given.alias_info for given in func._schema.returns]
    return bool(aliases) and all(alias is not None and not alias.is_write for alias in aliases)


def matmul_peak(device: torch.device, kind: torch.dtype, side: int = 8192) -> float:
    """FLOP/s of a square matrix product."""
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    (seconds,) = fastest_seconds([lambda: a @ b], ROUNDS, device)
    return 2 * side**3 / seconds


def copy_peak(device: torch.device, size: int = 2**30) -> float:
    """Bytes per second that a copy of 1 GiB reads and writes."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    (seconds,) = fastest_seconds([lambda: target.copy_(source)], ROUNDS, device)
    return 2 * size / seconds


def counted(config: TrainConfig, setting: Setting, device: torch.device, faces: int) -> tuple[float, float]:
    """Floating-point operations of a step, and the bytes that they read and write."""
    step = FullStep(config, setting, device, faces)
    with FlopCounterMode(display=False) as operations, Traffic() as traffic:
        step()
    return float(operations.get_total_flops()), float(traffic.bytes)


def main(experiment: str = "celeba16x") -> None:
    """Measure and print."""
    show_everything()
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(machine(), highlight=False)
    if not torch.cuda.is_available():
        console.print("no GPU here: nothing measured")
        return
    device = torch.device("cuda")
    words = [f"experiment={experiment}", "data.train=[none]", "data.val=[none]", "loss.feature.weights=random"]
    config = compose("train", TrainConfig, words)
    # cuDNN's convolutions use TF32 by default, so the matrix product must too.
    torch.backends.cuda.matmul.allow_tf32 = True
    peaks = {"32-true": matmul_peak(device, torch.float32), "bf16-mixed": matmul_peak(device, torch.bfloat16)}
    copied = copy_peak(device)
    console.print(
        f"{experiment}; matrix product {peaks['32-true'] / 1e12:.1f} TFLOP/s in fp32 (TF32), "
        f"{peaks['bf16-mixed'] / 1e12:.1f} in bf16; copy {copied / 1e9:.0f} GB/s",
        highlight=False,
    )
    table = Table()
    for title in ("setting", "batch", "faces/s", "TFLOP/s", "of the product", "GB/s, eager operations", "of the copy"):
        table.add_column(title, justify="left" if title == "setting" else "right")
    for setting in SETTINGS:
        counts = [counted(config, Setting(setting.precision, setting.channels_last), device, faces) for faces in (4, 8)]
        # One part of the cost is per face; the rest, the weights and their updates, is per step.
        by_face = [(many - few) / 4 for few, many in zip(*counts, strict=True)]
        by_step = [few - 4 * each for few, each in zip(counts[0], by_face, strict=True)]
        for batch in BATCHES:
            flops, moved = (fixed + batch * each for fixed, each in zip(by_step, by_face, strict=True))
            if setting.compile:
                torch._dynamo.reset()  # or the second batch size would be compiled for variable sizes
            try:
                (seconds,) = fastest_seconds([FullStep(config, setting, device, batch)], ROUNDS, device)
            except Exception as error:  # out of memory or no compiler: keep the rows so far
                table.add_row(str(setting), str(batch), type(error).__name__)
                continue
            finally:
                torch.cuda.empty_cache()
            rate, speed = flops / seconds, moved / seconds
            # Compiled operations are fused: the eager ones do not show how many bytes they move.
            bytes_shown = ["", ""] if setting.compile else [f"{speed / 1e9:.0f}", f"{speed / copied:.0%}"]
            table.add_row(
                str(setting),
                str(batch),
                f"{batch / seconds:,.0f}",
                f"{rate / 1e12:.1f}",
                f"{rate / peaks[setting.precision]:.0%}",
                *bytes_shown,
            )
    console.print(table)
    step = FullStep(config, SETTINGS[2], device, PROFILED)
    step()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as record:
        step()
        torch.cuda.synchronize()
    print(record.key_averages().table(sort_by="self_cuda_time_total", row_limit=20))


if __name__ == "__main__":
    main(*sys.argv[1:2])
