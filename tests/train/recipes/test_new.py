"""From a folder of pictures to a trained run: the recipe that is written, and commands that take it on."""

from __future__ import annotations

import json
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import export.cli
from edge.files import atomic
from tests.train.data.own.trees import draw, folders
from train.cli import main
from train.data.own.splitfile import read as read_split
from train.recipes import recipe
from train.recipes.sections import Training
from train.recipes.text import sized

SMALL = """
name = "small"
title = "for tests"
shares = { deepapl = 1.0 }
input = { size_px = 32, window_px = 48 }
architecture = { stem = 4, widths = [4, 8, 8], blocks = [1, 1, 1] }
augmentation = { haze = 0.5, gamma = [0.8, 1.25] }
training = { epochs = 2, samples = 48, batch = 16, watch = ["deepapl_roc_area", "roc_area"] }
operation = { datasets = ["deepapl"], positive = 0.6, second_look = 0.2 }
"""

New = Callable[..., int]


@pytest.fixture
def new(tmp_path: Path) -> New:
    """Runs edge-train new-recipe on a data folder, with a small recipe to start from."""
    (tmp_path / "small.toml").write_text(SMALL)

    def run(data: Path, *more: str, scale: str = "0.25") -> int:
        scaled = ["--um-per-px", scale] if scale else []
        given = ["new-recipe", "--from", str(tmp_path / "small.toml"), "--data", str(data), *scaled, *more]
        return main([*given, "--out", str(tmp_path / "mine.toml")] if "--out" not in more else given)

    return run


