"""The rooms of `src/` and the one direction in which they import; `python -m tests.test_layers` prints every arrow."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

LAYERS = (
    "system", "image", "face", "store", "landmarks", "synthetic", "source", "preparation", "data",
    "model", "loss", "method", "metric", "report", "optimizer", "logger", "sweep", "config", "callbacks", "trainer",
    "training", "evaluation", "exporting", "photo", "webpage",
    "verbs",
)  # fmt: skip
"""From the lowest to the highest; a room imports from those to its left alone. `optimizer` and `trainer` are files."""
VERBS = {"train", "evaluate", "compare", "prepare", "upscale", "page", "export", "check", "doctor"}


def modules() -> dict[str, Path]:
    """Every module of `src/` by its dotted name."""
    found = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of `src/` that a file imports, at its top, inside its functions and for the type checker."""
    return (name for name in every_import(path, known) if name.split(".")[0] == "src")


def every_import(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Likewise with the modules of libraries."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        yield from imported(node, known)


def imported(node: ast.AST, known: dict[str, Path]) -> Iterator[str]:
    """The modules that a statement imports, dotted; none where it is no import."""
    if isinstance(node, ast.ImportFrom):
        assert node.module and not node.level, "imports are absolute"  # noqa: PT018
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            yield name if name in known else node.module
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)


def room(module: str) -> str:
    """The folder below `src/`, or the file, that a module belongs to."""
    name = module.split(".")[1] if "." in module else "verbs"
    return "verbs" if name in VERBS else name


def arrows() -> Counter[tuple[str, str]]:
    """(room, room that it imports from) and by how many imports."""
    known = modules()
    return Counter((room(module), room(other)) for module, path in known.items() for other in imports(path, known))


def upward(found: Counter[tuple[str, str]]) -> list[str]:
    """The arrows that run from a lower room to a higher one."""
    return [f"{low} imports from {high}" for low, high in found if place(low) < place(high)]


def place(name: str) -> int:
    """A room's layer from 0; -1 for a room that the table lacks, as in an older tree."""
    return LAYERS.index(name) if name in LAYERS else -1


def test_every_room_has_its_layer_and_every_layer_its_room() -> None:
    assert {room(module) for module in modules() if module != "src"} == set(LAYERS)


def test_no_import_runs_back_up() -> None:
    assert upward(arrows()) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    try:
        TopologicalSorter({module: {*imports(path, known)} - {module} for module, path in known.items()}).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle: {' > '.join(error.args[1])}") from None


def test_every_module_says_in_its_first_line_what_it_holds() -> None:
    silent = [
        name for name, path in modules().items()
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]  # fmt: skip
    assert silent == []


if __name__ == "__main__":
    counted = arrows()
    for (low, high), count in sorted(counted.items(), key=lambda item: (place(item[0][0]), -item[1])):
        if low != high:
            sys.stdout.write(f"{low:12} <- {high:12} {count:3}\n")
    between = {pair: count for pair, count in counted.items() if pair[0] != pair[1]}
    sys.stdout.write(
        f"{len(between)} arrows between {len({name for pair in counted for name in pair})} rooms, "
        f"{sum(between.values())} imports; {len(upward(counted))} run back up; "
        f"{sum((high, low) in between for low, high in between) // 2} pairs import each other\n"
    )
