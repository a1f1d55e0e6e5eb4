import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.image.crop import RESAMPLER, Square, crop_square
from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.model.output import Upscaled
from src.photo import passes
from src.photo.faces import UpscaledFace
from src.photo.filmed import Search
from src.photo.passes import brought, drawn_faces, find_faces, in_batches, place_faces
from src.photo.smooth import square_of_numbers
from src.photo.upscaler import FaceUpscaler
from src.photo.video_file import Frame, VideoFile
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.tiny_files import checkpoint_content
from tests.helpers.tiny_videos import SIDE, Framed, picture, write_video

COUNT = 30


def done() -> None:
    pass


def path(frame: int) -> tuple[float, float, float]:
    """Where the moving face is in a frame, and how it is turned."""
    return 25 + 2.2 * frame, 40 + 8 * math.sin(frame / 6), 20 * math.sin(frame / 7)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> VideoFile:
    """A face that moves and turns from the left to the right, and one that stands still below it."""
    pictures = [picture([path(frame), (60, 78, 0)]) for frame in range(COUNT)]
    return VideoFile(write_video(tmp_path_factory.mktemp("video") / "a.mp4", pictures), 10**6)


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory: pytest.TempPathFactory) -> FaceUpscaler:
    heb = HEBConfig(resolution=32, stacks=1, width=16, depth=2)
    content = checkpoint_content(
        LightConfig(lr_side=32, width=16, blocks16=1, blocks32=1, heb=heb, localisation="aligner")
    )
    content["hyper_parameters"]["data"]["own_size"] = [12, 40]
    file = tmp_path_factory.mktemp("network") / "own.ckpt"
    torch.save(content, file)
    return FaceUpscaler.from_pretrained(file, device="cpu", batch=8)


def found(video: VideoFile, upscaler: FaceUpscaler, detector: Framed, every: int, smooth: float) -> Search:
    upscaler._detector = detector
    upscaler.__dict__.pop("detector", None)
    return find_faces(video, upscaler, every, smooth, done)


def test_two_faces_are_followed_through_all_frames_between_searches_too(
    video: VideoFile, upscaler: FaceUpscaler
) -> None:
    detector = Framed()
    search = found(video, upscaler, detector, 3, 0.1)
    assert detector.calls == 10
    np.testing.assert_allclose(search.times, np.arange(COUNT) / 25)
    moving, still = search.faces
    assert (moving.first, len(moving.boxes), still.first, len(still.boxes)) == (0, COUNT, 0, COUNT)
    assert [not math.isnan(score) for score in still.scores] == [frame % 3 == 0 for frame in range(COUNT)]
    for frame in range(3, 27):  # the last search is in frame 27
        x, y, _ = path(frame)
        square = square_of_numbers(moving.seen[frame])
        middle = (square.box[0] + square.box[2]) / 2, (square.box[1] + square.box[3]) / 2
        assert math.hypot(middle[0] - x, middle[1] - y - 0.12 * SIDE) < 1.8, frame
    assert still.own_size == pytest.approx(1.5 * SIDE, abs=3)


def test_a_face_that_stands_still_is_steady_under_a_detector_that_shakes(
    video: VideoFile, upscaler: FaceUpscaler
) -> None:
    def jitter(smooth: float) -> float:
        search = found(video, upscaler, Framed(shake=1.5), 1, smooth)
        place_faces(video, upscaler, search, smooth, done)
        still = search.faces[1].places
        return float(np.sqrt((np.diff(still[:, :2], 2, axis=0) ** 2).mean()))

    raw, steadied = jitter(0), jitter(0.1)
    assert raw > 1
    assert steadied < 0.1 * raw


