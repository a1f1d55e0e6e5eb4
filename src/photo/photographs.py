"""Upscales the faces of photographs and videos to files, one after another; a bad one does not stop the others."""

import hashlib
import json
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from src.image.decode import Reading, decode
from src.image.encode_as import encode_as, origin_of
from src.image.pixels import to_bytes, to_network
from src.photo.bar import Bar
from src.photo.detectors import Boxes, build_detector
from src.photo.faces import UpscaledFace
from src.photo.inputs import find_images, is_video
from src.photo.outputs import MARK, Names, marked_png, remove_higher, write_new
from src.photo.request import PhotoRequest, tell, warn_of
from src.photo.result import PhotoResult
from src.photo.run import EXIT_SOME_FAILED, say, warn
from src.photo.upscaler import FaceUpscaler
from src.photo.videos import Videos
from src.report.grid import overlay
from src.system.errors import BadFace, UserError, in_one_line
from src.system.extras import not_installed

MOST_OUT: Final = 200_000_000
"""Pixels of an enlarged photograph above which `--scale` is refused."""


def upscale_photographs(request: PhotoRequest) -> int:
    """Upscale the faces of the named photographs and videos; the exit code is 0, or 1 if any of them failed.

    Raises:
        UserError: the network, the detector, the boxes, the device or the output folder is not usable.
    """
    if request.scale is not None and not 1 <= request.scale <= 32:
        raise UserError(f"--scale {request.scale:g} is not in 1 to 32")
    if request.every is not None and request.every < 1:
        raise UserError(f"--every {request.every}: 1 frame or more")
    if not 0 <= request.smooth <= 10:
        raise UserError(f"--smooth {request.smooth:g} is not in 0 to 10 seconds")
    boxes = Boxes(request.boxes) if request.boxes is not None else None
    # What is missing is said before the network is read.
    detector = request.detector if boxes else build_detector(request.detector, request.detector_weights)
    upscaler = FaceUpscaler.from_pretrained(
        request.checkpoint, device=request.device, weights=request.weights, runtime=request.runtime, detector=detector,
        batch=request.batch, any_size=request.any_size,
    )  # fmt: skip
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {request.out} cannot be made: {error.strerror or error}") from None
    if request.heatmaps and upscaler.method.heatmap_side is None:
        warn("the checkpoint has no heatmap branch: no heatmaps are written")
    found = find_images(request.paths, _why_no_videos(request))
    for remark in found.remarks:
        warn(remark)
    inputs, names, failed = {path.resolve() for path in found.pictures if isinstance(path, Path)}, Names(), 0
    with Bar(len(found.pictures)) as bar:
        photographs = _Photographs(request, upscaler, boxes, inputs, names)
        videos = Videos(request, upscaler, inputs, names, bar)
        for path in found.pictures:
            try:
                if isinstance(path, UserError):
                    raise path
                (videos if is_video(path) else photographs).do(path)
            except UserError as error:
                failed += 1
                say(f"error: {error}")
            except MemoryError:
                failed += 1
                say(f"error: {path}: the memory does not suffice; --scale and --batch ask for less")
            bar.file()
    if failed:
        say(f"{failed} of {len(found.pictures)} failed")
    return EXIT_SOME_FAILED if failed else 0


def _why_no_videos(request: PhotoRequest) -> str:
    """Why videos are not taken; "" where they are."""
    if request.boxes is not None:
        return "--boxes is for photographs: leave it out for a video"
    return "" if find_spec("av") else str(not_installed("av", "video"))


