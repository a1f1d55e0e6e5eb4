"""The tab "Try the limits": a good face is degraded as the sliders say, and restored while they move."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from src.image.sides import LR_SIDE, SIDE
from src.photo.upscaler import FaceUpscaler
from src.webpage.kept import keep_picture
from src.webpage.parts import NETWORK, attempt, picture, said, status, upload
from src.webpage.photograph import read_upload
from src.webpage.trial import SETTINGS, SLIDERS, Portrait, Settings, Slider, portrait_of, tried

ROWS = (
    ("sr", "result"),
    ("registered", "result, registered (with HR where the network put the face)"),
    ("bicubic", "bicubic of LR, not aligned"),
)


def trial_tab(upscaler: FaceUpscaler, folder: Path, suffixes: Sequence[str]) -> None:
    """Put the tab's parts into the page.

    Args:
        upscaler: of the network.
        folder: for the pictures.
        suffixes: of the files that are taken.
    """
    every_size = FaceUpscaler(upscaler.method, upscaler.detector, upscaler.device, any_size=True)
    with_maps = upscaler.method.heatmap_side is not None
    with gr.Row():
        with gr.Column(min_width=300):
            file = upload("A good portrait: its largest face is taken", "portrait", suffixes)
        with gr.Column(min_width=300):
            lines = status("trial_status")
            scores = gr.HTML("", elem_id="scores", elem_classes="scores", padding=False)
    portrait = gr.State(None, time_to_live=3600)
    with gr.Column(visible=False) as results:
        with gr.Row(elem_id="tiles", elem_classes="tiles"):
            lr = picture("LR", "pixels", name="trial_lr")
            sr = picture("Result", name="trial_sr")
            hr = picture("HR (true)", name="trial_hr")
            heatmaps = picture("Heatmaps", name="trial_heatmaps", visible=with_maps)
        sliders = _sliders(upscaler.method.own_size)
        reset = gr.Button("Back to the first values", elem_id="reset", size="sm")

    seen = [lines, scores, lr, sr, hr, heatmaps]

    def restored(face: Portrait | None, *values: float) -> tuple[Any, ...]:
        """The parts of `seen` for a portrait under the sliders' values."""
        if face is None:
            return said([]), "", None, None, None, None
        known = dict(zip(sliders, values, strict=True))
        trial = tried(every_size, face, Settings(**known))
        height, width = trial.lr.shape[:2]
        small, *others = (
            None if pixels is None else keep_picture(folder, pixels)
            for pixels in (trial.lr, trial.sr, trial.hr, trial.heatmaps)
        )
        shown = gr.Image(value=small, label=f"LR {width}x{height}")
        return said([face.line]), table(trial.scores), shown, *others

    def taken(path: str | None, *values: float, progress: gr.Progress = gr.Progress()) -> tuple[Any, ...]:  # noqa: B008
        """All parts for an uploaded portrait."""
        nothing = (None, gr.Column(visible=False), said([]), *restored(None)[1:])
        if path is None:
            return nothing
        progress(0.2, "finds the face")
        face = attempt(lambda: portrait_of(every_size, read_upload(Path(path))))
        if isinstance(face, str):
            return *nothing[:2], said([face], error=True), *nothing[3:]
        return face, gr.Column(visible=True), *restored(face, *values)

    file.change(
        taken, [file, *sliders.values()], [portrait, results, *seen], concurrency_id=NETWORK, concurrency_limit=1,
        api_visibility="private", show_progress_on=[lines],
    )  # fmt: skip
    gr.on(
        [slider.change for slider in sliders.values()], restored, [portrait, *sliders.values()], seen,
        trigger_mode="always_last", show_progress="hidden", concurrency_id=NETWORK, concurrency_limit=1,
        api_visibility="private",
    )  # fmt: skip
    first = [slider.value for slider in sliders.values()]
    reset.click(lambda: first, None, list(sliders.values()), queue=False, api_visibility="private")


def table(scores: Mapping[str, float]) -> str:
    """The scores as HTML."""
    rows = [f"<tr><th>{text}</th><td>{scores[key]:.2f} dB</td></tr>" for key, text in ROWS if key in scores]
    return f"<table><tr><th colspan='2'>PSNR RGB against HR, {SIDE}x{SIDE}</th></tr>{''.join(rows)}</table>"


def _sliders(own_size: tuple[int, int] | None) -> dict[str, gr.Slider]:
    """Setting -> its slider, in two columns."""
    made = {}
    with gr.Row(equal_height=True):
        for name in SETTINGS:
            if name == "own_size":
                if own_size is None:
                    continue
                low, high = own_size
                of = Slider("Size of the small face (px)", low, high, 1, min(max(LR_SIDE, low), high))
            else:
                of = SLIDERS[name]
            made[name] = gr.Slider(
                of.low, of.high, of.first, step=of.step, label=of.label, min_width=310, elem_id=f"setting_{name}",
                buttons=[],
            )  # fmt: skip
    return made
