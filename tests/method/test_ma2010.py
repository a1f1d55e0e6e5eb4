"""Position patches against the system of all weights, and what holds for any dictionary."""

import numpy as np
import pytest
import torch
from torch import Tensor

from src.data.batch import Pairs
from src.image.pixels import downsample
from src.method.ma2010 import PATCH, PLACES, SCALE, STARTS, Ma2010, Ma2010Config, averaged, patches

CPU = torch.device("cpu")


def faces(count: int, seed: int = 0) -> Tensor:
    """Smooth pictures (B, 3, 128, 128) in [-1, 1]."""
    coarse = torch.rand(count, 3, 12, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (128, 128), mode="bilinear")


def pairs(hr: Tensor) -> Pairs:
    empty = torch.empty(0)
    return Pairs(downsample(hr, 16), hr, empty, None, None, empty, empty)


def method(hr: Tensor, regularisation: float, *cuts: int) -> Ma2010:
    config = Ma2010Config(regularisation=regularisation)
    return Ma2010(config.gather(pairs(part) for part in hr.tensor_split(cuts)), CPU)


def weights(x: Tensor, training: Tensor, share: float) -> np.ndarray:
    """The KKT system of all N weights and the multiplier of their sum, x (27,), training (N, 27)."""
    difference = (x - training).numpy().astype(np.float64)
    gram = difference @ difference.T
    count = len(gram)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = gram + share * np.trace(gram) * np.eye(count)
    system[count, count] = 0
    found: np.ndarray = np.linalg.solve(system, np.r_[np.zeros(count), 1])[:count]
    return found


@pytest.mark.parametrize(("count", "share"), [(60, 1e-3), (60, 1e-5), (10, 1e-3)])
def test_it_is_the_solution_for_all_weights_at_every_place(count: int, share: float) -> None:
    training, lr = faces(count), downsample(faces(2, seed=9), 16)
    small, large = patches(downsample(training, 16), PATCH, 1), patches(training, PATCH * SCALE, SCALE)
    wanted = torch.zeros(PLACES, 2, large.shape[2], dtype=torch.float64)
    for place, xs in enumerate(patches(lr, PATCH, 1)):
        for face, x in enumerate(xs):
            found = weights(x, small[place], share)
            assert found.sum() == pytest.approx(1)
            wanted[place, face] = torch.from_numpy(found @ large[place].numpy().astype(np.float64))
    image = method(training, share, 7, 8)(lr).image
    torch.testing.assert_close(image.double(), averaged(wanted).clamp(-1, 1), rtol=0, atol=1e-3)


def test_faces_of_the_dictionary_come_back_where_they_are_fewer_than_the_unknowns() -> None:
    training = faces(12)
    image = method(training, Ma2010Config().regularisation)(downsample(training, 16)).image
    torch.testing.assert_close(image, training, rtol=0, atol=1 / 255)


def test_one_face_and_equal_faces_give_that_face() -> None:
    one = faces(1)
    for training in (one, one.expand(3, -1, -1, -1)):
        image = method(training, 1e-6)(downsample(faces(2, seed=5), 16)).image
        torch.testing.assert_close(image, one.expand(2, -1, -1, -1), rtol=0, atol=1e-5)


def test_patches_overlap_by_a_pixel_cover_the_face_and_average_to_it() -> None:
    assert STARTS == (0, 2, 4, 6, 8, 10, 12, 13)
    hr = faces(2)
    torch.testing.assert_close(averaged(patches(hr, PATCH * SCALE, SCALE)), hr)
    places = [(row, column) for row in STARTS for column in STARTS]
    row, column = places[19]
    cut = hr[:, :, row * 8 : row * 8 + 24, column * 8 : column * 8 + 24].flatten(1)
    assert torch.equal(patches(hr, PATCH * SCALE, SCALE)[19], cut)


def test_the_batches_and_the_order_of_training_faces_do_not_matter() -> None:
    training, lr = faces(20), downsample(faces(3, seed=2), 16)
    first, second = method(training, 1e-5)(lr).image, method(training.flip(0), 1e-5, 3, 11)(lr).image
    torch.testing.assert_close(first, second, rtol=0, atol=1e-4)
