"""Dataclasses to nested dicts and lists and back: what a checkpoint may hold."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from src.system.errors import UserError

Dataclass = TypeVar("Dataclass")


def to_plain(config: Any) -> dict[str, Any]:
    """Nested dicts and lists out of a dataclass: what a checkpoint may hold (`weights_only=True`)."""
    return {key: _plain(value) for key, value in dataclasses.asdict(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def from_plain(schema: type[Dataclass], values: Mapping[str, Any]) -> Dataclass:
    """A dataclass out of nested dicts and lists (lists become tuples); UserError for a key it does not have."""
    hints = typing.get_type_hints(schema)
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise UserError(f"{schema.__name__} has no key '{key}': written by another version of this project")
        if isinstance(value, Mapping):
            value = from_plain(hints[key], value)
        arguments[key] = tuple(value) if isinstance(value, list) else value
    return schema(**arguments)
