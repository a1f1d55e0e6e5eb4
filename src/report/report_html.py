"""`report.html`: the report in one file that a browser opens from the disk, without a network."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from src.report.ablation import Ablation
from src.report.html_blocks import charts_html, escaped, section_html, sentences_html
from src.report.html_faces import faces_html
from src.report.protocol import Protocol
from src.report.score_charts import confidence_charts, score_charts, training_charts
from src.report.scores import FaceScores
from src.report.sections import measured_sections, method_sentences, protocol_sentences
from src.report.shown import NOTHING, Shown
from src.system.files import utf8

PAGE: Final = Path(__file__).with_name("page")
"""The style sheet, the script and the colours of the error maps, which are written into each report."""


def report_html(
    rows: Sequence[FaceScores], protocol: Protocol, ablation: Ablation | None = None, shown: Shown = NOTHING
) -> bytes:
    """The file's bytes.

    Its content security policy allows nothing from outside, and no script but its own.

    Args:
        rows: the faces.
        protocol: all that the scores depend on.
        ablation: the differences of a sweep's experiments to the full model, if it is one.
        shown: the faces whose pictures it holds.
    """
    style, script, errors = (
        (PAGE / name).read_text(encoding="utf-8").strip() for name in ("report.css", "report.js", "errors.svg")
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_sha256(style)}'; script-src '{_sha256(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "scores": ("Scores", "".join(section_html(one) for one in measured_sections(rows, protocol, ablation))),
        "faces": ("Faces", faces_html(rows, protocol, shown)),
        "charts": ("By pose and angle", charts_html(score_charts(rows, protocol))),
        "confidence": ("Confidence", charts_html(confidence_charts(rows, protocol))),
        "trainings": ("Trainings", charts_html(training_charts(protocol))),
        "methods": ("Methods", sentences_html(method_sentences(protocol))),
        "protocol": ("Protocol and data", sentences_html(protocol_sentences(rows, protocol))),
    }
    parts = {name: (words, inside) for name, (words, inside) in parts.items() if inside}
    title = f"Evaluation: {len(rows):,} faces, protocol {protocol.name}"
    links = "".join(f'<a href="#{name}">{escaped(words)}</a>' for name, (words, _) in parts.items())
    body = "".join(
        f'<section class="part" id="{name}"><h2>{escaped(words)}</h2>{inside}</section>'
        for name, (words, inside) in parts.items()
    )
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{errors}\n"
        f"<header><h1>{escaped(title)}</h1><nav>{links}</nav></header>\n<main>{body}</main>\n"
        "<noscript><p>Pictures and sorting need JavaScript.</p></noscript>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )
    return utf8(page)


def _sha256(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
