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
from src.model.release import is_release
from src.preparation.config import PrepareConfig
from src.preparation.run import run_preparation
from src.source.config import SyntheticSource
from src.store.read import FaceStores

SHIPPED = Path(__file__).parents[1] / "weights"
FILLS: tuple[Fill, ...] = ("context", "black", "border")
FACES, MOST = 160, 1.5


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


def difference(name: str, errors: dict[str, float]) -> Figure:
    """The largest difference that a fill makes to the angle error of a model."""
    words = ", ".join(f"{fill} {error:.2f}" for fill, error in errors.items())
    value = max(errors.values()) - min(errors.values())
    return at_most(f"{name}, angle error by the fill of the corners ({words}): difference", value, "deg", MOST)


def run() -> list[Figure]:
    """A row for every model in `weights`, on drawn faces; the demo's has its row in `demo`."""
    models = sorted(path for path in SHIPPED.glob("*") if is_release(path))
    if not models:
        return [Figure("models in weights/ whose fill of the corners was tried", 0, "", "", None)]
    with tempfile.TemporaryDirectory() as folder:
        faces = Path(folder) / "faces"
        source = SyntheticSource(name="synthetic", count=FACES, seed=1)
        run_preparation(PrepareConfig(source=source, out=str(faces), workers=2), lambda _: None)
        return [difference(model.name, angle_errors(str(model), [faces])) for model in models]
