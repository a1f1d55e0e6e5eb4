"""The tab "Photograph": its faces are found and numbered; the chosen one is shown before and after."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from src.photo.outputs import marked_png
from src.photo.upscaler import FaceUpscaler
from src.webpage.kept import keep, keep_photograph, keep_picture
from src.webpage.parts import NETWORK, attempt, picture, said, status, upload
from src.webpage.photograph import FaceView, PhotoView, face_at, photo_view, read_upload


def photograph_tab(upscaler: FaceUpscaler, folder: Path, suffixes: Sequence[str]) -> None:
    """Put the tab's parts into the page.

    Args:
        upscaler: of the network.
        folder: for the pictures and what is downloaded.
        suffixes: of the files that are taken.
    """
    low, high = upscaler.sizes
    every_size = FaceUpscaler(upscaler.method, upscaler.detector, upscaler.device, any_size=True)
    with_maps = upscaler.method.heatmap_side is not None
    with gr.Row():
        with gr.Column(min_width=300):
            file = upload("Photograph", "photograph", suffixes)
        with gr.Column(min_width=300):
            any_size = gr.Checkbox(
                label="Faces of all sizes",
                info=f"The network takes faces of {low} to {high} px; larger ones are first reduced to {high}.",
                elem_id="any_size",
            )
            lines = status("photograph_status")
    chosen = gr.State([], time_to_live=3600)
    with gr.Column(visible=False) as found:
        with gr.Row():
            photo = gr.Image(
                interactive=False, min_width=300, buttons=["fullscreen"], elem_id="photo",
                scale=3, alt_text="The photograph with its numbered faces",
            )  # fmt: skip
            faces = gr.Gallery(
                label="Or choose one here", allow_preview=False, columns=3, height="auto", min_width=280,
                object_fit="contain", fit_columns=False, buttons=[], elem_id="faces", interactive=False, scale=2,
            )  # fmt: skip
        with gr.Row(visible=False) as details:
            with gr.Column(min_width=280):
                slider = gr.ImageSlider(
                    label="Bicubic, and result", type="filepath", buttons=[], elem_id="slider", interactive=False,
                )  # fmt: skip
                download = gr.DownloadButton("Download the face (PNG)", elem_id="download", variant="primary")
            with gr.Column(min_width=280), gr.Row(elem_classes="tiles"):
                lr = picture("LR", "pixels", name="photograph_lr")
                result = picture("Result", name="photograph_sr")
                heatmaps = picture("Heatmaps", name="photograph_heatmaps", visible=with_maps)

    def shown(views: Sequence[FaceView], at: int) -> tuple[Any, ...]:
        """The parts of `one` for a face."""
        view = views[at]
        sr = keep(folder, view.file, marked_png(view.sr))
        before = keep(folder, f"bicubic_{view.label}.png", marked_png(view.bicubic))
        return (
            gr.Row(visible=True),
            gr.ImageSlider(value=(before, sr), label=f"Bicubic, and result: face {view.caption}"),
            gr.DownloadButton(value=sr, label=f"Download face {view.label} (PNG)"),
            gr.Image(value=keep_picture(folder, view.lr), label=f"LR {view.lr.shape[1]}x{view.lr.shape[0]}"),
            sr,
            None if view.heatmaps is None else keep_picture(folder, view.heatmaps),
        )

    one = [details, slider, download, lr, result, heatmaps]
    hidden = (gr.Row(visible=False), None, None, None, None, None)

    def upscale(path: str | None, every: bool, progress: gr.Progress = gr.Progress()) -> tuple[Any, ...]:  # noqa: B008
        """All parts for an uploaded photograph."""
        nothing: tuple[Any, ...] = ([], gr.Column(visible=False), None, None, *hidden)
        if path is None:
            return said([]), *nothing
        progress(0.1, "reads the photograph")
        remarks: list[str] = []

        def view() -> PhotoView:
            pixels = read_upload(Path(path), remarks.append)
            progress(0.3, "finds and upscales faces")
            return photo_view((every_size if every else upscaler)(pixels), upscaler, Path(path).stem)

        done = attempt(view)
        if isinstance(done, str):
            return said([done], error=True), *nothing
        refused = any("of the training" in line for line in done.lines)
        hint = ["“Faces of all sizes” takes those that are too small or too large."] if refused else []
        label = "Click a face" if done.faces else "Photograph"
        photograph = gr.Image(value=keep_photograph(folder, done.picture), label=label)
        images = [(keep_picture(folder, face.sr), face.caption) for face in done.faces]
        gallery = gr.Gallery(value=images, selected_index=None, visible=bool(images))
        first = shown(done.faces, 0) if done.faces else hidden
        text = said([*done.lines, *hint, *remarks])
        return text, done.faces, gr.Column(visible=True), photograph, gallery, *first

    def of_gallery(views: Sequence[FaceView], event: gr.SelectData) -> tuple[Any, ...]:
        """The face that was clicked in the gallery."""
        return shown(views, event.index) if event.index < len(views) else hidden

    def of_photo(views: Sequence[FaceView], event: gr.SelectData) -> tuple[Any, ...]:
        """The face that was clicked on the photograph; nothing changes beside one."""
        at = face_at(views, *event.index)
        return tuple(gr.skip() for _ in one) if at is None else shown(views, at)

    gr.on(
        [file.change, any_size.change], upscale, [file, any_size],
        [lines, chosen, found, photo, faces, *one], concurrency_id=NETWORK, concurrency_limit=1, api_name="upscale",
        trigger_mode="always_last", show_progress_on=[lines],
    )  # fmt: skip
    faces.select(of_gallery, [chosen], one, show_progress="hidden", api_visibility="private")
    photo.select(of_photo, [chosen], one, show_progress="hidden", api_visibility="private")
