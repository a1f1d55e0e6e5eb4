"""The number of this process within its run, and the cores it may use; Lightning is imported where it is needed."""

import os


def first_process() -> bool:
    """Whether this is process 0 of its run, which writes the files; works before a trainer exists."""
    return process_number() == 0


def process_number() -> int:
    """The number of this process within its run, from 0; works before a trainer exists."""
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    return int(getattr(rank_zero_only, "rank", 0))


def first_of_its_launch() -> bool:
    """Whether this process is the first of its srun job, or was not started by srun; needs no Lightning."""
    return os.environ.get("SLURM_PROCID", "0") == "0"


def usable_cores() -> int:
    """The processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux; a pinned process has fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
