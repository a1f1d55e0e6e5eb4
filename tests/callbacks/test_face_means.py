import math
from typing import Any

import pytest
import torch

from src.callbacks.face_means import FaceMeans
from src.data.batch import Pairs
from src.model.output import Upscaled


class Log:
    """What `FaceMeans` asks of a module, in one process."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self.trainer = type("Trainer", (), {"world_size": 1})()

    def log(self, name: str, value: torch.Tensor, **_: Any) -> None:
        self.found[name] = float(value)


def logged(sr: torch.Tensor, hr: torch.Tensor) -> dict[str, float]:
    means, module = FaceMeans(), Log()
    faces = len(hr)
    points, visible = torch.zeros(faces, 68, 2), torch.ones(faces, 68, dtype=torch.bool)
    means.add(Upscaled(sr, [], None), Pairs(hr, hr, torch.eye(2, 3).expand(faces, 2, 3), None, None, points, visible))
    means.log(module, "val")
    return module.found


def test_an_identical_image_is_in_no_mean_of_psnr() -> None:
    hr = torch.zeros(3, 3, 32, 32)
    sr = hr.clone()
    sr[1:] += 0.2
    plain = logged(sr[1:], hr[1:])
    found = logged(sr, hr)
    assert found["val/psnr_rgb"] == pytest.approx(plain["val/psnr_rgb"])
    assert found["val/ssim_rgb"] > plain["val/ssim_rgb"]
    assert logged(hr, hr)["val/psnr_rgb"] == math.inf
