"""The dotted keys of a tree of dataclasses, and the error that suggests the nearest one for an unknown key."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from src.system.errors import UserError
from src.system.plain import field_types, variant_for, variants


def dotted_keys(schema: type, prefix: str = "") -> Iterator[str]:
    """Every dotted key of the schema, including those of all variants of a union."""
    for name, annotation in field_types(schema).items():
        yield prefix + name
        for variant in variants(annotation):
            yield from dotted_keys(variant, f"{prefix}{name}.")


def nearest(key: str, known: list[str]) -> str:
    """The known key that resembles a mistyped one most: by its whole path, else by its last word."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if not close:
        last_words = {name.rsplit(".", 1)[-1]: name for name in reversed(known)}
        match = difflib.get_close_matches(key.rsplit(".", 1)[-1], list(last_words), n=1, cutoff=0.5)
        close = [last_words[match[0]]] if match else difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return close[0]


def unknown_key(key: str, schema: type) -> UserError:
    """The error for a key that the schema does not have."""
    known = sorted(set(dotted_keys(schema)))
    if key in known:
        return UserError(f"'{key}' belongs to another choice of {key.rsplit('.', 1)[0]} than this run's; leave it out")
    return UserError(f"unknown key '{key}': did you mean '{nearest(key, known)}'? (`--cfg job` prints all keys)")


def check_keys(values: Mapping[str, Any], schema: type, root: type | None = None, prefix: str = "") -> None:
    """Raise a UserError for the first key of `values` that `schema` does not have."""
    annotations = field_types(schema)
    for name, value in values.items():
        if name not in annotations:
            raise unknown_key(f"{prefix}{name}", root or schema)
        if isinstance(value, Mapping):
            variant = variant_for(annotations[name], value)
            if variant is not None:
                check_keys(value, variant, root or schema, f"{prefix}{name}.")
