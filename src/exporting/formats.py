"""Each format of an export: its content, and that content read back as a network to compare."""

import io
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from src.exporting.parity import Run
from src.method.onnx import OnnxGenerator, OnnxRun
from src.model.checkpoint import Checkpoint
from src.model.onnx_file import onnx_bytes
from src.model.output import Upscaled
from src.model.portable import arguments, upscaled
from src.model.program_file import program_bytes
from src.model.release import load_release, write_release
from src.model.single import Precision, load_single, single_bytes


def onnx_run(path: Path, content: bytes, checkpoint: Checkpoint) -> Run:
    """What an `.onnx` file's content computes."""
    return OnnxRun(OnnxGenerator(path, content), checkpoint.config)


def onnx_content(path: Path, checkpoint: Checkpoint, uint8: bool) -> tuple[bytes, Run]:
    """A float32 `.onnx` file, and what it computes."""
    content = onnx_bytes(checkpoint, uint8)
    return content, onnx_run(path, content, checkpoint)


def program_content(checkpoint: Checkpoint, uint8: bool) -> tuple[bytes, Run]:
    """A `.pt2` file, and what it computes; it was made here, so that torch.export.load may read it."""
    content = program_bytes(checkpoint, uint8)
    network = torch.export.load(io.BytesIO(content)).module()

    def run(lr: Tensor) -> Upscaled:
        return upscaled(checkpoint.config, list(network(*arguments(lr, uint8))), uint8)

    return content, run


def single_content(checkpoint: Checkpoint, precision: Precision) -> tuple[bytes, Run]:
    """A `.safetensors` file, and the network that is read from it."""
    content = single_bytes(checkpoint, precision)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(content)
        return content, load_single(path).generator


def release_run(checkpoint: Checkpoint, card: str, precision: Precision) -> Run:
    """The network that is read from a release, as `write_release` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        write_release(checkpoint, Path(folder) / "release", card, precision)
        return load_release(Path(folder) / "release").generator
