"""A training whose processes each leave their networks and metrics: ddp_worker.py OUT KEY=VALUE ..."""

import sys
from pathlib import Path

import torch
from lightning import seed_everything

sys.path.insert(0, str(Path(__file__).parents[2]))

from src.config.compose import compose
from src.data.module import FaceData
from src.trainer import machine_of
from src.training.assembly import build_trainer
from src.training.config import TrainConfig
from src.training.module import FaceSR
from src.training.run import quieten


def leave(out: str, overrides: list[str]) -> None:
    """Train, then write OUT/RANK.pt: the networks at the start and at the end, and the metrics."""
    quieten()
    config = compose("train", TrainConfig, overrides)
    seed_everything(config.seed, workers=True, verbose=False)
    module = FaceSR(config)
    start = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    trainer = build_trainer(config.trainer, machine_of(config.trainer), out, [], [])
    trainer.fit(module, FaceData(config.data, config.model.generator.heatmap_side, config.seed))
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    content = {"start": start, "networks": module.state_dict(), "metrics": metrics}
    torch.save(content, f"{out}/{trainer.global_rank}.pt")


if __name__ == "__main__":
    leave(sys.argv[1], sys.argv[2:])
