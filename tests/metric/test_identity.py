from pathlib import Path

import pytest
import torch
from onnx import helper

from src.data.batch import Pairs
from src.metric.config import MetricsConfig
from src.metric.identity import Identity
from src.metric.metric import Judged
from src.model.output import Upscaled
from src.system.errors import UserError
from tests.helpers.tiny_onnx import save


def mean_colour(path: Path) -> Path:
    """An embedder whose vector is the mean of each channel of its 16x12 input."""
    nodes = [helper.make_node("ReduceMean", ["input"], ["output"], axes=[2, 3], keepdims=0)]
    return save(path, nodes, {}, [1, 3, 12, 16], ["output"])


def flat(*colours: tuple[float, float, float]) -> torch.Tensor:
    """Pictures of one colour each, in grey levels of 255."""
    return (torch.tensor(colours) / 127.5 - 1)[:, :, None, None].expand(len(colours), 3, 32, 32)


def test_it_is_the_cosine_of_the_embeddings(tmp_path: Path) -> None:
    path = mean_colour(tmp_path / "embedder.onnx")
    identity = Identity(MetricsConfig(identity=str(path), identity_mean=100.0, identity_std=50.0))
    hr, sr = flat((200, 100, 100), (200, 100, 100)), flat((150, 100, 100), (100, 150, 100))
    assert identity.embed(hr)[0].tolist() == pytest.approx([2.0, 0.0, 0.0], abs=1e-5)
    pairs = Pairs(hr, hr, torch.eye(2, 3), None, None, torch.zeros(2, 68, 2), torch.ones(2, 68, dtype=torch.bool))
    found = identity.metric().measure(Judged(Upscaled(sr, [], None), pairs))
    assert found is not None
    assert found.tolist() == pytest.approx([1.0, 0.0], abs=1e-5)


def test_the_order_of_colours_and_the_crop_are_the_keys(tmp_path: Path) -> None:
    path = mean_colour(tmp_path / "embedder.onnx")
    bgr = Identity(MetricsConfig(identity=str(path), identity_mean=0.0, identity_std=1.0, identity_order="bgr"))
    assert bgr.embed(flat((200, 100, 50)))[0].tolist() == pytest.approx([50, 100, 200], abs=1e-3)
    framed = flat((0, 0, 0)).clone()
    framed[..., 8:24, 8:24] = 1.0
    middle = Identity(MetricsConfig(identity=str(path), identity_mean=0.0, identity_std=1.0, identity_crop=0.5))
    assert middle.embed(framed)[0].tolist() == pytest.approx([255] * 3, abs=1e-3)


def test_a_file_that_is_no_embedder_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metrics.identity=none.onnx: no such file"):
        Identity(MetricsConfig(identity="none.onnx"))
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match="no ONNX model"):
        Identity(MetricsConfig(identity=str(tmp_path / "broken.onnx")))
    nodes = [helper.make_node("ReduceMean", ["input"], ["output"], axes=[1, 2, 3], keepdims=0)]
    save(tmp_path / "number.onnx", nodes, {}, [1, 3, 12, 16], ["output"])
    with pytest.raises(UserError, match="is no face embedder"):
        Identity(MetricsConfig(identity=str(tmp_path / "number.onnx")))
    for wrong in ({"identity_std": 0.0}, {"identity_crop": 0.1}):
        with pytest.raises(ValueError, match="identity_"):
            MetricsConfig(**wrong)
