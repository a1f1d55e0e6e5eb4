import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from src.landmarks.build import build_landmarker
from src.landmarks.config import AnnotationsConfig, FaceAlignmentConfig, LandmarksConfig, OnnxConfig
from tests.helpers.tiny_onnx import constant_network

ROOT = Path(__file__).parents[2]
SCHEMA: TypeAdapter[AnnotationsConfig | OnnxConfig | FaceAlignmentConfig] = TypeAdapter(LandmarksConfig)


def test_names_choose_the_schema() -> None:
    assert SCHEMA.validate_python({"name": "annotations"}) == AnnotationsConfig("annotations")
    assert SCHEMA.validate_python({"name": "auto"}) == FaceAlignmentConfig("auto")
    assert isinstance(SCHEMA.validate_python({"name": "face_alignment", "type": "3d"}), FaceAlignmentConfig)
    assert SCHEMA.validate_python({"name": "onnx", "weights": "x"}) == OnnxConfig("onnx", "x")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("onnx", "threshold", 1.1), ("onnx", "threshold", float("nan")), ("onnx", "passes", 0), ("onnx", "crop", 0),
        ("onnx", "detector_std", 0), ("onnx", "network_std", 0), ("onnx", "reduction", 0), ("auto", "batch", 0),
        ("auto", "threshold", -0.1), ("auto", "type", "2.5d"), ("auto", "precision", "fp16"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_by_name(name: str, key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        SCHEMA.validate_python({"name": name, key: value})


def test_the_libraries_are_imported_only_where_they_are_used() -> None:
    script = (
        "import sys, src.landmarks.build, src.landmarks.boxes, src.landmarks.config\n"
        "print([name for name in ('face_alignment', 'onnxruntime', 'torch', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_onnx_is_built_without_the_other_library(tmp_path: Path) -> None:
    constant_network(tmp_path / "n.onnx", (0.5, 0.5))
    script = (
        "import sys\nfrom src.landmarks.build import build_landmarker\nfrom src.landmarks.config import OnnxConfig\n"
        f"print(build_landmarker(OnnxConfig('onnx', {str(tmp_path)!r})).in_workers, 'face_alignment' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
    assert build_landmarker(OnnxConfig("onnx", str(tmp_path))).name == "onnx"
