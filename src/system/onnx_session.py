"""The options that every session of ONNX Runtime shares."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime


def session_options(threads: int) -> "onnxruntime.SessionOptions":
    """Options of a session on CPUs.

    Numbers below 1.2e-38, which float32 keeps at a lower precision, count as 0. Some processors take a hundred times as
    long for them, and networks are full of them: on a Xeon, pfld68 took 62 ms of a core for a crop, and 2.6 ms without.
    ONNX Runtime follows the first session of a process in this, so every session must ask for it.

    Args:
        threads: threads inside an operation, 1 or more.
    """
    import onnxruntime  # here: an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # it warns of every initialiser that nothing uses
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options
