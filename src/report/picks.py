"""Which faces a report shows: the worst, median and best of each method, as many as its size allows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from src.report.scores import FaceScores

KINDS: Final = ("worst", "median", "best")
EACH: Final = 3
"""Faces of each kind and method."""
RANKED_BY: Final = "psnr_rgb"
BYTES: Final = 4_200_000
"""About what all pictures of a report may take."""
BYTES_A_PIXEL: Final = 2.0
"""What a photograph takes as a PNG in base64, about."""
LARGEST: Final = 256
"""Longest side of a shown picture; a larger one is reduced."""


@dataclass(frozen=True)
class Pick:
    """A face that is shown as one of a method's worst, median or best.

    Attributes:
        method: the method.
        kind: one of `KINDS`.
        place: the face's place in the rows.
    """

    method: str
    kind: str
    place: int


@dataclass(frozen=True)
class Picks:
    """The faces of a report.

    Attributes:
        picks: in the order in which they were chosen.
        methods: a face's place in the rows -> the methods whose picture of it is shown.
    """

    picks: Sequence[Pick]
    methods: dict[int, list[str]]

    def places_of(self, method: str) -> list[int]:
        """The faces of which this method's picture is shown."""
        return [place for place, methods in self.methods.items() if method in methods]


def picture_budget(side: int) -> int:
    """How many pictures of this side in pixels a report holds."""
    shown = min(side, LARGEST)
    return int(BYTES / (BYTES_A_PIXEL * shown**2))


def pick_faces(rows: Sequence[FaceScores], most: int) -> Picks:
    """The worst, median and best faces of each method by PSNR RGB, up to three of each kind.

    Every method gets one face of each kind first. Then the other methods' pictures of these faces follow, then the
    next face of each kind. Large comparisons therefore show fewer faces, and not every method on each.

    Args:
        rows: the faces.
        most: how many pictures may be shown; the HR picture of a face counts too, its LR picture does not.
    """
    names = list(rows[0].methods)
    orders = {name: _ranking(rows, name) for name in names}
    picks: list[Pick] = []
    shown: dict[int, list[str]] = {}
    left = most

    def add(place: int, method: str) -> bool:
        nonlocal left
        cost = (place not in shown) + (method not in shown.get(place, ()))
        if cost > left:
            return False
        left -= cost
        mine = shown.setdefault(place, [])
        if method not in mine:
            mine.append(method)
        return True

    for number in range(EACH):
        for kind in KINDS:
            for method in names:
                place = _candidate(orders[method], kind, number)
                taken = {pick.place for pick in picks if pick.method == method}
                if place is not None and place not in taken and add(place, method):
                    picks.append(Pick(method, kind, place))
        for place in list(shown):
            for method in names:
                add(place, method)
    return Picks(picks, {place: [name for name in names if name in mine] for place, mine in shown.items()})


def _ranking(rows: Sequence[FaceScores], method: str) -> list[int]:
    """The faces from the worst to the best; those without a score are left out."""
    scores = [row.methods[method].whole.get(RANKED_BY, math.nan) for row in rows]
    return sorted((place for place, score in enumerate(scores) if not math.isnan(score)), key=lambda at: scores[at])


def _candidate(order: Sequence[int], kind: str, number: int) -> int | None:
    middle = (len(order) - 1) // 2
    away = (number + 1) // 2 * (1 if number % 2 else -1)  # 0, 1, -1
    at = {"worst": number, "median": middle + away, "best": len(order) - 1 - number}[kind]
    return order[at] if 0 <= at < len(order) else None
