"""The landmark backend for a configuration; only the chosen backend's library is imported."""

from src.landmarks.config import FaceAlignmentConfig, OnnxConfig
from src.landmarks.landmarker import Landmarker


def build_landmarker(config: OnnxConfig | FaceAlignmentConfig) -> Landmarker:
    """The configured backend, with its weight files found and checked.

    Raises:
        UserError: a file is missing or damaged.
    """
    if isinstance(config, OnnxConfig):
        from src.landmarks.onnx import OnnxLandmarker

        return OnnxLandmarker(config)
    from src.landmarks.face_alignment import FaceAlignmentLandmarker

    return FaceAlignmentLandmarker(config)
