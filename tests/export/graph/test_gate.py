from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.bundle.bundle import Bundle
from edge.types import F32
from export.graph.gate import ENOUGH, HeldOut, held_out, judge
from export.graph.graph import ExportError
from train.data.classes import CLASSES
from train.data.windows import Windows
from train.recipes.recipe import Recipe

BLAST, LYMPHOCYTE, BASOPHIL = (CLASSES.index(name) for name in ("blast", "lymphocyte", "basophil"))


def _held(blasts: int = 400, lymphocytes: int = 400, basophils: int = ENOUGH - 1) -> HeldOut:
    truth = np.repeat([BLAST, LYMPHOCYTE, BASOPHIL], [blasts, lymphocytes, basophils]).astype(np.int32)
    return HeldOut(np.zeros((len(truth), 1, 1, 3), np.uint8), truth, np.ones(len(truth), bool), "drawn")


def _right(held: HeldOut) -> F32:
    answer = np.full((len(held.truth), len(CLASSES)), 0.01, np.float32)
    answer[np.arange(len(answer)), held.truth] = 0.9
    # scores that differ a little, as they do in life
    answer[:, BLAST] += np.linspace(0, 0.005, len(answer), dtype=np.float32)
    return answer


def _swap(answer: F32, cells: slice, into: int) -> F32:
    out = answer.copy()
    out[cells] = 0.01
    out[cells, into] = 0.9
    return out


def test_the_same_answers_pass(draft: Bundle) -> None:
    held = _held()
    verdict = judge(held, _right(held), _right(held), draft.manifest)
    assert verdict.usable
    assert verdict.sensitivity == 1
    assert verdict.sensitivity_change == verdict.roc_area_change == verdict.worst_recall_change == 0


@pytest.mark.parametrize(("lost", "usable"), [(2, True), (3, False)])
def test_sensitivity_may_fall_by_a_half_per_cent(draft: Bundle, lost: int, usable: bool) -> None:
    held = _held()
    right = _right(held)
    given = right.copy()
    given[:lost, BLAST] = 0.39  # below the threshold, still above every other cell
    given[:lost, LYMPHOCYTE] = 0.55
    verdict = judge(held, right, given, draft.manifest)
    assert verdict.sensitivity_change == pytest.approx(-lost / 400)
    assert verdict.usable is usable
    assert ("sensitivity falls by" in verdict.why) is not usable


def test_the_roc_area_may_not_fall(draft: Bundle) -> None:
    held = _held()
    right = _right(held)
    given = right.copy()
    given[400:408, BLAST] = 0.395  # not called blasts, but more like them than some that are
    right[:200, BLAST] = given[:200, BLAST] = 0.41
    given[400:408, BLAST] = 0.399
    assert judge(held, right, given, draft.manifest).usable
    given[400:408, BLAST] = 0.95
    verdict = judge(held, right, given, draft.manifest)
    assert "ROC area falls by" in verdict.why
    assert not verdict.usable


def test_a_class_may_not_lose_more_than_a_fiftieth(draft: Bundle) -> None:
    held = _held()
    right = _right(held)
    assert judge(held, right, _swap(right, slice(400, 408), BASOPHIL), draft.manifest).usable
    verdict = judge(held, right, _swap(right, slice(400, 409), BASOPHIL), draft.manifest)
    assert not verdict.usable
    assert verdict.worst_recall_class == "lymphocyte"
    assert verdict.worst_recall_change == pytest.approx(-9 / 400)


def test_no_graph_passes_by_abstaining(draft: Bundle) -> None:
    held = _held()
    right = _right(held)
    given = right.copy()
    given[400:409] = 0.08
    given[400:409, LYMPHOCYTE] = 0.19  # the likeliest still, and below the confidence that is asked for
    assert draft.manifest.thresholds.confidence > 0.19
    verdict = judge(held, right, given, draft.manifest)
    assert verdict.worst_recall_change == pytest.approx(-9 / 400)
    assert not verdict.usable


def test_a_class_of_too_few_cells_is_not_judged(draft: Bundle) -> None:
    for basophils, usable in ((ENOUGH - 1, True), (ENOUGH, False)):
        held = _held(basophils=basophils)
        right = _right(held)
        given = _swap(right, slice(800, 802), LYMPHOCYTE)
        assert judge(held, right, given, draft.manifest).usable is usable


def test_easy_cells_do_not_water_a_loss_down(draft: Bundle) -> None:
    held = replace(_held(), deciding=np.arange(849) >= 300)  # 100 blasts decide
    right = _right(held)
    given = right.copy()
    given[399, BLAST], given[399, LYMPHOCYTE] = 0.39, 0.55
    verdict = judge(held, right, given, draft.manifest)
    assert verdict.sensitivity_change == pytest.approx(-0.01)
    assert not verdict.usable


def test_held_out_cells_are_of_the_validation_part(windows: Windows, recipe: Recipe) -> None:
    held = held_out(windows, recipe)
    assert len(held.truth) == 900
    assert held.deciding.sum() == (windows.of("validation").datasets == "deepapl").sum()
    assert "deepapl, pbc" in held.data
    with pytest.raises(ExportError, match="0 positive ones among"):
        held_out(windows.pick(windows.labels != "blast"), recipe)
