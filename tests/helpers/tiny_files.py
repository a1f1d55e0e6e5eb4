"""A tiny checkpoint as training writes it, and a tiny store."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.model.config import GeneratorConfig
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.store.face import Face, FaceRow
from src.store.write import StoreWriter
from src.system.plain import to_plain

TINY = LightConfig(
    width=16, blocks16=1, blocks32=1, heb=HEBConfig(enabled=True, resolution=32, stacks=1, width=16, depth=2)
)


def checkpoint_content(config: GeneratorConfig = TINY) -> dict[str, Any]:
    """What training writes, as far as readers look at it."""
    torch.manual_seed(0)
    generator = config.build()
    return {
        "epoch": 3,
        "global_step": 80,
        "iterations": 40,
        "state_dict": {
            **{f"generator.{name}": tensor for name, tensor in generator.state_dict().items()},
            "discriminator.head.weight": torch.zeros(1, 2),
        },
        "hyper_parameters": {
            "name": "tiny",
            "seed": 7,
            "model": {"generator": to_plain(config)},
            "data": {
                "heatmaps": {"maps": config.heatmaps, "std": 3.0},
                "misalignment": {"rotation": 30.0, "scale_min": 0.85, "scale_max": 1.0, "shift": 0.05},
            },
        },
    }


def write_store(folder: Path, faces: int, seed: int = 0, margin: int = 48) -> Path:
    """A store of smooth coloured pictures with landmarks somewhere on them, one in ten hidden."""
    random, side = np.random.default_rng(seed), 128 + 2 * margin
    with StoreWriter(folder, margin=margin) as writer:
        for number in range(faces):
            coarse = torch.from_numpy(random.uniform(0, 255, (1, 3, 8, 8)))
            smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")[0].permute(1, 2, 0)
            row = FaceRow(f"{number:03}.png", f"person {number % 2}", (0, 0, 128, 128), "test", 1.0, "0" * 64)
            writer.add(
                Face(
                    smooth.numpy().round().astype(np.uint8),
                    random.uniform(10, 118, (68, 2)).astype(np.float32),
                    random.random(68) > 0.1,
                    row,
                )
            )
        writer.seal("val", {}, {"name": "test"}, rejected=0)
        writer.publish()
    return folder
