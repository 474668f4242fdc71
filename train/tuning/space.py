"""What a sweep tries: settings of a recipe, and of each the values that it may take."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from edge.files import textfile
from edge.types import LeukoscopeError
from train.recipes.recipe import Recipe, RecipeError, changed

Kind = Literal["log", "uniform", "whole", "choice", "grid"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Drawn evenly in the logarithm, evenly, evenly of whole numbers, or from a list; and each of a list."""

Settings = Mapping[str, Any]
"""Key of a recipe, with dots -> value."""

_FIXED = ("name", "title", "published", "task", "method", "classes", "own", "training.watch")
_DIGITS = 4  # of drawn numbers: more say nothing, and cannot be read


class SpaceError(LeukoscopeError):
    """A space cannot be searched. Names the file, the key and what it may be."""


@dataclass(frozen=True)
class Values:
    """The values that a setting may take.

    Attributes
    ----------
    kind : see `KINDS`. given : two ends, or the values themselves.
    """

    kind: Kind
    given: tuple[Any, ...]

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Values that are allowed if all are."""
        if self.kind in ("choice", "grid"):
            return self.given
        if self.kind == "whole":
            return self.given
        return tuple(float(end) for end in self.given)

    def draw(self, rng: np.random.Generator) -> Any:
        """One of them."""
        if self.kind in ("choice", "grid"):
            return self.given[int(rng.integers(len(self.given)))]
        low, high = self.given
        if self.kind == "whole":
            return int(rng.integers(low, high + 1))
        if self.kind == "uniform":
            drawn = rng.uniform(low, high)
        else:
            drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
        return min(max(float(f"{drawn:.{_DIGITS}g}"), float(low)), float(high))


@dataclass(frozen=True)
class Space:
    """Settings, and the values that each may take."""

    settings: Mapping[str, Values]

    @property
    def by_chance(self) -> bool:
        """Whether anything in it is drawn."""
        return any(values.kind != "grid" for values in self.settings.values())

    def drawn(self, samples: int, seed: int) -> Iterator[Settings]:
        """Every combination of what is a grid, so many times, each with a draw of the rest; no two alike.

        The first ones are the same however many are asked for.
        """
        grids = {key: values for key, values in self.settings.items() if values.kind == "grid"}
        combinations = list(product(*(values.given for values in grids.values())))
        seen = []
        for number in range(samples):
            for place, combination in enumerate(combinations):
                rng = np.random.default_rng([seed, number, place])
                fixed = dict(zip(grids, combination, strict=True))
                settings = {
                    key: fixed[key] if key in fixed else values.draw(rng)
                    for key, values in self.settings.items()
                }
                if settings not in seen:
                    seen.append(settings)
                    yield settings

    def as_json(self) -> dict[str, Any]:
        """As the file has it."""
        return {key: {values.kind: list(values.given)} for key, values in self.settings.items()}


def load(path: Path, recipe: Recipe) -> Space:
    """The space in a TOML file, each of whose settings fits the recipe.

    Raises
    ------
    SpaceError : no such file, no TOML, an unknown key, or values that the recipe cannot take.
    """
    try:
        table = tomllib.loads(textfile.read(path))
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise SpaceError(f"space {path}: {told}; give a TOML file of settings") from None
    try:
        settings = {key: _values(key, value) for key, value in _flat(table)}
        if not settings:
            raise SpaceError(
                'is empty; name a setting, as in "training.learning_rate" = {log = [3e-4, 3e-3]}'
            )
        for key, values in settings.items():
            _check(recipe, key, values)
    except SpaceError as error:
        raise SpaceError(f"space {path}: {error}") from None
    return Space(settings)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with dots, in whichever of TOML's ways they are written, and what stands behind each."""
    for key, value in table.items():
        if isinstance(value, dict) and value and not value.keys() & set(KINDS):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _values(key: str, value: Any) -> Values:
    if not isinstance(value, dict) or len(value) != 1 or (kind := next(iter(value))) not in KINDS:
        raise SpaceError(
            f"{key}: {_toml(value)} says not what to try; write {{log = [a, b]}}, {{uniform = [a, b]}}, "
            "{whole = [a, b]}, {choice = [...]} or {grid = [...]}"
        )
    given = value[kind]
    if not isinstance(given, list) or not given:
        raise SpaceError(f"{key}: {kind} is {_toml(given)}; it must be a list of values in brackets")
    if kind not in ("choice", "grid"):
        _check_ends(key, kind, given)
    elif any(given.count(one) > 1 for one in given):
        raise SpaceError(f"{key}: {kind} has a value twice; each is tried anyway")
    return Values(kind, tuple(given))


def _check_ends(key: str, kind: str, given: Sequence[Any]) -> None:
    whole = kind == "whole"
    right = int if whole else (int, float)
    if len(given) != 2 or not all(isinstance(n, right) and not isinstance(n, bool) for n in given):
        raise SpaceError(f"{key}: {kind} is {_toml(given)}; it must be two {'whole ' * whole}numbers")
    low, high = given
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SpaceError(f"{key}: {kind} is {_toml(given)}; the first number must be the smaller one")
    if kind == "log" and low <= 0:
        raise SpaceError(f"{key}: log is {_toml(given)}; it must be above 0")


def _check(recipe: Recipe, key: str, values: Values) -> None:
    if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _FIXED):
        raise SpaceError(
            f"{key}: says what trials are about, or what they are compared by; it cannot be tried"
        )
    if key.startswith("shares.") and key.partition(".")[2] not in recipe.shares:
        raise SpaceError(
            f"{key}: recipe {recipe.name} has no such data set; it has {', '.join(recipe.shares)}"
        )
    for value in values.extremes:
        try:
            applied(recipe, {key: value})
        except RecipeError as error:
            named = "" if str(error).startswith(key) else f"{key} = {_toml(value)}: "
            raise SpaceError(f"{named}{error}") from None


def applied(recipe: Recipe, settings: Settings) -> Recipe:
    """The recipe with these settings.

    Raises
    ------
    RecipeError : they do not fit, or not together.
    """
    try:
        return changed(recipe, [f"{key}={_toml(value)}" for key, value in settings.items()])
    except RecipeError as error:
        raise RecipeError(str(error).partition("--set ")[2] or str(error)) from None


def _toml(value: Any) -> str:
    """A value as TOML has it: of numbers, texts and lists of them like JSON."""
    return json.dumps(value, ensure_ascii=False, default=str)
