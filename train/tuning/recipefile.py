"""A recipe as a TOML file that people can read: what differs from what a recipe has anyway."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from train.recipes.recipe import Recipe

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(recipe: Recipe, comment: str) -> str:
    """The file; `train.recipes.recipe.load` makes the same recipe of it.

    Parameters
    ----------
    comment : lines for its beginning.
    """
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + "\n" + "\n".join(_table(recipe, "")) + "\n"


def _table(section: Any, name: str) -> Iterator[str]:
    """The lines of a table: its own keys, then the tables in it."""
    found = dict(_differing(section)) if is_dataclass(section) else dict(section)
    plain = {key: value for key, value in found.items() if not _is_table(value)}
    if name and (plain or not found):
        yield f"\n[{name}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, value in found.items():
        if _is_table(value):
            yield from _table(value, f"{name}.{_key(key)}" if name else _key(key))


def _differing(section: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(section):
        value = getattr(section, field.name)
        usual = field.default if field.default_factory is MISSING else field.default_factory()
        if usual is MISSING or value != usual:
            yield field.name, value


def _is_table(value: Any) -> bool:
    return is_dataclass(value) or isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    """A basic string: JSON's, but that TOML wants DEL escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
