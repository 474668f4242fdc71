"""What a sweep may try: read, drawn, written as a recipe, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe, Training
from train.tuning import space
from train.tuning.recipefile import written
from train.tuning.space import SpaceError, applied

RECIPE = Recipe(
    name="small", title="for tests", shares={"deepapl": 0.6, "pbc": 0.4}, training=Training(epochs=2)
)

EVERY = """
"training.learning_rate" = {log = [3e-4, 3e-3]}
"shares.pbc" = {uniform = [0.1, 1]}

[architecture]
dropout = {choice = [0.1, 0.2]}

[training]
batch = {whole = [8, 12]}
samples = {grid = [48, 96]}
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "space.toml"
    path.write_text(text)
    return path


def test_every_way_of_trying_is_drawn_and_fits_the_recipe(tmp_path: Path) -> None:
    found = space.load(_written(tmp_path, EVERY), RECIPE)
    drawn = list(found.drawn(20, seed=1))
    assert len(drawn) == 40
    assert drawn == list(found.drawn(20, seed=1))
    assert drawn[:10] == list(found.drawn(5, seed=1))
    assert drawn != list(found.drawn(20, seed=2))
    for number, settings in enumerate(drawn):
        assert set(settings) == set(found.settings)
        assert 3e-4 <= settings["training.learning_rate"] <= 3e-3
        assert 0.1 <= settings["shares.pbc"] <= 1
        assert settings["architecture.dropout"] in (0.1, 0.2)
        assert settings["training.batch"] in range(8, 13)
        assert settings["training.samples"] == (48, 96)[number % 2]
        tried = applied(RECIPE, settings)
        assert tried.training.learning_rate == settings["training.learning_rate"]
        assert tried.shares == {"deepapl": 0.6, "pbc": settings["shares.pbc"]}
        assert tried.training.epochs == 2
    assert len({settings["training.batch"] for settings in drawn}) > 2


def test_what_is_no_chance_is_tried_once(tmp_path: Path) -> None:
    found = space.load(_written(tmp_path, '"training.batch" = {grid = [8, 16]}'), RECIPE)
    assert not found.by_chance
    assert list(found.drawn(3, seed=1)) == [{"training.batch": 8}, {"training.batch": 16}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("[[", "give a TOML file"),
        ("x = 3", "says not what to try"),
        ('"training.batch" = {each = [1]}', "says not what to try"),
        ('"training.lr" = {log = [1e-4, 1e-3]}', "unknown key 'lr'"),
        ('"learning.rate" = {log = [1e-4, 1e-3]}', "no section learning"),
        ('"training.batch" = {uniform = [8, 16]}', "must be a whole number"),
        ('"training.batch" = {whole = [0, 16]}', "0 is less than 1"),
        ('"training.batch" = {whole = [1.5, 16]}', "two whole numbers"),
        ('"training.batch" = {choice = []}', "a list of values"),
        ('"training.batch" = {choice = [8, "many"]}', "'many'"),
        ('"training.batch" = {grid = [8, 8]}', "twice"),
        ('"training.learning_rate" = {log = [0, 1]}', "above 0"),
        ('"training.learning_rate" = {log = [1, 0.1]}', "must be the smaller one"),
        ('"training.watch" = {choice = [["roc_area"], []]}', "cannot be tried"),
        ('"shares.cnmc" = {choice = [0.1]}', "no such data set; it has deepapl, pbc"),
        ('"input.size_px" = {grid = [96, 200]}', "window_px 136"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_starts(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SpaceError) as error:
        space.load(_written(tmp_path, text), RECIPE)
    assert told in str(error.value)
    assert "space.toml: " in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="No such file"):
        space.load(tmp_path / "space.toml", RECIPE)


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_written_as_a_file_that_reads_the_same(name: str, tmp_path: Path) -> None:
    recipe = recipes.load(name)
    path = tmp_path / "again.toml"
    path.write_text(written(recipe, "two\nlines"), encoding="utf-8")
    assert recipes.load(str(path)) == recipe


def test_odd_texts_and_own_data_sets_are_written_too(tmp_path: Path) -> None:
    text = """
        name = 'a "b" \\ é\u007f'
        title = "two\\nlines"
        [shares]
        "mine_here" = 1.0
        [own."mine_here"]
        path = "cells"
        um_per_px = 0.1
        classes = { "Bla st" = "blast" }
    """
    path = tmp_path / "own.toml"
    path.write_text(text.replace("\u007f", ""), encoding="utf-8")
    recipe = recipes.load(str(path))
    path.write_text(written(recipe, ""), encoding="utf-8")
    assert recipes.load(str(path)) == recipe
