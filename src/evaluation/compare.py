"""Measures folders of pictures against HR pictures of the same names, and writes the report of an evaluation."""

import hashlib
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from src.config.keys import check_keys
from src.data.batch import Pairs
from src.evaluation.pictures import Matched, folder_sha256, match_folders
from src.evaluation.run import Evaluation, device_words, scores_of, set_scores
from src.evaluation.show import show, tell_written
from src.evaluation.shown_faces import show_pictures
from src.evaluation.write import check_out, write_results
from src.face.points import POINTS
from src.face.pose import known_yaw
from src.image.decode import read_image
from src.image.pixels import to_network
from src.metric.choose import Chosen, choose_metrics
from src.metric.config import MetricsConfig
from src.metric.landmark_nme import build_backend, detect_points
from src.metric.metric import Judged
from src.model.output import Upscaled
from src.report.grid import labelled
from src.report.protocol import MethodCard, Protocol
from src.report.scores import FaceScores, MethodScores
from src.source.landmarks_file import read_table
from src.store.read import spread
from src.system.devices import pick_device
from src.system.errors import UserError
from src.system.files import printable
from src.system.progress import FaceProgress

BATCH, GRID = 16, 8
LARGEST_TILE = 256  # pixels; larger pictures have no grid
Points = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Request:
    """The command's arguments.

    Attributes:
        folders: the results, a folder for each method.
        hr: the true pictures.
        out: folder of the report.
        landmarks: the true landmarks, an .npz with `names` and `landmarks`; None: those of the backend on HR.
        metrics: KEY=VALUE of `MetricsConfig`.
        device: "auto", "cpu" or "cuda".
    """

    folders: Sequence[Path]
    hr: Path
    out: Path
    landmarks: Path | None = None
    metrics: Sequence[str] = ()
    device: str = "auto"


def compare(request: Request) -> None:
    """Measure, write the report, print the table.

    Raises:
        UserError: see `match_folders`; or an argument or the folder of the report is not usable.
    """
    config = metrics_config(request.metrics)
    check_out(request.out)
    device = pick_device(request.device, "--device ")
    matched = match_folders(request.folders, request.hr)
    points: Points = {} if request.landmarks is None else named_points(request.landmarks, matched)
    chosen = choose_metrics(config, device)
    words = [
        f"Pictures of equal names are compared with those of `{printable(request.hr)}`, as they are in their files."
    ]
    if request.landmarks is not None:
        words.append(f"True landmarks: `{printable(request.landmarks)}`.")
    elif any(metric.key == "nme_percent" for metric in chosen.metrics):
        points, chosen = _own_points(config, matched, chosen)
        words.append("True landmarks: those that the backend itself finds on the HR pictures.")
    for line in chosen.left_out:
        sys.stderr.write(f"warning: left out: {line}\n")
    evaluation = measure(request, matched, points, chosen, device, words)
    written = write_results(request.out, evaluation, shown=show_pictures(matched, evaluation.rows))
    show(evaluation)
    tell_written(written)


def metrics_config(words: Sequence[str]) -> MetricsConfig:
    """KEY=VALUE words as a configuration; UserError for an unknown key or a value that does not fit."""
    values = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"--metrics {word}: write KEY=VALUE, as in lpips=squeeze")
        values[key.removeprefix("metrics.")] = value
    check_keys(values, MetricsConfig)
    try:
        return TypeAdapter(MetricsConfig).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        context: dict[str, Any] = first.get("ctx", {})
        where = "".join(f"{part}: " for part in first["loc"])
        raise UserError(f"--metrics {where}{context.get('error', first['msg'])}") from None


def named_points(path: Path, matched: Matched) -> dict[str, NDArray[np.float32]]:
    """The landmarks of each picture by its name without the ending.

    Raises:
        UserError: the file cannot be read, names a picture twice, or names none of them.
    """
    names, points = read_table(path)
    found: dict[str, NDArray[np.float32]] = {}
    for name, mine in zip(names, points, strict=True):
        stem = Path(name).stem
        if stem in found and stem in matched.hr:
            raise UserError(f"--landmarks {path} names {stem} twice: one face a picture")
        found[stem] = mine
    if not found.keys() & matched.hr.keys():
        raise UserError(
            f"--landmarks {path} names none of the {len(matched.stems)} pictures (names: {', '.join(names[:3])}; "
            f"pictures: {', '.join(matched.stems[:3])})"
        )
    return found


