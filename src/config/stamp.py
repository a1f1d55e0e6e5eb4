"""The name of a run's folder where none is given, the same in all processes of the run."""

import os
import time


def run_stamp() -> str:
    """The time; of processes that srun or torchrun started, which may start in different seconds, what they share.

    A SLURM job that is requeued has the same number, so it finds its folder again and goes on.
    """
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_JOB_ID" in os.environ:
        return f"slurm-{os.environ['SLURM_JOB_ID']}"
    launch = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    if launch != "none":  # torchrun's word for no --rdzv-id
        return f"torchrun-{launch}"
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return f"torchrun-{time.strftime('%Y-%m-%d')}-{os.getppid()}"
    return time.strftime("%Y-%m-%d_%H-%M-%S")
