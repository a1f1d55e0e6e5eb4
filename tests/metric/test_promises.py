"""What every metric promises: figures of each face, or none."""

import pytest
import torch

from src.data.batch import FaceBatch, HeatmapConfig, make_batch
from src.metric.load import all_metrics
from src.metric.metric import Judged, Metric
from src.model.output import Upscaled


@pytest.fixture(scope="module")
def judged() -> tuple[Judged, Judged]:
    """A method with four heatmaps and a transform, and one without; three faces."""
    torch.manual_seed(0)
    batch = FaceBatch(
        torch.randint(0, 256, (3, 224, 224, 3), dtype=torch.uint8),
        torch.rand(3, 68, 2) * 127,
        torch.ones(3, 68, dtype=torch.bool),
        torch.tensor([[0.1, 0.9, 0.0, 0.0]]).expand(3, 4),
        torch.zeros(3, dtype=torch.bool),
    )
    pairs = make_batch(batch, HeatmapConfig(), None)
    image = torch.rand(3, 3, 128, 128) * 2.4 - 1.2
    full = Upscaled(image, [torch.rand(3, 4, 32, 32)], torch.eye(2, 3).expand(3, 2, 3))
    return Judged(full, pairs), Judged(Upscaled(image, [], None), pairs)


def test_no_two_metrics_have_one_key_or_one_title() -> None:
    metrics = all_metrics()
    assert len({metric.key for metric in metrics}) == len({metric.title for metric in metrics}) == len(metrics)


@pytest.mark.parametrize("metric", all_metrics(), ids=lambda metric: metric.key)
def test_it_gives_figures_of_each_face_or_none(metric: Metric, judged: tuple[Judged, Judged]) -> None:
    assert metric.key.isidentifier()
    assert metric.protocol.endswith(".")
    full, bare = (metric.measure(one) for one in judged)
    assert full is not None
    assert full.shape == ((3, 4) if metric.by_component else (3,))
    assert full.isfinite().all()
    assert bare is None or (bare.shape == (3,) and not metric.by_component)
