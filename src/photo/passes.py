"""The three passes over a video: faces are found and tracked, placed by the network, and drawn upright.

Each pass reads the video anew, so that no more than a few frames are held, however long it is.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.image.crop import FaceBox, Square, crop_square
from src.image.pixels import to_bytes
from src.image.sides import SIDE
from src.photo.confidence import confidence_of
from src.photo.faces import UpscaledFace
from src.photo.filmed import FilmedFace, Search
from src.photo.frames import cut, place_of, possible, side_of, upright_square
from src.photo.smooth import numbers_of, square_of_numbers, steady
from src.photo.track import Track, Tracker
from src.photo.upscaler import FaceUpscaler, finite
from src.photo.video_file import Frame, VideoFile

if TYPE_CHECKING:
    from av import AudioStream, Packet

GAP: Final = 0.5
"""Our choice: seconds for which a face may be lost; at least `LEAST` searches."""
LEAST: Final = 3
"""Our choice: searches that must find a face, or it is taken for a false find."""
HELD: Final = 100_000_000
"""Bytes of the frames that wait for a full batch of faces."""

Part = TypeVar("Part")


def find_faces(
    video: VideoFile, upscaler: FaceUpscaler, every: int, deviation: float, done: Callable[[], None]
) -> Search:
    """Search every so manyth frame for faces, and follow them between.

    Args:
        video: the video.
        upscaler: whose detector searches.
        every: 1: all frames are searched.
        deviation: of the Gaussian that smooths the squares, in seconds.
        done: called after each frame.
    """
    gap = max(LEAST * every, round(GAP * video.rate))
    tracker, times, last = Tracker(gap, LEAST), list[float](), 0
    for frame in video.frames():
        times.append(float(frame.pts * video.time_base))
        if frame.number % every == 0:
            found = upscaler.detector.find(frame.pixels)
            tracker.add(frame.number, [face for face in found if _inside(face.box, video.size)])
            last = frame.number
        done()
    at = np.array(times)
    return Search([_filmed(track, at, last, deviation) for track in tracker.tracks()], at)


def _filmed(track: Track, times: NDArray[np.float64], searched: int, deviation: float) -> FilmedFace:
    # Found in the last search, a face stays until the end.
    until = len(times) - 1 if track.frames[-1] == searched else track.frames[-1]
    boxes, scores = track.filled(until)
    rows = [(x, y, np.log(side), 0.0) for box in boxes for x, y, side in [place_of(tuple(box))]]
    seen = steady(np.array(rows), times[track.frames[0] : until + 1], deviation)
    return FilmedFace(track.frames[0], boxes, scores, seen, seen.copy())


def _inside(box: FaceBox, size: tuple[int, int]) -> bool:
    x, y, side = place_of(box)
    return Square((x - side / 2, y - side / 2, x + side / 2, y + side / 2)).outside(*size) < 0.75


def place_faces(
    video: VideoFile, upscaler: FaceUpscaler, search: Search, deviation: float, done: Callable[[], None]
) -> None:
    """Let the network say where the upright faces are, and smooth that over time, into `places`."""
    found: list[list[Square]] = [[] for _ in search.faces]

    def cut_of(frame: Frame) -> Tensor | None:
        return _cut(frame, upscaler, [face.seen[frame.number - face.first] for face in _here(search, frame)])

    def matrices(lr: Tensor) -> Sequence[NDArray[np.float32] | None]:
        found = upscaler.matrices(lr)
        return [None] * len(lr) if found is None else list(found)

    for frame, results in in_batches(video.frames(), cut_of, matrices, upscaler.batch):
        for face, matrix in zip(_here(search, frame), results, strict=True):
            seen = square_of_numbers(face.seen[frame.number - face.first])
            sound = matrix is not None and possible(matrix)
            found[search.faces.index(face)].append(upright_square(seen, matrix) if sound else seen)
        done()
    for face, squares in zip(search.faces, found, strict=True):
        times = search.times[face.first : face.first + len(squares)]
        face.places[: len(squares)] = steady(numbers_of(squares), times, deviation)


def drawn_faces(
    video: VideoFile, upscaler: FaceUpscaler, search: Search
) -> "Iterator[tuple[Frame | Packet[AudioStream], list[tuple[FilmedFace, UpscaledFace]]]]":
    """Each frame and packet of sound in turn, and the upright faces of the frame.

    The network sees each face in its place. It may turn and move it a little more; the face is brought back to the
    place, which is smooth, by one resampling. Where its output is not finite, the face of the frame before is given
    again, without confidence; in its first frames, what is in the place, by bicubic.
    """
    before = dict[int, NDArray[np.uint8]]()

    def cut_of(part: "Frame | Packet[AudioStream]") -> Tensor | None:
        if not isinstance(part, Frame):
            return None
        return _cut(part, upscaler, [face.places[part.number - face.first] for face in _here(search, part)])

    def draw(lr: Tensor) -> list[tuple[NDArray[np.uint8], Any, dict[str, float], bool]]:
        with torch.inference_mode():
            output = upscaler.method(lr.to(upscaler.device))
            sound = finite(output).tolist()
        images = to_bytes(output.image).cpu().numpy()
        maps = output.heatmaps[-1].float().cpu().numpy() if output.heatmaps else [None] * len(lr)
        matrices = [None] * len(lr) if output.matrix is None else output.matrix.cpu().numpy()
        return [
            (image, matrix, confidence_of(heat) if whole else {}, whole)
            for image, matrix, heat, whole in zip(images, matrices, maps, sound, strict=True)
        ]

    for part, results in in_batches(video.parts(), cut_of, draw, upscaler.batch):
        faces = []
        if isinstance(part, Frame):
            for face, (image, matrix, confidence, whole) in zip(_here(search, part), results, strict=True):
                place = face.place(part.number)
                if not whole:
                    face.lost += 1
                    image = before[id(face)] if id(face) in before else crop_square(part.pixels, place)
                elif matrix is not None and possible(matrix):
                    image = brought(image, upright_square(place, matrix), place)
                before[id(face)] = image
                if part.number == face.last:
                    del before[id(face)]
                score, own = face.scores[part.number - face.first], round(side_of(place))
                upright = UpscaledFace(image, None, face.box(part.number), float(score), own, place, confidence)
                faces.append((face, upright))
        yield part, faces


def in_batches(
    parts: Iterator[Part],
    cut_of: Callable[[Part], Tensor | None],
    run: Callable[[Tensor], Sequence[Any]],
    batch: int,
) -> Iterator[tuple[Part, list[Any]]]:
    """Each part with the results of its LR faces, which are computed in batches across the parts.

    Args:
        parts: of a video.
        cut_of: the LR faces (n, C, h, w) of a part; None without any.
        run: (B, C, h, w) with at most `batch` faces -> B results.
        batch: the most faces at once; parts wait until there are so many, or the frames take `HELD` bytes.
    """
    waiting: list[tuple[Part, int]] = []
    faces: list[Tensor] = []
    held = 0

    def flushed() -> Iterator[tuple[Part, list[Any]]]:
        results: list[Any] = []
        for lr in torch.cat(faces).split(batch) if faces else ():
            results += run(lr)
        for part, count in waiting:
            yield part, results[:count]
            del results[:count]

    for part in parts:
        lr = cut_of(part)
        waiting.append((part, 0 if lr is None else len(lr)))
        faces += [] if lr is None else [lr]
        held += part.pixels.nbytes if isinstance(part, Frame) else 0
        if not faces or sum(map(len, faces)) >= batch or held >= HELD:
            yield from flushed()
            waiting, faces, held = [], [], 0
    yield from flushed()


def brought(image: NDArray[np.uint8], where: Square, to: Square) -> NDArray[np.uint8]:
    """An upright face (128, 128, 3) of one square as that of another, near it: resampled, its border replicated."""
    import cv2

    back = np.linalg.inv(np.vstack([to.matrix(SIDE), (0, 0, 1)]))
    matrix = where.matrix(SIDE) @ back  # from pixels of the result to those of the image
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def _here(search: Search, frame: Frame) -> list[FilmedFace]:
    return [face for face in search.faces if face.within(frame.number)]


def _cut(frame: Frame, upscaler: FaceUpscaler, numbers: Sequence[NDArray[np.float64]]) -> Tensor | None:
    if not numbers:
        return None
    squares = [square_of_numbers(row) for row in numbers]
    return cut(frame.pixels, squares, upscaler.method.lr_side, upscaler.method.own_size)
