"""`python -m src.train experiment=NAME [key=value ...]`: train a generator."""

from src.config.command import command
from src.config.train import TrainConfig


@command(config_name="train", schema=TrainConfig)
def main(config: TrainConfig) -> None:
    """Compose, train, say where the results are."""
    from src.training.run import train  # the heavy imports come after the configuration has been checked

    train(config)


if __name__ == "__main__":
    main()
