"""A recipe as a TOML file that people can read: what differs from what a recipe has anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from train.recipes import toml
from train.recipes.recipe import Recipe
from train.recipes.toml import differing


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
    found = dict(differing(section)) if is_dataclass(section) else dict(section)
    plain = {key: value for key, value in found.items() if not _is_table(value)}
    if name and (plain or not found):
        yield f"\n[{name}]"
    for key, value in plain.items():
        yield f"{toml.key(key)} = {toml.value(value)}"
    for key, value in found.items():
        if _is_table(value):
            yield from _table(value, f"{name}.{toml.key(key)}" if name else toml.key(key))


def _is_table(value: Any) -> bool:
    return is_dataclass(value) or isinstance(value, Mapping)
