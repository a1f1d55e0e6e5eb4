"""The landmark backend that a configuration names; the library behind it is imported here and not before."""

from src.landmarks.config import FaceAlignmentConfig, OnnxConfig
from src.landmarks.landmarker import Landmarker


def build_landmarker(config: OnnxConfig | FaceAlignmentConfig) -> Landmarker:
    """The backend, its files found and checked.

    Raises:
        UserError: a file is missing or damaged.
    """
    if isinstance(config, OnnxConfig):
        from src.landmarks.onnx import OnnxLandmarker

        return OnnxLandmarker(config)
    from src.landmarks.face_alignment import FaceAlignmentLandmarker

    return FaceAlignmentLandmarker(config)
