"""The options that every session of ONNX Runtime shares."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime


def session_options(threads: int) -> "onnxruntime.SessionOptions":
    """Options of a session on CPUs.

    Args:
        threads: threads inside an operation; 0: as many as there are cores.
    """
    import onnxruntime  # here: an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # it warns of every initialiser that nothing uses
    return options
