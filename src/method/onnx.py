"""An ONNX model that `src.export` wrote, as a method: ONNX Runtime on the CPU computes it."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from src.image.sides import LR_SIDE
from src.method.trained import Trained, refuse_aligner
from src.model.about import KEY, read_about, unloaded
from src.model.checkpoint import Checkpoint
from src.model.config import AnyGeneratorConfig, lr_side_of
from src.model.onnx_file import PRECISION, onnx_bytes
from src.model.output import Upscaled
from src.model.portable import arguments, input_names, output_names, upscaled
from src.system.errors import UserError, reason_of
from src.system.extras import missing_package, not_installed
from src.system.onnx_session import session_options

if TYPE_CHECKING:
    import onnxruntime

SUFFIX: Final = ".onnx"
REMAKE: Final = "write it again with python -m src.export format=onnx"
TYPES: Final = {"tensor(float)": False, "tensor(uint8)": True}
"""ONNX Runtime's words for the type of an image, and whether it is uint8."""


class OnnxGenerator:
    """A generator in ONNX Runtime, on as many threads as torch has.

    Args:
        path: the file, for messages.
        content: its bytes.

    Attributes:
        metadata: what the model says of itself.
        uint8: whether it takes and gives images of 8 bits.

    Raises:
        UserError: the bytes are no ONNX model that ONNX Runtime takes, or not of images.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.config = path, None
        self.session = _session(path, content)
        self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        inputs = self.session.get_inputs()
        self.uint8 = bool(inputs) and TYPES.get(inputs[0].type, False)

    def check(self, config: AnyGeneratorConfig) -> None:
        """UserError unless inputs and outputs are those of a generator of this configuration."""
        side = lr_side_of(config)
        shape = [side, side, 3] if self.uint8 else [3 if side == LR_SIDE else 4, side, side]
        found = {item.name: item for item in self.session.get_inputs()}
        fits = [*found] == input_names(side, self.uint8) and list(found["lr"].shape[1:]) == shape
        outputs = [item.name for item in self.session.get_outputs()]
        if not fits or found["lr"].type not in TYPES or outputs != output_names(config):
            raise UserError(
                f"{self.path} is no generator that src.export wrote: from {[*found]} it makes {outputs}; {REMAKE}"
            )

    def outputs(self, lr: Tensor) -> list[Tensor]:
        """The outputs for faces as the network takes them, (B, 3, 16, 16) or (B, 4, 32, 32) in [-1, 1]."""
        inputs = zip(self.session.get_inputs(), arguments(lr.float().cpu(), self.uint8), strict=True)
        values = {item.name: np.ascontiguousarray(value.numpy()) for item, value in inputs}
        try:
            return [torch.from_numpy(value).to(lr.device) for value in self.session.run(None, values)]
        except Exception as error:  # onnxruntime raises a dozen types, none of them public
            raise UserError(f"{self.path} cannot be run ({reason_of(error)}); {REMAKE}") from None


class OnnxRun:
    """Calls an `OnnxGenerator` as a network of torch is called.

    Args:
        generator: the model.
        config: the configuration of its network.
    """

    def __init__(self, generator: OnnxGenerator, config: AnyGeneratorConfig) -> None:
        generator.check(config)
        self.generator, self.config = generator, config

    def __call__(self, lr: Tensor) -> Upscaled:
        """The output for faces as the network takes them, on their device."""
        return upscaled(self.config, self.generator.outputs(lr), self.generator.uint8)


def load_onnx(path: Path, device: torch.device) -> Trained:
    """The method of an `.onnx` file that `src.export` wrote; it computes on the CPU, wherever its faces are.

    Raises:
        UserError: the file is missing, damaged, no generator of ours, or an aligner; or ONNX Runtime is missing.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}; give a file of src.export") from None
    generator = OnnxGenerator(path, content)
    text, precision = generator.metadata.get(KEY), generator.metadata.get(PRECISION)
    if text is None or precision not in ("float32", "int8"):
        raise UserError(f"{path} is an ONNX model of something else: it says nothing of this project; {REMAKE}")
    checkpoint = unloaded(path, read_about(path, text))
    refuse_aligner(checkpoint)
    return Trained(
        checkpoint, device, OnnxRun(generator, checkpoint.config), _words(precision, generator.uint8),
        hashlib.sha256(content).hexdigest(),
    )  # fmt: skip


def in_onnxruntime(checkpoint: Checkpoint, device: torch.device) -> Trained:
    """The method of a checkpoint whose generator ONNX Runtime computes, on the CPU, in float32.

    Raises:
        UserError: it is an aligner, or a package of the extra `export` is missing.
    """
    refuse_aligner(checkpoint)
    generator = OnnxGenerator(checkpoint.path, onnx_bytes(checkpoint))
    return Trained(checkpoint, device, OnnxRun(generator, checkpoint.config), _words("float32", uint8=False))


def _words(precision: str, uint8: bool) -> str:
    return f"ONNX Runtime {precision}{', 8-bit images' if uint8 else ''}"


def _session(path: Path, content: bytes) -> "onnxruntime.InferenceSession":
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise (not_installed("onnxruntime", "export") if missing_package(error) else error) from None
    try:
        return onnxruntime.InferenceSession(
            content, session_options(torch.get_num_threads()), providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise UserError(f"{path} is no ONNX model, or is damaged ({reason_of(error)}); {REMAKE}") from None
