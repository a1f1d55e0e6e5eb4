import numpy as np
import pytest
import torch

from src.face.mirror import mirror_landmarks, mirror_visible
from src.face.points import COMPONENTS, MIRROR


def test_mirroring_twice_gives_back_the_face() -> None:
    landmarks, visible = torch.rand(2, 68, 2) * 128, torch.rand(2, 68) > 0.5
    assert torch.allclose(mirror_landmarks(mirror_landmarks(landmarks, 128), 128), landmarks, atol=1e-5)
    assert torch.equal(mirror_visible(mirror_visible(visible)), visible)


@pytest.mark.parametrize(
    ("point", "partner"),
    [(0, 16), (8, 8), (17, 26), (30, 30), (31, 35), (36, 45), (41, 46), (48, 54), (60, 64), (65, 67)],
)
def test_left_and_right_are_partners(point: int, partner: int) -> None:
    assert (MIRROR[point], MIRROR[partner]) == (partner, point)


def test_the_left_eye_stays_on_the_left_of_the_mirrored_picture() -> None:
    landmarks = torch.zeros(1, 68, 2)
    landmarks[0, 36, 0], landmarks[0, 45, 0] = 30.0, 100.0  # outer corners, not symmetric about the centre
    mirrored = mirror_landmarks(landmarks, 128)
    assert mirrored[0, 36, 0] == 127 - 100
    assert mirrored[0, 45, 0] == 127 - 30


def test_a_hidden_right_side_becomes_a_hidden_left_side() -> None:
    visible = torch.ones(1, 68, dtype=torch.bool)
    visible[0, 9:17] = False
    assert torch.equal(mirror_visible(visible)[0, :8], torch.zeros(8, dtype=torch.bool))
    assert mirror_visible(visible)[0, 8:].all()


@pytest.mark.parametrize("maps", [4, 5, 68])
def test_components_share_out_all_points(maps: int) -> None:
    points = [point for members in COMPONENTS[maps].values() for point in members]
    assert sorted(points) == list(range(68))
    assert len(COMPONENTS[maps]) == maps


def test_mirroring_keeps_every_point_in_its_component() -> None:
    for members in COMPONENTS[4].values():
        assert sorted(np.asarray(MIRROR)[list(members)]) == sorted(members)
