"""A batch on a GPU must be made without a copy from the host: it would wait for all that is queued."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from src.data.batch import HeatmapConfig, make_batch
from src.data.camera import CameraConfig, draw_camera, to_batch
from src.data.dataset import FaceBatch
from src.data.own_size import canvas_side
from src.data.pairs import face_random
from src.face.heatmaps import membership
from src.face.mirror import mirror_table
from src.face.points import COMPONENTS


class HostData(TorchDispatchMode):
    """Notes every tensor that is made of Python's numbers: on a GPU each is a copy from the host."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        if "lift_fresh" in str(func):
            self.made.append(args)
        return func(*args, **(kwargs or {}))


def faces(count: int) -> FaceBatch:
    return FaceBatch(
        torch.zeros(count, 128, 128, 3, dtype=torch.uint8),
        torch.rand(count, 68, 2) * 127,
        torch.rand(count, 68) > 0.2,
        torch.tensor([[0.1, 0.9, 0.0, 0.0]]).expand(count, 4),
        torch.ones(count, dtype=torch.bool),
    )


@pytest.mark.parametrize("maps", [4, 5, 68])
def test_after_the_first_batch_nothing_comes_from_the_host(maps: Any) -> None:
    batch = faces(3)
    make_batch(batch, HeatmapConfig(maps), 32)
    with HostData() as host:
        torch.as_tensor([1, 2])
        assert len(host.made) == 1, "the test sees such a copy"
        make_batch(batch, HeatmapConfig(maps), 32)
    assert len(host.made) == 1


@pytest.mark.parametrize("camera", [True, False])
def test_faces_of_their_own_sizes_need_nothing_from_the_host(camera: bool) -> None:
    drawn = to_batch([draw_camera(CameraConfig(), face_random(0, 0, row), canvas_side(40)) for row in range(3)])
    batch = faces(3)._replace(camera=drawn if camera else None, own_size=torch.tensor([12, 17, 40]))
    with torch.inference_mode():
        make_batch(batch, HeatmapConfig(), 32, "context", 32)
    with HostData() as host:
        assert make_batch(batch, HeatmapConfig(), 32, "context", 32).lr.shape == (3, 4, 32, 32)
    assert not host.made


def test_tables_made_in_an_evaluation_serve_a_training() -> None:
    mirror_table.cache_clear()
    membership.cache_clear()
    with torch.inference_mode():
        make_batch(faces(2), HeatmapConfig(), 32)
    assert not mirror_table(torch.device("cpu")).is_inference()
    assert not membership(4, torch.device("cpu")).is_inference()


@pytest.mark.parametrize("maps", [4, 5, 68])
def test_every_landmark_is_counted_once_in_its_component(maps: int) -> None:
    table = membership(maps, torch.device("cpu"))
    assert table.sum(1).tolist() == [1] * 68
    assert table.sum(0).tolist() == [len(points) for points in COMPONENTS[maps].values()]
