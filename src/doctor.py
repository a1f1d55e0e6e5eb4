"""`make doctor`, `python -m src.doctor`: is everything here that a run needs? Every problem in a line, with its fix.

Imports only the standard library, and what names the extras, until a check asks for more: it is there for a broken
installation.
"""

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Final, Literal

from src.system.console import show_everything
from src.system.errors import UserError
from src.system.extras import install, missing_package
from src.system.posix import require_posix

ROOT: Final = Path(__file__).resolve().parents[1]
SETUP: Final = "rm -r .venv && make setup"
USES: Final = {
    "face-alignment": "landmarks=face_alignment",
    "gdown": "download of CelebA",
    "numba": "source=synthetic",
    "onnxruntime": "landmarks=onnx",
    "pillow-heif": "HEIC pictures",
    "hydra-joblib-launcher": "hydra/launcher=joblib",
    "hydra-optuna-sweeper": "sweep=optuna",
    "hydra-submitit-launcher": "hydra/launcher=submitit_local and submitit_slurm",
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
WEIGHTS: Final = {
    "vgg19-dcbb9e9d.pth": (
        "VGG-19",
        "experiment=celeba16x downloads it; offline: loss.feature.weights=FILE, or loss=squeezenet, or "
        "loss.feature.weight=0",
    ),
    "squeezenet1_0-b66bff10.pth": (
        "SqueezeNet 1.0",
        "loss=squeezenet downloads it; offline: loss.feature.weights=FILE",
    ),
    "2DFAN4-*": (
        "2DFAN4 (landmarks)",
        "landmarks=face_alignment downloads it; offline: landmarks.weights=DIR, or landmarks=onnx",
    ),
    "s3fd-*": ("S3FD (faces)", "as 2DFAN4"),
}
"""File in torch hub's cache -> what it is, what to do without."""
LOW_DISK, FULL_DISK = 20, 2
"""GiB free: below the first a training may fill the disk, below the second it will (a checkpoint has 0.6 GB)."""


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


def system() -> Iterator[Finding]:
    """Whether MTUN runs on this system."""
    try:
        require_posix()
    except UserError as error:
        yield Finding("error", str(error), "install WSL, and run the commands there")


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
        yield Finding("error", f"torchvision.ops.nms does not work ({_line(error)})", SETUP)


def devices() -> Iterator[Finding]:
    """GPUs, cores, threads, bf16."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    bf16 = [name for name in ("avx512_bf16", "amx_bf16") if re.search(rf"\b{name}\b", flags)]
    yield Finding(
        "ok", f"CPU: {cores} cores, {torch.get_num_threads()} threads, bf16 {' '.join(bf16) or 'in software'}"
    )
    for index in range(torch.cuda.device_count()):
        of = torch.cuda.get_device_properties(index)
        half = (
            "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no bf16: trainer.precision=16-mixed"
        )
        yield Finding("ok", f"GPU {index}: {of.name}, {of.total_memory / 2**30:.0f} GiB, {half}")
    if not torch.cuda.is_available():
        build = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is a CPU build"
        yield Finding("note", f"no GPU ({build})", "use experiment=demo or celeba16x_light trainer=cpu")


def weights(cache: Path) -> Iterator[Finding]:
    """Downloaded weights.

    Args:
        cache: the folder that torch hub downloads to.
    """
    for pattern, (name, remedy) in WEIGHTS.items():
        found = sorted(cache.glob(pattern))
        if found:
            yield Finding("ok", f"weights of {name}: {found[0]}")
        else:
            yield Finding("note", f"weights of {name}: no {pattern} in {cache}", remedy)


def stores(data: Path) -> Iterator[Finding]:
    """Whether the stores of faces below a folder are whole and of this version's layout."""
    from src.store.read import FaceStore

    folders = sorted(path.parent for path in data.glob("**/card.json"))
    if not folders:
        yield Finding("note", f"no store of faces in {data}", "make data-synthetic, data-celeba or data-folder")
    for folder in folders:
        try:
            yield Finding("ok", f"store {folder}: {len(FaceStore(folder)):,} faces")
        except UserError as error:
            yield Finding("note", str(error))


def dashboard() -> Iterator[Finding]:
    """The W&B login."""
    if version("wandb") is None:
        return
    from src.logger.config import WandbLoggerConfig
    from src.logger.wandb_run import wandb_mode

    mode = wandb_mode(WandbLoggerConfig())
    text = f"W&B: runs with logger=wandb go {mode}"
    forced = os.environ.get("WANDB_MODE")
    fix = f"unset WANDB_MODE (it is {forced})" if forced else "wandb login, or logger=csv"
    yield Finding("ok", text) if mode == "online" else Finding("note", text, fix)


def disk(free: float) -> Iterator[Finding]:
    """Free space of the disk with the project, in GiB."""
    level: Literal["ok", "note", "error"] = "error" if free < FULL_DISK else "note" if free < LOW_DISK else "ok"
    yield Finding(
        level, f"disk: {free:.1f} GiB free", "" if level == "ok" else "free some space: du -sh outputs/* data/*"
    )


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _cache() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


CHECKS: Final[tuple[Callable[[], Iterable[Finding]], ...]] = (
    python,
    system,
    packages,
    lambda: lightning_release(version("lightning")),
    lambda: optuna_release(version("optuna")),
    lambda: opencv({name: number for name in OPENCV if (number := version(name))}),
    torch_works,
    devices,
    lambda: weights(_cache()),
    lambda: stores(ROOT / "data"),
    dashboard,
    lambda: disk(shutil.disk_usage(ROOT).free / 2**30),
)


def findings() -> Iterator[Finding]:
    """Everything, in order; a check that breaks is an error of its own."""
    for check in CHECKS:
        try:
            yield from check()
        except Exception as error:
            missing = missing_package(error)
            yield (
                Finding("note", str(missing))
                if missing
                else Finding("error", f"a check broke off: {_line(error)}", SETUP)
            )


def main() -> None:
    """Print the report; exit with 1 if something essential is missing."""
    show_everything()
    errors = 0
    for finding in findings():
        print(finding, flush=True)
        errors += finding.level == "error"
    print(f"{errors} error{'s' * (errors != 1)}" if errors else "nothing essential is missing")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
