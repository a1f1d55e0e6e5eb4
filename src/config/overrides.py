"""The words of a command line as overrides that Hydra understands: quoted where it needs quotes, keys checked."""

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from hydra.conf import HydraConf
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString
from hydra.errors import HydraException

from src.config.keys import dotted_keys, unknown_key
from src.system.errors import UserError
from src.system.files import from_home
from src.system.plain import field_types, variants

CONF = Path(__file__).resolve().parents[2] / "conf"
WORD: Final = re.compile(r"(\+{0,2}|~)([^=+~][^=]*)=(.*)", re.DOTALL)
"""Prefix, key and value of an override."""
ESCAPE: Final = re.compile(r"\\([\\()\[\]{}:=, \t])")
"""A character that Hydra takes as it is because of the backslash before it."""
QUOTED: Final = re.compile(r"""(['"])(?:\\.|.)*?\1(?=\s*(?:[,)\]}]|$))""", re.DOTALL)
"""A whole item in quotes, with or without quotes inside."""
OPENING: Final = ("", "[", "(", "{", ",")
"""What can stand before an item."""
FLAGS: Final = ("-m", "--multirun")


@dataclass(frozen=True)
class Text:
    """What the value of a key may be that holds free text, such as a path.

    Attributes:
        lists: a list of texts too, as in `data.train=[a,b]`.
        numbers: a number or a boolean too, as in `source.identities=5`.
    """

    lists: bool = False
    numbers: bool = False


def options(group: str) -> list[str]:
    """The names of a group's files, those in folders below it as `folder/name`."""
    return sorted(str(path.relative_to(CONF / group).with_suffix("")) for path in (CONF / group).rglob("*.yaml"))


def read_overrides(words: list[str], schema: type) -> list[str]:
    """The words of a command line as Hydra needs them.

    - The value of a key that holds free text (`str` in the schema: paths, names) means what was typed. If Hydra would
      refuse it or change it (`José`, `Fotos (2019)`, `lr=0.001`, `R&D`, `1e3`, `a,b`), it is quoted.
    - In brackets the same holds for each item, `data.train=[a b,José]`. A comma separates items; one inside of
      brackets or parentheses does not. Blanks around an item do not count.
    - In a sweep (`-m`, `sweep=`) a comma separates the values of the jobs.
    - Hydra's own words keep their meaning: `null`, `${...}`, `glob(...)`, `choice(...)`, a backslash before a special
      character, quotes around the value. Quotes around a value always belong to the command line, not to the name.
    - `~/` at the beginning is the home folder, as in a shell.
    - Values of other keys (numbers, booleans, choices) are Hydra's as they are.
    - `experiment=null` becomes `experiment=[]`: no choice.
    - `experiment=glob(ablation/*)` becomes `experiment=ablation/a,ablation/b`: Hydra's own glob skips subfolders, and
      if nothing matches, it silently runs nothing.

    What this function returns, it returns unchanged if it gets it again: processes that start themselves again with
    their own words, and the jobs of a sweep, get the same values.

    Args:
        words: overrides and flags; the flags and their values stay as they are.
        schema: the dataclass of the whole configuration.

    Raises:
        UserError: the schema lacks the key (Hydra would accept `+key=`; the error names the nearest valid key), the
            word is no override, or no file of a group matches a glob.
    """
    keys = _text_keys(schema)
    known = set(dotted_keys(schema))
    sweep = any(word in FLAGS or re.match(r"\+*(sweep=(?!null|\[\])|hydra\.mode=MULTIRUN)", word) for word in words)
    result = []
    for word in words:
        if word.startswith("-") or not ("=" in word or word.startswith("~")):
            result.append(word)  # a flag or its value: Hydra's own
            continue
        parts = WORD.fullmatch(word)
        prefix, key, value = parts.groups() if parts else ("~", word[1:], "")
        # Hydra checks groups, whose options it lists, and its own keys.
        if not (key in known or key.split("/")[0].split(".")[0] == "hydra" or (CONF / key).is_dir()):
            raise unknown_key(key, schema)
        if prefix != "~":
            if (CONF / key).is_dir():
                value = _choice(key, value)
            elif key in keys:
                value = _typed(value, keys[key], sweep)
            word = f"{prefix}{key}={value}"
        parsed = _parsed(word)
        if parsed is None:
            raise UserError(
                f"'{word}' is not an override that Hydra can read: write key=value, lists as 'key=[a,b]', and quote "
                "text with special characters"
            )
        if prefix == "~" and (CONF / key).is_dir() and not isinstance(parsed.value(), str | None):
            raise UserError(f"'{word}': write ~{key} alone, or with the name of the choice that it takes away")
        result.append(word)
    return result


