"""Measuring a checkpoint on stores of faces: from the files to the rows of the report."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.data.batch import HeatmapConfig, Pairs, make_batch
from src.data.dataset import FaceDataset
from src.data.pairs import VALIDATION_EPOCH, VALIDATION_SEED, MisalignmentConfig
from src.face.points import COMPONENTS
from src.image.pixels import upsample_bicubic
from src.image.warp import align
from src.metric.heatmap import angle_error, centroid_error, peak_error
from src.metric.image import image_metrics
from src.model.build import parameter_count
from src.model.checkpoint import Checkpoint
from src.model.output import Upscaled
from src.report.grid import face_grid
from src.report.scores import FaceScores
from src.report.table import Protocol
from src.store.read import FaceStores
from src.system.errors import UserError
from src.system.plain import from_plain
from src.system.progress import FaceProgress


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured.

    Attributes:
        rows: a face each, in the order of the data.
        protocol: what they depend on.
        grid: (height, width, 3) uint8, some faces spread evenly over the data; None where none was asked for.
    """

    rows: list[FaceScores]
    protocol: Protocol
    grid: NDArray[np.uint8] | None


def evaluate(
    checkpoint: Checkpoint,
    stores: FaceStores,
    device: torch.device,
    batch_size: int = 32,
    faces: int | None = None,
    grid_faces: int = 8,
) -> Evaluation:
    """Score the checkpoint and both bicubic rows on every face, each misaligned as fixed by its row in its store.

    Args:
        checkpoint: what to measure; its generator is moved to the device.
        stores: the faces.
        device: where to compute.
        batch_size: faces at a time; the scores do not depend on it but for rounding.
        faces: at most so many, spread evenly over the data; None: all.
        grid_faces: rows of the grid, spread evenly; 0: no grid.

    Raises:
        UserError: the checkpoint's training configuration does not fit its network.
    """
    heatmaps, misalignment = _data_config(checkpoint)
    dataset = FaceDataset(stores, misalignment, VALIDATION_SEED)
    indices = spread(len(stores), faces)
    shown = set(indices[spread(len(indices), grid_faces)].tolist()) if grid_faces else set()
    generator = checkpoint.generator.to(device)
    resolution = checkpoint.config.heb.resolution

    rows: list[FaceScores] = []
    pictures: list[list[Tensor]] = []
    with torch.inference_mode(), FaceProgress("evaluate", len(indices)) as progress:
        for start in range(0, len(indices), batch_size):
            chosen = indices[start : start + batch_size]
            batch = dataset.__getitems__([(VALIDATION_EPOCH, int(index)) for index in chosen])
            pairs = make_batch(type(batch)(*(tensor.to(device) for tensor in batch)), heatmaps, resolution)
            output: Upscaled = generator(pairs.lr)
            side = pairs.hr.shape[-1]
            aligned = align(upsample_bicubic(pairs.lr, side), pairs.matrix)
            images = {
                "bicubic": upsample_bicubic(pairs.lr, side),
                "bicubic_aligned": aligned,
                "mtun": output.image,
            }
            scores = _scores(images, output, pairs, heatmaps.maps)
            rows += _rows(stores, chosen, batch.misalignment.numpy(), scores, side)
            for place in (place for place, index in enumerate(chosen) if int(index) in shown):
                tensors = [pairs.lr, output.image, pairs.hr, aligned, *output.heatmaps[-1:]]
                pictures.append([tensor[place].cpu() for tensor in tensors])
            progress.advance(len(chosen))
    grid = _grid(pictures) if pictures else None
    protocol = _protocol(checkpoint, stores, rows, misalignment, device)
    return Evaluation(rows, protocol, grid)


def spread(total: int, count: int | None) -> NDArray[np.int64]:
    """At most `count` of 0..total-1, evenly spread from the first to the last; all of them for None."""
    if count is None or count >= total:
        return np.arange(total)
    return np.linspace(0, total - 1, count).round().astype(np.int64)


