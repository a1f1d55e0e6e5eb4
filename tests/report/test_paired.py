import math
from collections.abc import Mapping

import pytest

from src.report.bins import BINNINGS
from src.report.paired import all_differences, differences
from src.report.scores import FaceScores, MethodScores, mean_of, summarise
from src.report.table import difference, identical
from tests.report.test_table import PROTOCOL


def row(scores: Mapping[str, float], yaw: float = 0.0, moved: float = 0.0) -> FaceScores:
    methods = {name: MethodScores({"psnr_rgb": value}) for name, value in scores.items()}
    return FaceScores("a", 0, "x.png", "Ann", 0.0, 1.0, 0.0, 0.0, methods, misalignment_px=moved, yaw_deg=yaw)


def test_a_difference_is_paired_and_of_faces_that_both_have() -> None:
    faces = [row({"a": a, "b": a + 0.5, "c": a}) for a in (10.0, 20.0, 30.0)]
    faces.append(row({"a": 25.0, "b": math.nan, "c": math.inf}))
    b, c = differences(faces, [("b", "a"), ("c", "a")])
    # Between faces the scores differ by 10, between the methods always by 0.5: unpaired, nothing could be told.
    assert (b.mean, b.low, b.high, b.faces) == (0.5, 0.5, 0.5, 3)
    assert (c.mean, c.faces, c.p) == (0.0, 3, 1.0)
    assert [(one.method, one.base) for one in all_differences(faces)] == [("b", "a"), ("c", "a"), ("c", "b")]


def test_one_face_has_a_difference_without_interval() -> None:
    (one,) = differences([row({"a": 20.0, "b": 21.0})], [("b", "a")])
    assert (one.mean, one.low, one.high, one.p, one.faces) == (1.0, None, None, None, 1)
    assert difference(one, 2) == "+1.00"
    assert summarise([row({"a": 20.0})]).methods["a"].whole["psnr_rgb"].low is None


def test_identical_images_are_counted_and_in_no_mean() -> None:
    mean = mean_of([20.0, math.inf, 22.0])
    assert (mean.mean, mean.faces, mean.infinite) == (21.0, 2, 1)
    assert mean_of([math.inf]).mean is None
    names = dict.fromkeys(PROTOCOL.methods, 20.0)
    (sentence,) = identical([row({**names, "tiny": math.inf}), row(names)], PROTOCOL)
    assert sentence.startswith("MTUN-light, tiny: 1 images are identical to HR")


@pytest.mark.parametrize(
    ("yaw", "moved", "names"),
    [
        (-14.9, 0.0, ["0-15", "0-15"]),
        (15.0, 15.0, ["15-45", "15-30"]),
        (-60.0, 31.0, ["45-90", "30 or more"]),
        (95.0, 29.9, ["45-90", "15-30"]),
        (math.nan, math.nan, []),
    ],
)
def test_a_face_is_in_the_bin_of_its_turn_and_of_its_misalignment(yaw: float, moved: float, names: list[str]) -> None:
    face = row({"a": 20.0}, yaw, moved)
    assert [name for binning in BINNINGS for name in binning.sort([face])] == names
