"""Dataclasses from TOML tables: an unknown, missing or impossible key is an error that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

_WORDS = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}


def build(kind: type[T], table: Mapping[str, Any], section: str = "") -> T:
    """An object of this dataclass; its sections are dataclasses themselves.

    Parameters
    ----------
    section : full name of the table, empty for the file itself.

    Raises
    ------
    ValueError
        An unknown key, one without a default that is missing, or a value of another type; names the key in
        full. What a dataclass raises when it is made is passed on, a ValueError with its section before it.
    """
    types = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    where = f" in [{section}]" if section else ""
    dot = f"{section}." if section else ""
    for key in table:
        if key not in known:
            raise ValueError(f"{dot}{key}: unknown key {key!r}{where}; known are {', '.join(known)}")
    values = {key: _value(types[key], value, dot + key) for key, value in table.items()}
    for key, item in known.items():
        if item.default is MISSING and item.default_factory is MISSING and key not in table:
            raise ValueError(f"key {key!r} is missing{where}")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{dot}{error}") from error


def _value(kind: Any, value: Any, key: str) -> Any:
    """`value` if it is what the field asks for (a whole number will do for a float)."""
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{key} is a section: write it as [{key}]")
        return build(kind, value, key)  # type: ignore[arg-type]
    if origin is Literal:
        if value not in inner:
            raise ValueError(f"{key} is {value!r}; choose {', '.join(map(repr, inner))}")
        return value
    if origin is tuple:
        return _list(inner, value, key)
    if origin is not None:  # a mapping
        if not isinstance(value, Mapping):
            raise ValueError(f"{key} is a section: write it as [{key}]")
        return {name: _value(inner[1], item, f"{key}.{name}") for name, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{key} is {value!r}; it must be {_WORDS[kind]}")
    return value


def _list(inner: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    """A tuple of one type and any length, or of just as many values as there are types."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} is {value!r}; it must be a list in brackets")
    if inner[-1] is not Ellipsis and len(inner) != len(value):
        raise ValueError(f"{key} is {list(value)!r}; it must have {len(inner)} values")
    return tuple(_value(inner[0], item, f"{key}[{i}]") for i, item in enumerate(value))


def within(name: str, value: float, low: float, high: float) -> None:
    """Raise ValueError unless the value lies between the two."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; it must lie between {low} and {high}")
