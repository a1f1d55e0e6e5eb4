"""`python -m src.train experiment=NAME [key=value ...]`: train a generator; with `-m`, run a sweep of trainings."""

from src.config.command import command
from src.sweep.table import close_sweep, read_scores
from src.system.posix import require_posix
from src.training.config import TrainConfig


@command(config_name="train", schema=TrainConfig, after_sweep=close_sweep)
def main(config: TrainConfig) -> float | None:
    """Train, and return the best val/psnr_rgb (dB), which `sweep=optuna` maximises; None without a validation."""
    require_posix()
    from src.training.run import train  # the heavy imports come after the configuration has been checked

    train(config)
    return read_scores(config.run_dir).psnr_rgb


if __name__ == "__main__":
    main()
