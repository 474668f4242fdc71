"""What a correction must not do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.adapt import gate
from edge.adapt.gate import Figures
from edge.bundle.bundle import Bundle
from edge.bundle.site import Correction
from edge.cells.classify import Classifier
from tests.conftest import CLASSES

BEFORE = Figures(0.8, -0.5, blasts=10, called=8, others=30, false_blasts=2)
BETTER = replace(BEFORE, accuracy=0.9, log_likelihood=-0.3)


def test_what_is_better_in_everything_passes() -> None:
    assert gate.objections(BEFORE, BETTER, (0, 20)) == []
    assert gate.objections(BEFORE, replace(BETTER, accuracy=0.8), (2, 20)) == []


@pytest.mark.parametrize(
    ("after", "golden", "told"),
    [
        (replace(BETTER, accuracy=0.7), (0, 20), "70% of the cells are called what they are, 80% without it"),
        (replace(BETTER, log_likelihood=-0.5), (0, 20), "no likelier (mean log -0.500, -0.500 without it)"),
        (replace(BETTER, called=7), (0, 20), "7 of 10 blasts are called so, 8 without it"),
        (
            replace(BETTER, false_blasts=3),
            (0, 20),
            "3 of 30 other leukocytes are called blasts, 2 without it",
        ),
        (BETTER, (3, 20), "3 of the model's 20 golden cells change their class"),
    ],
)
def test_each_objection_stands_alone(after: Figures, golden: tuple[int, int], told: str) -> None:
    (objection,) = gate.objections(BEFORE, after, golden)
    assert told in objection


def test_figures_are_at_the_operating_point(model: Bundle) -> None:
    about, rows = model.manifest, np.zeros((4, len(CLASSES)), np.float32)
    blast, lymphocyte, artefact = (CLASSES.index(name) for name in ("blast", "lymphocyte", "artefact"))
    limit = about.thresholds.positive
    for row, score in zip(rows, (limit + 0.01, limit - 0.01, limit + 0.01, 0.0), strict=True):
        row[blast], row[lymphocyte] = score, 1 - score
    labels = np.array([blast, lymphocyte, lymphocyte, artefact], np.int32)
    found = gate.figures(rows, labels, about)
    assert (found.blasts, found.called, found.others, found.false_blasts) == (1, 1, 2, 1)
    assert found.accuracy == 0.5
    assert gate.confusion(rows, labels, about) == {
        "blast": {"blast": 1}, "lymphocyte": {"blast": 1, "lymphocyte": 1}, "artefact": {"lymphocyte": 1},
    }  # fmt: skip
    assert gate.record(found, found)["false_blasts_after"] == 1.0


def test_golden_cells(model: Bundle) -> None:
    classifier = Classifier(model)
    features = classifier.features(np.zeros((1, 96, 96, 3), np.uint8)).shape[1]
    none = Correction(
        np.zeros((len(CLASSES), features), np.float32), np.zeros(len(CLASSES), np.float32), {}, "", {}
    )
    changed, cells = gate.golden_changes(model, classifier, none)
    assert changed == 0 < cells
    wild = Correction(
        none.weights, np.where(np.array(CLASSES) == "basophil", 50, 1e-3).astype(np.float32), {}, "", {}
    )
    assert gate.golden_changes(model, classifier, wild)[0] > gate.GOLDEN * cells
    classifier.close()
