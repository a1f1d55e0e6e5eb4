import torch

from src.data.batch import Pairs
from src.face.heatmaps import component_heatmaps
from src.image.warp import compose, similarity_matrix
from src.metric.confidence import METRICS, OWN_ERROR, PEAK
from src.metric.heatmap import METRICS as HEATMAP_METRICS
from src.metric.metric import Judged, score
from src.model.output import Upscaled


def pairs(visible: torch.Tensor | None = None) -> Pairs:
    images = torch.zeros(2, 3, 128, 128)
    landmarks = torch.rand(2, 68, 2, generator=torch.Generator().manual_seed(0)) * 40 + 44
    shown = torch.ones(2, 68, dtype=torch.bool) if visible is None else visible
    true = similarity_matrix(torch.tensor([0.3, -0.2]), torch.tensor([0.9, 1.1]), torch.zeros(2), torch.zeros(2))
    return Pairs(images, images, true, None, None, landmarks, shown)


def test_a_peak_where_its_own_transform_puts_the_component_is_no_error_there() -> None:
    """A transform that is 8 pixels off moves the face in the output by as much, and its maps with it."""
    given = pairs()
    off = similarity_matrix(torch.zeros(2), torch.ones(2), torch.full((2,), 8 / 64), torch.zeros(2))
    moved = given.landmarks - torch.tensor([8.0, 0.0])
    maps, _ = component_heatmaps(moved, given.visible, 4, 64, 3.0)
    judged = Judged(Upscaled(given.hr, [maps], compose(given.matrix, off)), given)
    own = score(judged, METRICS)[OWN_ERROR]
    other = score(judged, HEATMAP_METRICS)["heatmap_peak_px"]
    assert own.max() < 1.1
    assert other.mean() > own.mean() + 1
    without = score(Judged(Upscaled(given.hr, [maps], None), given), METRICS)[OWN_ERROR]
    assert without.equal(other)


def test_confidence_is_the_peak_within_0_to_1_and_nothing_where_a_component_is_hidden() -> None:
    visible = torch.ones(2, 68, dtype=torch.bool)
    visible[1, 27:36] = False  # the nose
    maps = torch.full((2, 4, 32, 32), -0.5)
    maps[0, 0, 3, 4], maps[0, 1, 5, 5], maps[1, 2, 0, 31] = 0.25, 1.5, 0.75
    given = pairs(visible)
    peaks = score(Judged(Upscaled(given.hr, [maps], None), given), METRICS)[PEAK]
    assert peaks[0].tolist() == [0.25, 1.0, 0.0, 0.0]
    assert peaks[1].nan_to_num(-1).tolist() == [0.0, -1.0, 0.75, 0.0]
    assert score(Judged(Upscaled(given.hr, [], None), given), METRICS) == {}
