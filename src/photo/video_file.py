"""Reads a video frame by frame: upright, in RGB, with square pixels and its timestamps; and its sound as it is."""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from src.system.errors import BadFace, reason_of
from src.system.extras import extras_named

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoFrame, VideoStream
    from av.container import InputContainer

FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegvideo,mpegts,asf,flv,ogg"
"""The containers that are read; others, such as playlists, could name files and addresses to open."""
OPTIONS: Final = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
"""With which FFmpeg opens any container."""
SLOWEST, USUAL, FASTEST = 1, 25, 1000  # frames a second that are believed, and those in place of others
CUT: Final = 0.5
"""A video that ends so many seconds before its header says was cut short."""
HD: Final = 720
"""Rows from which on a video that does not name its colour matrix has that of HD, ITU-R BT.709, else BT.601."""
UNSPECIFIED: Final = 2  # such a colour matrix
HDR: Final = (16, 18)
"""The transfer functions PQ and HLG."""
WIDEST: Final = 4
"""The largest ratio of a pixel's sides that is believed."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video.

    Attributes:
        number: from 0.
        pts: its time in units of the video's `time_base`; larger than that of the frame before.
        pixels: (H, W, 3) uint8 RGB, upright.
    """

    number: int
    pts: int
    pixels: NDArray[np.uint8]


