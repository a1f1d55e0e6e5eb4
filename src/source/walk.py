"""The files below a folder: links are followed, rings and the companions of other systems are left out."""

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from src.store.card import ARRAYS, CARD
from src.system.companions import is_companion
from src.system.files import NOWHERE

STORE = frozenset(ARRAYS)
NO_TARGET = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(frozen=True)
class Walked:
    """What lies below a folder.

    Attributes:
        files: regular files in the order of their names; one that links lead to may be there under several names.
        problems: links that lead nowhere and folders that cannot be read, each with its reason.
        linked: whether there is a link that leads somewhere.
    """

    files: list[Path]
    problems: dict[Path, str]
    linked: bool


@dataclass(frozen=True)
class _Folder:
    """A folder to look into.

    Attributes:
        path: as it was reached.
        real: without links.
        start: the real folder where the walk began or the last link led to.
        ways: (first, last) real folder of each way between two links that led here.
    """

    path: Path
    real: str
    start: str
    ways: tuple[tuple[str, str], ...] = ()

    def below(self, name: str) -> "_Folder":
        return _Folder(self.path / name, os.path.join(self.real, name), self.start, self.ways)  # noqa: PTH118 - speed

    def through(self, name: str) -> "_Folder":
        real = os.path.realpath(self.path / name)
        return _Folder(self.path / name, real, real, (*self.ways, (self.start, self.real)))

    def closes_a_ring(self) -> bool:
        """Whether the walk came through this folder on its way here."""
        return any(_holds(first, self.real) and _holds(self.real, last) for first, last in self.ways)


def _holds(above: str, below: str) -> bool:
    return above == below or below.startswith(above.rstrip("/") + "/")


def walk(root: Path) -> Walked:
    """Every file below `root`, except companions and what is in a store of ours; pipes and devices are left out.

    A linked folder is looked into even if it lies below `root` itself, since landmarks may lie beside the link. Within
    linked folders, a further link is followed only to a folder that was not seen.

    Args:
        root: a folder.
    """
    walked, seen, linked = Walked([], {}, False), set[str](), False
    real = os.path.realpath(root)
    waiting = deque([_Folder(root, real, real)])
    while waiting:
        folder = waiting.popleft()
        if folder.closes_a_ring() or (len(folder.ways) > 1 and folder.real in seen):
            continue
        seen.add(folder.real)
        entries = _entries(folder.path, walked.problems)
        if {CARD, *STORE} <= {entry.name for entry in entries}:
            continue  # a store made earlier: its contact sheet is no photograph
        # Real folders come before linked ones, so that what counts as seen does not depend on names.
        inner, outer = list[_Folder](), list[_Folder]()
        for entry in entries:
            if is_companion(entry.name):
                continue
            path = folder.path / entry.name
            if not entry.is_symlink():
                if entry.is_dir(follow_symlinks=False):
                    inner.append(folder.below(entry.name))
                elif entry.is_file(follow_symlinks=False):
                    walked.files.append(path)
                continue
            mode = _mode_of_target(path, walked.problems)
            linked = linked or mode != 0
            if stat.S_ISDIR(mode):
                outer.append(folder.through(entry.name))
            elif stat.S_ISREG(mode):
                walked.files.append(path)
        waiting.extendleft(reversed(inner))
        waiting.extend(outer)
    walked.files.sort()
    return Walked(walked.files, walked.problems, linked)


def _entries(folder: Path, problems: dict[Path, str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        problems[folder] = f"cannot be read: {error.strerror or error}"
        return []


def _mode_of_target(link: Path, problems: dict[Path, str]) -> int:
    """The mode of what a link leads to; 0, with the reason in `problems`, if it cannot be reached."""
    try:
        return link.stat().st_mode
    except OSError as error:
        nowhere = error.errno in NO_TARGET
        problems[link] = NOWHERE if nowhere else f"cannot be read: {error.strerror or error}"
        return 0
