"""Parts of the page that both tabs use: the place for a file, a status line, a picture, and what ends in one line."""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from src.system.errors import BadFace, UserError

NETWORK: Final = "network"
"""The queue that one request at a time leaves, for either tab."""


def upload(label: str, name: str, suffixes: Sequence[str]) -> gr.File:
    """A place for one picture, read by us and not by Gradio."""
    file = gr.File(label=label, file_types=list(suffixes), height=132, elem_id=name)

    async def uploaded_alone(path: str) -> str | None:
        """Refuses an address, which Gradio would fetch, and a folder, which it could not delete at its end."""
        if "://" in path or Path(path).is_dir():
            raise gr.Error("upload the picture itself", print_exception=False)
        return await move(path)

    def picture_alone(payload: Any) -> Any:
        """Refuses another suffix without a traceback on the console."""
        try:
            return preprocess(payload)
        except gr.Error as error:
            error.print_exception = False
            raise

    move, preprocess = file.async_move_resource_to_block_cache, file.preprocess
    setattr(file, "preprocess", picture_alone)  # noqa: B010 - as below
    setattr(file, "async_move_resource_to_block_cache", uploaded_alone)  # noqa: B010 - a subclass would write a file
    return file


def status(name: str) -> gr.HTML:
    """Where lines on a picture are said, also to those who hear the page."""
    return gr.HTML(said([]), elem_id=name, elem_classes="status", padding=False)


def said(lines: Sequence[str], error: bool = False) -> str:
    """Lines as HTML."""
    kind = " class='error'" if error else ""
    return f"<div role='status'>{''.join(f'<p{kind}>{html.escape(line)}</p>' for line in lines)}</div>"


def picture(label: str, *classes: str, name: str | None = None, visible: bool = True) -> gr.Image:
    """A face of any size, shown as large as its place."""
    return gr.Image(
        label=label, interactive=False, min_width=140, buttons=[], visible=visible, alt_text=label, elem_id=name,
        elem_classes=["face", *classes],
    )  # fmt: skip


def attempt(task: Callable[[], Any]) -> Any:
    """What a task gives, or the line of a mistake, which is a string."""
    try:
        return task()
    except BadFace as error:
        return f"{Path(error.file).name}: {error.reason}"
    except UserError as error:
        return str(error)
    except MemoryError:
        return "the memory does not suffice for this picture"
