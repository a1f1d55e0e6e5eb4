import struct
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.photo import video_file
from src.photo.outputs import is_result
from src.photo.video_file import Frame, VideoFile, upright
from src.photo.video_writer import FORMATS, VideoWriter, marked
from src.system.errors import BadFace, UserError
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.tiny_videos import picture, sound_of, write_video

MOST = 10**7
UNEVEN = [0, 40, 80, 130, 200, 210, 400]
"""Times in milliseconds of frames at a rate that varies."""
QUARTERS = np.array([[[200, 30, 30], [30, 200, 30]], [[30, 30, 200], [200, 200, 200]]], np.uint8)
"""Red, green, blue and white."""


def quarters(width: int = 64, height: int = 48) -> np.ndarray:
    return QUARTERS.repeat(height // 2, 0).repeat(width // 2, 1)


def corners(pixels: np.ndarray) -> np.ndarray:
    """The colours in the middles of a frame's quarters, (2, 2, 3)."""
    height, width = pixels.shape[:2]
    return pixels[height // 4 :: height // 2, width // 4 :: width // 2][:2, :2].astype(int)


def copied(source: Path, result: Path, container: str) -> str:
    """Write a video anew, with its sound; why that is silent."""
    video = VideoFile(source, MOST)
    with video.sound() as sound:
        writer = VideoWriter(result, container, video.size, video.rate, video.time_base, sound, video.metadata)
    with writer:
        for part in video.parts():
            writer.write(part.pixels, part.pts) if isinstance(part, Frame) else writer.copy(part)
    return writer.silent


@pytest.mark.parametrize("suffix", FORMATS)
def test_times_colours_and_sound_come_through_writing_and_reading(tmp_path: Path, suffix: str) -> None:
    webm = suffix == ".webm"
    source = write_video(
        tmp_path / f"a{suffix}", [quarters()] * 7, UNEVEN, codec="libvpx-vp9" if webm else "libx264",
        sound="libopus" if webm else "aac", metadata={"title": "a title", "comment": "mine"},
    )  # fmt: skip
    video = VideoFile(source, MOST)
    assert video.size == (64, 48)
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(7))
    assert [round(frame.pts * video.time_base * 1000) for frame in frames] == UNEVEN
    assert np.abs(corners(frames[3].pixels) - QUARTERS).max() <= 4
    assert video.remarks == []
    result = tmp_path / "b.partial"
    assert copied(source, result, FORMATS[suffix]) == ""
    again = VideoFile(result, MOST)
    assert [frame.pts * again.time_base for frame in again.frames()] == [
        frame.pts * video.time_base for frame in frames
    ]
    assert np.abs(corners(next(again.frames()).pixels) - QUARTERS).max() <= 8
    assert sound_of(result) == sound_of(source) != []
    said = {key.lower(): text for key, text in again.metadata.items()}
    assert (said["title"], said["comment"]) == ("a title", "MTUN upscale; mine")
    assert is_result(result.rename(tmp_path / f"b{suffix}"))
    assert not is_result(source)


def test_sound_that_a_container_refuses_is_left_out_and_said(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", [quarters()] * 3)
    assert "aac" in copied(source, tmp_path / "b.webm", "webm")
    assert sound_of(tmp_path / "b.webm") == []
    assert len(list(VideoFile(tmp_path / "b.webm", MOST).frames())) == 3
    webm = write_video(tmp_path / "c.webm", [quarters()] * 3, codec="libvpx-vp9", sound="libopus")
    assert copied(webm, tmp_path / "d.mov", "mov") != ""  # this one refuses while it writes its header
    assert len(list(VideoFile(tmp_path / "d.mov", MOST).frames())) == 3


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_a_turned_video_is_read_upright(tmp_path: Path, turn: int) -> None:
    video = VideoFile(write_video(tmp_path / "a.mp4", [quarters()] * 2, rotation=turn), MOST)
    frame = next(video.frames())
    assert video.size == ((64, 48) if turn == 180 else (48, 64)) == frame.pixels.shape[1::-1]
    assert np.abs(corners(frame.pixels) - np.rot90(QUARTERS, turn // 90)).max() <= 4


def display(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack("=9i", *(number << 16 for number in (a, b, 0, c, d, 0, 0, 0, 1 << 14)))


def test_every_display_matrix_of_quarters_and_mirrors() -> None:
    """The pixel at (x, y) is shown at (a x + c y, b x + d y), moved into the frame."""
    image = noise_picture(3, 2)
    for a, b, c, d in ((1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
                       (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0)):  # fmt: skip
        shown = upright(image, display(a, b, c, d))
        ys, xs = np.mgrid[:2, :3]
        across, down = a * xs + c * ys, b * xs + d * ys
        wanted = np.zeros((down.max() - down.min() + 1, across.max() - across.min() + 1, 3), np.uint8)
        wanted[down - down.min(), across - across.min()] = image
        assert np.array_equal(shown, wanted), (a, b, c, d)
    assert upright(image, b"") is image


def test_narrow_pixels_become_square_ones(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", [quarters()] * 2, wide=Fraction(4, 3), sound=None)
    assert VideoFile(source, MOST).size == (85, 48)
    source = write_video(tmp_path / "b.mp4", [quarters()] * 2, wide=Fraction(3, 4), sound=None)
    assert VideoFile(source, MOST).size == (64, 64)


def test_a_video_cut_short_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    pictures = [noise_picture(64, 48, number) for number in range(50)]
    for suffix, said in ((".mp4", "of its 50 frames are there"), (".mkv", "s are there")):
        source = write_video(tmp_path / f"a{suffix}", pictures)
        data = source.read_bytes()
        source.write_bytes(data[: len(data) * 6 // 10])
        video = VideoFile(source, MOST)
        found = list(video.frames())
        assert 2 < len(found) < 45
        assert any(remark.startswith("it was cut short: ") and said in remark for remark in video.remarks), suffix


def test_repeated_frames_of_an_avi_are_not_missing_ones(tmp_path: Path) -> None:
    pictures = [noise_picture(64, 48, number) for number in range(26)]
    times = [*range(23), 30, 31, 50]  # between them, the file has empty frames
    source = write_video(tmp_path / "a.avi", pictures, times, Fraction(1, 25), sound=None, codec="mpeg4")
    video = VideoFile(source, MOST)
    assert [frame.pts for frame in video.frames()] == times
    assert video.remarks == []
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 6 // 10])
    video = VideoFile(source, MOST)
    assert len(list(video.frames())) < 20
    assert [remark for remark in video.remarks if remark.startswith("it was cut short: ")]


def test_what_is_no_video_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "good.mp4", [quarters()] * 2)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("a text\n")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ngood.mp4\n#EXT-X-ENDLIST\n")
    Image.fromarray(quarters()).save(tmp_path / "picture.mp4", "PNG")
    (tmp_path / "joined.mp4").write_text("ffconcat version 1.0\nfile good.mp4\n")
    data = (tmp_path / "good.mp4").read_bytes()
    (tmp_path / "head.mp4").write_bytes(data[: data.index(b"mdat") + 4])
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        tone = file.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        file.mux(tone.encode(frame))
        file.mux(tone.encode(None))
    for name, said in {
        "empty.mp4": "the file is empty", "text.mp4": "no video that can be read",
        "none.mp4": "cannot be read: No such",
        "list.mp4": "no video that can be read", "joined.mp4": "no video that can be read",
        "picture.mp4": "no video that can be read",
        "sound.mp4": "no video in this file but sound", "head.mp4": "no frame of the video can be read",
    }.items():  # fmt: skip
        with pytest.raises(BadFace, match=said):
            VideoFile(tmp_path / name, MOST)
    with pytest.raises(BadFace, match=r"64x48: more than 3,071 pixels; --max-pixels 3072 reads it"):
        VideoFile(tmp_path / "good.mp4", 3071)
    assert VideoFile(tmp_path / "good.mp4", 3072).size == (64, 48)


def test_only_containers_of_video_are_opened_for_the_mark(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text(";FFMETADATA1\ncomment=MTUN upscale\n")  # FFmpeg reads it as a container with a comment
    assert not is_result(text)


def test_times_that_do_not_rise_or_are_missing_go_on_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = VideoFile(write_video(tmp_path / "a.mkv", [quarters()] * 5), MOST)
    opened = video_file.VideoFile._opened

    class Packet:
        def __init__(self, packet: object, pts: int | None) -> None:
            self.packet, self.told = packet, pts

        def __getattr__(self, name: str) -> object:
            return getattr(self.packet, name)

        def decode(self) -> list[object]:
            frames = self.packet.decode()
            for frame in frames:
                frame.pts = next(times)
            return frames

    @contextmanager
    def changed(self: VideoFile) -> object:
        with opened(self) as (container, stream):

            class Container:
                streams = container.streams

                def demux(self, *streams: object) -> object:
                    return (Packet(packet, None) for packet in container.demux(*streams))

            yield Container(), stream

    times = iter([0, None, 40, 40, 300])
    monkeypatch.setattr(video_file.VideoFile, "_opened", changed)
    assert [frame.pts for frame in video.frames()] == [0, 40, 80, 120, 300]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^x\.mp4 cannot be written: "):
        VideoWriter(tmp_path / "none" / "x.mp4", "mp4", (16, 16), Fraction(25), Fraction(1, 25))


def test_a_video_whose_last_frames_fail_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = VideoWriter(tmp_path / "x.mp4", "mp4", (16, 16), Fraction(25), Fraction(1, 25))
    file = writer._file

    class Full:
        closed = False

        def mux(self, packets: object) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            self.closed = True
            file.close()

    monkeypatch.setattr(writer, "_file", full := Full())
    with pytest.raises(UserError, match=r"x\.mp4 cannot be written: .*No space left"), writer:
        pass
    assert full.closed


def test_what_a_container_says_of_itself_is_not_kept() -> None:
    said = {"encoder": "x", "major_brand": "isom", "artist": "Somebody", "COMMENT": "mine"}
    assert marked(said) == {"artist": "Somebody", "comment": "MTUN upscale; mine"}
    assert marked({}) == {"comment": "MTUN upscale"}


def test_drawn_faces_are_drawn() -> None:
    assert np.ptp(picture([(30, 40, 20)])[35:45, 25:35]) > 40
