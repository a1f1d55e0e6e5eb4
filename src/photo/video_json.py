"""What `--json` writes of a video: its faces, and each in each frame."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.image.sides import SIDE
from src.photo.filmed import FilmedFace, Search
from src.photo.video_file import VideoFile
from src.system.errors import in_one_line


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
