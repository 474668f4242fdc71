"""Leukocytes found in fields with boxes: how they are counted, and what the command says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.cells.segment import segment
from edge.optics.specimen import specimen
from edge.types import U8, Bools, Cells, CellsInFrame
from tests.train.layouts import LAYOUTS
from train.cli import main
from train.data.dataset import DataError, spread
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, Field, leukocytes
from train.judging.fields import judge, score

SIDE = 100


def _cells(*centres: tuple[int, int], cut: tuple[bool, ...] = ()) -> CellsInFrame:
    n = len(centres)
    middles = np.array(centres, np.float64).reshape(-1, 2)
    boxes = np.concatenate([middles - 5, middles + 5], axis=1).astype(np.float32)
    labels = np.zeros((SIDE, SIDE), np.int32)
    for i, (x, y) in enumerate(centres):
        labels[y, x] = i + 1
    area = np.ones(n, np.float32)
    found = Cells(labels, labels > 0, boxes, middles, area, area, np.array(cut or (False,) * n, np.bool_))
    return found.in_frame(SIDE, SIDE)


@pytest.fixture
def fields(tmp_path: Path) -> list[Field]:
    LAYOUTS["bccd"](tmp_path)
    return list(FIELDS["bccd"](dataset("bccd").root(tmp_path), pytest.fail))


def test_finds_and_labels_are_matched_one_to_one() -> None:
    boxes = np.array([[20, 20, 40, 40], [60, 60, 80, 80]], np.float32)
    found, which, true = score(boxes, (SIDE, SIDE), _cells((30, 30), (33, 30), (90, 20)))
    assert (found.asked, found.found, found.beyond) == (2, 1, 2)
    assert which.tolist() == [True, False]
    assert true.tolist() == [True, False, False]


def test_what_the_edge_cuts_or_is_no_leukocyte_does_not_count() -> None:
    boxes = np.array([[0, 20, 20, 40], [60, 60, 80, 80]], np.float32)
    cells = _cells((10, 30), (70, 70), (50, 20), (5, 90), cut=(False, False, False, True))
    kept = np.array([True, True, False, True])
    found, which, true = score(boxes, (SIDE, SIDE), cells, kept)
    assert (found.asked, found.found, found.beyond) == (1, 1, 0)
    assert which.all()
    assert true.all()


def test_figures_stand_on_all_fields(fields: list[Field], tmp_path: Path) -> None:
    def find(pixels: U8, name: str) -> tuple[CellsInFrame, Bools]:
        cells = segment(specimen(pixels, fields[0].um_per_px, 0.25)).in_frame(*pixels.shape[:2])
        return cells, np.ones(len(cells), np.bool_)

    shown: list[str] = []
    result = judge(
        find, dataset("bccd"), fields, "all", pytest.fail, lambda field, *_: shown.append(field.path.stem)
    )
    assert result.fields == len(fields) == len(shown)
    assert result.asked == sum(len(leukocytes(field)) for field in fields)
    assert result.complete
    assert result.figures["recall"].value == result.found / result.asked
    assert result.figures["beyond_per_field"].value == result.beyond / result.fields
    with pytest.raises(DataError, match="no readable field in part 'test'"):
        judge(find, dataset("bccd"), [], "test", pytest.fail)


def test_some_fields_are_spread_over_all(fields: list[Field]) -> None:
    assert spread(fields, 0) == spread(fields, 99) == fields
    assert spread(fields, 2) == [fields[0], fields[-1]]


def test_the_command_finds_leukocytes_in_fields(
    fields: list[Field],
    make_bundle: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["evaluate", "--bundle", str(make_bundle()), "--dataset", "bccd", "--data", str(tmp_path)]
    out = tmp_path / "out.json"
    assert main([*arguments, "--json", str(out), "--pictures", str(tmp_path / "pictures")]) == 0
    written = json.loads(out.read_text())
    assert written["dataset"] == "bccd"
    found = written["fields"]["bccd"]
    test = [field for field in fields if field.split == "test"]
    assert (found["part"], found["fields"], found["asked"]) == ("test", len(test), len(test))
    assert found["found"] + found["beyond"] >= found["found"]
    assert set(found["figures"]) == {"recall", "precision", "f1", "beyond_per_field"}
    wrong = found["found"] < found["asked"] or found["beyond"]
    assert (tmp_path / "pictures" / "bccd").is_dir() == bool(wrong)
    assert f"bccd, test: {len(test)} fields through the line" in capsys.readouterr().out


def test_data_sets_without_boxes_have_none(
    deepapl: Callable[..., Path], make_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--bundle", str(make_bundle()), "--dataset", "deepapl", "--data", str(deepapl())]
    assert main([*arguments, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["fields"] == {}
