from __future__ import annotations

import numpy as np

from train.data.classes import CLASSES
from train.fitting.operating_point import choose, softmax
from train.recipes.recipe import Operation, Recipe


def _cells(n: int = 4000, sharpness: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are right by a known odds: labels drawn from softmax of the logits themselves."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, len(CLASSES))).astype(np.float32)
    chances = softmax(logits, 1.0).cumsum(axis=1)
    truth = (rng.random((n, 1)) > chances).sum(axis=1).clip(0, len(CLASSES) - 1)
    return (logits * sharpness).astype(np.float32), truth.astype(np.int32)


def _asking(wanted: Operation) -> Recipe:
    return Recipe("n", "t", {"deepapl": 1.0}, operation=wanted)


def test_the_temperature_undoes_overconfidence() -> None:
    logits, truth = _cells()
    point = choose(logits, truth, np.full(len(truth), "one"), _asking(Operation()))
    assert 2.6 < point.temperature < 3.4
    assert point.calibration_error < 0.03


def test_thresholds_keep_what_was_asked() -> None:
    logits, truth = _cells()
    wanted = Operation(specificity=0.97, abstain=0.05, certain_false=0.002)
    point = choose(logits, truth, np.full(len(truth), "one"), _asking(wanted))
    p = softmax(logits, point.temperature)
    blast = p[:, CLASSES.index("blast")]
    negative = truth != CLASSES.index("blast")
    assert 0.97 <= (blast[negative] < point.positive).mean() < 0.98
    assert (blast[negative] >= point.certain).mean() <= 0.002
    assert point.positive <= point.certain
    called = blast >= point.positive
    others = np.delete(p, CLASSES.index("blast"), axis=1).max(axis=1)
    assert abs((others[~called] < point.confidence).mean() - 0.05) < 0.01


def test_the_specificity_asked_for_is_that_of_the_cells_that_count() -> None:
    logits, truth = _cells()
    recipe = _asking(Operation(specificity=0.9, abstain=0.3))
    point = choose(logits, truth, np.full(len(truth), "one"), recipe)
    assert point.positive < point.confidence  # and still no blast is left undecided
    calls = point.calls(logits, recipe)
    as_blasts = (calls.classes == 0) & ~calls.uncertain
    assert 0.9 <= 1 - as_blasts[truth != 0].mean() < 0.91
    assert calls.uncertain.mean() <= 0.3


def test_rounding_leaves_no_cell_undecided_that_was_not_to_be() -> None:
    truth = np.zeros(60, np.int32)
    logits = np.zeros(
        (60, len(CLASSES)), np.float32
    )  # 1/11 for every class: .091 would leave all of them out
    recipe = _asking(Operation(positive=0.5, abstain=0.05))
    point = choose(logits, truth, np.full(60, "one"), recipe)
    assert not point.calls(logits, recipe).uncertain.any()


def test_nothing_is_undecided_where_every_cell_is_called_a_blast() -> None:
    logits, truth = _cells(400)
    recipe = _asking(Operation(positive=0.0001))
    point = choose(logits + np.eye(len(CLASSES))[0] * 99, truth, np.full(400, "one"), recipe)
    assert point.confidence == 0


def test_a_small_laboratory_counts_as_much_as_a_large_one() -> None:
    """A large one whose other cells look like blasts and a small one whose do not: the mean is asked for."""
    rng = np.random.default_rng(1)
    blast, other = CLASSES.index("blast"), CLASSES.index("lymphocyte")
    names = np.array(["hard"] * 3596 + ["easy"] * 400 + ["tiny"] * 4)
    truth = np.where(np.arange(4000) % 4 == 0, blast, other).astype(np.int32)
    logits = np.full((4000, len(CLASSES)), -9.0, np.float32)
    logits[:, other] = 0.0
    logits[:, blast] = np.where(truth == blast, 3.0, np.where(names == "hard", -1.0, -6.0)) + rng.normal(
        0, 1, 4000
    )
    point = choose(logits, truth, names, _asking(Operation(specificity=0.95)))
    called = softmax(logits, point.temperature)[:, blast] >= point.positive
    hard, easy = (1 - called[(truth == other) & (names == name)].mean() for name in ("hard", "easy"))
    assert easy == 1
    assert 0.895 < hard < 0.91


def test_what_a_recipe_fixes_is_not_chosen() -> None:
    logits, truth = _cells()
    point = choose(
        logits, truth, np.full(len(truth), "one"), _asking(Operation(positive=0.5, temperature=1.5))
    )
    assert (point.temperature, point.positive) == (1.5, 0.5)
