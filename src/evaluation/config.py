"""What is measured, on what, and where the report goes; the schema of `conf/evaluate.yaml`."""

from dataclasses import dataclass
from typing import Literal

from src.data.config import Stores
from src.model.checkpoint import Weights


@dataclass(frozen=True)
class EvaluateData:
    """What is measured on."""

    test: Stores
    """Stores of faces; with several, the report has a table for each and one for all."""


@dataclass(frozen=True)
class EvaluateConfig:
    """What `conf/evaluate.yaml` composes to."""

    checkpoint: str
    """A checkpoint that src.train wrote."""
    data: EvaluateData
    out: str | None = None
    """Folder of the report; null: NAME_evaluation beside the checkpoint NAME.ckpt."""
    batch_size: int = 32
    """Faces at a time, 1 or more; the numbers do not depend on it."""
    weights: Weights = "auto"
    """averaged: the generator's moving average; raw: its last update; auto: averaged where the checkpoint has it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: a GPU where there is one."""
    faces: int | None = None
    """At most so many faces, spread evenly over the stores; null: all."""
    grid_faces: int = 8
    """Rows of grid.png, spread evenly, 1-64."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, not {self.batch_size}")
        if self.faces is not None and self.faces < 1:
            raise ValueError(f"faces must be 1 or more, or null for all, not {self.faces}")
        if not 1 <= self.grid_faces <= 64:
            raise ValueError(f"grid_faces must be 1-64, not {self.grid_faces}")