class _Photographs:
    """One photograph after another, from file to files."""

    def __init__(
        self, request: PhotoRequest, upscaler: FaceUpscaler, boxes: Boxes | None, inputs: set[Path], names: Names
    ) -> None:
        self.request, self.upscaler, self.boxes, self.inputs, self.names = request, upscaler, boxes, inputs, names

    def do(self, path: Path) -> None:
        """Upscale a photograph; UserError if that fails."""
        request, start = self.request, time.perf_counter()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadFace(str(path), f"cannot be read: {error.strerror}") from None
        pixels = decode(data, Reading(str(path), request.max_pixels, "--max-pixels ", partial(warn_of, path)))
        read = time.perf_counter() - start
        result = self.upscaler(pixels, self.boxes.of(path) if self.boxes else None)
        seconds = {**result.seconds, "read": read}
        for left in result.left_out:
            x0, y0, x1, y1 = (round(side) for side in left.box)
            hint = "; --any-size takes it" if "training" in left.reason else ""
            warn(f"{path}: the face at {x0},{y0},{x1},{y1} is left out: {left.reason}{hint}")
        if not result.faces:
            which = "no face that can be upscaled" if result.left_out else "no face found"
            tell(f"{path}: {which if self.boxes is None or result.left_out else 'no box is listed for it'}")
        self._write(path, data, result, seconds)

    def _write(self, path: Path, data: bytes, result: PhotoResult, seconds: dict[str, float]) -> None:
        request, name = self.request, self.names.claim(path.stem)
        contents, digest = dict[Path, bytes](), hashlib.sha256(data).hexdigest()
        for number, face in enumerate(result.faces, 1):
            contents[request.out / f"{name}_{number}.png"] = marked_png(face.image, digest)
            if request.heatmaps and face.heatmaps is not None:
                contents[request.out / f"{name}_{number}_heatmaps.png"] = marked_png(_overlay(face), digest)
        faces, pasted = [*contents], None
        if request.paste and result.faces:
            start = time.perf_counter()
            pasted, content = self._pasted(path, data, result, name)
            contents[pasted] = content
            seconds["paste"] = time.perf_counter() - start
        if request.json:
            told = _told(path, result, seconds, [file.name for file in faces if not file.stem.endswith("_heatmaps")])
            contents[request.out / f"{name}.json"] = f"{json.dumps(told, indent=2)}\n".encode()
        write_new(contents, self.inputs, request.overwrite)
        for file in contents:
            tell(f"{path} > {file}")
        if request.overwrite:
            for file in remove_higher(request.out, name, len(result.faces), digest, self.inputs):
                warn(f"{file} of an earlier run is removed: {path} has no such face now")

    def _pasted(self, path: Path, data: bytes, result: PhotoResult, name: str) -> tuple[Path, bytes]:
        height, width = result.photograph.shape[:2]
        if self.request.scale is not None and height * width * self.request.scale**2 > MOST_OUT:
            most = (MOST_OUT / (height * width)) ** 0.5
            raise BadFace(
                str(path), f"{width}x{height} enlarged has over {MOST_OUT:,} pixels: --scale {most:.1f} at most"
            )
        origin = origin_of(data, MARK[1])
        file = self.request.out / f"{name}_upscaled{origin.suffix}"
        try:
            return file, encode_as(result.pasted(self.request.scale), origin, MARK)
        except OSError as error:
            raise BadFace(str(path), f"the enlarged photograph is not written: {error}; a smaller --scale") from None


def _overlay(face: UpscaledFace) -> NDArray[np.uint8]:
    image = to_network(torch.from_numpy(face.image)[None])
    drawn = to_bytes(overlay(image, torch.from_numpy(face.heatmaps)[None]))[0]
    return np.asarray(drawn.numpy())


def _told(path: Path, result: PhotoResult, seconds: dict[str, float], files: Sequence[str]) -> dict[str, Any]:
    """What `--json` writes of a photograph: numbers in pixels of the upright photograph, see docs/use.md."""
    height, width = result.photograph.shape[:2]
    return {
        "file": in_one_line(path.name),
        "width": width,
        "height": height,
        "faces": [
            {
                "file": in_one_line(file),
                "box": _rounded(face.box),
                "score": round(face.score, 4),
                "own_size": face.own_size,
                "matrix": [[round(number, 6) for number in row] for row in face.matrix.tolist()],
                "confidence": {name: round(peak, 4) for name, peak in face.confidence.items()},
            }
            for file, face in zip(files, result.faces, strict=True)
        ],
        "left_out": [
            {"box": _rounded(face.box), "score": round(face.score, 4), "own_size": face.own_size, "reason": face.reason}
            for face in result.left_out
        ],
        "seconds": {what: round(took, 4) for what, took in seconds.items()},
    }


def _rounded(box: tuple[float, float, float, float]) -> list[float]:
    return [round(side, 2) for side in box]
