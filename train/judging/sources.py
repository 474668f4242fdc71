"""Data sets that a command names: the program's, a folder, or own ones of the recipe of what is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from train.data.dataset import DataSet
from train.data.own import Own
from train.data.registry import named
from train.judging.contestants import asked
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe, RecipeError


def sources(names: Sequence[str], recipes: Iterable[Recipe], about: Own | None = None) -> list[DataSet]:
    """The data sets of these names, own ones by the first recipe that has one called so.

    Raises
    ------
    DataError : an unknown one.
    """
    known = list(recipes)
    return [owned(name, known) or named(name, about) for name in names]


def owned(name: str, recipes: Iterable[Recipe]) -> DataSet | None:
    """The own data set of this name, by the first recipe that has one; None where none has."""
    plain = name.partition("@")[0]
    return next((recipe.source(name) for recipe in recipes if plain in recipe.own), None)


def recipes_of(paths: Iterable[Path | None], *, large: bool = False) -> list[Recipe]:
    """Those of runs and bundles, as far as they tell; None stands for the bundle in use."""
    found = (recipe_of(path, large=large) if path else recipe_of_bundle(bundle.load()) for path in paths)
    return [recipe for recipe in found if recipe]


def recipe_of(path: Path, *, large: bool = False) -> Recipe | None:
    """The recipe of a run's folder or of a bundle, a graph behind it or not; None where it has none."""
    place, _ = asked(path)
    if place.is_dir():
        from train.fitting.fit import settings_of  # and with it PyTorch

        return settings_of(place)[0]
    return recipe_of_bundle(bundle.load(place, allow_unsigned=True, large=large)) if place.exists() else None


def recipe_of_bundle(opened: Bundle) -> Recipe | None:
    """What the manifest says of it, None where this program would not understand it."""
    told: Mapping[str, Any] = opened.manifest.everything.get("training", {})
    try:
        return recipes.parse(told["recipe"])
    except (KeyError, TypeError, RecipeError):
        return None
