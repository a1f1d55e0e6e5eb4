"""Identity: the cosine between the embeddings of the SR and the HR face, by any ONNX embedder."""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from src.data.batch import Pairs
from src.image.pixels import quantise
from src.metric.config import MetricsConfig
from src.metric.metric import Judged, Metric, OncePerBatch
from src.system.errors import UserError


class Identity:
    """The cosine similarity of the embeddings of two faces.

    Args:
        config: `identity` names the file, the other `identity_` keys say how it wants its pixels. The side of its input
            is the model's.

    Raises:
        UserError: the file is missing or damaged, or does not turn a picture into one vector.
    """

    def __init__(self, config: MetricsConfig) -> None:
        from src.landmarks.onnx_model import OnnxModel

        path = Path(config.identity or "").expanduser()
        if not path.is_file():
            raise UserError(f"metrics.identity={config.identity}: no such file; give an .onnx face embedder")
        self.config = config
        self.model = OnnxModel(path)
        if len(self.model.outputs) != 1 or math.prod(self.model.outputs[0]) < 2:
            raise UserError(f"{path} is no face embedder: its outputs are {self.model.outputs}, one vector expected")
        self._hr = OncePerBatch(self._of_hr)

    def metric(self) -> Metric:
        """The metric of evaluations."""
        model = self.model
        return Metric(
            "identity_cosine",
            "identity cosine",
            "",
            4,
            f"Identity cosine: between the embeddings of the SR and the HR face by {model.path.name} "
            f"(SHA-256 {model.sha256[:16]}, input {model.width}x{model.height}, {self.config.identity_order.upper()}, "
            f"minus {self.config.identity_mean:g}, divided by {self.config.identity_std:g}, the middle "
            f"{self.config.identity_crop:g} of the side).",
            self._measure,
            place=32,
        )

    def embed(self, images: Tensor) -> Tensor:
        """Faces (B, 3, H, W), about [-1, 1] -> (B, D) on the CPU."""
        pixels = (quantise(images.detach().float().cpu()) + 1) * 127.5
        cut = [round(side * (1 - self.config.identity_crop) / 2) for side in pixels.shape[-2:]]
        pixels = pixels[..., cut[0] : pixels.shape[-2] - cut[0], cut[1] : pixels.shape[-1] - cut[1]]
        size = [self.model.height, self.model.width]
        resized = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
        if self.config.identity_order == "bgr":
            resized = resized.flip(1)
        ready = ((resized - self.config.identity_mean) / self.config.identity_std).permute(0, 2, 3, 1).numpy()
        vectors: list[NDArray[np.float32]] = [self.model(picture)[0].reshape(-1) for picture in ready]
        return torch.from_numpy(np.stack(vectors))

    def _of_hr(self, pairs: Pairs) -> Tensor:
        return self.embed(pairs.hr)

    def _measure(self, judged: Judged) -> Tensor:
        return F.cosine_similarity(self.embed(judged.output.image), self._hr(judged.pairs), dim=1)
