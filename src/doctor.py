"""`make doctor`, `python -m src.doctor`: is everything here that a run needs? Every problem in a line, with its fix.

Imports only the standard library, and what names the extras, until a check asks for more: it is there for a broken
installation.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

from src.system.console import show_everything
from src.system.errors import UserError
from src.system.extras import missing_package
from src.system.installed import (
    OPENCV,
    ROOT,
    SETUP,
    Finding,
    lightning_release,
    one_line,
    opencv,
    optuna_release,
    packages,
    python,
    torch_works,
    version,
)
from src.system.posix import require_posix

WEIGHTS: Final = {
    "vgg19-dcbb9e9d.pth": (
        "VGG-19",
        "experiment=celeba16x downloads it; offline: loss.feature.weights=FILE, or loss=squeezenet, or "
        "loss.feature.weight=0",
    ),
    "squeezenet1_0-b66bff10.pth": (
        "SqueezeNet 1.0",
        "loss=squeezenet downloads it; offline: loss.feature.weights=FILE",
    ),
    "2DFAN4-*": (
        "2DFAN4 (landmarks)",
        "landmarks=face_alignment downloads it; offline: landmarks.weights=DIR, or landmarks=onnx",
    ),
    "s3fd-*": ("S3FD (faces)", "as 2DFAN4"),
}
"""File in torch hub's cache -> what it is, what to do without."""
LOW_DISK, FULL_DISK = 20, 2
"""GiB free: below the first a training may fill the disk, below the second it will (a checkpoint has 0.6 GB)."""


def system() -> Iterator[Finding]:
    """Whether MTUN runs on this system."""
    try:
        require_posix()
    except UserError as error:
        yield Finding("error", str(error), "install WSL, and run the commands there")


def devices() -> Iterator[Finding]:
    """GPUs, cores, threads, bf16."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    bf16 = [name for name in ("avx512_bf16", "amx_bf16") if re.search(rf"\b{name}\b", flags)]
    yield Finding(
        "ok", f"CPU: {cores} cores, {torch.get_num_threads()} threads, bf16 {' '.join(bf16) or 'in software'}"
    )
    for index in range(torch.cuda.device_count()):
        of = torch.cuda.get_device_properties(index)
        half = (
            "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no bf16: trainer.precision=16-mixed"
        )
        yield Finding("ok", f"GPU {index}: {of.name}, {of.total_memory / 2**30:.0f} GiB, {half}")
    if not torch.cuda.is_available():
        build = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is a CPU build"
        yield Finding("note", f"no GPU ({build})", "use experiment=demo or celeba16x_light trainer=cpu")


def weights(cache: Path) -> Iterator[Finding]:
    """Downloaded weights.

    Args:
        cache: the folder that torch hub downloads to.
    """
    for pattern, (name, remedy) in WEIGHTS.items():
        found = sorted(cache.glob(pattern))
        if found:
            yield Finding("ok", f"weights of {name}: {found[0]}")
        else:
            yield Finding("note", f"weights of {name}: no {pattern} in {cache}", remedy)


def stores(data: Path) -> Iterator[Finding]:
    """Whether the stores of faces below a folder are whole and of this version's layout."""
    from src.store.read import FaceStore

    folders = sorted(path.parent for path in data.glob("**/card.json"))
    if not folders:
        yield Finding("note", f"no store of faces in {data}", "make data-synthetic, data-celeba or data-folder")
    for folder in folders:
        try:
            yield Finding("ok", f"store {folder}: {len(FaceStore(folder)):,} faces")
        except UserError as error:
            yield Finding("note", str(error))


def dashboard() -> Iterator[Finding]:
    """The W&B login."""
    if version("wandb") is None:
        return
    from src.logger.config import WandbLoggerConfig
    from src.logger.wandb_run import wandb_mode

    mode = wandb_mode(WandbLoggerConfig())
    text = f"W&B: runs with logger=wandb go {mode}"
    forced = os.environ.get("WANDB_MODE")
    fix = f"unset WANDB_MODE (it is {forced})" if forced else "wandb login, or logger=csv"
    yield Finding("ok", text) if mode == "online" else Finding("note", text, fix)


def disk(free: float) -> Iterator[Finding]:
    """Free space of the disk with the project, in GiB."""
    level: Literal["ok", "note", "error"] = "error" if free < FULL_DISK else "note" if free < LOW_DISK else "ok"
    yield Finding(
        level, f"disk: {free:.1f} GiB free", "" if level == "ok" else "free some space: du -sh outputs/* data/*"
    )


def _cache() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


CHECKS: Final[tuple[Callable[[], Iterable[Finding]], ...]] = (
    python,
    system,
    packages,
    lambda: lightning_release(version("lightning")),
    lambda: optuna_release(version("optuna")),
    lambda: opencv({name: number for name in OPENCV if (number := version(name))}),
    torch_works,
    devices,
    lambda: weights(_cache()),
    lambda: stores(ROOT / "data"),
    dashboard,
    lambda: disk(shutil.disk_usage(ROOT).free / 2**30),
)


def findings() -> Iterator[Finding]:
    """Everything, in order; a check that breaks is an error of its own."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:
            missing = missing_package(error)
            yield (
                Finding("note", str(missing))
                if missing
                else Finding("error", f"a check broke off: {one_line(error)}", SETUP)
            )


def main() -> None:
    """Print the report; exit with 1 if something essential is missing."""
    show_everything()
    errors = 0
    for finding in findings():
        print(finding, flush=True)
        errors += finding.level == "error"
    print(f"{errors} error{'s' * (errors != 1)}" if errors else "nothing essential is missing")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
