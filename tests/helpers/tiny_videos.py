"""Small videos of drawn faces with a tone, and a stand-in for a detector that finds these faces."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.photo.centerface import FoundFace

WIDTH, HEIGHT = 128, 96
FRAME = (230, 0, 230)
"""The colour around a drawn face, by which `Framed` finds it."""
SIDE = 16
"""Of a drawn face with its frame, in pixels: its square is 1.5 times as large."""

Place = tuple[float, float, float]
"""Centre x and y in pixels, and the turn in degrees."""


@cache
def drawn_face(number: int) -> Image.Image:
    from src.synthetic.draw import render_face  # compiles itself

    framed = Image.new("RGB", (128, 128), FRAME)
    framed.paste(Image.fromarray(render_face(0, number).image).resize((96, 96)), (16, 16))
    return framed


def picture(places: Sequence[Place]) -> NDArray[np.uint8]:
    """(96, 128, 3) uint8: drawn faces on grey."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (120, 120, 120))
    for number, (x, y, turn) in enumerate(places):
        cos, sin = np.cos(np.radians(turn)) * 128 / SIDE, np.sin(np.radians(turn)) * 128 / SIDE
        back = (cos, sin, 64 - cos * x - sin * y, -sin, cos, 64 + sin * x - cos * y)
        face = drawn_face(number).transform(image.size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC)
        mask = Image.new("L", (128, 128), 255).transform(image.size, Image.Transform.AFFINE, back)
        image.paste(face, (0, 0), mask)
    return np.asarray(image)


def write_video(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 1000),
    rotation: int = 0,
    sound: str | None = "aac",
    container: str | None = None,
    codec: str = "libx264",
    metadata: dict[str, str] | None = None,
    wide: Fraction | None = None,
) -> Path:
    """A video at 25 frames a second, or at these times; with a second of a tone as it is long."""
    import av

    index = {"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {}  # before the frames
    times = range(0, 40 * len(pictures), 40) if times is None else times
    with av.open(str(path), "w", format=container, options=index) as file:
        video = file.add_stream(codec, rate=25)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt, video.codec_context.time_base = "yuv420p", time_base
        video.options = {"crf": "12", "bf": "0"} if codec == "libx264" else {"b": "2M"}
        if wide:
            video.sample_aspect_ratio = wide
        if rotation:
            video.set_display_rotation(rotation)
        file.metadata.update(metadata or {})
        tone = file.add_stream(sound, rate=48000, layout="mono") if sound else None
        for pixels, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU601")
            frame.pts, frame.time_base = time, time_base
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if tone:
            wave = np.sin(np.arange(48 * 40 * len(pictures)) / 17).astype(np.float32)[None] / 3
            heard = av.AudioFrame.from_ndarray(wave, "fltp", layout="mono")
            heard.sample_rate, heard.pts = 48000, 0
            size = tone.codec_context.frame_size or None
            for part in av.AudioResampler(tone.format, "mono", 48000, size).resample(heard):
                file.mux(tone.encode(part))
            file.mux(tone.encode(None))
    return path


def sound_of(path: Path) -> list[tuple[float, bytes]]:
    """The packets of sound of a video, each with its time in seconds."""
    import av

    with av.open(str(path)) as file:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in (file.demux(audio=0) if file.streams.audio else ()) if packet.dts is not None
        ]  # fmt: skip


def frames_of(path: Path) -> tuple[list[float], list[NDArray[np.uint8]]]:
    """Times in seconds and pixels of a video's frames."""
    import av

    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    return [float(frame.pts * frame.time_base) for frame in frames], [
        frame.to_ndarray(format="rgb24") for frame in frames
    ]


class Framed:
    """A detector of drawn faces, which shakes its boxes by up to so many pixels."""

    name = "framed"

    def __init__(self, shake: float = 0, see: Callable[[int], bool] = lambda call: True) -> None:
        self.shake, self.see, self.calls = shake, see, 0
        self._random = np.random.default_rng(0)

    def find(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        import cv2

        self.calls += 1
        if not self.see(self.calls - 1):
            return []
        red, green, blue = image.astype(int).transpose(2, 0, 1)
        mask = ((red - green > 80) & (blue - green > 80)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, np.ones((3, 3), np.uint8)))
        found = []
        for x, y, width, height, area in stats[1:].tolist():
            if area > 60:
                dx, dy = self._random.uniform(-self.shake, self.shake, 2)
                found.append(FoundFace((x + dx, y + dy, x + width + dx, y + height + dy), 0.9))
        return sorted(found, key=lambda face: face.box)
