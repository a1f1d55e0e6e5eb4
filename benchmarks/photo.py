"""`src.upscale` on photographs: batches against single faces, what the pipeline costs, memory, and the first face."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.report import Figure, at_least, at_most
from src.image.crop import FaceBox
from src.photo import FaceUpscaler
from src.photo.frames import DOWN_PER_BOX, SIDE_PER_BOX
from src.training.tuning import fastest_seconds

PHOTOGRAPHS, COLUMNS, ROWS = 10, 5, 2
FACE: int = 24
"""Pixels of each face's square."""
WIDTH, HEIGHT = 640, 480
LARGE = (6000, 4000)
ROUNDS = 5


def photograph(number: int) -> tuple[NDArray[np.uint8], list[FaceBox]]:
    """A picture of drawn faces in rows, and their boxes as a detector would draw them."""
    from src.synthetic.draw import render_face

    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(60, 200, (6, 8, 3), np.uint8))
    picture, boxes = coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), []
    for place in range(COLUMNS * ROWS):
        drawn = render_face(number, place, margin=48, upright=True).image
        side = round(FACE * drawn.shape[0] / 128)
        x, y = 40 + 120 * (place % COLUMNS), 100 + 200 * (place // COLUMNS)
        picture.paste(
            Image.fromarray(np.ascontiguousarray(drawn)).resize((side, side), Image.Resampling.BICUBIC), (x, y)
        )
        box = FACE / SIDE_PER_BOX
        across, down = x + side / 2, y + side / 2 - DOWN_PER_BOX * box
        boxes.append((across - box / 2, down - box / 2, across + box / 2, down + box / 2))
    return np.asarray(picture), boxes


def run() -> list[Figure]:
    """Every figure; the faces of photographs in memory first, then whole commands."""
    pictures = [photograph(number) for number in range(PHOTOGRAPHS)]
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_batches(pictures),
            *_shares(pictures, Path(folder)),
            *_large(pictures, Path(folder)),
            *_first(pictures, Path(folder)),
        ]


def _batches(pictures: list[tuple[NDArray[np.uint8], list[FaceBox]]]) -> list[Figure]:
    up = FaceUpscaler.from_pretrained(device="cpu")
    faces = sum(len(boxes) for _, boxes in pictures)
    small = [Image.fromarray(image).crop(tuple(map(round, box))) for image, boxes in pictures for box in boxes]  # type: ignore[arg-type]

    def together() -> None:
        for image, boxes in pictures:
            up(image, boxes)

    def alone() -> None:
        for image, boxes in pictures:
            for box in boxes:
                up(image, [box])

    def bicubic() -> None:
        for crop in small:
            crop.resize((128, 128), Image.Resampling.BICUBIC)

    def detect() -> None:
        for image, _ in pictures:
            up.detector.find(image)

    seconds = fastest_seconds([together, alone, bicubic, detect], ROUNDS, torch.device("cpu"))
    milliseconds = [1e3 * value / faces for value in seconds]
    return [
        Figure("a face in a batch of 10, cut and upscaled", milliseconds[0], "ms", "", None),
        Figure("the same faces one by one", milliseconds[1], "ms", "", None),
        Figure("bicubic of a face", milliseconds[2], "ms", "", None),
        Figure("face detection in a photograph of 640x480", 1e3 * seconds[3] / len(pictures), "ms", "", None),
        at_least(f"{faces} faces in batches of a photograph over one by one", seconds[1] / seconds[0], "x", 2),
    ]


def _shares(pictures: list[tuple[NDArray[np.uint8], list[FaceBox]]], folder: Path) -> list[Figure]:
    (folder / "in").mkdir()
    for number, (image, _) in enumerate(pictures):
        Image.fromarray(image).save(folder / "in" / f"{number}.jpg", quality=92)
    code = (
        "import sys, time\nfrom src.upscale import main\n"
        "from src.photo import photographs as p\n"
        "start = [0.0]\n"
        "do = p._Photographs.do\n"
        "def timed(self, path):\n"
        "    begin = time.perf_counter(); do(self, path); start[0] += time.perf_counter() - begin\n"
        "p._Photographs.do = timed\n"
        "code = main(sys.argv[1:])\nprint('TOTAL', start[0])\nsys.exit(code)"
    )
    words = [str(folder / "in"), "--out", str(folder / "out"), "--json", "--device", "cpu"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    total = float(done.stdout.rsplit("TOTAL", 1)[1])
    told = [json.loads(path.read_text()) for path in sorted((folder / "out").glob("*.json"))]
    inside = sum(one["seconds"][part] for one in told for part in ("detect", "network"))
    return [
        Figure("faces found of 100 drawn ones", sum(len(one["faces"]) for one in told), "", "", None),
        at_most("share of reading, cutting and writing in a command's work", 100 * (1 - inside / total), "%", 15),
    ]


def _large(pictures: list[tuple[NDArray[np.uint8], list[FaceBox]]], folder: Path) -> list[Figure]:
    path = folder / "large.jpg"
    Image.fromarray(pictures[0][0]).resize(LARGE, Image.Resampling.BICUBIC).save(path, quality=92)
    code = (
        "import sys\nfrom src.upscale import main\ncode = main(sys.argv[1:])\n"
        "print('PEAK', next(int(line.split()[1]) / 1024 for line in open('/proc/self/status') if 'VmHWM' in line))\n"
    )
    figures = []
    for what, words in (("", []), (" --any-size --paste", ["--any-size", "--paste"])):
        command = [
            sys.executable,
            "-c",
            code,
            str(path),
            "--out",
            str(folder / f"large{len(words)}"),
            "--device",
            "cpu",
        ]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
        peak = float(done.stdout.rsplit("PEAK", 1)[1])
        figures.append(at_most(f"a photograph of 24 megapixels, peak memory{what}", peak, "MB", 1500))
    return figures


def _first(pictures: list[tuple[NDArray[np.uint8], list[FaceBox]]], folder: Path) -> list[Figure]:
    path = folder / "first.jpg"
    Image.fromarray(pictures[0][0]).save(path, quality=92)
    words = [sys.executable, "-m", "src.upscale"]
    helped, faces = [], []
    for turn in range(3):
        start = time.perf_counter()
        subprocess.run([*words, "--help"], capture_output=True, check=True)
        helped.append(time.perf_counter() - start)
        start = time.perf_counter()
        out = folder / f"first{turn}"
        subprocess.run([*words, str(path), "--out", str(out), "--device", "cpu"], capture_output=True, check=True)
        faces.append(time.perf_counter() - start)
    return [
        at_most("src.upscale --help", min(helped), "s", 0.3),
        at_most("a photograph of 10 faces, from the command to its end", min(faces), "s", 3),
    ]
