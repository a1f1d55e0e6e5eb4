import asyncio
import re
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from src.system.errors import BadFace, UserError
from src.webpage.parts import attempt, said, upload


def test_lines_are_text_and_no_markup() -> None:
    shown = said(["<script>alert(1)</script>", "b"], error=True)
    assert "<script>" not in shown
    assert len(re.findall("<p class='error'>", shown)) == 2
    assert "class" not in said(["a"])


def test_a_mistake_becomes_its_line() -> None:
    def raises(error: BaseException) -> object:
        raise error

    assert attempt(lambda: 7) == 7
    assert attempt(lambda: raises(BadFace("/tmp/secret/a.jpg", "no picture"))) == "a.jpg: no picture"
    assert attempt(lambda: raises(UserError("no face"))) == "no face"
    assert "memory" in attempt(lambda: raises(MemoryError()))
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)


def test_an_address_is_not_fetched_in_place_of_an_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gradio as gr

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with gr.Blocks(analytics_enabled=False):
        file = upload("Photograph", "photograph", [".png"])
    (tmp_path / "a.png").write_bytes(b"1")
    moved = asyncio.run(file.async_move_resource_to_block_cache(str(tmp_path / "a.png")))
    assert Path(str(moved)).read_bytes() == b"1"
    for address in ("https://example.org/a.png", "http://127.0.0.1/a.png", str(tmp_path)):
        with pytest.raises(gr.Error, match="upload the picture itself"):
            asyncio.run(file.async_move_resource_to_block_cache(address))


def test_another_suffix_is_refused_without_a_traceback(tmp_path: Path) -> None:
    import gradio as gr

    with gr.Blocks(analytics_enabled=False):
        file = upload("Photograph", "photograph", [".png"])
    with pytest.raises(gr.Error, match="Invalid file type") as error:
        file.preprocess(gr.FileData(path=str(tmp_path / "a.txt")))
    assert not error.value.print_exception
