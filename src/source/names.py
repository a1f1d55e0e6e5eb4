"""Matching of names in tables and files: the exact name first, else the only one that is written in another way."""

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)

FORMS = 3
"""Exact; the same name in another Unicode form or with other slashes; the same name in another case."""


def form_of(name: str, form: int) -> str:
    """A name in one of the `FORMS`: two names are alike in a form if this is equal for both.

    Args:
        name: a file name, perhaps with folders.
        form: 0: as it is; 1: Unicode NFC, "/" for each backslash, without "./"; 2: that, without upper case.
    """
    if form == 0:
        return name
    plain = posixpath.normpath(name.replace("\\", "/")) if name else name
    plain = plain if plain.isascii() else unicodedata.normalize("NFC", plain)
    return plain if form == 1 else unicodedata.normalize("NFC", plain.casefold())


class Names(Generic[Thing]):
    """Things by name; several things may have one name, and one thing several names."""

    def __init__(self, named: Iterable[tuple[str, Thing]]) -> None:
        self._named = list(named)
        self._forms: dict[int, dict[str, list[Thing]]] = {}

    def at(self, name: str, form: int) -> list[Thing]:
        """The things with this name in one of the `FORMS`, each once."""
        if form not in self._forms:  # most tables have every name exactly: the other forms are then never made
            index: dict[str, dict[Thing, None]] = defaultdict(dict)
            for known, thing in self._named:
                index[form_of(known, form)][thing] = None
            self._forms[form] = {known: list(things) for known, things in index.items()}
        return self._forms[form].get(form_of(name, form), [])

    def find(self, name: str) -> list[Thing]:
        """The things whose names are most like this one: one is a match, several are ambiguous, none is no match."""
        return next((found for form in range(FORMS) if (found := self.at(name, form))), [])


def match(asked: Sequence[Sequence[tuple[str, Names[Thing]]]]) -> list[list[Thing]]:
    """For each question the things that fit it: one is its match, several are ambiguous, none is no match.

    A question is a list of names, each with the things it is looked up in; the first name that something has counts.
    An exact match always wins: a thing that has one is no match of a name that is only alike. A thing that two
    different names are alike to in the same form belongs to neither of them.

    Args:
        asked: the questions.
    """
    answers: list[list[Thing]] = [[] for _ in asked]
    taken: set[Thing] = set()
    for form in range(FORMS):
        claims: dict[Thing, dict[str, list[int]]] = defaultdict(dict)
        for number, attempts in enumerate(asked):
            if answers[number]:
                continue
            name, found = next(((name, found) for name, names in attempts if (found := names.at(name, form))), ("", []))
            answers[number] = found
            for thing in found:
                claims[thing].setdefault(name, []).append(number)
        for thing, by_name in claims.items():
            if form and (thing in taken or len(by_name) > 1):
                for number in (number for numbers in by_name.values() for number in numbers):
                    if len(answers[number]) == 1:
                        answers[number] = []
        if form == 0 and all(answers):
            break
        taken |= claims.keys()
    return answers
