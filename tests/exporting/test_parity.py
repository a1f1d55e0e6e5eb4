"""Differences of outputs: what is allowed, and that NaN never is."""

import math

import pytest
import torch

from src.exporting.parity import differences, outputs, refuse
from src.model.output import Upscaled
from src.system.errors import UserError


def output(value: float) -> Upscaled:
    return Upscaled(torch.full((2, 3, 4, 4), value), [torch.full((2, 1, 2, 2), value)], torch.full((2, 2, 3), value))


@pytest.mark.parametrize(("value", "held"), [(0.5005, True), (0.502, False), (math.nan, False)])
def test_a_difference_is_held_up_to_the_tolerance(value: float, held: bool) -> None:
    found = differences(output(0.5), output(value), 1e-3, uint8=False)
    assert [one.output for one in found] == ["image", "heatmaps", "matrix"]
    assert {one.held for one in found} == {held}
    if not held:
        with pytest.raises(UserError, match="nothing is written: image of the export"):
            refuse(found)


def test_images_of_8_bits_may_be_one_level_off() -> None:
    level = 2 / 255
    eager, near, far = output(0.5), output(0.5), output(0.5)
    rounded = ((eager.image + 1) * 127.5).round() / 127.5 - 1
    near, far = near._replace(image=rounded + level), far._replace(image=rounded + 2 * level)
    assert differences(eager, near, 1e-3, uint8=True)[0].held
    assert not differences(eager, far, 1e-3, uint8=True)[0].held


def test_one_face_goes_alone_and_all_come_back_in_order() -> None:
    sizes = []

    def run(lr: torch.Tensor) -> Upscaled:
        sizes.append(len(lr))
        return Upscaled(lr, [], None)

    lr = torch.arange(20.0).reshape(20, 1, 1, 1)
    assert torch.equal(outputs(run, lr).image, lr)
    assert sizes == [1, 16, 3]
