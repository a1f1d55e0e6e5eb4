"""The position of a run between two batches, as checkpoints hold it: Lightning's counters and the random states.

Lightning resumes exactly from a checkpoint whose counters say that a batch and its logging are done. The hooks in which
one can save run slightly earlier or later; the functions below correct that difference and nothing else.
"""

import random
from typing import Any

import numpy as np
import torch
from lightning import Trainer

KEY = "random_states"  # in a checkpoint: a list, one state for each process


def settle_counters(loops: dict[str, Any], of_epoch: float, before_validation: bool = False) -> None:
    """Correct a checkpoint's counters.

    Args:
        loops: `checkpoint["loops"]`, changed in place.
        of_epoch: batches of an epoch.
        before_validation: a validation comes next, so the resumed run must start with it.
    """
    fit = loops["fit_loop"]
    batches, epochs = fit["epoch_loop.batch_progress"], fit["epoch_progress"]
    for counts in (batches["total"], batches["current"]):
        counts["ready"] = counts["started"] = counts["completed"] = counts["processed"]
    done = batches["current"]["processed"]
    batches["is_last_batch"] = done == of_epoch
    for counts in (epochs["total"], epochs["current"]):
        # Once the training has ended, Lightning counts an epoch that was cut short as a whole one.
        if 0 < done < of_epoch and counts["completed"] == counts["ready"]:
            counts["processed"] = counts["completed"] = counts["ready"] - 1
    if before_validation:
        # As if the validation's first batch were in progress: Lightning then validates from the beginning.
        for counts in (
            fit["epoch_loop.val_loop.batch_progress"]["total"],
            fit["epoch_loop.val_loop.batch_progress"]["current"],
        ):
            counts.update(ready=1, started=1, processed=0, completed=0)


def begin_epoch_anew(loops: dict[str, Any]) -> None:
    """Set a checkpoint's counters back to the beginning of its current epoch; the run's total stays."""
    batches = loops["fit_loop"]["epoch_loop.batch_progress"]
    batches["current"].update(ready=0, started=0, processed=0, completed=0)
    batches["is_last_batch"] = False


def random_state() -> dict[str, Any]:
    """The states of this process's random generators, as tensors and plain values: torch, its GPU, numpy, python."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached),
        "python": random.getstate(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """The inverse of `random_state`."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))


def random_states(trainer: Trainer) -> list[dict[str, Any]]:
    """The random states of all processes, by rank; call it in all of them."""
    mine = random_state()
    if trainer.world_size == 1:
        return [mine]
    states: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(states, mine)
    return states
