"""The page in Gradio: its look, its two tabs, and what makes them one page."""

from pathlib import Path
from typing import Any, Final

import gradio as gr

from src.image.suffixes import SUFFIXES
from src.photo.upscaler import FaceUpscaler
from src.webpage.kept import SECONDS
from src.webpage.limits import MOST_UPLOADED
from src.webpage.photograph_tab import photograph_tab
from src.webpage.trial_tab import trial_tab

TITLE: Final = "Small faces to 128x128"
WAITING: Final = 50
"""Requests in the queue; what comes after them is refused."""
INVENTED: Final = (
    "<strong>The details are invented.</strong> The network draws a likely face. "
    "Its output is no evidence of who somebody is."
)
PRIVATE: Final = (
    f"Pictures of up to {MOST_UPLOADED >> 20} MB. They stay on this machine, and are deleted after an hour or when "
    "the page ends."
)
FONTS: Final = ("system-ui", "sans-serif")  # the system's own: none is fetched
STYLE: Final = """
.gradio-container .main { width: 100%; max-width: 1160px !important; padding: 12px !important; }
.gradio-container .main { margin: 0 auto !important; }
.note { border-left: 4px solid #d97706; padding: 4px 12px; }
.status p { margin: 2px 0; }
.status .error { color: #b91c1c; font-weight: 600; }
.dark .status .error { color: #fca5a5; }
.face { padding-top: 30px !important; }
.face .image-container, .face .image-container button, .face .image-frame { width: 100%; height: auto; }
.face img { width: 100% !important; height: auto !important; object-fit: contain !important; }
#photo img { max-height: 440px; object-fit: contain; }
#faces .grid-wrap { min-height: 0; max-height: 440px; height: auto !important; overflow-y: auto; }
.pixels img { image-rendering: pixelated; }
.scores table, .scores tr { border: none !important; }
.scores table { border-collapse: collapse; width: auto; }
.scores th, .scores td { border: none !important; padding: 2px 24px 2px 0 !important; }
.scores th { font-weight: normal; text-align: left; }
.scores th[colspan] { font-weight: 600; }
.scores td { font-variant-numeric: tabular-nums; white-space: nowrap; text-align: right; }
footer { display: none !important; }
@media (max-width: 640px) { /* on a phone the faces stay in sight while the sliders below them move */
  #tiles { position: sticky; top: 0; z-index: 5; background: var(--body-background-fill); }
  .tiles { flex-wrap: nowrap !important; gap: 4px !important; }
  .tiles .face { min-width: 0 !important; }
  .tiles label { padding-left: 4px; padding-right: 4px; white-space: nowrap; }
  .tiles label span { display: none; }
}
"""
QUIET: Final = {"body_text_color_subdued": "*neutral_600", "block_info_text_color": "*neutral_600"}
QUIET_DARK: Final = {f"{name}_dark": "*neutral_300" for name in QUIET}
"""Gradio's greys are too pale to read."""
LOOK: Final[dict[str, Any]] = {
    "theme": gr.themes.Default(primary_hue="blue", font=list(FONTS), font_mono=["ui-monospace", "monospace"]).set(
        **QUIET, **QUIET_DARK
    ),
    "css": STYLE,
}
"""What `launch` takes."""


def build_page(upscaler: FaceUpscaler, folder: Path) -> gr.Blocks:
    """The page of a network.

    Args:
        upscaler: of the network; it is used by one request at a time.
        folder: for the pictures that it shows and what is downloaded.
    """
    suffixes = sorted(SUFFIXES)
    page = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(60, round(SECONDS)))
    with page:
        gr.HTML(f"<h1>{TITLE}</h1><p class='note' id='note'>{INVENTED}</p><p>{PRIVATE}</p>")
        with gr.Tabs():
            with gr.Tab("Photograph"):
                photograph_tab(upscaler, folder, suffixes)
            with gr.Tab("Try the limits"):
                trial_tab(upscaler, folder, suffixes)
    page.queue(max_size=WAITING, default_concurrency_limit=1)
    return page
