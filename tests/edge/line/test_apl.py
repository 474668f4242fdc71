"""Which of a slide's cells the table for APL is asked about."""

from __future__ import annotations

import numpy as np

from edge.line.apl import AplCells
from edge.types import F32
from tests.edge.bundle.test_apl import CLASSES, TABLE

BLAST, GRANULOCYTE, LYMPHOCYTE = range(3)


def _nobody(_cell: int) -> None:
    return None


def _features(*first: float) -> F32:
    return np.array([[value, 0] for value in first], np.float32)


def _cells(ids: list[int], classes: list[int], features: F32) -> AplCells:
    cells = AplCells(TABLE, CLASSES)
    cells.see(np.array(ids, np.int32), np.array(classes, np.int32), features)
    return cells


def test_blasts_and_immature_granulocytes_are_asked_about_and_nothing_else() -> None:
    calls = [BLAST, GRANULOCYTE, LYMPHOCYTE, BLAST, BLAST]
    said = _cells([1, 2, 3, 4, 5], calls, _features(3, 3, 99, 3, 3)).say(_nobody)
    assert said is not None
    assert (said.score, said.alert) == (1.0, True)


def test_too_few_say_nothing_until_there_are_more() -> None:
    cells = _cells([1, 2, 3], [BLAST] * 3, _features(3, 3, 3))
    assert cells.say(_nobody) is None
    cells.see(np.array([9], np.int32), np.array([GRANULOCYTE], np.int32), _features(3))
    assert cells.say(_nobody) is not None


def test_what_people_call_something_else_is_left_out() -> None:
    cells = _cells([1, 2, 3, 4, 5], [BLAST] * 5, _features(0, 0, 0, 9, 9))
    before = cells.say(_nobody)
    after = cells.say({1: "lymphocyte", 2: "blast"}.get)
    assert before is not None
    assert after is not None
    assert before.score < after.score
    assert cells.say({1: "lymphocyte", 2: "lymphocyte"}.get) is None
    assert cells.say(_nobody) == before


def test_without_a_table_or_without_its_features_nothing_is_said() -> None:
    ids, classes = np.arange(9, dtype=np.int32), np.zeros(9, np.int32)
    for table, features in (
        (None, _features(*range(9))),
        (TABLE, None),
        (TABLE, np.zeros((9, 5), np.float32)),
    ):
        cells = AplCells(table, CLASSES)
        cells.see(ids, classes, features)
        assert cells.say(_nobody) is None


def test_a_long_slide_keeps_no_more_than_it_needs() -> None:
    ids = np.arange(10_000, dtype=np.int32)
    cells = _cells(ids.tolist(), [BLAST] * len(ids), _features(*([3.0] * 5000), *([-99.0] * 5000)))
    said = cells.say(_nobody)
    assert said is not None
    assert said.score == 1.0
