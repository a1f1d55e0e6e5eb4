"""Conversion of dataclasses to nested dicts and lists, which a checkpoint may hold, and back."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from src.system.errors import UserError

Dataclass = TypeVar("Dataclass")


def to_plain(config: Any) -> dict[str, Any]:
    """A dataclass as nested dicts and lists, which a checkpoint may hold (`weights_only=True`)."""
    return {key: _plain(value) for key, value in dataclasses.asdict(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def differing(
    before: Any, after: Any, free: tuple[str, ...], bound: tuple[str, ...] = (), prefix: str = ""
) -> list[str]:
    """The dotted keys in which two plain configurations differ.

    Args:
        before: nested dicts, as of `to_plain`.
        after: likewise.
        free: keys that may differ, with all below them.
        bound: keys below these that must not.
        prefix: of every key.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted({*before, *after})
        return [
            name for key in keys for name in differing(before.get(key), after.get(key), free, bound, f"{prefix}{key}.")
        ]
    name = prefix.rstrip(".")
    may = any(name == key or name.startswith(f"{key}.") for key in free) and name not in bound
    return [] if may or before == after else [name]


def variants(annotation: Any) -> tuple[type, ...]:
    """The dataclasses in an annotation: the annotation itself, or the members of a union or of `Annotated[...]`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return variants(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(found for member in typing.get_args(annotation) for found in variants(member))
    return (annotation,) if dataclasses.is_dataclass(annotation) and isinstance(annotation, type) else ()


def field_types(schema: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields, resolved."""
    hints = typing.get_type_hints(schema, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(schema)}


def variant_for(annotation: Any, value: Mapping[str, Any]) -> type | None:
    """The dataclass for a mapping: the only one in the annotation, or the one whose `name` literal matches, or None."""
    candidates = variants(annotation)
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    for candidate in candidates:
        if value.get("name") in typing.get_args(field_types(candidate)["name"]):
            return candidate
    return None


def from_plain(schema: type[Dataclass], values: Mapping[str, Any]) -> Dataclass:
    """A dataclass from nested dicts and lists (lists become tuples).

    If a field's type is a union of dataclasses, the `name` among its values selects one of them. Values without one
    are older than the choice: they belong to the first.

    Raises:
        UserError: the dataclass has no such key, or no member of the union has that `name`.
    """
    hints = field_types(schema)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise UserError(f"{schema.__name__} has no key '{key}': written by another version of this project")
        if isinstance(value, Mapping) and variants(hints[key]):
            choices = variants(hints[key])
            chosen = variant_for(hints[key], value) if "name" in value else choices[0]
            if chosen is None:
                raise UserError(f"{schema.__name__}.{key} has no choice {value.get('name')!r} in this version")
            value = from_plain(chosen, value)
        arguments[key] = tuple(value) if isinstance(value, list) else value
    return schema(**arguments)
