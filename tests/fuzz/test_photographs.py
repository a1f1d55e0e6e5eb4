"""Photographs, and files of boxes, of any content end in faces or in one line, and stay as they were."""

import contextlib
import io
import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from src.photo.detectors import Boxes
from src.photo.photographs import PhotoRequest, upscale_photographs
from src.system.errors import UserError
from src.system.files import utf8
from tests.helpers.drawn_faces import noise_picture
from tests.helpers.fuzzing import assert_one_line, changed_bytes, changed_lines, result_or_line
from tests.helpers.picture_samples import encoded, exif_of, picture_samples
from tests.helpers.small_network import SMALL
from tests.helpers.tiny_files import checkpoint_content

LIMIT = 50_000
"""Pixels; damaged headers name any size."""
TABLE = "file,x0,y0,x1,y1\na.png,20,20,32,36\na.jpg,5,2,15,14\na.png,-3,-2.5,9,1e1\nb.png,0,0,1,1\n"
NAMES = ["a.png", "a.jpg", "a.webp", "a.tif", "a.gif"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "small.ckpt"
    torch.save(checkpoint_content(SMALL), path)
    return path


@cache
def samples() -> tuple[bytes, ...]:
    """Photographs of 60x50 as cameras and editors write them, among others of 40x32."""
    rgb = Image.fromarray(noise_picture(60, 50))
    return (
        *(encoded(rgb, kind) for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF")),
        encoded(rgb, "JPEG", exif=exif_of(), quality=70), encoded(rgb.convert("RGBA"), "PNG"),
        encoded(rgb, "TIFF", compression="tiff_lzw"), *picture_samples(),
    )  # fmt: skip


def check(network: Path, name: str, photograph: bytes, table: bytes, **options: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, boxes, out = Path(folder, name), Path(folder, "boxes.csv"), Path(folder, "out")
        path.write_bytes(photograph)
        boxes.write_bytes(table)
        request = PhotoRequest(
            [path], network, out, device="cpu", boxes=boxes, max_pixels=LIMIT, **options  # type: ignore[arg-type]
        )  # fmt: skip
        told, shown = io.StringIO(), io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(shown):
            code = result_or_line(lambda: upscale_photographs(request))
        assert path.read_bytes() == photograph
        if isinstance(code, UserError):  # of the boxes
            assert not out.exists()
            return
        lines = told.getvalue().splitlines()
        for line in [*lines, *shown.getvalue().splitlines()]:
            assert_one_line(line)
            assert line.startswith(("error: ", "warning: ", f"{path}: ", f"{path} > ", "1 of 1 failed"))
        errors = [line for line in lines if line.startswith("error: ")]
        assert code == len(errors) <= 1
        written = [line.partition(" > ")[2] for line in shown.getvalue().splitlines() if " > " in line]
        assert sorted(written) == sorted(map(str, out.iterdir()))
        for file in written:
            if not file.endswith(".json"):
                with Image.open(file) as image:
                    image.load()


OPTIONS = st.fixed_dictionaries({
    "paste": st.booleans(), "heatmaps": st.booleans(), "json": st.booleans(), "any_size": st.booleans(),
    "scale": st.sampled_from([None, 1.0, 1.5, 2.0]),
})  # fmt: skip


@given(st.sampled_from(NAMES), st.one_of(st.binary(max_size=400), changed_bytes(samples())), OPTIONS)
def test_photographs(network: Path, name: str, photograph: bytes, options: dict[str, object]) -> None:
    rows = "".join(f"{name},{box}\n" for box in ("20,20,32,36", "0,5,14,20", "-4,-4,9,9"))
    check(network, name, photograph, f"file,x0,y0,x1,y1\n{rows}".encode(), **options)


@given(st.one_of(changed_lines([TABLE]).map(utf8), changed_bytes([TABLE.encode()]), st.binary(max_size=100)), OPTIONS)
def test_boxes(network: Path, table: bytes, options: dict[str, object]) -> None:
    check(network, "a.png", samples()[0], table, **options)


@given(st.lists(st.tuples(st.sampled_from(["a.png", "./a.png", "\0", "x/../a.png"]), *[st.floats()] * 4), max_size=3))
def test_boxes_of_any_numbers(network: Path, rows: list[tuple[str, float, float, float, float]]) -> None:
    table = "file,x0,y0,x1,y1\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    check(network, "a.png", samples()[0], table.encode(), paste=True, any_size=True)


@given(st.binary(max_size=300))
def test_any_bytes_as_boxes(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "boxes.csv")
        path.write_bytes(b"file,x0,y0,x1,y1\n" + content)
        result_or_line(lambda: Boxes(path).of(Path(folder, "a.png")))
