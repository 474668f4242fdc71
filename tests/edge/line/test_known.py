from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from edge.bundle.bundle import Thresholds
from edge.cells.classify import Calls, Classifier, decide
from edge.line import known
from edge.line.known import Known
from edge.types import I32, U8, Bools


@dataclass
class _Named:
    """A classifier that goes by the first pixel of a crop, and keeps count of what it is shown."""

    shown: list[int] = field(default_factory=list)
    thresholds: Thresholds = field(default_factory=lambda: Thresholds(0.5, 0.5, 0.9))
    positive_indices: tuple[int, ...] = (0,)

    def __call__(self, crops: U8, matters: Bools) -> Calls:
        assert len(matters) == len(crops)
        self.shown += crops[:, 0, 0, 0].tolist()
        p = crops[:, 0, 0, 0].astype(np.float32) / 255
        calls = decide(np.stack([p, 1 - p], axis=1), self)
        return Calls(calls.probabilities, calls.classes, calls.uncertain, calls.certain, p[:, None] + 1)


def _crops(*levels: int) -> U8:
    return np.tile(np.array(levels, np.uint8)[:, None, None, None], (1, 4, 4, 3))


def _ids(*ids: int) -> I32:
    return np.array(ids, np.int32)


def _name(cells: Known, ids: I32, crops: U8, classify: Classifier) -> Calls:
    return cells.name(ids, crops, np.ones(len(ids), np.bool_), classify)


def test_only_cells_that_were_not_counted_are_shown_to_the_classifier() -> None:
    cells, named = Known(), _Named()
    classify = cast(Classifier, named)
    first = _name(cells, _ids(1, 2, 3), _crops(250, 10, 20), classify)
    cells.remember(_ids(1, 3), first.of(np.array([True, False, True])))
    again = _name(cells, _ids(3, 4, 2, 1), _crops(99, 30, 11, 99), classify)
    assert named.shown == [250, 10, 20, 30, 11]
    np.testing.assert_allclose(again.probabilities[:, 0] * 255, [20, 30, 11, 250], rtol=1e-5)
    assert again.classes.tolist() == [1, 1, 1, 0]
    assert again.certain.tolist() == [False, False, False, True]
    assert again.features is not None
    assert again.features[:, 0].tolist()[::3] == [0.0, 0.0]


def test_a_field_of_known_cells_asks_nothing() -> None:
    cells, named = Known(), _Named()
    classify = cast(Classifier, named)
    cells.remember(_ids(1), _name(cells, _ids(1), _crops(250), classify))
    said = _name(cells, _ids(1), _crops(0), classify)
    assert named.shown == [250]
    assert said.classes.tolist() == [0]


def test_those_counted_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_KEPT", 2)
    cells, named = Known(), _Named()
    classify = cast(Classifier, named)
    cells.remember(_ids(1, 2, 3), _name(cells, _ids(1, 2, 3), _crops(1, 2, 3), classify))
    named.shown.clear()
    _name(cells, _ids(1, 2, 3), _crops(1, 2, 3), classify)
    assert named.shown == [1]