def measure(
    request: Request, matched: Matched, points: Points, chosen: Chosen, device: torch.device, words: Sequence[str]
) -> Evaluation:
    """Score every picture of every folder."""
    rows: list[FaceScores] = []
    tiles: list[dict[str, Tensor]] = []
    shown = {matched.stems[place] for place in spread(len(matched.stems), GRID)}
    with torch.inference_mode(), FaceProgress("compare", len(matched.stems)) as progress:
        for stems, hr, images in matched.batches(BATCH):
            pairs = _pairs(hr, stems, points, device)
            outputs = {name: _network(pictures, device) for name, pictures in images.items()}
            if chosen.fid is not None:
                chosen.fid.add(pairs.hr, outputs)
            scores = {
                name: scores_of(Judged(Upscaled(image, [], None), pairs), chosen.metrics)
                for name, image in outputs.items()
            }
            rows += _rows(request.hr, matched, stems, len(rows), pairs, scores)
            tiles += [
                {name: image[place].cpu() for name, image in (*outputs.items(), ("HR", pairs.hr))}
                for place, stem in enumerate(stems)
                if stem in shown
            ]
            progress.advance(len(stems))
    return Evaluation(rows, _protocol(request, matched, chosen, device, words), _grid(tiles))


def _own_points(config: MetricsConfig, matched: Matched, chosen: Chosen) -> tuple[Points, Chosen]:
    """The backend's landmarks on HR as the true ones; without a detector NME is left out."""
    assert config.landmarks is not None
    try:
        backend = build_backend(config.landmarks, config.landmarks_weights, detects=True)
        points = {stem: detect_points(backend, read_image(path)) for stem, path in matched.hr.items()}
    except UserError as error:
        metrics = tuple(metric for metric in chosen.metrics if not metric.key.startswith("nme_"))
        return {}, replace(chosen, metrics=metrics, left_out=(*chosen.left_out, f"NME: {error}"))
    # On HR the backend agrees with itself.
    return points, replace(chosen, metrics=tuple(one for one in chosen.metrics if one.key != "nme_hr_percent"))


def _network(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    return to_network(torch.from_numpy(pictures)).to(device)


def _pairs(hr: NDArray[np.uint8], stems: Sequence[str], points: Points, device: torch.device) -> Pairs:
    """What metrics see of the truth; there are no LR faces and no transforms."""
    images = _network(hr, device)
    nothing = np.full((POINTS, 2), np.nan, np.float32)
    landmarks = torch.from_numpy(np.stack([points.get(stem, nothing) for stem in stems]))
    matrix = torch.eye(2, 3, device=device).expand(len(stems), 2, 3)
    return Pairs(images[..., :0, :0], images, matrix, None, None, landmarks, landmarks.isfinite().all(2))


def _rows(
    hr: Path,
    matched: Matched,
    stems: Sequence[str],
    first: int,
    pairs: Pairs,
    scores: Mapping[str, Sequence[MethodScores]],
) -> list[FaceScores]:
    yaw = known_yaw(pairs.landmarks.numpy(), pairs.visible.numpy())
    return [
        FaceScores(
            store=printable(hr),
            row=first + place,
            file=printable(matched.hr[stem].name),
            identity=printable(stem),
            angle_deg=math.nan,
            scale=math.nan,
            shift_x_px=math.nan,
            shift_y_px=math.nan,
            methods={name: of_batch[place] for name, of_batch in scores.items()},
            yaw_deg=float(yaw[place]),
        )
        for place, stem in enumerate(stems)
    ]


def _protocol(
    request: Request, matched: Matched, chosen: Chosen, device: torch.device, words: Sequence[str]
) -> Protocol:
    faces = len(matched.stems)
    store: dict[str, str | int] = {"path": printable(request.hr), "faces": faces, "faces_in_store": faces}
    store["images_sha256"] = folder_sha256(matched.hr)
    if request.landmarks is not None:
        store["landmarks_sha256"] = hashlib.sha256(request.landmarks.read_bytes()).hexdigest()
    cards = {
        name: MethodCard(printable(folder), {"pictures_sha256": folder_sha256(files)}, trained=False)
        for folder, (name, files) in zip(request.folders, matched.results.items(), strict=True)
    }
    sets, set_words = set_scores(chosen)
    return Protocol(
        name="files",
        misalignment={},
        methods=cards,
        metrics=[metric.card for metric in chosen.metrics],
        stores=[store],
        device=device_words(device),
        inputs=words,
        left_out=chosen.left_out,
        sets=sets,
        set_words=set_words,
    )


def _grid(tiles: Sequence[Mapping[str, Tensor]]) -> NDArray[np.uint8] | None:
    shapes = {tuple(image.shape[-2:]) for tile in tiles for image in tile.values()}
    if len(shapes) != 1:
        return None
    height, width = shapes.pop()
    if height != width or height > LARGEST_TILE:
        return None
    return labelled([(name, torch.stack([tile[name] for tile in tiles])) for name in tiles[0]])
