"""MTUN. ONNX Runtime reports its use to its makers unless these variables are set before it is imported anywhere."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("ORT_TELEMETRY_DISABLED", "1")  # its name in some releases