def _data_config(checkpoint: Checkpoint) -> tuple[HeatmapConfig, MisalignmentConfig]:
    """The heatmaps and the misalignment that the checkpoint was trained with."""
    data = checkpoint.training.get("data")
    values: dict[str, Any] = data if isinstance(data, dict) else {}
    maps = checkpoint.config.heatmaps
    try:
        heatmaps = from_plain(HeatmapConfig, values.get("heatmaps") or {"maps": maps})
        misalignment = from_plain(MisalignmentConfig, values.get("misalignment") or {})
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{checkpoint.path}: its data configuration is damaged ({error})") from None
    if heatmaps.maps != maps or maps not in COMPONENTS:
        raise UserError(
            f"{checkpoint.path}: its network estimates {maps} heatmaps, its data.heatmaps.maps is {heatmaps.maps}; "
            f"known are {', '.join(map(str, COMPONENTS))}"
        )
    return heatmaps, misalignment


def _scores(images: dict[str, Tensor], output: Upscaled, pairs: Pairs, maps: int) -> dict[str, Any]:
    """Every figure of a batch as arrays on the CPU."""
    methods = {
        method: {metric: values.cpu().numpy() for metric, values in image_metrics(image, pairs.hr).items()}
        for method, image in images.items()
    }
    scores: dict[str, Any] = {"images": methods, "peak": None, "centroid": None, "angle": None, "names": ()}
    if output.heatmaps:
        last = output.heatmaps[-1]
        scores["names"] = tuple(COMPONENTS[maps])
        scores["peak"] = peak_error(last, pairs.landmarks, pairs.visible, maps, pairs.hr.shape[-1]).cpu().numpy()
        scores["centroid"] = centroid_error(last, pairs.heatmaps, pairs.hr.shape[-1]).cpu().numpy()
    if output.matrix is not None:
        scores["angle"] = angle_error(output.matrix, pairs.matrix).cpu().numpy()
    return scores


def _rows(
    stores: FaceStores,
    indices: NDArray[np.int64],
    misalignment: NDArray[np.float32],
    scores: dict[str, Any],
    side: int,
) -> Iterator[FaceScores]:
    which, places = stores.locate(indices)
    for number, (store, row) in enumerate(zip(which, places, strict=True)):
        face = stores.stores[int(store)]
        angle, scale, shift_x, shift_y = misalignment[number].tolist()
        yield FaceScores(
            store=str(face.path),
            row=int(row),
            file=face.manifest[int(row)].file,
            identity=face.manifest[int(row)].identity,
            angle_deg=float(np.rad2deg(angle)),
            scale=scale,
            shift_x_px=shift_x * side / 2,
            shift_y_px=shift_y * side / 2,
            images={
                method: {metric: float(values[number]) for metric, values in metrics.items()}
                for method, metrics in scores["images"].items()
            },
            peak_px=_named(scores["names"], scores["peak"], number),
            centroid_px=_named(scores["names"], scores["centroid"], number),
            angle_error_deg=None if scores["angle"] is None else float(scores["angle"][number]),
        )


def _named(names: Sequence[str], values: NDArray[np.float32] | None, number: int) -> dict[str, float]:
    return {} if values is None else dict(zip(names, values[number].tolist(), strict=True))


def _grid(pictures: list[list[Tensor]]) -> NDArray[np.uint8]:
    lr, sr, hr, aligned, *heatmaps = (torch.stack(column) for column in zip(*pictures, strict=True))
    return face_grid(lr, sr, hr, heatmaps[0] if heatmaps else None, aligned)


def _protocol(
    checkpoint: Checkpoint,
    stores: FaceStores,
    rows: Sequence[FaceScores],
    misalignment: MisalignmentConfig,
    device: torch.device,
) -> Protocol:
    with checkpoint.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name, seed = checkpoint.training.get("name"), checkpoint.training.get("seed")
    data: list[dict[str, str | int]] = [
        {
            "path": str(store.path),
            "faces": sum(row.store == str(store.path) for row in rows),
            "faces_in_store": len(store),
            "images_sha256": store.card.files["images.npy"].sha256,
        }
        for store in stores.stores
    ]
    return Protocol(
        checkpoint=str(checkpoint.path),
        checkpoint_sha256=digest,
        experiment=name if isinstance(name, str) else None,
        seed=seed if isinstance(seed, int) else None,
        epoch=checkpoint.epoch,
        iterations=checkpoint.iterations,
        weights=checkpoint.weights,
        parameters=parameter_count(checkpoint.generator),
        stores=data,
        misalignment=asdict(misalignment),
        heatmap_side=checkpoint.config.heb.resolution if checkpoint.config.heb.enabled else None,
        device=torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads",
    )
