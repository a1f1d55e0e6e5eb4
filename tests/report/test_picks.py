import math

from src.report.picks import KINDS, pick_faces, picture_budget
from src.report.scores import FaceScores, MethodScores


def rows(*scores: tuple[float, ...]) -> list[FaceScores]:
    """A face for each tuple of the methods' PSNR."""
    return [
        FaceScores("a", n, f"{n}.png", "x", 0, 1, 0, 0,
                   {f"m{at}": MethodScores({"psnr_rgb": score}) for at, score in enumerate(face)})
        for n, face in enumerate(scores)
    ]  # fmt: skip


def of(found: list[FaceScores], most: int) -> dict[tuple[str, str], list[int]]:
    picks = pick_faces(found, most).picks
    return {
        (method, kind): [pick.place for pick in picks if (pick.method, pick.kind) == (method, kind)]
        for method in found[0].methods
        for kind in KINDS
    }


def test_each_method_has_three_of_each_kind() -> None:
    found = of(rows(*[(float(n), -float(n)) for n in range(100)]), 10_000)
    assert found["m0", "worst"] == [0, 1, 2]
    assert found["m0", "median"] == [49, 50, 48]
    assert found["m0", "best"] == [99, 98, 97]
    assert found["m1", "worst"] == [99, 98, 97]


def test_a_face_is_one_kind_of_a_method_and_few_faces_are_all_shown() -> None:
    found = of(rows((5.0,), (4.0,), (6.0,), (1.0,)), 10_000)
    assert sorted(place for places in found.values() for place in places) == [0, 1, 2, 3]
    assert found["m0", "worst"][0] == 3
    assert found["m0", "best"][0] == 2


def test_faces_without_a_score_are_passed_over_and_identical_ones_are_best() -> None:
    found = of(rows((math.nan,), (4.0,), (math.inf,), (1.0,)), 10_000)
    assert (found["m0", "worst"], found["m0", "best"]) == ([3], [2])
    assert all(0 not in places for places in found.values())


def test_the_budget_goes_to_one_of_each_kind_first_then_to_the_other_methods() -> None:
    faces = rows(*[(float(n), float(n * 37 % 100)) for n in range(100)])
    picks = pick_faces(faces, 12)  # 6 faces: HR and the method's own picture
    assert len(picks.picks) >= 5
    assert {(pick.method, pick.kind) for pick in picks.picks[:5]} > {("m0", "worst"), ("m1", "median")}
    assert sum(1 + len(methods) for methods in picks.methods.values()) <= 12
    whole = pick_faces(faces, 10_000)
    assert all(methods == ["m0", "m1"] for methods in whole.methods.values())
    assert pick_faces(faces, 0).picks == []


def test_many_methods_still_make_a_small_file() -> None:
    faces = rows(*[tuple(float((n * 7 + at * 13) % 480) for at in range(50)) for n in range(480)])
    picks = pick_faces(faces, picture_budget(128))
    assert sum(1 + len(methods) for methods in picks.methods.values()) <= picture_budget(128) < 150
    assert picture_budget(1024) == picture_budget(256) == picture_budget(128) // 4
