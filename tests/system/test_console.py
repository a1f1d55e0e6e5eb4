import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src import prepare, upscale
from src.system.console import show_everything
from src.system.files import from_home, write_whole
from src.system.progress import FaceProgress
from tests.helpers.drawn_faces import face_folder

ROOT = Path(__file__).parents[2]
ODD = ("照片", "José", "caf\udce9", "e\u0301", "[/red] [b]")


class Console:
    """A strict console of an encoding, in the place of stdout and stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        self.encoding, self.bytes, self.streams = encoding, io.BytesIO(), []
        for name in ("stdout", "stderr"):
            stream = io.TextIOWrapper(self.bytes, encoding=encoding, errors="strict", write_through=True)
            self.streams.append(stream)  # a stream that is collected closes the bytes
            monkeypatch.setattr(sys, name, stream)

    def text(self) -> str:
        return self.bytes.getvalue().decode(self.encoding)


each_encoding = pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])


@each_encoding
def test_what_the_encoding_lacks_is_shown_as_an_escape(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    console = Console(monkeypatch, encoding)
    show_everything()
    print("照片 José caf\udce9")
    print("照片", file=sys.stderr)
    chinese = "照片" if encoding == "utf-8" else "\\u7167\\u7247"
    accent = "Jos\\xe9" if encoding == "ascii" else "José"
    assert console.text() == f"{chinese} {accent} caf\\udce9\n{chinese}\n"


def test_streams_of_another_kind_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (io.StringIO(), None):  # pythonw has none
        monkeypatch.setattr(sys, "stdout", stream)
        show_everything()


def test_every_command_begins_with_it() -> None:
    mains = {
        str(path.relative_to(ROOT)): text
        for folder in ("src", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if "\ndef main(" in (text := path.read_text(encoding="utf-8"))
    }
    silent = [name for name, text in mains.items() if "    show_everything()\n" not in text and "@command(" not in text]
    assert {"src/train.py", "src/doctor.py", "benchmarks/__main__.py"} <= mains.keys()
    assert silent == []


@each_encoding
def test_upscale_shows_any_name(
    monkeypatch: pytest.MonkeyPatch, checkpoint_file: Path, tmp_path: Path, encoding: str
) -> None:
    console = Console(monkeypatch, encoding)
    for name in ODD:
        place = tmp_path / "in" / f"{name.replace('/', '')}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(place)
    (tmp_path / "in" / "坏.png").write_bytes(b"")
    words = [str(tmp_path / "in"), "--crops", "--checkpoint", str(checkpoint_file), "--out", str(tmp_path / "out")]
    assert upscale.main(words) == 1
    assert len([*(tmp_path / "out").iterdir()]) == 2 * len(ODD)
    assert "1 of 6 failed" in console.text()


@each_encoding
def test_prepare_shows_any_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str) -> None:
    console = Console(monkeypatch, encoding)
    root = face_folder(tmp_path / "照片 [b]", ["a.png"])
    (root / "images" / "坏.png").write_bytes(b"")
    (root / "images" / "caf\udce9.png").write_bytes(b"")
    words = ["source=folder", f"source.root={root}", f"out={tmp_path}/é 照片 [/b]"]
    monkeypatch.setattr(sys, "argv", ["prepare", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setenv("MTUN_RUN_STAMP", "stamp")
    prepare.main()
    assert "rejected: 2" in console.text()
    rejected = (tmp_path / "é 照片 [" / "b]" / "rejected.csv").read_text(encoding="utf-8")
    assert "坏.png" in rejected


@each_encoding
def test_a_title_with_brackets_is_no_markup(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    console = Console(monkeypatch, encoding)
    show_everything()
    monkeypatch.setenv("FORCE_COLOR", "1")  # a bar, as at a terminal
    with FaceProgress("照片 [/b]", 1) as progress:
        progress.advance(1)
    assert "[/b]" in console.text()


def test_a_file_holds_what_utf_8_cannot(tmp_path: Path) -> None:
    write_whole(tmp_path / "x.md", "照片 caf\udce9")
    assert (tmp_path / "x.md").read_bytes() == "照片 caf\\udce9".encode()


def test_only_the_beginning_of_a_path_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/é")
    assert [from_home(path) for path in ("~", "~/a/", "~a", "a/~", "")] == ["/home/é", "/home/é/a/", "~a", "a/~", ""]
