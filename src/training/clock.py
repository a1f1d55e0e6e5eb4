"""The progress of a run in batches; Lightning's `global_step` counts the steps of every optimiser instead."""

from lightning import Trainer
from lightning.pytorch.callbacks import Timer


def progress(trainer: Trainer) -> float:
    """Share of the run that is over, 0-1: by epochs and batches or by `max_time`, whichever is further.

    It counts epochs done, not all batches so far: earlier epochs had more batches if fewer processes shared them.
    """
    of_epoch = trainer.num_training_batches
    batches = of_epoch * (trainer.max_epochs or 1)
    over = trainer.current_epoch * of_epoch + trainer.fit_loop.batch_idx
    done = over / batches if 0 < batches < float("inf") else 0.0
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer) and callback._duration:
            done = max(done, callback.time_elapsed() / callback._duration)
    # The clocks of several processes differ; without this their learning rates would differ too.
    return min(1.0, trainer.strategy.broadcast(done) if trainer.world_size > 1 else done)
