"""The configuration of `python -m src.export`; the schema of `conf/export.yaml`."""

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator

from src.data.config import Stores, as_list
from src.model.checkpoint import Weights
from src.model.single import Precision
from src.report.card import Notes

Format = Literal["onnx", "torch_export", "safetensors", "release"]
SUFFIXES: Final = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ".safetensors", "release": ""}
"""What the name of each format's file ends in; a release is a folder."""
Folders = Annotated[tuple[str, ...], BeforeValidator(as_list)]


@dataclass(frozen=True)
class ExportData:
    """The faces of the parity check, and of the calibration of int8."""

    test: Stores = ()
    """Stores of faces; none: smooth random pictures, and no int8."""


@dataclass(frozen=True)
class ExportConfig:
    """The configuration of one export."""

    checkpoint: str
    """A checkpoint of src.train, or a release."""
    out: str
    """The file; for format=release the folder."""
    format: Format = "onnx"
    """What is written."""
    weights: Weights = "auto"
    """averaged: the generator's moving average; raw: its last update; auto: averaged where the checkpoint has it."""
    aligner: str | None = None
    """safetensors: a checkpoint or release of a training from the same start, whose aligner's weights are averaged into
    this one's."""
    aligner_share: float = 1.0
    """The share of `aligner` in that average, above 0 and at most 1; 1 takes it alone."""
    soup: str | None = None
    """safetensors: a checkpoint or release of a training from the same start, whose weights are averaged into these."""
    soup_share: float = 0.5
    """The share of `soup` in that average, above 0 and below 1."""
    uint8: bool = False
    """onnx, torch_export: images of 8 bits in and out, RGB, (B, height, width, 3), in place of float (B, 3, ...)."""
    int8: bool = False
    """onnx: 8-bit weights and features for CPUs, calibrated on data.test."""
    precision: Precision = "float32"
    """safetensors, release: of the weights."""
    data: ExportData = field(default_factory=ExportData)
    faces: int = 128
    """Faces of the check, and as many others of the calibration, 2 or more."""
    tolerance: float = 1e-3
    """Largest difference to eager of any output value (images are -1 to 1; 8-bit ones may be one level off)."""
    most_cost: float = 0.2
    """Largest PSNR in dB that int8 or bfloat16 may cost on data.test."""
    overwrite: bool = False
    """Replace what `out` holds."""
    card: Notes = field(default_factory=Notes)
    """release: what its card says that no file knows."""
    evaluations: Folders = ()
    """release: folders of src.evaluate that measured this generator; their numbers go into the card."""
    push: str | None = None
    """release: OWNER/NAME on the Hugging Face hub, where it is then uploaded."""

    def __post_init__(self) -> None:
        if self.int8 and self.format != "onnx":
            raise ValueError(f"int8=true needs format=onnx, not {self.format}")
        if self.int8 and not self.data.test:
            raise ValueError("int8=true needs faces to calibrate on: add data.test='[STORE,...]'")
        if self.uint8 and self.format not in ("onnx", "torch_export"):
            raise ValueError(f"uint8=true needs format=onnx or torch_export: {self.format} holds weights alone")
        if self.precision != "float32" and self.format not in ("safetensors", "release"):
            raise ValueError(f"precision={self.precision} needs format=safetensors or release, not {self.format}")
        if (self.evaluations or self.push or self.card != Notes()) and self.format != "release":
            raise ValueError(f"card=, evaluations= and push= need format=release, not {self.format}")
        for name in ("aligner", "soup"):
            if getattr(self, name) is not None and self.format != "safetensors":
                raise ValueError(
                    f"{name}= needs format=safetensors, not {self.format}: write the average as .safetensors first, "
                    "measure it, then export that file"
                )
        if self.aligner is not None and self.soup is not None:
            raise ValueError("aligner= and soup= are two exports: average one, then give that file as checkpoint=")
        if not 0 < self.soup_share < 1:
            raise ValueError(f"soup_share must be above 0 and below 1, not {self.soup_share}")
        if self.soup is None and self.soup_share != 0.5:
            raise ValueError("soup_share= needs soup=FILE")
        if not 0 < self.aligner_share <= 1:
            raise ValueError(f"aligner_share must be above 0 and at most 1, not {self.aligner_share}")
        if self.aligner is None and self.aligner_share != 1:
            raise ValueError("aligner_share= needs aligner=FILE")
        if self.faces < 2:
            raise ValueError(f"faces must be 2 or more, not {self.faces}")
        if self.tolerance <= 0 or self.most_cost < 0:
            raise ValueError("tolerance must be above 0, most_cost 0 or more")
        suffix = SUFFIXES[self.format]
        if suffix and not self.out.endswith(suffix):
            raise ValueError(f"out={self.out} must end in {suffix} with format={self.format}: readers go by it")
