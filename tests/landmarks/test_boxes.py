from itertools import pairwise

import numpy as np
import pytest

from src.landmarks.boxes import distinct, face_box, tiles, usable


def test_the_box_that_landmarks_imply() -> None:
    points = np.full((68, 2), 50.0, np.float32)
    points[0], points[8], points[16] = (10, 40), (50, 109), (109, 40)  # edges 10..110 and 40..110
    assert face_box(points) == pytest.approx((10 + 2.5, 40 - 0.26 * 70, 110 - 2.5, 110 + 0.7))
    points[20] = np.nan
    assert face_box(points) == pytest.approx((12.5, 21.8, 107.5, 110.7))


def test_usable() -> None:
    assert usable((0, 0, 1, 1))
    assert not any(map(usable, [(0, 0, 0, 1), (0, 2, 1, 1), (np.nan, 0, 1, 1), (0, 0, np.inf, 1)]))


def test_duplicates_go_by_overlap_and_score() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [6, 0, 16, 10], [100, 0, 110, 10]], float)
    # intersection over union: 0.9 of the first two, 40/160 of the first and the third
    assert distinct(boxes, np.array([0.5, 0.9, 0.8, 0.4]), 0.3).tolist() == [1, 2, 3]
    assert distinct(boxes, np.array([0.9, 0.5, 0.8, 0.4]), 0.2).tolist() == [0, 3]
    assert distinct(boxes[:0], np.zeros(0), 0.3).tolist() == []


def test_a_part_of_a_face_is_no_face() -> None:
    boxes = np.array([[0, 0, 100, 100], [80, 10, 105, 30], [90, 10, 120, 40]], float)
    assert distinct(boxes, np.array([0.8, 0.99, 0.9]), 0.3).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("width", "height", "tile"), [(1000, 700, (320.0, 240.0)), (3, 900, (10.0, 8.5)), (5, 5, (9, 9))]
)
def test_tiles_cover_the_picture_and_overlap(width: int, height: int, tile: tuple[float, float]) -> None:
    boxes = tiles(width, height, tile)
    seen = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert x1 - x0 <= tile[0] + 1
        assert y1 - y0 <= tile[1] + 1
        seen[y0:y1, x0:x1] = True
    assert seen.all()
    for low in (0, 1):
        spans = sorted({(box[low], box[low + 2]) for box in boxes})
        for (start, stop), (following, _) in pairwise(spans):
            assert stop - following >= 0.25 * (stop - start) - 1
