import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.model.hourglass import HEBConfig
from src.model.light import LightConfig
from src.photo import inputs, passes, photographs, videos
from src.photo.filmed import Search
from src.photo.outputs import is_result
from src.system.errors import UserError
from src.upscale import main
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.fuzzing import assert_one_line
from tests.helpers.tiny_files import checkpoint_content
from tests.helpers.tiny_videos import Framed, frames_of, picture, sound_of, write_video

Run = Callable[..., int]
COUNT = 12


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    heb = HEBConfig(resolution=32, stacks=1, width=16, depth=2)
    content = checkpoint_content(
        LightConfig(lr_side=32, width=16, blocks16=1, blocks32=1, heb=heb, localisation="aligner")
    )
    content["hyper_parameters"]["data"]["own_size"] = [12, 40]
    path = tmp_path_factory.mktemp("network") / "own.ckpt"
    torch.save(content, path)
    return path


@pytest.fixture
def run(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with a detector of drawn faces, on `in`."""
    monkeypatch.setattr(photographs, "build_detector", lambda name, folder: Framed())

    def _run(*words: str, paths: tuple[str, ...] = ("in",), out: str = "out") -> int:
        named = [str(tmp_path / path) for path in paths]
        return main([*named, "--method", str(network), "--device", "cpu", "--out", str(tmp_path / out), *words])

    (tmp_path / "in").mkdir()
    return _run


def two_faces(count: int = COUNT) -> list[np.ndarray]:
    return [picture([(90 - frame, 30, 2 * frame), (30 + frame, 60, 0)]) for frame in range(count)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_each_face_the_video_and_what_is_known_of_it_are_written(run: Run, tmp_path: Path) -> None:
    times = [*range(0, 40 * COUNT - 40, 40), 40 * COUNT + 160]
    source = write_video(tmp_path / "in" / "a.mp4", two_faces(), times)
    assert run("--paste", "--json", "--scale", "2.26", "--every", "2", "--batch", "5") == 0
    out = tmp_path / "out"
    assert names(out) == ["a.json", "a_1.mp4", "a_2.mp4", "a_upscaled.mp4"]
    seconds = [time / 1000 for time in times]
    for name, shape in {"a_1.mp4": (128, 128, 3), "a_2.mp4": (128, 128, 3), "a_upscaled.mp4": (216, 290, 3)}.items():
        shown, frames = frames_of(out / name)
        assert shown == pytest.approx(seconds, abs=1e-9), name
        assert {frame.shape for frame in frames} == {shape}
        assert is_result(out / name)
    assert sound_of(out / "a_upscaled.mp4") == sound_of(source) != []
    assert sound_of(out / "a_1.mp4") == []
    told = json.loads((out / "a.json").read_text())
    assert {key: told[key] for key in ("file", "width", "height", "frames", "searched_every", "left_out")} == {
        "file": "a.mp4", "width": 128, "height": 96, "frames": COUNT, "searched_every": 2, "left_out": []
    }  # fmt: skip
    assert set(told["seconds"]) == {"search", "place", "draw"}
    assert [face["file"] for face in told["faces"]] == ["a_1.mp4", "a_2.mp4"]
    left, right = (face["frames"] for face in told["faces"])
    assert [frame["time"] for frame in left] == seconds
    assert [frame["score"] for frame in left[:4]] == [0.9, None, 0.9, None]
    assert left[0]["box"][0] < right[0]["box"][0]
    # The middle of the face, in pixels of the frame, is near the middle of the upright one.
    for frame in left:
        x, y = (frame["box"][0] + frame["box"][2]) / 2 - 0.5, (frame["box"][1] + frame["box"][3]) / 2 - 0.5
        assert np.abs(np.array(frame["matrix"]) @ [x, y, 1] - 63.5).max() < 20
        assert set(frame["confidence"]) == {"eyes", "nose", "mouth", "chin"}


def test_the_faces_are_pasted_where_they_are_and_the_rest_stays(run: Run, tmp_path: Path) -> None:
    """The untrained network enlarges: with its face in place, the video looks as if enlarged as a whole."""
    write_video(tmp_path / "in" / "a.mp4", two_faces(), sound=None)
    assert run("--paste", "--scale", "2") == 0
    _, before = frames_of(tmp_path / "in" / "a.mp4")
    _, after = frames_of(tmp_path / "out" / "a_upscaled.mp4")
    assert len(after) == len(before) == COUNT
    for small, large in zip(before, after, strict=True):
        wanted = np.asarray(Image.fromarray(small).resize((256, 192), Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(wanted - large).mean() < 4
        assert np.abs(wanted - large)[40:80, 100:200].mean() < 12


def test_a_turned_video_becomes_an_upright_one(run: Run, tmp_path: Path) -> None:
    turned = [np.rot90(frame, -1) for frame in two_faces(6)]
    write_video(tmp_path / "in" / "a.mov", turned, rotation=90)
    assert run("--paste", "--scale", "1") == 0
    assert names(tmp_path / "out") == ["a_1.mov", "a_2.mov", "a_upscaled.mov"]
    _, frames = frames_of(tmp_path / "out" / "a_upscaled.mov")
    assert frames[0].shape == (96, 128, 3)
    assert np.abs(frames[3].astype(int) - two_faces(6)[3]).mean() < 6


def test_a_face_that_leaves_and_comes_back_later_is_two(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = []
    begin, end = videos.VideoWriter.__init__, videos.VideoWriter.__exit__
    monkeypatch.setattr(videos.VideoWriter, "__init__", lambda *words: (events.append("begin"), begin(*words))[1])
    monkeypatch.setattr(videos.VideoWriter, "__exit__", lambda *words: (events.append("end"), end(*words))[1])
    there = [picture([(30 + frame, 40, 0)] if not 5 <= frame < 22 else []) for frame in range(27)]
    write_video(tmp_path / "in" / "a.webm", there, sound="libopus", codec="libvpx-vp9")
    assert run("--every", "1") == 0
    assert names(tmp_path / "out") == ["a_1.webm", "a_2.webm"]
    assert [len(frames_of(tmp_path / "out" / f"a_{number}.webm")[0]) for number in (1, 2)] == [5, 5]
    assert frames_of(tmp_path / "out" / "a_2.webm")[0][0] == 0  # it begins at once
    assert events == ["begin", "end"] * 2  # no more files are open than there are faces


def test_other_containers_become_mp4_with_the_sound(run: Run, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in" / "a.avi", two_faces(6), range(6), Fraction(1, 25), sound="mp3", codec="mpeg4")
    assert run("--paste", "--scale", "1") == 0
    assert names(tmp_path / "out") == ["a_1.mp4", "a_2.mp4", "a_upscaled.mp4"]
    assert [data for _, data in sound_of(tmp_path / "out/a_upscaled.mp4")] == [data for _, data in sound_of(source)]


def test_results_are_left_out_and_nothing_is_overwritten_unasked(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "in" / "a.mp4", two_faces(6))
    assert run("--paste", out="in") == 0
    before = {path: path.read_bytes() for path in (tmp_path / "in").iterdir()}
    assert len(before) == 4
    monkeypatch.setattr(videos, "find_faces", None)  # said before the work, not after it
    assert run("--paste", out="in") == 1
    told = capsys.readouterr().err
    assert "3 results of earlier runs left out" in told
    assert f"{tmp_path / 'in' / 'a_upscaled.mp4'} is there already; --overwrite replaces it" in told
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in (tmp_path / "in").iterdir()} == before


def test_a_run_that_is_interrupted_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "in" / "a.mp4", two_faces(6))
    written = []

    def interrupted(*arguments: object) -> None:
        written.append(names(tmp_path / "out"))
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(videos, "paste_at", interrupted)
    monkeypatch.setattr(videos.VideoWriter, "write", lambda *arguments: None)
    assert run("--paste") == 130
    assert ".a_upscaled.mp4.partial" in written[-1]
    assert names(tmp_path / "out") == []


def test_all_videos_of_faces_are_closed_though_one_fails(tmp_path: Path) -> None:
    closed = []

    class Writer:
        def __init__(self, name: str) -> None:
            self.name = name

        def __exit__(self, *raised: object) -> None:
            closed.append(self.name)
            raise UserError(self.name)

    faces = videos.FaceVideos(None, Search([], np.zeros(0)), [], "mp4")  # type: ignore
    faces._open = {number: (Writer(name), 0) for number, name in enumerate("ab")}  # type: ignore
    with pytest.raises(UserError), faces:
        pass
    assert sorted(closed) == ["a", "b"]


def test_the_file_that_cannot_be_written_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "in" / "a.mp4", two_faces(4))
    (tmp_path / "out" / "a_2.mp4").mkdir(parents=True)
    assert run("--overwrite") == 1
    assert f"error: {tmp_path}/out/a_2.mp4 cannot be written: Is a directory\n" in capsys.readouterr().err


def test_faces_that_are_not_finite_are_said_once(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "in" / "a.mp4", two_faces(4))
    monkeypatch.setattr(passes, "finite", lambda output: torch.zeros(len(output.image), dtype=torch.bool))
    assert run("--json") == 0
    said = "the network's output is not finite for 8 faces of its frames: the frame before gives them"
    assert capsys.readouterr().err == f"warning: {tmp_path}/in/a.mp4: {said}\n"
    assert json.loads((tmp_path / "out" / "a.json").read_text())["faces"][0]["frames"][0]["confidence"] == {}


def test_no_face_is_said_and_no_failure(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "in" / "a.mp4", [noise_picture(64, 48) // 4] * 4)
    assert run("--paste", "--json") == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{tmp_path / 'in/a.mp4'}: no face found"
    assert names(tmp_path / "out") == ["a.json"]
    assert json.loads((tmp_path / "out" / "a.json").read_text())["faces"] == []


def test_a_face_of_another_size_is_left_out_unless_asked_for(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = [np.asarray(Image.fromarray(frame).resize((384, 288))) for frame in two_faces(4)]
    write_video(tmp_path / "in" / "a.mp4", large)
    assert run() == 0
    told = capsys.readouterr()
    assert told.out == f"{tmp_path / 'in/a.mp4'}: no face that can be upscaled\n"
    assert told.err.count("px is above the 40 px of the training; --any-size takes it\n") == 2
    assert "from 0.00 s is left out" in told.err
    assert run("--any-size", "--json") == 0
    assert names(tmp_path / "out") == ["a.json", "a_1.mp4", "a_2.mp4"]


def test_bad_files_are_said_and_the_rest_goes_on(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    source = write_video(folder / "a.mp4", two_faces(6))
    (folder / "b.mp4").write_text("a text")
    (folder / "c.mkv").touch()
    picture = Image.fromarray(two_faces(6)[0])
    picture.save(folder / "d.png")
    (folder / "e.mp4").write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])
    assert run() == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split("/in/")[1].split(":")[0] for line in told[:-1]] == ["b.mp4", "c.mkv", "e.mp4"]
    assert "cut short" in told[2]
    assert told[-1] == "2 of 5 failed"
    assert names(tmp_path / "out") == [
        "a_1.mp4", "a_2.mp4", "d_1.png", "d_2.png", "e_1.mp4", "e_2.mp4"
    ]  # fmt: skip


def test_what_videos_do_not_take_is_said_of_those_named_and_a_remark_in_a_folder(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "in" / "a.mp4", two_faces(4))
    Image.fromarray(two_faces(1)[0]).save(tmp_path / "in" / "b.png")
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\n")
    boxes = ("--boxes", str(tmp_path / "boxes.csv"))
    assert run(*boxes, paths=("in/a.mp4",)) == 1
    assert run(*boxes) == 0
    assert run("--crops", paths=("in/a.mp4",)) == 1
    assert run("--crops") == 0
    monkeypatch.setattr(photographs, "find_spec", lambda name: None)
    assert run(paths=("in/a.mp4",)) == 1
    assert run(out="third") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "failed" not in line and "b.png" not in line]
    reasons = [
        "--boxes is for photographs: leave it out for a video",
        "a video is no face crop: leave --crops out, or add --no-crops",
        "av is not installed: it belongs to the extra `video`; make setup EXTRAS=video",
    ]
    assert lines == [
        line for reason in reasons
        for line in (f"error: {tmp_path}/in/a.mp4: {reason}", f"warning: {tmp_path}/in: 1 video left out: {reason}")
    ]  # fmt: skip
    assert "a_1.mp4" not in names(tmp_path / "out")


def test_mistakes_are_one_line(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "in" / "a.mp4", two_faces(4))
    assert run("--every", "0") == 2
    assert run("--smooth", "-1") == 2
    assert run("--smooth", "nan") == 2
    assert run("--max-pixels", "100") == 1
    assert "128x96: more than 100 pixels; --max-pixels 12288 reads it" in capsys.readouterr().err
    assert run("--heatmaps") == 0
    assert capsys.readouterr().err == f"warning: {tmp_path}/in/a.mp4: heatmaps are written of photographs alone\n"


@pytest.mark.parametrize(
    ("width", "height", "scale", "size"),
    [(128, 96, None, (682, 512)), (640, 481, None, (1662, 1248)), (1921, 1081, None, (1922, 1082)),
     (101, 77, 1.0, (102, 78)), (100, 80, 3.0, (300, 240)), (7681, 4321, 1.0, None), (4000, 2000, 2.1, None)],
)  # fmt: skip
def test_the_size_of_the_pasted_video(
    width: int, height: int, scale: float | None, size: tuple[int, int] | None
) -> None:
    class Face:
        own_size = 24

    class Nothing:
        pass

    job, video, search = videos.Videos.__new__(videos.Videos), Nothing(), Nothing()
    job.request, video.size, video.path, search.faces = Nothing(), (width, height), "a.mp4", [Face()]  # type: ignore
    job.request.scale = scale  # type: ignore
    if size is None:
        with pytest.raises(videos.BadFace, match=r"--scale 2\.0 at most|cannot be pasted"):
            job._size(video, search)  # type: ignore
    else:
        found = job._size(video, search)  # type: ignore
        assert np.abs(np.subtract(found, size)).max() <= 2
        assert all(side % 2 == 0 for side in found)


def test_videos_are_found_by_their_suffix_in_any_case(tmp_path: Path) -> None:
    for name in ("a.MP4", "b.mov", "c.ts", "d.txt"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in inputs.find_images([tmp_path]).pictures] == ["a.MP4", "b.mov"]
    assert [inputs.is_video(Path(name)) for name in ("x.webm", "x.M4V", "x.png", "mp4")] == [True, True, False, False]


def test_mutated_videos_end_in_a_result_or_a_line(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = [write_video(tmp_path / f"s.{suffix}", two_faces(4)).read_bytes() for suffix in ("mp4", "mkv")]
    random, ended = np.random.default_rng(5), set()
    for number in range(16):
        data = bytearray(samples[number % 2])
        for _ in range(random.integers(1, 12)):
            at = int(random.integers(0, min(len(data), 3000) if number % 3 else len(data)))
            data[at : at + 2] = random.bytes(int(random.integers(0, 4)))
        path = tmp_path / "in" / f"m{number}.{('mp4', 'mkv')[number % 2]}"
        path.write_bytes(data)
        code = run("--paste", "--scale", "1", "--overwrite", paths=(f"in/{path.name}",))
        told = capsys.readouterr()
        ended.add(code)
        for line in told.err.splitlines():
            assert_one_line(line)
        errors = [line for line in told.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == (code == 1)
        assert told.out if code == 0 else not told.out
    assert ended == {0, 1}
    assert not [name for name in names(tmp_path / "out") if name.startswith(".")]
