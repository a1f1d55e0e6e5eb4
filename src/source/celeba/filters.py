"""The filters of CelebA's images: by attributes and by person."""

import difflib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.source.celeba.lists import ATTRIBUTES, CelebaList, read_list, required_list
from src.source.celeba.table import CelebaTable
from src.source.config import CelebaSource
from src.system.errors import UserError


def identities_asked(source: CelebaSource, identity: CelebaList | None) -> NDArray[np.int64] | None:
    """The numbers of the people in `source.identities`, each once, ascending; None for everybody or without the list.

    Raises:
        UserError: it is neither a list of numbers nor a file of them, or a person in it has no image.
    """
    asked = source.identities
    if asked is None or identity is None:
        return None
    known = np.unique(identity.values[:, 0]).astype(np.int64)
    if isinstance(asked, str):
        span = re.fullmatch(r"(\d{1,9})-(\d{1,9})", asked)
        if span:
            numbers = known[(known >= int(span[1])) & (known <= int(span[2]))]
            if not len(numbers):
                raise UserError(
                    f"source.identities={asked}: {identity.path.name} has nobody from {span[1]} to {span[2]}"
                )
            return numbers
        numbers = _from_file(Path(asked))
    else:
        numbers = np.array([asked] if isinstance(asked, int) else asked, np.int64)
    strangers = np.setdiff1d(numbers, known)
    if len(strangers):
        raise UserError(
            f"source.identities: {identity.path.name} has no person {strangers[0]} (it has {len(known):,}, from "
            f"{known[0]} to {known[-1]}); leave the number out"
        )
    return np.unique(numbers)


def _from_file(path: Path) -> NDArray[np.int64]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(
            f"source.identities={path} cannot be read ({why}): give a file with one person's number per line, "
            f"'[1,2,2880]', or 1-500"
        ) from None
    numbers = []
    for at, line in enumerate(lines, 1):
        if not re.fullmatch(r"\s*\d{0,9}\s*", line):
            raise UserError(f"{path}, line {at}: '{line.strip()[:40]}' is not a person's number")
        numbers += [int(line)] if line.strip() else []
    if not numbers:
        raise UserError(f"source.identities={path} holds no number: write one person's number per line")
    return np.array(numbers, np.int64)


def dropped_rows(
    source: CelebaSource, root: Path, table: CelebaTable, asked: NDArray[np.int64] | None
) -> tuple[NDArray[np.bool_], dict[int, str]]:
    """Which rows of the table (N,) the filters leave out, and the reject reasons of rows that they cannot judge.

    Raises:
        UserError: an attribute is unknown, or the list of attributes is missing or broken.
    """
    dropped, unjudged = np.zeros(len(table.names), np.bool_), dict[int, str]()
    if asked is not None:
        dropped |= (table.identities > 0) & ~np.isin(table.identities, asked)
    if source.drop or source.keep:
        listed = read_list(required_list(root, ATTRIBUTES, "source.drop and source.keep need it"))
        has = listed.values_of(table.names)
        drop, keep = (_columns(listed, key, names) for key, names in (("drop", source.drop), ("keep", source.keep)))
        known = ~np.isnan(has[:, 0])
        dropped |= known & ((has[:, drop] > 0).any(1) | ~(has[:, keep] > 0).all(1))
        unknown = np.flatnonzero(~known & ~dropped).tolist()
        unjudged = dict.fromkeys(unknown, f"no row in {listed.path.name}: source.drop and source.keep cannot judge it")
    return dropped, unjudged


def _columns(listed: CelebaList, key: str, names: tuple[str, ...]) -> list[int]:
    for name in names:
        if name not in listed.columns:
            lower = {column.lower(): column for column in listed.columns}
            close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.0)
            raise UserError(f"source.{key}: there is no attribute '{name}': did you mean '{lower[close[0]]}'?")
    return [listed.columns.index(name) for name in names]
