"""Reference cells and familiar ranges of a bundle, from the windows that its recipe trains on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.bundle.bundle import Bundle
from edge.line.likeness import FEATURES
from export.bundle import card, comparison
from export.bundle.amend import amend
from export.bundle.archive import pack
from export.cli import main
from train.data.windows import Windows
from train.recipes.recipe import Recipe


@pytest.fixture
def added(draft: Bundle, windows: Windows, recipe: Recipe) -> comparison.Additions:
    masks = (windows.pixels[..., 1] < 150).astype(np.uint8) * 2
    return comparison.of_windows(draft, recipe, replace(windows, masks=masks))


def test_cells_of_data_that_may_be_passed_on_are_chosen(
    added: comparison.Additions, windows: Windows
) -> None:
    cells = added.tables["references"]["cells"]
    kinds = [cell["class"] for cell in cells]
    assert kinds == [name for name in dict.fromkeys(kinds) for _ in range(comparison.PER_CLASS)]
    assert len(set(kinds)) > 1
    assert {cell["source"] for cell in cells} == {"pbc"}, "those of deepapl stay at home"
    assert added.tables["references"]["sources"]["pbc"]["licence"] == "CC BY 4.0"
    assert list(added.tables["familiar"]) == list(FEATURES)


def test_a_device_reads_what_was_added(added: comparison.Additions, draft: Bundle, tmp_path: Path) -> None:
    whole, out = tmp_path / "draft.bundle", tmp_path / "new.bundle"
    members = {name: draft.members[name] for name in draft.manifest.files}
    whole.write_bytes(pack(dict(draft.manifest.everything), members))
    new = amend(whole, out, added.tables, added.members)
    references = new.references()
    assert [reference.named for reference in references] == [
        cell["class"] for cell in added.tables["references"]["cells"]
    ]
    assert references[0].crop.shape == (32, 32, 3)
    assert new.manifest.familiar["cell_um2"] == tuple(added.tables["familiar"]["cell_um2"])


def test_models_that_are_not_shown_plain_crops_get_nothing(
    draft: Bundle, windows: Windows, recipe: Recipe
) -> None:
    other = replace(recipe, input=replace(recipe.input, steps=("white-balance", "equalize"), window_px=0))
    assert comparison.of_windows(draft, other, windows) == comparison.Additions()


def test_a_bundle_that_does_not_say_how_it_was_trained(
    make_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["amend", str(make_bundle()), "--data", str(tmp_path), "--out", str(tmp_path / "new.bundle")]
    assert main(words) == 1
    assert "does not say how it was trained" in capsys.readouterr().err


def test_data_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["amend", "leukocytes", "--data", str(tmp_path), "--out", str(tmp_path / "new.bundle")]
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert "data set deepapl: no folder" in line
    assert not (tmp_path / "new.bundle").exists()


def test_the_card_names_them_once(added: comparison.Additions) -> None:
    table = added.tables["references"]
    once = card.with_references(f"# x\n\ntext\n\n{card._LICENCE_LINE}\n", table)
    assert once == card.with_references(once, table)
    assert once.count("## Reference cells") == 1
    assert "Acevedo" in once
    assert once.endswith(f"{card._LICENCE_LINE}\n")


def test_the_same_cells_give_the_same_bytes(
    added: comparison.Additions, draft: Bundle, windows: Windows, recipe: Recipe
) -> None:
    masks = (windows.pixels[..., 1] < 150).astype(np.uint8) * 2
    again = comparison.of_windows(draft, recipe, replace(windows, masks=masks))
    assert again == added