class VideoFile:
    """A video, which can be read several times.

    Args:
        path: the file.
        max_pixels: a larger frame is taken for a decompression bomb.

    Attributes:
        size: width and height of the upright frames in pixels.
        rate: frames a second, on average.
        time_base: the unit of the timestamps in seconds.
        expected: about how many frames there are, for a progress bar; 0: unknown.
        metadata: of the file, such as title and date.

    Raises:
        UserError: PyAV is not installed, or the file is no video of which a frame can be read.
    """

    def __init__(self, path: Path, max_pixels: int) -> None:
        self.path, self._max_pixels = path, max_pixels
        self._stored: tuple[int, int] | None = None
        with self._opened() as (container, stream):
            rate = stream.average_rate or stream.guessed_rate or Fraction(USUAL)
            self.rate = rate if SLOWEST <= rate <= FASTEST else Fraction(USUAL)
            self.time_base = stream.time_base or 1 / self.rate
            self._listed, self._avi = stream.frames, container.format.name == "avi"
            self._length = container.duration / 1e6 if container.duration else 0.0
            self.expected = max(0, min(self._listed or round(self._length * self.rate), 10**7))
            self.metadata = dict(container.metadata)
        first = next(self.frames(), None)
        if first is None:
            raise BadFace(str(path), f"no frame of the video can be read{self._why}")
        self.size = first.pixels.shape[1], first.pixels.shape[0]

    def frames(self) -> Iterator[Frame]:
        """The frames from the first on."""
        return (part for part in self.parts() if isinstance(part, Frame))

    def parts(self) -> "Iterator[Frame | Packet[AudioStream]]":
        """The frames and the packets of sound as they follow each other in the file; what is damaged is passed over."""
        import av

        self._packets, self._bad, self._frames, self._end, self._why, self._hdr = 0, 0, 0, 0.0, "", False
        with self._opened() as (container, stream):
            step = max(1, round(1 / (self.rate * self.time_base)))
            last: int | None = None
            try:
                packet: Any
                for packet in container.demux(stream, *container.streams.audio):
                    if packet.pts is not None:
                        self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                    if packet.stream_index != stream.index:
                        if packet.dts is not None:
                            yield packet
                        continue
                    if packet.pts is not None or packet.dts is not None:  # the last one, which flushes, has neither
                        self._packets += 1
                    if self._avi and packet.dts is not None:
                        # Its header counts repeated frames too, which are empty and left out; its dts counts them all.
                        self._packets = max(self._packets, packet.dts + 1)
                    try:
                        frames = packet.decode()
                    except av.FFmpegError as error:
                        self._bad += 1
                        self._why = f": {reason_of(error)}"
                        continue
                    for frame in frames:
                        pts = frame.pts
                        if last is not None and (pts is None or pts <= last):
                            pts = last + step
                        last = pts = pts or 0
                        yield Frame(self._frames, pts, self._pixels(frame, stream))
                        self._frames += 1
            except av.FFmpegError as error:  # of the container
                self._bad += 1
                self._why = f": {reason_of(error)}"

    @property
    def remarks(self) -> list[str]:
        """What the last pass, if it went to the end, found wrong, a line each."""
        found = []
        if self._listed > self._packets:
            found.append(f"it was cut short: {self._packets:,} of its {self._listed:,} frames are there")
        elif self._length - self._end > CUT:
            found.append(f"it was cut short: {self._end:.1f} of its {self._length:.1f} s are there")
        if self._bad:
            found.append(f"{self._bad:,} damaged part{'s' * (self._bad > 1)} passed over{self._why}")
        if self._hdr:
            found.append("it is HDR: its colours become pale")
        return found

    @contextmanager
    def sound(self) -> "Iterator[list[AudioStream]]":
        """The streams of sound, as a model for those that take their packets."""
        with self._opened() as (container, _):
            yield [stream for stream in container.streams.audio if stream.codec_context is not None]

    @contextmanager
    def _opened(self) -> "Iterator[tuple[InputContainer, VideoStream]]":
        with extras_named():
            import av

        try:
            with self.path.open("rb") as file:
                if not file.read(1):
                    raise BadFace(str(self.path), "the file is empty")
                file.seek(0)
                with av.open(file, "r", container_options=OPTIONS, metadata_errors="replace") as container:
                    yield container, self._stream(container)
        except av.FFmpegError as error:
            raise BadFace(str(self.path), f"no video that can be read: {reason_of(error)}") from None
        except OSError as error:
            raise BadFace(str(self.path), f"cannot be read: {error.strerror or error}") from None

    def _stream(self, container: "InputContainer") -> "VideoStream":
        import av

        covers = av.stream.Disposition.attached_pic
        stream = next((stream for stream in container.streams.video if not stream.disposition & covers), None)
        if stream is None:
            raise BadFace(str(self.path), "no video in this file" + " but sound" * bool(container.streams.audio))
        if stream.codec_context is None:
            raise BadFace(str(self.path), "its video is of a kind that is not read")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > self._max_pixels:
            raise BadFace(
                str(self.path),
                f"{width}x{height}: more than {self._max_pixels:,} pixels; --max-pixels {width * height} reads it",
            )
        stream.codec_context.options = {"max_pixels": str(self._max_pixels)}  # of frames that claim another size
        return stream

    def _pixels(self, frame: "VideoFrame", stream: "VideoStream") -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of a frame, upright; all frames have the size of the first."""
        if self._stored is None:
            wide = float(stream.sample_aspect_ratio or 1)
            wide = wide if 1 / WIDEST <= wide <= WIDEST else 1.0
            # No pixel is thrown away: what is narrow becomes wider, what is wide higher.
            self._stored = round(frame.width * max(1, wide)), round(frame.height * max(1, 1 / wide))
        width, height = self._stored
        matrix = None
        if frame.colorspace == UNSPECIFIED:
            matrix = "ITU709" if frame.height >= HD else "ITU601"
        self._hdr |= frame.color_trc in HDR
        rgb = frame.reformat(width, height, "rgb24", src_colorspace=matrix).to_ndarray()
        beside: Any = frame.side_data
        sides = [bytes(side) for side in beside if side.type.name == "DISPLAYMATRIX"]
        return upright(np.asarray(rgb, np.uint8), sides[0] if sides else b"")


def upright(pixels: NDArray[np.uint8], display: bytes) -> NDArray[np.uint8]:
    """A frame as it is shown: turned by quarters and mirrored.

    Args:
        pixels: (H, W, 3) as stored.
        display: nine int32 of the display matrix in the machine's order, of which the first two columns of the first
            two rows say where the axes go; anything else: nothing is done.
    """
    if len(display) != 36:
        return pixels
    across_x, across_y, _, down_x, down_y = struct.unpack("=9i", display)[:5]
    if math.hypot(across_x, down_y) < math.hypot(across_y, down_x):
        pixels, across_x, down_y = pixels.transpose(1, 0, 2), down_x, across_y
    pixels = pixels[:, ::-1] if across_x < 0 else pixels
    return np.ascontiguousarray(pixels[::-1] if down_y < 0 else pixels)
