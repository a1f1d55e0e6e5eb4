"""ONNX models of a few nodes, whose answers are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

SHARED = Path(__file__).parents[2].parent / "shared"


def save(path: Path, nodes: list, constants: dict[str, np.ndarray], shape: Sequence, outputs: Sequence[str]) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, path)
    return path


def constant_network(path: Path, points: ArrayLike, side: int = 16, shape: tuple[int, ...] = (1, 136)) -> Path:
    """Answers these 68 points in 0..1 whatever it sees."""
    values = np.broadcast_to(np.asarray(points, np.float32), (68, 2)).reshape(shape)
    nodes = [helper.make_node("Identity", ["points"], ["output"])]
    return save(path, nodes, {"points": values}, ["batch", 3, side, side], ["output"])


def constant_detector(path: Path, boxes: ArrayLike, scores: Sequence[float], size: tuple[int, int] = (24, 32)) -> Path:
    """Answers these boxes in 0..1 of its input (height, width) with these scores, whatever it sees."""
    faces = np.array([[1 - score, score] for score in scores], np.float32).reshape(1, -1, 2)
    values = {"s": faces, "b": np.asarray(boxes, np.float32).reshape(1, -1, 4)}
    nodes = [helper.make_node("Identity", ["b"], ["boxes"]), helper.make_node("Identity", ["s"], ["scores"])]
    return save(path, nodes, values, [1, 3, *size], ["scores", "boxes"])


def mean_detector(path: Path, size: tuple[int, int] = (24, 32)) -> Path:
    """One box round the whole of its input, whose score is the mean of what it sees."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "two"], ["scores_flat"]),
        helper.make_node("Reshape", ["scores_flat", "shape"], ["scores"]),
        helper.make_node("Identity", ["b"], ["boxes"]),
    ]
    values = {
        "two": np.ones((2,), np.float32),
        "shape": np.array([1, 1, 2]),
        "b": np.array([[[0.1, 0.1, 0.9, 0.9]]], np.float32),
    }
    return save(path, nodes, values, [1, 3, *size], ["scores", "boxes"])


def seeing_network(path: Path, height: int, width: int) -> Path:
    """Points 36-41 where the picture is red, 42-47 where it is green, all others where it is blue."""
    y, x = np.mgrid[:height, :width]
    which = np.full(68, 2)
    which[36:42], which[42:48] = 0, 1
    values = {
        "x": ((x + 0.5) / width).astype(np.float32),
        "y": ((y + 0.5) / height).astype(np.float32),
        "which": which.astype(np.int64),
        "shape": np.array([1, 136], np.int64),
        "axes": np.array([2], np.int64),
    }
    nodes = [helper.make_node("ReduceSum", ["input", "sides"], ["mass"], keepdims=0)]
    values["sides"] = np.array([2, 3], np.int64)
    for axis in "xy":
        nodes += [
            helper.make_node("Mul", ["input", axis], [f"{axis}_weighted"]),
            helper.make_node("ReduceSum", [f"{axis}_weighted", "sides"], [f"{axis}_sum"], keepdims=0),
            helper.make_node("Div", [f"{axis}_sum", "mass"], [f"{axis}_mean"]),
            helper.make_node("Unsqueeze", [f"{axis}_mean", "axes"], [f"{axis}_column"]),
        ]
    nodes += [
        helper.make_node("Concat", ["x_column", "y_column"], ["centres"], axis=2),
        helper.make_node("Gather", ["centres", "which"], ["points"], axis=1),
        helper.make_node("Reshape", ["points", "shape"], ["output"]),
    ]
    return save(path, nodes, values, [1, 3, height, width], ["output"])


def write_centerface(path: Path) -> Path:
    """A stand-in for CenterFace as exported, with its names and fixed sides.

    The heatmap is the mean of the green channel in each cell of 4x4 pixels; every box has sides of e cells and lies
    about its cell's centre.
    """
    values, nodes, outputs = dict[str, np.ndarray](), [], []
    for name, channels, bias in (("537", 1, 0), ("538", 2, 1), ("539", 2, 0), ("540", 10, 0)):
        weights = np.zeros((channels, 3, 4, 4), np.float32)
        if name == "537":
            weights[0, 1] = 1 / (16 * 255)
        values |= {f"w{name}": weights, f"b{name}": np.full(channels, bias, np.float32)}
        nodes.append(helper.make_node("Conv", ["input.1", f"w{name}", f"b{name}"], [name], strides=[4, 4]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, channels, 8, 8]))
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32])], outputs,
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4), path)
    return path