def test_the_place_is_steady_under_a_network_that_shakes(
    video: VideoFile, upscaler: FaceUpscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(2)

    def shaken(lr: torch.Tensor) -> np.ndarray:
        turns, shifts = random.normal(0, 0.1, len(lr)), random.normal(0, 0.05, (len(lr), 2, 1))
        cos, sin = np.cos(turns), np.sin(turns)
        return np.concatenate([np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1), shifts], 2)

    def jitter(smooth: float) -> np.ndarray:
        search = found(video, upscaler, Framed(), 1, 0.1)
        place_faces(video, upscaler, search, smooth, done)
        return np.sqrt((np.diff(search.faces[1].places, 2, axis=0) ** 2).mean(0))

    monkeypatch.setattr(upscaler, "matrices", shaken)
    raw, steadied = jitter(0), jitter(0.1)
    assert (steadied[[0, 1, 3]] < 0.1 * raw[[0, 1, 3]]).all()
    assert raw[3] > 0.1


def test_a_face_that_is_lost_for_a_moment_stays_itself_and_for_long_does_not(
    video: VideoFile, upscaler: FaceUpscaler
) -> None:
    search = found(video, upscaler, Framed(see=lambda call: not 8 <= call < 16), 1, 0.1)
    assert [face.first for face in search.faces] == [0, 0]
    search = found(video, upscaler, Framed(see=lambda call: not 6 <= call < 22), 1, 0.1)
    # GAP is 0.5 s, 12 frames. The first two end where they were last seen.
    assert [(face.first, len(face.boxes)) for face in search.faces] == [(0, 6), (0, 6), (22, 8), (22, 8)]


