"""`python -m tests.helpers.without_extras VERB [argument ...]`: run a verb as where no extra is installed."""

import runpy
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType

from src.system.extras import IMPORTS, PLUGINS

HIDDEN_IMPORTS = {*IMPORTS} | {"hydra_plugins"}
HIDDEN_PACKAGES = {package for package, _ in (*IMPORTS.values(), *PLUGINS.values())}


class Without(PathFinder):
    """Finds what lies on the path but for the packages of the extras: they are nowhere, their versions unknown."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname.split(".")[0] in HIDDEN_IMPORTS else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, context: DistributionFinder.Context) -> Iterable[Distribution]:  # type: ignore[override]
        found = PathFinder.find_distributions(context)
        return (one for one in found if one.metadata["Name"].replace("_", "-") not in HIDDEN_PACKAGES)


if __name__ == "__main__":
    sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]  # type: ignore[list-item]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
