"""The pictures of the faces that a report shows, made again after the scores have chosen the faces."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from src.evaluation.config import EvaluateConfig
from src.evaluation.inputs import DrawnFaces
from src.evaluation.pictures import Matched
from src.image.decode import read_image
from src.image.pixels import to_bytes
from src.image.sides import SIDE
from src.method.method import Method
from src.report.picks import pick_faces, picture_budget
from src.report.scores import FaceScores
from src.report.shown import FacePictures, Picture, Shown
from src.store.read import FaceStores, spread

SAMPLED: Final = 16
"""Pictures whose size stands for that of all."""


def show_faces(
    methods: Iterable[Method],
    stores: FaceStores,
    config: EvaluateConfig,
    device: torch.device,
    rows: Sequence[FaceScores],
) -> Shown:
    """The worst, median and best faces of each method, on the inputs that were measured.

    Args:
        methods: those of the rows, with their names; each is used before the next is asked for.
        stores: the faces.
        config: that of the evaluation.
        device: where to compute.
        rows: the scores.
    """
    picks = pick_faces(rows, picture_budget(SIDE))
    test_faces = DrawnFaces(stores, config.protocol, device)
    indices = spread(len(stores), config.faces)
    faces: dict[int, FacePictures] = {}
    with torch.inference_mode():
        for method in methods:
            places = picks.places_of(method.name)
            for start in range(0, len(places), config.batch_size):
                some = places[start : start + config.batch_size]
                inputs = test_faces.inputs([int(indices[place]) for place in some])
                tensors = (inputs.pictures(), inputs.pairs.hr, inputs.output(method).image)
                drawn = [to_bytes(tensor).cpu().numpy() for tensor in tensors]
                for place, lr, hr, sr in zip(some, *drawn, strict=True):
                    faces.setdefault(place, FacePictures(hr, lr, {}))
                    faces[place] = faces[place].with_result(method.name, sr)
    return Shown(picks.picks, faces)


def show_pictures(matched: Matched, rows: Sequence[FaceScores]) -> Shown:
    """The same of folders of pictures; the rows are in the order of the names."""
    stems = [matched.stems[place] for place in spread(len(matched.stems), SAMPLED)]
    side = max(max(_read(matched.hr[stem]).shape) for stem in stems)
    picks = pick_faces(rows, picture_budget(side))
    faces = {}
    for place, methods in picks.methods.items():
        stem = matched.stems[place]
        results = {method: _read(matched.results[method][stem]) for method in methods}
        faces[place] = FacePictures(_read(matched.hr[stem]), None, results)
    return Shown(picks.picks, faces)


def _read(path: Path) -> Picture:
    return np.ascontiguousarray(read_image(path))
