"""Upscales the faces of videos to files, one video after another."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from src.image.sides import SIDE
from src.photo.bar import Bar
from src.photo.outputs import Names, refuse_taken
from src.photo.passes import FilmedFace, Search, drawn_faces, find_faces, place_faces
from src.photo.paste import LARGEST, paste_at
from src.photo.request import PhotoRequest, tell, warn_of
from src.photo.upscaler import FaceUpscaler
from src.photo.video_file import Frame, VideoFile
from src.photo.video_writer import FORMATS, VideoWriter
from src.system.errors import BadFace, UserError, in_one_line
from src.system.files import replacing

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
        with _timed(seconds, "search"):
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
        with _timed(seconds, "place"):
            if files:
                place_faces(video, self.upscaler, search, request.smooth, self.bar.part("place", len(search.times)))
        try:
            with replacing(*wanted) as hidden:
                if files:
                    with _timed(seconds, "draw"):
                        self._draw(video, search, hidden, FORMATS[suffix], size)
                if request.json:
                    write_json(hidden[-1], video, search, files, left_out, every, seconds)
        except OSError as error:
            raise UserError(f"{wanted[0]} cannot be written: {error.strerror or error}") from None
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
        numbers = {id(face): number for number, face in enumerate(search.faces)}
        with ExitStack() as stack:
            pasted, faces = None, dict[int, VideoWriter]()
            begun = dict[int, int]()
            if self.request.paste:
                with video.sound() as sound:
                    pasted = stack.enter_context(
                        VideoWriter(
                            hidden[len(numbers)], container, size, video.rate, video.time_base, sound, video.metadata
                        )
                    )
            for part, upright in drawn_faces(video, self.upscaler, search):
                if not isinstance(part, Frame):
                    if pasted:
                        pasted.copy(part)
                    continue
                for face, drawn in upright:
                    number = numbers[id(face)]
                    if number not in faces:
                        begun[number] = part.pts
                        square = (SIDE, SIDE)
                        faces[number] = VideoWriter(hidden[number], container, square, video.rate, video.time_base)
                        stack.push(faces[number].__exit__)
                    faces[number].write(drawn.image, part.pts - begun[number])
                    if self.request.json:
                        face.confidence.append(drawn.confidence)
                if pasted:
                    pasted.write(paste_at(part.pixels, [drawn for _, drawn in upright], size), part.pts)
                done()
        if pasted and pasted.silent:
            warn_of(video.path, f"the sound is not copied: {pasted.silent}")


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - start


def write_json(
    file: Path,
    video: VideoFile,
    search: Search,
    files: list[Path],
    left_out: list[tuple[FilmedFace, str]],
    every: int,
    seconds: dict[str, float],
) -> None:
    """Write what is known of a video's faces: numbers in pixels of the upright frames, see docs/use.md."""
    about = {
        "file": in_one_line(video.path.name),
        "width": video.size[0],
        "height": video.size[1],
        "frames": len(search.times),
        "searched_every": every,
        "seconds": {what: round(took, 4) for what, took in seconds.items()},
        "left_out": [
            {"time": round(float(search.times[face.first]), 6), "frames": len(face.boxes),
             "box": _rounded(face.boxes[0], 2), "own_size": face.own_size, "reason": reason}
            for face, reason in left_out
        ],
    }  # fmt: skip
    with file.open("w", encoding="utf-8", errors="backslashreplace") as out:
        out.write(json.dumps(about, indent=2)[:-2] + ',\n  "faces": [')
        # One line a frame, written one after the other: a long video has many.
        for number, (face, name) in enumerate(zip(search.faces, files, strict=True)):
            head = json.dumps({"file": in_one_line(name.name), "own_size": face.own_size})[:-1]
            out.write(f'{"," * bool(number)}\n    {head}, "frames": [')
            for at, confidence in enumerate(face.confidence):
                out.write(f"{',' * bool(at)}\n      {json.dumps(_of_frame(face, at, search, confidence))}")
            out.write("\n    ]}")
        out.write("\n  ]\n}\n" if search.faces else "]\n}\n")


def _of_frame(face: FilmedFace, at: int, search: Search, confidence: Mapping[str, float]) -> dict[str, object]:
    score = float(face.scores[at])
    return {
        "time": round(float(search.times[face.first + at]), 6),
        "box": _rounded(face.boxes[at], 2),
        "score": None if math.isnan(score) else round(score, 4),
        "matrix": [_rounded(row, 6) for row in face.place(face.first + at).matrix(SIDE)],
        "confidence": {name: round(peak, 4) for name, peak in confidence.items()},
    }


def _rounded(numbers: NDArray[np.float64], digits: int) -> list[float]:
    return [round(float(number), digits) for number in numbers]
