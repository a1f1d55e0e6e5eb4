"""Upscales the faces of videos to files, one video after another."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from src.image.sides import SIDE
from src.photo.bar import Bar
from src.photo.filmed import FilmedFace, Search
from src.photo.outputs import Names, refuse_taken
from src.photo.passes import drawn_faces, find_faces, place_faces
from src.photo.paste import LARGEST, paste_at
from src.photo.request import PhotoRequest, tell, warn_of
from src.photo.upscaler import FaceUpscaler
from src.photo.video_file import Frame, VideoFile
from src.photo.video_json import write_json
from src.photo.video_writer import FORMATS, VideoWriter
from src.system.errors import BadFace, UserError
from src.system.files import replacing
from src.system.timed import timed

SEARCHES: Final = 10
"""Our choice: searches for faces in a second of a video, about."""
USUAL: Final = 1920 * 1080
"""Pixels of a frame that the default scale does not exceed."""
MOST: Final = 7680 * 4320
"""Pixels of a frame above which `--scale` is refused."""


class Videos:
    """One video after another, from file to files.

    Args:
        request: the command's arguments.
        upscaler: the network and the detector.
        inputs: the files that may not be overwritten, resolved.
        names: what gives out the names of the results.
        bar: what shows the progress.
    """

    def __init__(
        self, request: PhotoRequest, upscaler: FaceUpscaler, inputs: set[Path], names: Names, bar: Bar
    ) -> None:
        self.request, self.upscaler, self.inputs, self.names, self.bar = request, upscaler, inputs, names, bar

    def do(self, path: Path) -> None:
        """Upscale the faces of a video; UserError if that fails."""
        request, seconds = self.request, dict[str, float]()
        video = VideoFile(path, request.max_pixels)
        suffix = path.suffix.lower() if path.suffix.lower() in FORMATS else ".mp4"
        name = self.names.claim(path.stem)
        pasted = request.out / f"{name}_upscaled{suffix}"
        told = request.out / f"{name}.json"
        # Before the work rather than after it.
        self._refuse([*[pasted] * request.paste, *[told] * request.json])
        if request.heatmaps:
            warn_of(path, "heatmaps are written of photographs alone")
        every = request.every or max(1, round(video.rate / SEARCHES))
        with timed(seconds, "search"):
            done = self.bar.part("search", video.expected)
            search = find_faces(video, self.upscaler, every, request.smooth, done)
        for remark in video.remarks:
            warn_of(path, remark)
        found = len(search.faces)
        left_out = self._left_out(video, search)
        if not search.faces:
            tell(f"{path}: {'no face that can be upscaled' if found else 'no face found'}")
        files = [request.out / f"{name}_{number}{suffix}" for number in range(1, len(search.faces) + 1)]
        wanted = [*files, *[pasted] * (request.paste and bool(files)), *[told] * request.json]
        self._refuse(wanted)
        if not wanted:
            return
        size = self._size(video, search) if request.paste else (0, 0)
        with timed(seconds, "place"):
            if files:
                place_faces(video, self.upscaler, search, request.smooth, self.bar.part("place", len(search.times)))
        try:
            with replacing(*wanted) as hidden:
                if files:
                    with timed(seconds, "draw"):
                        self._draw(video, search, hidden, FORMATS[suffix], size)
                if request.json:
                    write_json(hidden[-1], video, search, files, left_out, every, seconds)
        except OSError as error:
            which = error.filename2 or error.filename or wanted[0]
            raise UserError(f"{which} cannot be written: {error.strerror or error}") from None
        for file in wanted:
            tell(f"{path} > {file}")

    def _refuse(self, wanted: list[Path]) -> None:
        refuse_taken(wanted, self.inputs, self.request.overwrite)

    def _left_out(self, video: VideoFile, search: Search) -> list[tuple[FilmedFace, str]]:
        """The faces whose size the network does not take, in the median; they leave the search."""
        left = []
        for face in search.faces:
            if reason := self.upscaler.why_not_taken(face.own_size):
                left.append((face, reason))
                where = ",".join(str(round(side)) for side in face.boxes[0])
                when = f"{search.times[face.first]:.2f} s"
                warn_of(video.path, f"the face at {where} from {when} is left out: {reason}; --any-size takes it")
        search.faces[:] = [face for face in search.faces if all(face is not one for one, _ in left)]
        return left

    def _size(self, video: VideoFile, search: Search) -> tuple[int, int]:
        """Width and height of the enlarged video, both even."""
        width, height = video.size
        scale = self.request.scale
        if scale is None and search.faces:
            wanted = SIDE / min(face.own_size for face in search.faces)
            scale = max(1.0, min(wanted, LARGEST, math.sqrt(USUAL / (width * height))))
        scale = scale or 1.0
        if width * height * scale**2 > MOST:
            most = math.floor(math.sqrt(MOST / (width * height)) * 10) / 10
            how = f"--scale {most:.1f} at most" if most >= 1 else "it cannot be pasted"
            raise BadFace(str(video.path), f"{width}x{height} enlarged has over {MOST:,} pixels: {how}")
        across, down = (max(2, 2 * round(side * scale / 2)) for side in (width, height))
        return across, down

    def _draw(
        self, video: VideoFile, search: Search, hidden: tuple[Path, ...], container: str, size: tuple[int, int]
    ) -> None:
        """Write the videos of the faces and the pasted one, in this order in `hidden`."""
        done = self.bar.part("draw", len(search.times))
        with ExitStack() as stack:
            faces = stack.enter_context(FaceVideos(video, search, hidden, container))
            pasted = None
            if self.request.paste:
                with video.sound() as sound:
                    pasted = stack.enter_context(
                        VideoWriter(hidden[len(search.faces)], container, size, video.rate, video.time_base, sound,
                                    video.metadata)
                    )  # fmt: skip
            for part, upright in drawn_faces(video, self.upscaler, search):
                if not isinstance(part, Frame):
                    if pasted:
                        pasted.copy(part)
                    continue
                for face, drawn in upright:
                    faces.write(face, drawn.image, part)
                    if self.request.json:
                        face.confidence.append(drawn.confidence)
                if pasted:
                    pasted.write(paste_at(part.pixels, [drawn for _, drawn in upright], size), part.pts)
                done()
        if lost := sum(face.lost for face in search.faces):
            what = f"{lost:,} face{'s' * (lost > 1)} of its frames"
            warn_of(video.path, f"the network's output is not finite for {what}: the frame before gives them")
        if pasted and pasted.silent:
            warn_of(video.path, f"the sound is not copied: {pasted.silent}")


class FaceVideos:
    """A context manager for the videos of the faces, each open as long as its face is there.

    Args:
        video: in which they are.
        search: the faces.
        paths: one each.
        container: of the files.
    """

    def __init__(self, video: VideoFile, search: Search, paths: Sequence[Path], container: str) -> None:
        self._video, self._container = video, container
        self._paths = {id(face): path for face, path in zip(search.faces, paths, strict=False)}
        self._open = dict[int, tuple[VideoWriter, int]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        with ExitStack() as stack:  # one that fails leaves none of the others open
            for writer, _ in self._open.values():
                stack.callback(writer.__exit__, *raised)

    def write(self, face: FilmedFace, image: NDArray[np.uint8], frame: Frame) -> None:
        """Add a frame of a face (128, 128, 3); its video begins at zero."""
        if id(face) not in self._open:
            writer = VideoWriter(
                self._paths[id(face)], self._container, (SIDE, SIDE), self._video.rate, self._video.time_base
            )
            self._open[id(face)] = writer, frame.pts
        writer, begun = self._open[id(face)]
        writer.write(image, frame.pts - begun)
        if frame.number == face.last:
            del self._open[id(face)]
            writer.__exit__(None)
