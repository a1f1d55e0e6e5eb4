"""Reads a written evaluation back: the rows of `metrics.csv` and the protocol of `metrics.json`."""

import csv
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from src.metric.metric import MetricCard
from src.report.faces_file import score_column
from src.report.protocol import MethodCard, Protocol
from src.report.scores import FaceScores, MethodScores
from src.system.errors import UserError


@dataclass(frozen=True)
class Written:
    """An evaluation as its files hold it.

    Attributes:
        rows: one per face; figures have the six digits of `metrics.csv`.
        protocol: as it was measured.
        values: all of `metrics.json`.
    """

    rows: list[FaceScores]
    protocol: Protocol
    values: dict[str, Any]


def read_results(folder: Path) -> Written:
    """The evaluation in a folder that `src.evaluate` or `src.compare` wrote.

    Raises:
        UserError: a file is missing, or not of an evaluation of this version.
    """
    try:
        values = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        rows = [_row(line, values["methods"], values["metrics"]) for line in lines]
        return Written(rows, _protocol(values), values)
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} holds no evaluation of this version ({error!r}): run src.evaluate again") from None


def _row(line: dict[str, str], methods: dict[str, Any], metrics: dict[str, Any]) -> FaceScores:
    found = {}
    for method, means in methods.items():
        whole = {key: _number(line[score_column(method, key)]) for key in means if not metrics[key]["by_component"]}
        components = {
            key: {part: _number(line[score_column(method, key, part)]) for part in parts}
            for key, parts in means.items()
            if metrics[key]["by_component"]
        }
        found[method] = MethodScores(whole, components)
    return FaceScores(
        store=line["store"],
        row=int(line["row"]),
        file=line["file"],
        identity=line["identity"],
        angle_deg=_number(line["angle_deg"]),
        scale=_number(line["scale"]),
        shift_x_px=_number(line["shift_x_px"]),
        shift_y_px=_number(line["shift_y_px"]),
        methods=found,
        misalignment_px=_number(line["misalignment_px"]),
        yaw_deg=_number(line["yaw_deg"]),
        own_size_px=_number(line.get("own_size_px", "")),
    )


def _protocol(values: dict[str, Any]) -> Protocol:
    described = dict(values["protocol"])
    name, inputs, set_words = described.pop("name"), described.pop("inputs"), described.pop("sets")
    del described["words"]
    about = {method: dict(card) for method, card in values["about"].items()}
    cards = {
        name: MethodCard(card.pop("title"), trained=card.pop("trained"), facts=card) for name, card in about.items()
    }
    known = {one.name for one in fields(MetricCard)}
    return Protocol(
        name=name,
        misalignment=described,
        methods=cards,
        metrics=[MetricCard(**{key: card[key] for key in known}) for card in values["metrics"].values()],
        stores=values["data"],
        device=values["device"],
        inputs=inputs,
        left_out=values["left_out"],
        sets=values["sets"],
        set_words=set_words,
    )


def _number(text: str) -> float:
    return float(text) if text else math.nan
