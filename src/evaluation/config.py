"""The configuration of `python -m src.evaluate`; the schema of `conf/evaluate.yaml`."""

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator

from src.data.camera import CameraConfig, Degradation
from src.data.config import Stores, as_list
from src.data.own_size import OwnSizes, check_own_size
from src.data.pairs import VALIDATION_SEED, MisalignmentConfig
from src.method.aligned import Align
from src.method.method import Runtime
from src.metric.config import MetricsConfig
from src.model.checkpoint import Weights

Methods = Annotated[tuple[str, ...], BeforeValidator(as_list)]
"""Methods by name or file; a single one needs no brackets."""
BASELINES: Final = ("bicubic", "bicubic_aligned")
"""What `checkpoint=FILE` is measured beside."""


@dataclass(frozen=True)
class EvaluateData:
    """The test faces."""

    test: Stores = ()
    """Stores of faces; with several, the report has a table for each and one for all. With run= and none given: the
    validation stores of its jobs."""


@dataclass(frozen=True)
class ProtocolConfig(MisalignmentConfig):
    """How the LR inputs are made from the HR faces: the same for all methods, whatever they were trained with."""

    name: str = "published"
    """Its name in the report."""
    degradation: Degradation = "bicubic"
    """How the LR faces get small."""
    camera: CameraConfig = field(default_factory=CameraConfig)
    """Ranges of `degradation=camera`."""
    own_size: OwnSizes | None = None
    """Smallest and largest side of a face in its photograph, 8-64 pixels; null: 16 for every face."""
    seed: int = VALIDATION_SEED
    """Seed of the draws, 0 to 2^32 - 1; a face's draw depends only on it and on the face's row in its store."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_own_size(self.own_size)
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 or more and below 2^32, not {self.seed}")


@dataclass(frozen=True)
class EvaluateConfig:
    """The configuration of one evaluation."""

    data: EvaluateData = field(default_factory=EvaluateData)
    checkpoint: str | None = None
    """A checkpoint that src.train wrote, measured after those of `method`, or after the two bicubic baselines."""
    method: Methods = ()
    """Methods to compare on the same inputs; one that ends in @none, @stn0 or @known says what aligns its inputs."""
    align: Align = "none"
    """What aligns the inputs of all other methods: nothing, the network STN0, or the known transform."""
    aligner: str | None = None
    """Checkpoint of experiment=stn0, for `stn0`."""
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    out: str | None = None
    """Folder of the report; null: NAME_evaluation beside checkpoint=NAME.ckpt, or RUN/evaluation."""
    batch_size: int = 32
    """Faces at a time, 1 or more; the numbers depend on it only by rounding."""
    weights: Weights = "auto"
    """averaged: the generator's moving average; raw: its last update; auto: averaged where the checkpoint has it."""
    runtime: Runtime = "torch"
    """What computes trained networks: torch, or ONNX Runtime on the CPU, to which they are then exported in memory; an
    .onnx file is always ONNX Runtime's."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: a GPU if there is one."""
    faces: int | None = None
    """At most this many faces, spread evenly over the stores; null: all."""
    grid_faces: int = 8
    """Rows of grid.png, spread evenly, 1-64."""
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    """Costly metrics, each measured only where it is asked for."""
    run: str | None = None
    """Folder of a sweep: its jobs' checkpoints are the methods, and the report has the ablation table."""
    reference: str | None = None
    """With run=: the experiment that the others are compared with; null: celeba16x, or the ablation equal to it."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, not {self.batch_size}")
        if self.faces is not None and self.faces < 1:
            raise ValueError(f"faces must be 1 or more, or null for all, not {self.faces}")
        if not 1 <= self.grid_faces <= 64:
            raise ValueError(f"grid_faces must be 1-64, not {self.grid_faces}")
        if self.run is not None and (self.checkpoint is not None or self.method):
            raise ValueError("run= measures the checkpoints of a sweep: leave out checkpoint= and method=")
        if self.run is None and self.reference is not None:
            raise ValueError("reference= is the full model of a sweep: give run=FOLDER with it")
        if self.run is None and self.checkpoint is None and not self.method:
            raise ValueError("nothing to measure: add checkpoint=FILE, or method='[FILE,bicubic]' for several methods")

    @property
    def named(self) -> tuple[str, ...]:
        """The methods beside `checkpoint`, by name or file."""
        return self.method or BASELINES
