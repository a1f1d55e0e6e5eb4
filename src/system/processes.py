"""Which of a run's processes this is."""

from lightning.pytorch.utilities import rank_zero_only


def first_process() -> bool:
    """Whether this is the process of a run that writes files; known before there is a trainer."""
    return process_number() == 0


def process_number() -> int:
    """The number of this process among those of its run, from 0; known before there is a trainer."""
    return int(getattr(rank_zero_only, "rank", 0))
