"""Whether the models align by the face: the angle error must not depend on what fills the corners."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.report import Figure, at_most
from src.data.pairs import Fill
from src.evaluation.config import ProtocolConfig
from src.evaluation.run import evaluate
from src.method.load import load_method
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.config import SyntheticSource
from src.store.read import FaceStores

SHIPPED = Path(__file__).parents[1] / "weights"
FILLS: tuple[Fill, ...] = ("context", "black", "border")
FACES, MOST_DIFFERENCE = 160, 1.5


def angle_errors(model: str, stores: Sequence[Path]) -> dict[str, float]:
    """The mean angle error of a model in degrees, by fill, on the same faces with the same draws."""
    method, faces = load_method(model, torch.device("cpu")), FaceStores([str(store) for store in stores])
    found: dict[str, float] = {}
    for fill in FILLS:
        protocol = ProtocolConfig(name=fill, fill=fill)
        rows = evaluate([method], faces, protocol, torch.device("cpu"), grid_faces=0).rows
        errors = [row.methods[method.name].whole["angle_error_deg"] for row in rows]
        found[fill] = sum(error for error in errors if error is not None) / len(errors)
    return found


def figures(name: str, model: str, stores: Sequence[Path]) -> list[Figure]:
    """The angle error of a model with true surroundings, and the largest difference that a fill makes to it."""
    errors = angle_errors(model, stores)
    words = ", ".join(f"{fill} {error:.2f}" for fill, error in errors.items())
    difference = max(errors.values()) - min(errors.values())
    return [
        at_most(
            f"{name}, angle error by the fill of the corners ({words}): difference", difference, "deg", MOST_DIFFERENCE
        )
    ]


def run() -> list[Figure]:
    """A row for every model in `weights`, on drawn faces; the demo's has its row in `demo`."""
    models = sorted(path for path in SHIPPED.glob("*") if path.suffix in (".ckpt", ".safetensors"))
    if not models:
        return []
    with tempfile.TemporaryDirectory() as folder:
        source = SyntheticSource(name="synthetic", count=FACES, seed=1)
        run_preparation(PrepareConfig(source=source, out=f"{folder}/faces", workers=2), lambda _: None)
        return [row for model in models for row in figures(model.stem, str(model), [Path(folder) / "faces"])]
