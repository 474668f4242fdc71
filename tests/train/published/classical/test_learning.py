"""The machines behind the methods give what scikit-learn gives, and probabilities that mean something."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from train.published.classical import ClassicalError
from train.published.classical.forest import Forest
from train.published.classical.svm import Svm

NAMES = ("a", "b", "c")


def cloud(classes: int, each: int = 40, apart: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, classes and groups of overlapping clouds."""
    rng = np.random.default_rng(5)
    truth = np.repeat(np.arange(classes, dtype=np.int32), each)
    features = rng.normal(size=(len(truth), 4)) * 5 + 10
    features[:, 0] += apart * 5 * truth
    return features, truth, np.array([f"g{i % 5}" for i in range(len(truth))])


@pytest.mark.parametrize("classes", [2, 3])
def test_the_machine_tells_clouds_apart_and_knows_how_well(classes: int) -> None:
    features, truth, groups = cloud(classes, each=150)
    machine = Svm.fit(features, truth, groups, NAMES[:classes], seed=1)
    found = machine.probabilities(features)
    right = found.argmax(axis=1) == truth
    assert right.mean() > 0.75
    assert found.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.12)


def test_a_bent_border_is_learned() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(300, 2))
    truth = (np.hypot(*features.T) > 1.2).astype(np.int32)
    groups = np.array([f"g{i % 6}" for i in range(len(truth))])
    machine = Svm.fit(features, truth, groups, NAMES[:2], seed=1)
    fresh = rng.normal(size=(300, 2))
    called = machine.probabilities(fresh).argmax(axis=1)
    assert (called == (np.hypot(*fresh.T) > 1.2)).mean() > 0.93


def test_rare_classes_are_not_thought_rare() -> None:
    features, truth, groups = cloud(2, each=150)
    kept = (truth == 0) | (np.arange(len(truth)) % 6 == 0)
    machine = Svm.fit(features[kept], truth[kept], groups[kept], NAMES[:2], seed=1)
    assert machine.probabilities(features)[:, 1].mean() == pytest.approx(0.5, abs=0.1)


def test_a_machine_needs_cells_it_did_not_learn() -> None:
    features, truth, _ = cloud(2)
    groups = np.where(truth == 0, "g0", "g1")
    with pytest.raises(ClassicalError, match=r"class a: .* too few groups"):
        Svm.fit(features, truth, groups, NAMES[:2], seed=1)


def test_the_forest_answers_as_the_one_it_was_taken_from() -> None:
    features, truth, _ = cloud(3)
    features = features.astype(np.float32)
    grown = RandomForestClassifier(300, min_samples_leaf=2, class_weight="balanced", random_state=7)
    theirs = grown.fit(features, truth).predict_proba(features)
    assert Forest.fit(features, truth, seed=7).probabilities(features) == pytest.approx(theirs, abs=1e-5)