def test_the_place_is_where_the_networks_transform_says_and_the_face_is_brought_to_it(
    video: VideoFile, upscaler: FaceUpscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The STN is told what to answer; the untrained network enlarges what the STN takes, and no more."""
    bias = upscaler.method.checkpoint.generator.stn.head.bias

    def answer(scale: float, down: float) -> None:
        with torch.no_grad():
            bias.copy_(torch.tensor([0.0, scale, 0.0, down]))

    def drawn() -> list[UpscaledFace]:
        return [faces[1][1] for part, faces in drawn_faces(video, upscaler, search) if isinstance(part, Frame)]

    search = found(video, upscaler, Framed(), 3, 0.1)
    answer(0.8, 0.1)
    place_faces(video, upscaler, search, 0.1, done)
    still = search.faces[1]
    seen, place = square_of_numbers(still.seen[9]), square_of_numbers(still.places[9])
    side = seen.box[2] - seen.box[0]
    assert place.box[2] - place.box[0] == pytest.approx(0.8 * side, rel=1e-4)
    assert (place.box[1] + place.box[3] - seen.box[1] - seen.box[3]) / 2 == pytest.approx(0.1 * side / 2, rel=1e-3)
    answer(1, 0)
    straight = drawn()
    answer(0.9, -0.08)
    moved = drawn()
    monkeypatch.setattr(passes, "brought", lambda image, where, to: image)
    left = drawn()
    answer(1, 0)

    def apart(one: UpscaledFace, other: UpscaledFace) -> float:
        return float(np.abs(one.image.astype(int) - other.image)[24:104, 24:104].mean())

    assert [face.square for face in moved] == [face.square for face in straight]
    for one, other, without in zip(straight, moved, left, strict=True):
        assert apart(one, other) < 0.5 * apart(one, without)


def test_faces_are_drawn_in_order_with_the_sound_between_them(video: VideoFile, upscaler: FaceUpscaler) -> None:
    search = found(video, upscaler, Framed(), 1, 0.1)
    place_faces(video, upscaler, search, 0.1, done)
    parts = list(drawn_faces(video, upscaler, search))
    frames = [(part.number, [face.place(part.number) for face, _ in faces]) for part, faces in parts
              if isinstance(part, Frame)]  # fmt: skip
    assert [number for number, _ in frames] == list(range(COUNT))
    assert [places for _, places in frames] == [[face.place(at) for face in search.faces] for at in range(COUNT)]
    assert len(parts) > COUNT + 20
    _, drawn = parts[-1] if parts[-1][1] else next(part for part in reversed(parts) if part[1])
    assert list(drawn[0][1].confidence) == ["eyes", "nose", "mouth", "chin"]


def test_the_face_of_the_frame_before_stays_where_the_networks_output_is_not_finite(
    video: VideoFile, upscaler: FaceUpscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = found(video, upscaler, Framed(), 3, 0.1)
    good = [faces for part, faces in drawn_faces(video, upscaler, search) if isinstance(part, Frame)]
    method, seen = upscaler.method, 0

    class Broken:
        """Its results 0, 10 and 11 are broken: face 0 of frames 0 and 5, and face 1 of frame 5."""

        lr_side, own_size = method.lr_side, method.own_size

        def __call__(self, lr: torch.Tensor) -> Upscaled:
            nonlocal seen
            output = method(lr)
            for number in range(seen, seen + len(lr)):
                if number in (0, 10):
                    output.image[number - seen, 0, 5, 5] = math.nan
                if number == 11:
                    output.heatmaps[-1][number - seen, 0, 0, 0] = math.inf
            seen += len(lr)
            return output

    monkeypatch.setattr(upscaler, "method", Broken())
    drawn = [(part, faces) for part, faces in drawn_faces(video, upscaler, search) if isinstance(part, Frame)]
    assert [face.lost for face in search.faces] == [2, 1]
    for part, faces in drawn:
        for number, (face, one) in enumerate(faces):
            wanted = good[part.number][number][1].image
            if part.number == 5:
                wanted = good[4][number][1].image
            elif (part.number, number) == (0, 0):
                wanted = crop_square(part.pixels, face.place(0))
            assert np.array_equal(one.image, wanted), (part.number, number)
            assert bool(one.confidence) == (part.number != 5 and (part.number, number) != (0, 0))


def test_batches_go_across_frames_and_wait_for_no_more_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    counts = [0, 3, 1, 0, 0, 5, 2, 0]
    sizes, read = list[int](), 0

    def parts() -> Iterator[Frame | str]:
        nonlocal read
        for number in range(len(counts)):
            read += 1
            yield Frame(number, number, pixels)
            yield f"sound {number}"

    def cut_of(part: Frame | str) -> torch.Tensor | None:
        many = counts[part.number] if isinstance(part, Frame) else 0
        return torch.full((many, 1), part.number, dtype=torch.float) if many else None

    def run(lr: torch.Tensor) -> list[int]:
        sizes.append(len(lr))
        return lr[:, 0].int().tolist()

    given = [(part.number, results) for part, results in in_batches(parts(), cut_of, run, 4) if isinstance(part, Frame)]
    assert given == [(number, [number] * count) for number, count in enumerate(counts)]
    assert sizes == [4, 4, 1, 2]
    read, ahead = 0, []
    monkeypatch.setattr(passes, "HELD", 2 * pixels.nbytes)
    for part, _ in in_batches(parts(), cut_of, run, 1000):
        if isinstance(part, Frame):
            ahead.append(read - part.number)
    assert max(ahead) == 2


@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_a_face_brought_to_another_square_is_what_that_square_shows(roll: float) -> None:
    image = np.asarray(Image.fromarray(noise_picture(10, 10)).resize((120, 120), RESAMPLER))
    where, to = Square((40, 40, 72, 72), roll), Square((41.5, 38.2, 71.5, 68.2), roll + 0.1)
    brought_back = brought(crop_square(image, where), where, to).astype(int)
    inside = slice(16, -16)
    assert np.abs(brought_back - crop_square(image, to))[inside, inside].max() <= 6
    assert np.abs(crop_square(image, where).astype(int) - crop_square(image, to))[inside, inside].max() > 20


def test_a_network_whose_aligner_looks_alone_computes_nothing_else(upscaler: FaceUpscaler) -> None:
    lr = torch.rand(3, 4, 32, 32)
    with torch.inference_mode():
        wanted = upscaler.method(lr).matrix
    heard = []
    hook = upscaler.method.checkpoint.generator.trunk.register_forward_hook(lambda *call: heard.append(call))
    np.testing.assert_allclose(upscaler.matrices(lr), wanted, atol=1e-6)
    hook.remove()
    assert not heard


def test_other_networks_say_where_the_face_is_too(checkpoint_file: Path) -> None:
    up = FaceUpscaler.from_pretrained(checkpoint_file, device="cpu")
    lr = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        np.testing.assert_allclose(up.matrices(lr), up.method(lr).matrix, atol=1e-6)