def test_a_recipe_is_written_that_keeps_what_it_is_from(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folders(tmp_path / "data" / "cells").parent
    draw(data / "cells" / 'Odd "ones"' / "p1" / "1.png")
    (data / "cells" / "blast" / "p1" / "broken.png").write_bytes(b"\x89PNG broken")
    assert new(data) == 0
    said = capsys.readouterr().out
    text = (tmp_path / "mine.toml").read_text()
    found = recipe.load(str(tmp_path / "mine.toml"))
    own = found.own["cells"]
    assert (own.path, own.layout, own.um_per_px, own.split) == ("cells", "folders", 0.25, "split.csv")
    assert dict(own.classes) == {"blast": "blast", "Lymphocytes": "lymphocyte"}
    assert '# "Odd \\"ones\\"" = ""  # 1 not known' in text
    assert dict(found.shares) == {"cells": 1.0}
    assert found.operation.datasets == ("cells",)
    assert (found.operation.positive, found.operation.second_look) == (0.0, 0.2)
    assert (found.input.size_px, found.augmentation.haze, found.training.watch) == (32, 0.5, ("roc_area",))
    parts = read_split(data / "cells" / "split.csv")
    assert set(parts) == {f"p{i}" for i in range(6)}
    for named in ("24 pictures", "Odd", "1 pictures that cannot be read", "µm per pixel", "edge-train fit"):
        assert named in said


def test_nothing_is_overwritten_and_no_patient_moves(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folders(tmp_path / "data" / "cells").parent
    assert new(data) == 0
    before = read_split(data / "cells" / "split.csv")
    assert new(data) == 1
    assert "is there already; give another, or --overwrite" in capsys.readouterr().err
    folders(data / "cells", patients=12)
    assert new(data, "--overwrite") == 0
    after = read_split(data / "cells" / "split.csv")
    assert len(after) == 12
    assert {group: after[group] for group in before} == before


def test_a_folder_that_takes_nothing_has_its_split_beside_the_recipe(
    new: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, write = folders(tmp_path / "data" / "cells").parent, atomic.write

    def refusing(path: Path, content: bytes, mode: int) -> None:
        if path.parent == data / "cells":
            raise PermissionError(13, "Permission denied", str(path))
        write(path, content, mode)

    monkeypatch.setattr(atomic, "write", refusing)
    assert new(data) == 0
    split = Path(recipe.load(str(tmp_path / "mine.toml")).own["cells"].split)
    assert split == tmp_path / "mine.split.csv"
    assert set(read_split(split).values()) == {"train", "validation", "test"}
    before = read_split(split)
    folders(data / "cells", patients=9)
    assert new(data, "--overwrite") == 0
    assert {group: part for group, part in read_split(split).items() if group in before} == before


def test_classes_that_are_not_the_programs_become_its_own(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Ring", "Sickle"):
        for patient in range(4):
            draw(tmp_path / "data" / name / f"p{patient}" / "1.png")
    assert new(tmp_path / "data") == 1
    assert "classes ring, sickle are not the program's; say with --positive" in capsys.readouterr().err
    assert not (tmp_path / "data" / "split.csv").exists()
    assert new(tmp_path / "data", "--positive", "sickle") == 0
    found = recipe.load(str(tmp_path / "mine.toml"))
    assert (found.classes, found.positive, dict(found.shares)) == (
        ("ring", "sickle"),
        ("sickle",),
        {"data": 1.0},
    )
    assert found.own["data"].path == ""


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--class-of", "blast=blastt"], "blastt is no class of recipe small; choose of blast"),
        (["--own", "nowhere"], "nowhere: no such folder"),
        (["--out", "mine.txt"], "a recipe's name ends in .toml"),
        (["--group-by", "("], "not a regular expression"),
        (["--group-by", "(cells)|(.)"], "one patient"),
        (["--from", "field-detector"], "names no cells"),
        (["--layout", "coco"], "the layout is a .json"),
        (["--positive", "ring"], "positive: 'ring' is not one of"),
    ],
)
def test_what_cannot_be_is_named(
    new: New, tmp_path: Path, more: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folders(tmp_path / "data" / "cells").parent
    assert new(data, *more) == 1
    said = capsys.readouterr().err
    assert named in said
    assert not list(tmp_path.rglob("split.csv"))


def test_one_patient_and_no_scale(new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folders(tmp_path / "data" / "cells", patients=1).parent
    assert new(data) == 1
    assert "are of one patient, 'p0'" in capsys.readouterr().err
    assert new(data, "--split", "random") == 0
    assert "LEAKS" in capsys.readouterr().out
    assert dict(recipe.load(str(tmp_path / "mine.toml")).shares) == {"cells@random": 1.0}
    folders(data / "cells", patients=3)
    assert new(data, "--overwrite", scale="") == 1
    assert "give it with --um-per-px NUMBER" in capsys.readouterr().err


def test_own_pictures_are_found_beside_known_data_sets(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folders(tmp_path / "data" / "Lab 7").parent
    draw(data / "deepapl" / "Data" / "All" / "Patient_00" / "Signed slides" / "Blast" / "0.png")
    assert new(data) == 0
    found = recipe.load(str(tmp_path / "mine.toml"))
    assert dict(found.shares) == {"Lab-7": 0.7, "deepapl": 0.3}
    folders(data / "other lab")
    assert new(data, "--overwrite") == 1
    assert "--own SUB" in capsys.readouterr().err
    assert new(data, "--overwrite", "--own", "other lab") == 0


@pytest.mark.parametrize(
    ("cells", "samples", "epochs"),
    [(5, 1500, 4), (140, 2800, 4), (600, 12000, 4), (1500, 12000, 10), (90_000, 12000, 10)],
)
def test_the_training_fits_how_much_there_is(cells: int, samples: int, epochs: int) -> None:
    assert sized(cells, Training(epochs=10, samples=12000)) == (samples, epochs)


def test_what_a_recipe_says_of_own_pictures_is_checked() -> None:
    least = {"name": "n", "title": "t", "shares": {"mine": 1.0}}
    for own, named in (
        ({"mine": {"classes": {"x": "blastt"}}}, r"own.mine.classes.x: label 'blastt'"),
        ({"pbc": {}}, r"own.pbc: a data set of the program is called so"),
        ({"mine": {}, "a@b": {}}, r"own.a@b: a name has letters"),
        ({"mine": {"layout": "boxes"}}, r"own.mine.layout"),
        ({"mine": {"um_per_px": 99}}, r"own.mine.um_per_px"),
    ):
        with pytest.raises(recipe.RecipeError, match=named):
            recipe.parse(least | {"own": own})
    assert (
        recipe.parse(least | {"own": {"mine": {"classes": {"x": "-"}}}}).source("mine@2/5").name == "mine@2/5"
    )


@pytest.mark.usefixtures("translated_once")
def test_every_command_takes_it_on(new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    data, run = folders(tmp_path / "data" / "cells", patients=10).parent, tmp_path / "run"
    assert new(data) == 0
    mine, at = str(tmp_path / "mine.toml"), ["--data", str(data)]
    assert main(["datasets", "--check", *at, "--recipe", mine]) == 0
    assert "passed" in capsys.readouterr().out
    few = ["--set", "training.samples=32", "--epochs", "1"]
    assert main(["fit", "--recipe", mine, *at, "--out", str(run), *few]) == 0
    assert main(["fit", "--recipe", mine, *at, "--out", str(run), *few]) == 0  # nothing has changed
    capsys.readouterr()
    out = tmp_path / "e.json"
    assert main(["evaluate", "--bundle", str(run), "--dataset", "cells", *at, "--json", str(out)]) == 0
    told = json.loads(out.read_text())
    assert (told["dataset"], told["groups"]) == ("cells", sum(
        part == "test" for part in read_split(data / "cells" / "split.csv").values()
    ))  # fmt: skip
    bundle = tmp_path / "mine.bundle"
    built = ["bundle", "--run", str(run), "--out", str(bundle), "--calibrate", str(data), "--even-so"]
    assert export.cli.main(built) == 0
    with zipfile.ZipFile(bundle) as opened:
        manifest = json.loads(opened.read("manifest.json"))
        everything = b"".join(opened.read(n) for n in opened.namelist() if n.endswith((".json", ".md")))
    (about,) = manifest["training"]["data"]
    assert about["name"] == "cells"
    (kept,) = json.loads((run / "data.json").read_text())["datasets"].values()
    assert about["validation"] == len(kept["parts"]["validation"]["groups"])
    assert b'"p1"' not in everything
    assert main(["compare", str(run), str(bundle), "--dataset", "cells", *at]) == 0
    assert export.cli.main(["compare", str(bundle), str(bundle), "--data", str(data)]) == 0
    assert main(["evaluate", "--bundle", str(run), "--dataset", "other", *at]) == 1
    assert "data set 'other': unknown" in capsys.readouterr().err


def test_a_split_that_changes_is_another_data_set(new: New, tmp_path: Path) -> None:
    from train.data.fingerprint import of_source

    data = folders(tmp_path / "data" / "cells").parent
    assert new(data) == 0
    text = (tmp_path / "mine.toml").read_text()

    def of(text: str) -> str:
        return of_source(recipe.parse(tomllib.loads(text)).source("cells"), data)

    before = of(text)
    assert of(text) == before
    (data / "mine.bundle").write_text("beside them")
    (data / "cells" / "notes.docx").write_text("no picture, no table")
    assert of(text) == before
    scaled = text.replace("um_per_px = 0.25", "um_per_px = 0.2")
    assert of(scaled) != before
    split = data / "cells" / "split.csv"
    split.write_text(split.read_text().replace("test", "train"))
    assert of(text) != before