@cache
def _text_keys(schema: type) -> dict[str, Text]:
    """The dotted keys that hold free text, those of Hydra itself included."""
    found: dict[str, Text] = {}
    for key, text in (*_texts(schema), *_texts(HydraConf, "hydra.")):
        before = found.get(key, text)
        found[key] = Text(before.lists or text.lists, before.numbers or text.numbers)
    return found


def _texts(schema: type, prefix: str = "") -> Iterator[tuple[str, Text]]:
    for name, annotation in field_types(schema).items():
        members = set(_members(annotation))
        if str in members or tuple[str, ...] in members:
            lists = any(typing.get_origin(member) in (tuple, list) for member in members)
            yield prefix + name, Text(lists, not members.isdisjoint((int, float, bool)))
        for variant in variants(annotation):
            yield from _texts(variant, f"{prefix}{name}.")


def _members(annotation: Any) -> Iterator[Any]:
    """The types of an annotation without `Annotated` and unions around them."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _choice(group: str, value: str) -> str:
    """The choice of a group: a glob becomes the names that it matches; a name that Hydra takes for a number is quoted.

    Raises:
        UserError: no file of the group matches a glob, or the value is no name.
    """
    parsed = _parsed(f"{group}={value}")
    if parsed is None:
        return _typed(value, Text(lists=True), sweep=True)
    found: Any = parsed.value()
    if isinstance(found, Glob):
        nested = any("/" in pattern for pattern in found.include)
        names = found.filter([name for name in options(group) if nested or "/" not in name])
        if not names:
            raise UserError(f"{group}={value}: no file of conf/{group} fits; there are {', '.join(options(group))}")
        return ",".join(names)
    if found is None:
        return "[]"  # no choice; Hydra understands null only in its own lists of defaults
    if isinstance(found, list) and None in found:
        raise UserError(f"{group}={value}: name a file of conf/{group}, or leave it out: {', '.join(options(group))}")
    return _quoted(value) if isinstance(found, int | float) else value


def _typed(value: str, kind: Text, sweep: bool) -> str:
    """The value of a key that holds text, in Hydra's grammar; see `read_overrides`."""
    pieces = _split(value)
    is_list = kind.lists and value.startswith("[") and value.endswith("]") and (pieces is None or len(pieces) == 1)
    if is_list:
        inner = value[1:-1]
        items = [_item(piece.strip(), kind) for piece in _split(inner) or _split(inner, nested=False) or [inner]]
        return f"[{','.join(items)}]"
    if sweep or kind.lists:  # not in a sweep, Hydra asks what a comma in the value of a list means
        pieces = pieces or _split(value, nested=False) or [value]
        if len(pieces) > 1:
            return ",".join(_typed(piece.strip(), kind, False) for piece in pieces)
    choice = re.fullmatch(r"choice\((.*)\)", value, re.DOTALL)
    if choice and _parsed(f"key={value}") is None:
        return f"choice({_typed(choice[1], kind, True)})"
    return _item(value, kind)


def _item(text: str, kind: Text) -> str:
    """One text: as it is where Hydra reads what was typed, else quoted."""
    text = from_home(text)
    parsed = _parsed(f"key={text}")
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return text if parsed else _quoted(text[1:-1])  # quoted by hand, perhaps around an apostrophe
    if parsed is None:
        return _quoted(text) if text else text  # of an empty item Hydra tells
    value: Any = parsed.value()
    function = re.match(r"(\w+)\(", text)
    own_word = value is None or (function is not None and function[1] in _parser().functions.functions)
    if own_word or (kind.numbers and isinstance(value, int | float)):
        return text
    return text if value == ESCAPE.sub(r"\1", text) else _quoted(text)


def _split(text: str, nested: bool = True) -> list[str] | None:
    """The pieces between the commas of a text that are outside of quotes and, if `nested`, of brackets.

    Returns:
        None if `nested` and the brackets do not match.
    """
    pieces, start, depth, at = [], 0, 0, 0
    while at < len(text):
        character = text[at]
        quoted = QUOTED.match(text, at) if character in "'\"" and text[:at].rstrip(" \t")[-1:] in OPENING else None
        if quoted:
            at = quoted.end()
            continue
        if character == "\\":
            at += 1  # the next character is no comma and no bracket
        elif nested and character in "([{":
            depth += 1
        elif nested and character in ")]}":
            depth -= 1
            if depth < 0:
                return None
        elif character == "," and depth == 0:
            pieces.append(text[start:at])
            start = at + 1
        at += 1
    return None if depth else [*pieces, text[start:]]


def _quoted(text: str) -> str:
    return QuotedString(text, Quote.single).with_quotes()


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def _parsed(word: str) -> Override | None:
    """Hydra's reading of an override, None if it refuses it."""
    try:
        return _parser().parse_override(word)
    except HydraException:
        return None
