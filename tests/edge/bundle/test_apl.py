"""The table for APL: read strictly, and what it says of a patient's cells."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edge.bundle.apl import AplTable, Share, quartiles
from edge.files.strictjson import Table

CLASSES = ("blast", "immature-granulocyte", "lymphocyte")
TABLE = AplTable(
    classes=CLASSES[:2],
    weights=(0.0, 0.0, 1.0, -1.0, 0.0, 0.5),  # of two features: lower quartiles, medians, upper quartiles
    bias=-2.0,
    threshold=0.5,
    least_cells=4,
    false_alarms=Share(0.05, 0.01, 0.15, 44),
    sensitivity=Share(0.7, 0.4, 0.9, 16),
    source="a test",
)


def _of(changes: dict[str, Any]) -> AplTable:
    return AplTable.of(Table(json.loads(json.dumps(TABLE.as_json())) | changes, "apl"), CLASSES)


def test_it_is_read_as_it_is_written() -> None:
    assert _of({"of a later version": 1}) == TABLE
    assert TABLE.features == 2


def test_quartiles_of_all_features_stand_together() -> None:
    features = np.array([[0, 10], [1, 11], [2, 12], [3, 13], [4, 14]], np.float32)
    assert quartiles(features).tolist() == [1, 11, 2, 12, 3, 13]


def test_the_score_of_a_patient() -> None:
    features = np.array([[0, 1], [1, 1], [2, 1], [6, 1], [8, 1]], np.float32)
    said = TABLE.of_cells(features)
    assert said is not None
    assert (said.score, said.alert, said.false_alarms) == (-0.5, False, 0.15)  # 2 - 1 + 0.5 - 2
    above = TABLE.of_cells(features + np.array([1, 0], np.float32))
    assert above is not None
    assert (above.score, above.alert) == (0.5, True)
    assert TABLE.of_cells(features[:3]) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": [1.0, 2.0]}, "weights are 2 numbers; there must be 3 for each feature"),
        ({"weights": []}, "weights are 0 numbers"),
        ({"weights": 3}, "weights are 0 numbers"),
        ({"weights": [1.0, 2.0, "x"]}, r"apl\.weights\[2\] is 'x'; it must be a number"),
        ({"classes": ["blast", "cat"]}, r"apl\.classes names 'cat', not one of blast"),
        ({"least_cells": 0}, r"apl\.least_cells is 0"),
        ({"false_alarms": {"value": 0.2, "low": 0.3, "high": 0.4, "n": 3}}, "are not in order"),
        ({"sensitivity": {"value": 0.2, "low": 0.1, "high": 0.4}}, r"apl\.sensitivity\.n is missing"),
        ({"threshold": None}, r"apl\.threshold is None"),
        ({"source": ""}, r"apl\.source is ''"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _of(changes)
