"""Which of a run's processes this is; Lightning is imported when that is asked for."""

import os


def first_process() -> bool:
    """Whether this is the process of a run that writes files; known before there is a trainer."""
    return process_number() == 0


def process_number() -> int:
    """The number of this process among those of its run, from 0; known before there is a trainer."""
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    return int(getattr(rank_zero_only, "rank", 0))


def first_of_its_launch() -> bool:
    """Whether srun started this process as the first one of its job, or did not start it; known without Lightning."""
    return os.environ.get("SLURM_PROCID", "0") == "0"
