"""The web page, served by its command in a process of its own, and asked as a browser would."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FACES = ((20, 30), (150, 40))
"""Left upper corners of the two faces of `drawn_photograph`, each with its surroundings 56x56 pixels."""


@dataclass(frozen=True)
class Served:
    """A page that is served; `folder` is the temporary folder of its process."""

    address: str
    process: subprocess.Popen[str]
    folder: Path

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def upload(self, name: str, content: bytes) -> str:
        """The path on the server of a file that was uploaded."""
        line = "----------------------------mtun"
        head = f'--{line}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{line}--\r\n".encode()
        asked = Request(
            f"{self.address}gradio_api/upload", body, {"Content-Type": f"multipart/form-data; boundary={line}"}
        )
        with urlopen(asked, timeout=60) as answer:
            path: str = json.load(answer)[0]
        return path

    def upscaled(self, path: str) -> tuple[str, list[object]]:
        """Event ("complete" or "error") and data of the first tab for a file on the server."""
        data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, False]
        body = json.dumps({"data": data}).encode()
        address = f"{self.address}gradio_api/call/upscale"
        with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=60) as answer:
            event = json.load(answer)["event_id"]
        with urlopen(f"{address}/{event}", timeout=120) as answer:
            text = answer.read().decode()
        name, _, content = text[text.rindex("event: ") :].removeprefix("event: ").partition("\n")
        return name, json.loads(content.removeprefix("data: ")) or []


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[Served]:
    """The page until the block ends, then stopped as a system stops a process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "src.page", "--device", "cpu", *arguments],
        cwd=ROOT, env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1", "GRADIO_ALLOWED_PATHS": "/"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.endswith(" shows the page until Ctrl-C\n"), f"it ended: {process.wait(10)}"
        yield Served(line.split()[0], process, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()
            process.stdout.close()


@cache
def drawn(index: int, side: int) -> NDArray[np.uint8]:
    """A drawn face with its surroundings, reduced to a side."""
    from src.synthetic.draw import render_face  # compiles itself

    face = render_face(0, index, margin=48)
    return np.asarray(Image.fromarray(face.image).resize((side, side), Image.Resampling.BICUBIC))


def drawn_photograph() -> NDArray[np.uint8]:
    """(120, 240, 3) uint8: two drawn faces of about 30 pixels."""
    photograph = np.full((120, 240, 3), 128, np.uint8)
    for index, (x, y) in enumerate(FACES):
        photograph[y : y + 56, x : x + 56] = drawn(2 * index, 56)
    return photograph


def png(image: NDArray[np.uint8]) -> bytes:
    """A picture as the bytes of a file."""
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def until(found: Callable[[], Any], seconds: float = 60) -> Any:
    """What a function gives as soon as that is true."""
    end = time.monotonic() + seconds
    while True:
        value = found()
        if value or time.monotonic() > end:
            assert value, "it did not come"
            return value
        time.sleep(0.1)
