from __future__ import annotations

from pathlib import Path

import pytest

from train import recipe
from train.recipe import RecipeError, parse

LEAST = {"name": "n", "title": "t", "shares": {"deepapl": 1, "pbc": 0.5}}


@pytest.mark.parametrize("name", recipe.names())
def test_every_shipped_recipe_loads(name: str) -> None:
    loaded = recipe.load(name)
    assert loaded.name == name
    assert set(loaded.operation.datasets) <= set(loaded.shares)


def test_defaults_fill_what_a_recipe_leaves_out() -> None:
    assert parse(LEAST).training.batch == recipe.Training().batch


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"colour": 1}, "colour"),
        ({"training": {"epoch": 3}}, "training.epoch"),
        ({"training": {"epochs": "many"}}, "training.epochs"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"training": {"class_balance": 2}}, "training.class_balance"),
        ({"training": 5}, "training"),
        ({"architecture": {"widths": [1, 2]}}, "architecture.widths"),
        ({"input": {"size_px": 200}}, "input.size_px"),
        ({"shares": {"mystery": 1}}, "shares.mystery"),
        ({"shares": {"deepapl": 0}}, "shares.deepapl"),
        ({"operation": {"datasets": ["bccd"]}}, "operation.datasets"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(RecipeError, match=named.replace(".", r"\.")):
        parse({**LEAST, **change})


def test_a_missing_key_is_named() -> None:
    with pytest.raises(RecipeError, match="key 'shares' is missing"):
        parse({"name": "n", "title": "t"})


def test_unknown_recipes_and_broken_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leukocytes"):
        recipe.load("erythrocytes")
    with pytest.raises(RecipeError, match="no such file"):
        recipe.load(str(tmp_path / "gone.toml"))
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    with pytest.raises(RecipeError, match="not valid TOML"):
        recipe.load(str(broken))
