import numpy as np
import pytest

from src.photo.centerface import FoundFace
from src.photo.track import Track, Tracker, grown, partners


def face(x: float, y: float, side: float = 10, score: float = 0.9) -> FoundFace:
    return FoundFace((x - side / 2, y - side / 2, x + side / 2, y + side / 2), score)


def xs(track: Track) -> list[float]:
    return [(box[0] + box[2]) / 2 for box in track.boxes]


def test_boxes_are_compared_at_twice_their_size_about_their_centres() -> None:
    np.testing.assert_allclose(grown(np.array([[10.0, 20, 14, 30]])), [[8, 15, 16, 35]])
    box = np.array([[0.0, 0, 10, 10]])
    # Moved by d, twice the size: (20 - d) / (20 + d), which is 0.3 at d = 10.77.
    assert partners(box, box + np.array([10.7, 0, 10.7, 0])) == [(0, 0)]
    assert partners(box, box + np.array([10.8, 0, 10.8, 0])) == []
    assert partners(np.zeros((0, 4)), box) == partners(box, np.zeros((0, 4))) == []


def test_the_largest_overlap_goes_first_and_each_box_has_one_partner() -> None:
    before = np.array([[0.0, 0, 10, 10], [6, 0, 16, 10]])
    after = np.array([[5.0, 0, 15, 10], [0.5, 0, 10.5, 10], [7, 0, 17, 10]])
    assert sorted(partners(before, after)) == [(0, 1), (1, 0)]  # 1 is 1 from both 0 and 2; the first of equals


def test_a_face_goes_on_as_it_moved_and_holes_are_filled_on_the_line() -> None:
    track = Track([4, 6, 7], [(0, 0, 10, 10), (4, 0, 14, 10), (6, 3, 16, 13)], [0.5, 0.6, 0.7])
    np.testing.assert_allclose(track.expected(9), [10, 5, 20, 15])  # by (2, 1) a frame
    boxes, scores = track.filled(9)
    np.testing.assert_allclose(boxes[:, 0], [0, 2, 4, 6, 6, 6])
    np.testing.assert_allclose(boxes[:, 3], [10, 10, 10, 13, 13, 13])
    np.testing.assert_array_equal(scores, [0.5, np.nan, 0.6, 0.7, np.nan, np.nan])
    np.testing.assert_allclose(Track([3], [(0, 0, 4, 4)], [1]).expected(8), [0, 0, 4, 4])


@pytest.mark.parametrize(("lost", "tracks"), [(5, 1), (6, 2)])
def test_a_face_that_leaves_and_comes_back_is_the_same_within_the_gap(lost: int, tracks: int) -> None:
    tracker = Tracker(gap=6, shortest=3)
    for frame in range(30):
        tracker.add(frame, [] if 10 <= frame < 10 + lost else [face(50, 40)])
    found = tracker.tracks()
    assert [track.frames[0] for track in found] == [0, 10 + lost][:tracks]
    assert sum(len(track.frames) for track in found) == 30 - lost


def test_short_finds_are_dropped_but_in_a_short_video() -> None:
    tracker = Tracker(gap=2, shortest=3)
    for frame in range(20):
        tracker.add(frame, [face(50, 40), *([face(100, 80)] * (5 <= frame < 7)), *([face(10, 10)] * (9 <= frame < 12))])
    assert [(track.frames[0], len(track.frames)) for track in tracker.tracks()] == [(0, 20), (9, 3)]
    single = Tracker(gap=2, shortest=3)
    single.add(0, [face(50, 40)])
    assert len(single.tracks()) == 1


def test_tracks_are_numbered_from_left_to_right_where_they_begin() -> None:
    tracker = Tracker(gap=2, shortest=1)
    tracker.add(0, [face(80, 10), face(20, 10)])
    tracker.add(1, [face(80, 10), face(20, 10), face(5, 60)])
    assert [track.boxes[0][0] for track in tracker.tracks()] == [15, 75, 0]


@pytest.mark.parametrize("hidden", [0, 3])
def test_two_faces_that_cross_stay_themselves(hidden: int) -> None:
    """They pass each other at a distance below their size; the detector may see one of them for a while."""
    tracker = Tracker(gap=6, shortest=3)
    for frame in range(31):
        faces = [face(20 + 4 * frame, 50), face(140 - 4 * frame, 52)]
        tracker.add(frame, faces[:1] if abs(frame - 15) < hidden else faces)
    one, other = tracker.tracks()
    assert xs(one)[-1] == 140
    assert xs(other)[-1] == 20
    assert (np.diff(xs(one)) > 0).all()
    assert (np.diff(xs(other)) < 0).all()
