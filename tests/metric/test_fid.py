import numpy as np
import pytest
import torch
from scipy import linalg

from src.metric.fid import FID, frechet_distance, inception
from src.system.errors import UserError


def test_the_distance_is_that_of_scipys_matrix_root() -> None:
    random = np.random.default_rng(0)
    one, two = random.normal(size=(60, 5)), random.normal(0.5, 2.0, (40, 5)) @ random.normal(size=(5, 5))
    covariances = [np.cov(values, rowvar=False) for values in (one, two)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    wanted = ((one.mean(0) - two.mean(0)) ** 2).sum() + np.trace(sum(covariances) - 2 * root)
    assert frechet_distance(torch.from_numpy(one), torch.from_numpy(two)) == pytest.approx(wanted, rel=1e-6)
    assert frechet_distance(torch.from_numpy(one), torch.from_numpy(one)) == pytest.approx(0, abs=1e-6)


def test_features_are_of_the_8_bit_images_and_batches_add_up() -> None:
    seen = []

    def features(images: torch.Tensor) -> torch.Tensor:
        seen.append(images.dtype)
        return images.float().mean((2, 3))

    torch.manual_seed(0)
    hr, sr = torch.rand(6, 3, 8, 8) * 2 - 1, torch.rand(6, 3, 8, 8) * 2 - 1
    whole, parts = FID(features), FID(features)
    whole.add(hr, {"a": sr, "b": hr})
    for part in (slice(0, 4), slice(4, 6)):
        parts.add(hr[part], {"a": sr[part], "b": hr[part]})
    assert whole.distances() == pytest.approx(parts.distances())
    assert whole.distances()["b"] == pytest.approx(0, abs=1e-6)
    assert set(seen) == {torch.uint8}
    whole.clear()
    assert whole.distances() == {}


def test_a_missing_file_is_said_before_anything_is_measured() -> None:
    with pytest.raises(UserError, match=r"metrics.fid=none.pth: no such file"):
        inception("none.pth", torch.device("cpu"))
