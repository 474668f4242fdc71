from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.model_input import WHITE_BALANCE, ModelInput
from train.data.classes import CLASSES, LEUKOCYTES
from train.recipes import recipe
from train.recipes.recipe import RecipeError, changed, parse, without

LEAST: dict[str, Any] = {"name": "n", "title": "t", "shares": {"deepapl": 1, "pbc": 0.5}}
FIELDS: dict[str, Any] = {
    "name": "f",
    "title": "t",
    "task": "field",
    "shares": {"aria-fields": 1},
    "classes": ["benign", "early", "pre", "pro"],
    "positive": ["early", "pre", "pro"],
    "input": {"pitch_um": 0.4, "cut_px": 224, "size_px": 160, "window_px": 0, "steps": ["resize:160"]},
}


def test_defaults_fill_what_a_recipe_leaves_out() -> None:
    found = parse(LEAST)
    assert found.training.batch == recipe.Training().batch
    assert (found.task, found.method, found.classes, found.positive) == (
        "cell",
        "network",
        CLASSES,
        ("blast",),
    )
    assert found.counted == LEUKOCYTES
    assert found.deciding == ("deepapl", "pbc")
    assert found.model_input == ModelInput(0.25, 96)
    assert found.window == ModelInput(0.25, 136)


def test_classes_of_its_own_are_all_counted_unless_it_says_which() -> None:
    found = parse(FIELDS)
    assert found.counted == found.classes == ("benign", "early", "pre", "pro")
    assert found.positive_indices == [1, 2, 3]
    some = parse({**FIELDS, "leukocytes": ["benign", "pro"], "positive": ["pro"]})
    assert some.counted == ("benign", "pro")
    assert some.positive_indices == [3]


def test_what_the_device_shows_follows_task_and_steps() -> None:
    fields = parse(FIELDS)
    assert fields.model_input == fields.window == ModelInput(0.4, 224, ("resize:160",), whole=True)
    cells = parse({**LEAST, "input": {"steps": [WHITE_BALANCE, "median:3"], "window_px": 0}})
    assert cells.model_input == cells.window == ModelInput(0.25, 96, (WHITE_BALANCE, "median:3"))


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
        ({"input": {"size_px": 16}}, "input.size_px"),
        ({"input": {"steps": ["sharpen"], "window_px": 0}}, "input.steps: step 'sharpen': unknown"),
        ({"input": {"steps": ["median:2"], "window_px": 0}}, "input.steps: step 'median:2'"),
        ({"input": {"steps": ["median:3"]}}, "input.window_px: 136, but with steps beside white-balance"),
        ({"input": {"steps": ["resize:64"], "window_px": 0}}, "input.size_px: 96, but the steps make 64"),
        ({"input": {"steps": "median:3"}}, "input.steps"),
        ({"task": "slide"}, "task"),
        ({"method": "magic"}, "method"),
        ({"method": "fcm-svm", "task": "field"}, "method: fcm-svm names cells; it cannot do task field"),
        ({"classes": ["blast"]}, "classes: blast; two different ones"),
        ({"classes": ["blast", "blast"]}, "classes: blast, blast; two different ones"),
        ({"positive": ["cat"]}, "positive: 'cat' is not one of blast, immature"),
        ({"positive": ["platelet"]}, "positive: 'platelet' is not one of blast"),
        ({"positive": []}, "positive: names none"),
        ({"leukocytes": ["cat"]}, "leukocytes: 'cat' is not one of"),
        ({"classes": ["a", "b"]}, "positive: 'blast' is not one of a, b"),
        ({"operation": {"positive": 1.5}}, "operation.positive: 1.5 is not within 0 to 1"),
        ({"shares": {"cnmc@blind": 1}}, "shares.cnmc@blind: data set cnmc@blind: no such split"),
        ({"shares": {"mystery": 1}}, "shares.mystery"),
        ({"shares": {"deepapl": 0}}, "shares.deepapl"),
        ({"operation": {"datasets": ["bccd"]}}, "operation.datasets"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(RecipeError) as refused:
        parse({**LEAST, **change})
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


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


def test_settings_are_changed_as_toml_or_as_bare_text() -> None:
    before = parse(LEAST)
    given = (
        "training.epochs=3", "training.learning_rate=1e-4", 'training.watch=["roc_area"]', "training.seed=7",
        "architecture.backbone=resnet50", "architecture.weights=weights/resnet50.pth",
        'input.steps=["median:3"]', "input.window_px=0", "title=another", 'shares={"pbc"=2.0}',
    )  # fmt: skip
    after = changed(before, given)
    assert (after.training.epochs, after.training.learning_rate, after.training.seed) == (3, 1e-4, 7)
    assert after.training.watch == ("roc_area",)
    assert after.architecture.weights == "weights/resnet50.pth"
    assert after.input.steps == ("median:3",)
    assert (after.title, dict(after.shares)) == ("another", {"pbc": 2.0})
    assert changed(after, ("architecture.weights=",)).architecture.weights == ""
    assert changed(before) == before == parse(LEAST)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("training.epochs", "--set training.epochs: is not KEY=VALUE, as in training.epochs=3"),
        ("training.epoch=3", "training.epoch"),
        ("training.epochs=many", "training.epochs"),
        ("training.epochs=0", "training.epochs: 0 is less than 1"),
        ("learning.rate=3", "--set learning.rate=3: there is no section learning"),
        ("title.rate=3", "--set title.rate=3: there is no section title"),
        ("training.watch.first=3", "--set training.watch.first=3: there is no section training.watch"),
        ("colour=red", "colour"),
        ("training=5", "training"),
        ("=5", "''"),
    ],
)
def test_a_setting_that_cannot_be_is_named(setting: str, named: str) -> None:
    with pytest.raises(RecipeError) as refused:
        changed(parse(LEAST), (setting,))
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_another_split_is_asked_for_by_its_name() -> None:
    before = parse({**LEAST, "operation": {"datasets": ["pbc"]}})
    after = changed(before, split="2/5")
    assert dict(after.shares) == {"deepapl@2/5": 1, "pbc@2/5": 0.5}
    assert after.operation.datasets == ("pbc@2/5",)
    assert dict(changed(after, split="random").shares) == {"deepapl@random": 1, "pbc@random": 0.5}
    with pytest.raises(RecipeError, match=r"shares\.deepapl@blind: .*no such split"):
        changed(before, split="blind")


def test_a_data_set_is_left_out_with_all_that_hangs_on_it() -> None:
    more = {"operation": {"datasets": ["pbc"]}, "training": {"watch": ["pbc_roc_area", "roc_area"]}}
    before = parse({**LEAST, **more})
    after = without(before, ["pbc"])
    assert dict(after.shares) == {"deepapl": 1}
    assert after.operation.datasets == ()
    assert after.training.watch == ("roc_area",)
    assert after.name == f"{before.name}-without-pbc"
    assert after.title == f"{before.title}, without pbc"
    assert without(changed(parse(LEAST), split="2/5"), ["pbc"]).shares == {"deepapl@2/5": 1}
    assert without(before, []) is before


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["cnmc"], "--leave-out cnmc: recipe n has no such data set; it has deepapl, pbc"),
        (["pbc", "deepapl"], "--leave-out pbc, deepapl: leaves recipe n nothing to learn from"),
    ],
)
def test_what_cannot_be_left_out_is_named(names: list[str], told: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(told)) as refused:
        without(parse({**LEAST, "operation": {"datasets": []}}), names)
    assert "\n" not in str(refused.value)
