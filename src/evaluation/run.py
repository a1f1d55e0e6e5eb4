"""Measures methods on stores of faces, all on the same inputs, and collects the rows of the report."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.batch import FaceBatch
from src.data.dataset import warn_of_small_margin
from src.evaluation.config import ProtocolConfig
from src.evaluation.inputs import DrawnFaces, Inputs
from src.face.points import COMPONENTS
from src.face.pose import known_yaw
from src.image.warp import moved_px, similarity_matrix
from src.method.method import Method
from src.metric.choose import Chosen
from src.metric.fid import WORDS as FID_WORDS
from src.metric.load import all_metrics
from src.metric.metric import Judged, Metric, score
from src.model.output import Upscaled
from src.report.grid import face_grid
from src.report.protocol import MethodCard, Protocol
from src.report.scores import FaceScores, MethodScores
from src.store.read import FaceStores, spread
from src.system.progress import FaceProgress

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The results of an evaluation.

    Attributes:
        rows: one per face, in the order of the data.
        protocol: all that the scores depend on.
        grid: (height, width, 3) uint8, some faces spread evenly over the data; None where none was asked for.
    """

    rows: list[FaceScores]
    protocol: Protocol
    grid: NDArray[np.uint8] | None


def evaluate(
    methods: Sequence[Method],
    stores: FaceStores,
    protocol: ProtocolConfig,
    device: torch.device,
    batch_size: int = 32,
    faces: int | None = None,
    grid_faces: int = 8,
    metrics: Sequence[Metric] | None = None,
    chosen: Chosen | None = None,
) -> Evaluation:
    """Score every method on every face; the protocol and a face's row in its store determine its misalignment.

    Args:
        methods: the methods, each with a name of its own.
        stores: the faces.
        protocol: how the LR inputs are made.
        device: where the inputs are made and the scores computed; the methods compute there too.
        batch_size: faces at a time; the scores depend on it only by rounding.
        faces: at most this many, spread evenly over the data; None: all.
        grid_faces: rows of the grid, spread evenly; 0: no grid.
        metrics: what to measure; None: every metric of `src/metric`.
        chosen: what to measure in place of `metrics`, with what is left out.
    """
    chosen = chosen or Chosen(all_metrics() if metrics is None else tuple(metrics))
    _warn_of_unaligned(methods, protocol)
    kernel_std = {method.name: method.facts.heatmap_std for method in methods}  # a damaged checkpoint ends here
    warn_of_small_margin(protocol, stores.margin)
    drawn = DrawnFaces(stores, protocol, device)
    indices = spread(len(stores), faces)
    shown = set(indices[spread(len(indices), grid_faces)].tolist()) if grid_faces else set()

    if chosen.fid is not None:
        chosen.fid.clear()
    rows: list[FaceScores] = []
    pictures: list[_Picture] = []
    with torch.inference_mode(), FaceProgress("evaluate", len(indices)) as progress:
        for start in range(0, len(indices), batch_size):
            taken = indices[start : start + batch_size]
            inputs = drawn.inputs(taken.tolist())
            pairs = inputs.pairs
            outputs = {method.name: inputs.output(method) for method in methods}
            scores = {
                method.name: scores_of(Judged(outputs[method.name], pairs, kernel_std[method.name]), chosen.metrics)
                for method in methods
            }
            if chosen.fid is not None:
                chosen.fid.add(pairs.hr, {name: output.image for name, output in outputs.items()})
            rows += _rows(stores, taken, inputs.batch, scores, pairs.hr.shape[-1])
            places = [place for place, index in enumerate(taken) if int(index) in shown]
            pictures += [_picture(inputs, outputs, place) for place in places]
            progress.advance(len(taken))
    grid = _grid(pictures) if pictures else None
    return Evaluation(rows, _protocol(methods, stores, rows, protocol, chosen, device), grid)


def _warn_of_unaligned(methods: Sequence[Method], protocol: ProtocolConfig) -> None:
    """Name the methods that restore aligned inputs only and get others; they run all the same."""
    titles = [method.title for method in methods if method.facts.needs_aligner]
    if titles and not protocol.upright:
        log.warning(
            "%s was made for aligned inputs, and protocol %s misaligns them; it runs all the same. To align them "
            "first, add align=stn0 aligner=FILE, or align=known",
            " and ".join(titles),
            protocol.name,
        )


def scores_of(judged: Judged, metrics: Sequence[Metric]) -> list[MethodScores]:
    """The scores of a batch, face by face."""
    measured = {key: values.cpu().tolist() for key, values in score(judged, metrics).items()}
    names: list[str] = []
    if judged.output.heatmaps:
        names = list(COMPONENTS[judged.output.heatmaps[-1].shape[1]])
    apart = {metric.key for metric in metrics if metric.by_component}
    return [
        MethodScores(
            {key: values[face] for key, values in measured.items() if key not in apart},
            {
                key: dict(zip(names, values[face], strict=True))
                for key, values in measured.items()
                if key in apart
            },
        )
        for face in range(len(judged.pairs.lr))
    ]  # fmt: skip


