"""Writes a video frame by frame, with sound copied as it is."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from src.photo.outputs import MARK
from src.system.errors import UserError, reason_of

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoStream

FORMATS: Final = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""The suffixes that a video keeps, and the names of their containers; any other becomes an MP4."""
H264: Final = {"crf": "18", "preset": "fast", "bf": "0"}
"""Our choice: hardly visible loss. Without B-frames no time begins before zero, so that all times stay."""
VP9: Final = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"}
BT709: Final = 1
LIMITED: Final = 1
NOT_KEPT: Final = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration")
"""What a container writes of itself."""


class VideoWriter:
    """A context manager that writes a video.

    Args:
        path: of the file, which may have any suffix.
        container: one of `FORMATS`.
        size: width and height in pixels, both even.
        rate: frames a second, about.
        time_base: the unit of the timestamps in seconds.
        sound: streams whose packets will be copied.
        metadata: of the video that this one is made from; its comment follows the mark of a result.

    Attributes:
        silent: why the sound is not copied; "" where it is.

    Raises:
        UserError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        container: str,
        size: tuple[int, int],
        rate: Fraction,
        time_base: Fraction,
        sound: "Sequence[AudioStream]" = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.path, self._size, self.silent = path, size, ""
        self._container, self._rate, self._time_base = container, rate, time_base
        self._metadata = marked(metadata or {})
        self._open(sound)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, raised: type[BaseException] | None, *rest: object) -> None:
        import av

        try:
            try:
                if raised is None:
                    self._file.mux(self._video.encode(None))
            finally:
                self._file.close()
        except (av.FFmpegError, OSError) as error:
            if raised is None:
                raise self._failed(error) from None

    def write(self, pixels: NDArray[np.uint8], pts: int) -> None:
        """Add a frame (H, W, 3) uint8 RGB at a time later than that before, in units of `time_base`."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = pts, self._time_base
        try:
            self._file.mux(self._video.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise self._failed(error) from None

    def copy(self, packet: "Packet[AudioStream]") -> None:
        """Add a packet of sound; after one that the container refuses, the sound ends and `silent` says why."""
        import av

        stream = self._sound.get(packet.stream_index)
        if stream is None:
            return
        packet.stream = stream
        try:
            self._file.mux(packet)
        except av.FFmpegError as error:
            self.silent = reason_of(error)
            self._sound.clear()

    def _open(self, sound: "Sequence[AudioStream]") -> None:
        import av

        self._file = av.open(str(self.path), "w", format=self._container)
        self._file.metadata.update(self._metadata)
        self._video = self._add_video()
        self._sound: dict[int, AudioStream] = {}
        for stream in sound:
            try:
                self._sound[stream.index] = self._file.add_stream_from_template(stream)
            except (av.FFmpegError, ValueError) as error:
                self.silent = reason_of(error)
        try:
            self._file.start_encoding()
        except (av.FFmpegError, OSError) as error:
            self._file.close()
            if not self._sound:
                raise self._failed(error) from None
            self.silent = reason_of(error)
            self._open(())

    def _add_video(self) -> "VideoStream":
        name, options = ("libvpx-vp9", VP9) if self._container == "webm" else ("libx264", H264)
        video: Any = self._file.add_stream(name, rate=self._rate, options=dict(options))
        video.width, video.height = self._size
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = self._time_base
        video.colorspace, video.color_range = BT709, LIMITED
        return cast("VideoStream", video)

    def _failed(self, error: Exception) -> UserError:
        return UserError(f"{self.path.name} cannot be written: {reason_of(error)}")


def marked(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a result: those of the video that it is made from, the mark before its comment."""
    kept = {key: value for key, value in metadata.items() if key.lower() not in (*NOT_KEPT, "comment")}
    comments = [value for key, value in metadata.items() if key.lower() == "comment"]
    return {**kept, "comment": "; ".join([MARK[1], *comments])}
