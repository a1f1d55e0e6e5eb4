"""The default name of a run's folder, the same in all processes of the run."""

import os
import time


def run_stamp() -> str:
    """The time; for processes of srun or torchrun, which may start in different seconds, an id that they share.

    A requeued SLURM job keeps its number, so it finds its folder again and resumes.
    """
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_JOB_ID" in os.environ:
        return f"slurm-{os.environ['SLURM_JOB_ID']}"
    launch = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    if launch != "none":  # torchrun's word for no --rdzv-id
        return f"torchrun-{launch}"
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return f"torchrun-{time.strftime('%Y-%m-%d')}-{os.getppid()}"
    return time.strftime("%Y-%m-%d_%H-%M-%S")
