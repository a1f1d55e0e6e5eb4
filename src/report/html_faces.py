"""The faces of the HTML report: the worst, median and best of each method, and the slider between two methods."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from src.report.html_blocks import escaped, json_block
from src.report.picks import KINDS, RANKED_BY
from src.report.protocol import Protocol
from src.report.scores import FaceScores
from src.report.shown import FacePictures, Shown, data_uri

SLIDER = """<div class="choices">
<label>face <select id="face"></select></label>
<label>left <select id="left"></select></label>
<label>right <select id="right"></select></label>
</div>
<div class="bench">
<div class="slider"><div id="stage"><img id="under" alt=""><img id="over" alt=""><span id="bar"></span></div>
<input id="cut" type="range" min="0" max="100" value="50" aria-label="share of the left picture">
<p id="names"><span id="left-name"></span><span id="right-name"></span></p></div>
<div class="maps">
<figure id="lr"><img class="lr" id="lr-picture" alt="LR input"><figcaption>LR input</figcaption></figure>
<figure><img id="hr-picture" alt="HR"><figcaption>HR</figcaption></figure>
<figure><span class="error" id="left-error"></span><figcaption id="left-score"></figcaption></figure>
<figure><span class="error" id="right-error"></span><figcaption id="right-score"></figcaption></figure>
</div></div>"""
ERRORS = (
    "Error maps show the mean over the colours of |SR - HR|, from black (0) to white (a quarter of the range or more). "
    "Faces are ranked by PSNR RGB."
)


def faces_html(rows: Sequence[FaceScores], protocol: Protocol, shown: Shown) -> str:
    """The section with the faces, and the data that the page's script reads; a sentence if no face is shown."""
    if not shown.faces:
        return "<p>No face is shown.</p>"
    pictures: list[str] = []
    places = {place: number for number, place in enumerate(sorted(shown.faces))}
    faces = [_face(rows[place], protocol, shown.faces[place], pictures) for place in places]
    galleries = "".join(_gallery(rows, protocol, shown, name, places) for name in protocol.methods)
    data = json_block("shown", {"pictures": pictures, "faces": faces})
    return (
        f'<section id="slider"><h3>Two methods on one face</h3>{SLIDER}</section>'
        f"<section><h3>Worst, median and best</h3><p>{escaped(ERRORS)}</p>{galleries}</section>{data}"
    )


def _face(
    row: FaceScores, protocol: Protocol, mine: FacePictures, pictures: list[str]
) -> Mapping[str, Any]:  # fmt: skip
    """A face for the script: its title, and for each picture [key, title, number of the picture, PSNR in words]."""

    def put(key: str, title: str, picture: Any, score: str) -> list[Any]:
        pictures.append(data_uri(picture))
        return [key, title, len(pictures) - 1, score]

    images = [] if mine.lr is None else [put("lr", "LR input", mine.lr, "")]
    for name, card in protocol.methods.items():
        if name in mine.sr:
            images.append(put(f"sr:{name}", card.title, mine.sr[name], _score(row, name)))
    images.append(put("hr", "HR", mine.hr, ""))
    return {"title": _title(row), "images": images}


def _gallery(
    rows: Sequence[FaceScores], protocol: Protocol, shown: Shown, method: str, places: Mapping[int, int]
) -> str:
    title = escaped(protocol.methods[method].title)
    columns = []
    for kind in KINDS:
        cards = "".join(
            _card(rows[pick.place], method, places[pick.place], shown.faces[pick.place])
            for pick in shown.picks
            if pick.method == method and pick.kind == kind and method in shown.faces[pick.place].sr
        )
        if cards:
            columns.append(f'<div><h5>{kind}</h5><div class="cards">{cards}</div></div>')
    inside = f'<div class="kinds">{"".join(columns)}</div>' if columns else "<p>No face of it fits in this file.</p>"
    return f"<details open><summary>{title}</summary>{inside}</details>"


def _card(row: FaceScores, method: str, face: int, mine: FacePictures) -> str:
    keys = [*([] if mine.lr is None else [("lr", "LR")]), (f"sr:{method}", "SR"), ("hr", "HR")]
    tiles = [
        f'<span><img data-face="{face}" data-key="{escaped(key)}" alt="{word} of {escaped(row.file)}">{word}</span>'
        for key, word in keys
    ]
    tiles.append(
        f'<span><span class="error" data-face="{face}" data-key="{escaped(f"sr:{method}")}"></span>error</span>'
    )
    about = [_score(row, method), row.file, *([row.identity] if row.identity not in row.file else [])]
    if not math.isnan(row.angle_deg):
        about.append(f"rotated {round(row.angle_deg):+d}°")
    if not math.isnan(row.yaw_deg):
        about.append(f"yaw {round(row.yaw_deg):+d}°")
    words = escaped(", ".join(about))
    return (
        f'<figure class="card"><div class="strip">{"".join(tiles)}</div><figcaption>{words} '
        f'<button type="button" class="pick" data-face="{face}" data-key="{escaped(f"sr:{method}")}">compare</button>'
        "</figcaption></figure>"
    )


def _title(row: FaceScores) -> str:
    return f"{row.store}: {row.file}"


def _score(row: FaceScores, method: str) -> str:
    value = row.methods[method].whole.get(RANKED_BY, math.nan)
    return "identical" if math.isinf(value) else f"{value:.2f} dB"
