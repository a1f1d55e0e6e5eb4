"""How far a run has come, by its own clock: batches, not Lightning's `global_step`, which counts every optimiser's."""

from lightning import Trainer
from lightning.pytorch.callbacks import Timer


def progress(trainer: Trainer) -> float:
    """Share of the run that is over, 0-1: by epochs and batches or by `max_time`, whichever is further.

    By the epochs done and not by all batches so far, which were more if fewer processes shared them then.
    """
    of_epoch = trainer.num_training_batches
    batches = of_epoch * (trainer.max_epochs or 1)
    over = trainer.current_epoch * of_epoch + trainer.fit_loop.batch_idx
    done = over / batches if 0 < batches < float("inf") else 0.0
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer) and callback._duration:
            done = max(done, callback.time_elapsed() / callback._duration)
    # Clocks of several processes differ, and with them the learning rates would.
    return min(1.0, trainer.strategy.broadcast(done) if trainer.world_size > 1 else done)