def _rows(
    stores: FaceStores,
    indices: NDArray[np.int64],
    batch: FaceBatch,
    scores: Mapping[str, Sequence[MethodScores]],
    side: int,
) -> Iterator[FaceScores]:
    which, places = stores.locate(indices)
    yaw = known_yaw(stores.landmarks(indices), stores.visible(indices))
    matrix = similarity_matrix(*batch.misalignment.unbind(1))
    sizes = [math.nan] * len(indices) if batch.own_size is None else batch.own_size.tolist()
    moved = moved_px(matrix)
    for number, (store, row) in enumerate(zip(which, places, strict=True)):
        face = stores.stores[int(store)]
        angle, scale, shift_x, shift_y = batch.misalignment[number].tolist()
        yield FaceScores(
            store=str(face.path),
            row=int(row),
            file=face.manifest[int(row)].file,
            identity=face.manifest[int(row)].identity,
            angle_deg=float(np.rad2deg(angle)),
            scale=scale,
            shift_x_px=shift_x * side / 2,
            shift_y_px=shift_y * side / 2,
            methods={name: of_batch[number] for name, of_batch in scores.items()},
            misalignment_px=float(moved[number]),
            yaw_deg=float(yaw[number]),
            own_size_px=float(sizes[number]),
        )


@dataclass(frozen=True, eq=False)
class _Picture:
    """A face of the grid, tensors on the CPU: LR, HR, the methods' images, and their heatmaps if they have any."""

    lr: Tensor
    hr: Tensor
    images: dict[str, Tensor]
    heatmaps: dict[str, Tensor]


def _picture(inputs: Inputs, outputs: Mapping[str, Upscaled], place: int) -> _Picture:
    return _Picture(
        inputs.pictures()[place].cpu(),
        inputs.pairs.hr[place].cpu(),
        {name: output.image[place].cpu() for name, output in outputs.items()},
        {name: output.heatmaps[-1][place].cpu() for name, output in outputs.items() if output.heatmaps},
    )


def _grid(pictures: Sequence[_Picture]) -> NDArray[np.uint8]:
    first = pictures[0]
    return face_grid(
        torch.stack([picture.lr for picture in pictures]),
        torch.stack([picture.hr for picture in pictures]),
        {name: torch.stack([picture.images[name] for picture in pictures]) for name in first.images},
        {name: torch.stack([picture.heatmaps[name] for picture in pictures]) for name in first.heatmaps},
    )


def _card(method: Method, protocol: ProtocolConfig) -> MethodCard:
    facts = asdict(method.facts)
    if protocol.own_size is None:
        del facts["lr_side"]
    if method.facts.heatmap_side is None:
        del facts["heatmap_std"]
    return MethodCard(method.title, facts, trained=method.facts.checkpoint is not None)


def _protocol(
    methods: Sequence[Method],
    stores: FaceStores,
    rows: Sequence[FaceScores],
    protocol: ProtocolConfig,
    chosen: Chosen,
    device: torch.device,
) -> Protocol:
    misalignment = asdict(protocol)
    misalignment["own_size"] = protocol.own_size and list(protocol.own_size)
    sets, set_words = set_scores(chosen)
    return Protocol(
        name=misalignment.pop("name"),
        misalignment=misalignment,
        methods={method.name: _card(method, protocol) for method in methods},
        metrics=[metric.card for metric in chosen.metrics],
        stores=[
            {
                "path": str(store.path),
                "faces": sum(row.store == str(store.path) for row in rows),
                "faces_in_store": len(store),
                "images_sha256": store.card.files["images.npy"].sha256,
                "landmarks_sha256": store.card.files["landmarks.npy"].sha256,
            }
            for store in stores.stores
        ],
        device=device_words(device),
        left_out=chosen.left_out,
        sets=sets,
        set_words=set_words,
    )


def set_scores(chosen: Chosen) -> tuple[dict[str, dict[str, float]], list[str]]:
    """The figures of whole sets that were collected, by method and name, and the sentences that describe them."""
    distances = {} if chosen.fid is None else chosen.fid.distances()
    return {name: {"FID": value} for name, value in distances.items()}, [FID_WORDS] if distances else []


def device_words(device: torch.device) -> str:
    """The device's name, for a report."""
    cuda = device.type == "cuda"
    return torch.cuda.get_device_name(device) if cuda else f"CPU, {torch.get_num_threads()} threads"
