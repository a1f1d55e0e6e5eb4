"""`Figure`, which a benchmark returns: a value and its target; and a line that describes the machine."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Figure:
    """One measured figure and its target."""

    name: str
    value: float
    unit: str
    target: str
    """In words: "at least 20,000"; "" if there is none."""
    held: bool | None
    """Whether the target is met; None if there is none."""


def at_least(name: str, value: float, unit: str, bound: float) -> Figure:
    """A figure that must not be lower than `bound`."""
    return Figure(name, value, unit, f"at least {bound:,g}", value >= bound)


def at_most(name: str, value: float, unit: str, bound: float) -> Figure:
    """A figure that must not be higher than `bound`."""
    return Figure(name, value, unit, f"at most {bound:,g}", value <= bound)


def machine() -> str:
    """Processor, cores, memory, GPU and versions, in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB{gpu}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )
