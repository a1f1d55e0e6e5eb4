"""A float32 ONNX generator to int8, static: the ranges of its features are those of store faces."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import Tensor

from src.model.onnx_file import PRECISION, with_metadata
from src.model.portable import arguments

BATCH: Final = 16
"""Calibration faces at a time."""


def quantised(content: bytes, lr: Tensor, uint8: bool) -> bytes:
    """The int8 model of a float32 one; its inputs and outputs keep their types.

    Convolutions get 8-bit weights (a scale for each output channel) and 8-bit inputs; those that the estimated
    transform depends on stay float32, because its error would shift the whole face; what they read may be rounded.

    Args:
        content: of the float32 `.onnx` file.
        lr: calibration faces, (N, 3, 16, 16) or (N, 4, 32, 32) in [-1, 1].
        uint8: whether the model takes images of 8 bits.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    with tempfile.TemporaryDirectory() as name, _quiet():
        folder = Path(name)
        (folder / "float32.onnx").write_bytes(content)
        quant_pre_process(str(folder / "float32.onnx"), str(folder / "ready.onnx"), skip_symbolic_shape=True)
        ready = onnx.load(folder / "ready.onnx")
        quantize_static(
            str(folder / "ready.onnx"),
            str(folder / "int8.onnx"),
            _Reader([item.name for item in ready.graph.input], lr, uint8),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_alignment(ready),
            extra_options={"DedicatedQDQPair": True},  # each reader of a feature rounds it for itself
        )
        return with_metadata(onnx.load(folder / "int8.onnx"), {**metadata, PRECISION: "int8"})


def _alignment(model: Any) -> list[str]:
    """The names of the nodes that the transform depends on: all that the grid of a GridSample is computed from."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    grids = [node.input[1] for node in model.graph.node if node.op_type == "GridSample"]
    found: dict[str, None] = {}
    seen: set[str] = set()
    while grids:
        value = grids.pop()
        node = made_by.get(value)
        if node is None or value in seen:
            continue
        seen.add(value)
        found[node.name] = None
        grids += node.input
    return list(found)


class _Reader:
    """Calibration faces as ONNX Runtime's quantisation reads them, batch by batch."""

    def __init__(self, names: list[str], lr: Tensor, uint8: bool) -> None:
        self._batches: Iterator[dict[str, Any]] = iter(
            {
                name: np.ascontiguousarray(value.numpy())
                for name, value in zip(names, arguments(part, uint8), strict=True)
            }
            for part in lr.split(BATCH)
        )

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, or None after the last."""
        return next(self._batches, None)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._batches


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's advice on the root logger."""
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
