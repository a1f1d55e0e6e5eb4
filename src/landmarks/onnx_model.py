"""ONNX models of face detectors and landmark networks: opened, checked, told apart by their outputs."""

import hashlib
import math
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from src.face.points import POINTS
from src.landmarks.config import OnnxConfig
from src.landmarks.weights import existing_folder, read_onnx_file
from src.system.denormals import counted_as_zero
from src.system.errors import UserError
from src.system.onnx_session import session_options

Kind = Literal["detector", "network"]


class OnnxModel:
    """An ONNX model that takes one picture.

    A pickle leaves out the session; the copy reads the file again on first use.

    Denormal numbers count as 0 while it runs: on a Xeon, pfld68 took 62 ms of a core for a crop with them, and 2.6 ms
    without.
    """

    def __init__(self, path: Path) -> None:
        """Read and check the file, and run it once.

        Args:
            path: of the file.

        Raises:
            UserError: the file is damaged, or its input is not one RGB picture of a fixed size.
        """
        self.path = path
        self.sha256 = ""
        self._session: onnxruntime.InferenceSession | None = None
        session = self._opened()
        inputs = session.get_inputs()
        shape = list(inputs[0].shape)
        # The batch axis must be 1 or dynamic. Crops always run one by one: with one thread a batch is no faster
        # (pfld68: 1.4 ms per crop alone, 1.8 in batches of 16), and no answer can depend on other crops.
        several = len(shape) == 4 and isinstance(shape[0], int) and shape[0] > 1
        if len(inputs) != 1 or len(shape) != 4 or several or shape[1] != 3:
            raise UserError(f"{path} takes {[item.shape for item in inputs]}: one input [1, 3, height, width] expected")
        if not all(isinstance(side, int) and side > 0 for side in shape[2:]):
            raise UserError(f"{path} takes pictures of any size {shape[2:]}: export it again with a fixed size")
        self.height, self.width = int(shape[2]), int(shape[3])
        self.outputs = [output.shape for output in self(np.zeros((self.height, self.width, 3), np.float32))]

    @property
    def kind(self) -> Kind | None:
        """The role by the outputs: scores (.., N, 2) and boxes (.., N, 4), or 136 numbers; None for neither."""
        if any(math.prod(shape) == POINTS * 2 for shape in self.outputs):
            return "network"
        rows = {last: {shape[-2] for shape in self.outputs if len(shape) > 1 and shape[-1] == last} for last in (2, 4)}
        return "detector" if rows[2] & rows[4] else None

    def __call__(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for one picture (height, width, 3)."""
        session = self._opened()
        values = np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
        try:
            with counted_as_zero():
                answers: list[NDArray[np.float32]] = session.run(None, {session.get_inputs()[0].name: values})
        except Exception as error:  # onnxruntime raises a dozen types, none of them public
            raise UserError(f"{self.path} cannot be run ({_brief(error)}): is it exported for float32?") from None
        return answers

    def _opened(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            data = read_onnx_file(self.path)
            digest = hashlib.sha256(data).hexdigest()
            if self.sha256 not in ("", digest):
                raise UserError(f"{self.path} was replaced while it was in use: start again")
            self.sha256 = digest
            options = session_options(threads=1)
            options.use_deterministic_compute = True
            if "torch" not in sys.modules:  # a process of the preparation: for its whole thread and to its end
                options.add_session_config_entry("session.set_denormal_as_zero", "1")
            try:
                self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            except Exception as error:
                raise UserError(
                    f"{self.path} is no ONNX model, or is cut short ({_brief(error)}): fetch it again"
                ) from None
        return self._session

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def find_models(config: OnnxConfig) -> tuple[OnnxModel | None, OnnxModel]:
    """The detector and the landmark network of `landmarks.weights`.

    Returns:
        The detector, None if the folder has none (known boxes need none), and the network.

    Raises:
        UserError: there is no folder, no network, or more than one file for a role.
    """
    if config.weights is None:
        raise UserError(
            "landmarks=onnx needs landmarks.weights=DIR: the folder with the .onnx files of a face detector and of a "
            "68-point landmark network"
        )
    folder = existing_folder(config.weights)
    named: dict[Kind, str | None] = {"detector": config.detector, "network": config.network}
    chosen: dict[Kind, OnnxModel] = {}
    for role, name in named.items():
        if name is not None:
            chosen[role] = _named(folder, name, role)
    if len(chosen) < len(named):
        taken = {model.path for model in chosen.values()}
        others = [OnnxModel(path) for path in sorted(folder.glob("*.onnx")) if path not in taken]
        for role in named.keys() - chosen.keys():
            fitting = [model for model in others if model.kind == role]
            if len(fitting) > 1:
                names = ", ".join(model.path.name for model in fitting)
                raise UserError(f"{folder} holds {len(fitting)} {role}s ({names}): set landmarks.{role}=FILE")
            if fitting:
                chosen[role] = fitting[0]
    if "network" not in chosen:
        raise UserError(
            f"landmarks.weights={config.weights} holds no .onnx file with 68 landmarks as its output (136 numbers): "
            "put one there"
        )
    return chosen.get("detector"), chosen["network"]


def _named(folder: Path, name: str, role: Kind) -> OnnxModel:
    path = folder / name
    if not path.is_file():
        there = ", ".join(sorted(item.name for item in folder.glob("*.onnx"))) or "none"
        raise UserError(f"landmarks.{role}={name} is not in {folder}: the .onnx files there are {there}")
    model = OnnxModel(path)
    if model.kind != role:
        wanted = "scores (N, 2) and boxes (N, 4)" if role == "detector" else "136 numbers"
        raise UserError(f"landmarks.{role}={name} is no {role}: its outputs are {model.outputs}, {wanted} expected")
    return model
