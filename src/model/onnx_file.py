"""A trained generator as an ONNX model, which says in its metadata what it is."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from src.model.about import KEY, about
from src.model.checkpoint import Checkpoint
from src.model.config import lr_side_of
from src.model.portable import input_names, output_names, traced

OPSET: Final = 20
"""GridSample came with 16, in 20 it took its present form."""
PRECISION: Final = "mtun_precision"
"""Name of float32 or int8 among the metadata."""


def onnx_bytes(checkpoint: Checkpoint, uint8: bool = False) -> bytes:
    """The content of an `.onnx` file in float32: inputs and outputs as in `Portable`, a free batch.

    Raises:
        ModuleNotFoundError: a package of the extra `export` is missing; `extras_named` makes it one line.
    """
    import onnxscript  # noqa: F401 - torch.onnx imports it, and would name no extra

    names = output_names(checkpoint.config)
    with _quiet():
        program = torch.onnx.export(
            traced(checkpoint, uint8),
            (),
            input_names=input_names(lr_side_of(checkpoint.config), uint8),
            output_names=names,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return with_metadata(program.model_proto, {KEY: json.dumps(about(checkpoint)), PRECISION: "float32"})


def with_metadata(model: Any, values: dict[str, str]) -> bytes:
    """An ONNX model as bytes: these metadata in place of its own, no path of the machine among its nodes."""
    del model.metadata_props[:]
    for node in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        del node.metadata_props[:]
    for key, value in values.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = model.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about itself."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
