"""What the pages say of the tree, of commands and of keys is so."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from src.config.keys import dotted_keys
from src.config.overrides import read_overrides
from tests.test_readme import SCHEMAS

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "data/README.md",
    ROOT / "notebooks/README.md",
]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

PATH = re.compile(r"(?<![\w./-])(?:src|conf|tests|benchmarks|docs|notebooks)/[\w./-]*\w")
SYMBOL = re.compile(r"`([\w./]+\.py): ([\w.]+)`")
MODULE = re.compile(r"-m ((?:src|benchmarks)(?:\.\w+)*)")
COMMAND = re.compile(r"-m src\.(train|prepare|evaluate|export) ([^`\n]*)")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)#?([^)\s]*)\)")
KEY = re.compile(r"`(?!\w+\.(?:npy|csv|json|parquet|safetensors|onnx)`)(\w+(?:\.\w+)+)(?:=[^`]*)?`")


def symbols(file: Path) -> set[str]:
    """What a module defines: its names, and CLASS.NAME for methods, fields and what is set on `self`."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        found |= {*defined(node)}
        if isinstance(node, ast.ClassDef):
            members = {name for member in node.body for name in defined(member)}
            members |= {
                inner.attr
                for inner in ast.walk(node)
                if isinstance(inner, ast.Attribute)
                and isinstance(inner.ctx, ast.Store)
                and ast.unparse(inner.value) == "self"
            }
            found |= {f"{node.name}.{name}" for name in members}
    return found


def defined(node: ast.stmt) -> Iterator[str]:
    """The names that one statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def to_make(page: Path) -> set[str]:
    """The files whose whole content a page gives: `PATH`: ..., then a block that is no diff and no command."""
    return set(re.findall(r"^`([^`]+)`:.*\n```(?:python|yaml)$", page.read_text(), re.MULTILINE))


@every_page
def test_every_path_is_in_the_tree(page: Path) -> None:
    paths = set(PATH.findall(page.read_text())) - to_make(page)
    assert [path for path in paths if not (ROOT / path).exists()] == []


@every_page
def test_every_symbol_is_in_the_file_beside_it(page: Path) -> None:
    named = SYMBOL.findall(page.read_text())
    assert [f"{file}: {name}" for file, name in named if name not in symbols(ROOT / file)] == []


def test_the_page_of_the_method_names_symbols() -> None:
    assert len(SYMBOL.findall((ROOT / "docs/method.md").read_text())) > 40


@every_page
def test_every_module_that_is_run_exists(page: Path) -> None:
    files = [(name, ROOT / name.replace(".", "/")) for name in MODULE.findall(page.read_text())]
    missing = [
        name for name, path in files if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists())
    ]
    assert missing == []


@every_page
def test_every_relative_link_resolves(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), anchor


@every_page
def test_every_command_has_keys_that_exist(page: Path) -> None:
    for verb, words in COMMAND.findall(page.read_text().replace("\\\n", " ")):
        read_overrides(shlex.split(words), SCHEMAS[verb])


@every_page
def test_every_key_in_the_text_exists(page: Path) -> None:
    keys = {key for schema in SCHEMAS.values() for key in dotted_keys(schema)}
    groups = {key.split(".")[0] for key in keys if "." in key}
    named = [key for key in KEY.findall(page.read_text()) if key.split(".")[0] in groups]
    assert [key for key in named if key not in keys] == []


def test_the_readme_is_short_and_names_every_folder_of_src() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 165
    named = {line.split()[0] for line in lines if line.startswith("    src/")}
    assert named == {f"src/{path.parent.name}" for path in ROOT.glob("src/*/__init__.py")} | {"src/*.py"}


def test_the_citation_agrees_with_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    assert citation["preferred-citation"]["doi"] in (ROOT / "README.md").read_text()
