from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edge.types import F32
from train.data.classes import CLASSES, LEUKOCYTES
from train.judging import threshold
from train.judging.leftout import LeftOutError, Unseen

ABOUT = cast(
    Any,
    SimpleNamespace(
        positive_indices=(0,),
        positive=("blast",),
        leukocytes=LEUKOCYTES,
        thresholds=SimpleNamespace(positive=0.3),
    ),
)


def _unseen(name: str, labels: list[str], scores: F32) -> Unseen:
    probabilities = np.zeros((len(scores), len(CLASSES)), np.float32)
    probabilities[:, 0], probabilities[:, 2] = scores, 1 - scores
    texts = np.array(labels)
    return Unseen(cast(Any, SimpleNamespace(name=name)), texts, texts, probabilities)


def _scores(high: int, of: int = 100, score: float = 0.6) -> F32:
    """So many cells at `score`, the others at nothing."""
    scores = np.full(of, 0.01, np.float32)
    scores[:high] = score
    return scores


def test_the_mean_over_laboratories_decides() -> None:
    assert threshold.lowest({"a": _scores(2), "b": _scores(0)}) == 0.02
    assert threshold.lowest({"a": _scores(2), "b": _scores(1)}) == pytest.approx(0.601, abs=0.0011)


def test_and_so_does_the_worst_one() -> None:
    others = {str(i): _scores(0) for i in range(9)}
    assert threshold.lowest(others | {"bad": _scores(3)}) == 0.02
    assert threshold.lowest(others | {"bad": _scores(4)}) == pytest.approx(0.601, abs=0.0011)


def test_a_laboratory_has_no_say_in_what_it_is_judged_by() -> None:
    told = {"a": _scores(0), "bad": _scores(9)}
    assert threshold.lowest(told, without="bad") == 0.02
    assert threshold.lowest(told, without="a") > 0.6


def test_no_threshold_is_high_enough() -> None:
    with pytest.raises(LeftOutError, match="more than 3%"):
        threshold.lowest({"a": _scores(9, score=0.99)})
    with pytest.raises(LeftOutError, match="no healthy laboratory"):
        threshold.lowest({"a": _scores(0)}, without="a")


def test_only_healthy_laboratories_with_enough_leukocytes_have_a_say() -> None:
    answers = [
        _unseen("ill", ["blast"] * 10 + ["neutrophil"] * 90, _scores(10)),
        _unseen("few", ["neutrophil"] * 20 + ["artefact"] * 80, _scores(10)),
        _unseen("healthy", ["no-blast"] * 60 + ["lymphocyte"] * 20 + ["platelet"] * 20, _scores(1)),
    ]
    told = threshold.healthy(answers, ABOUT)
    assert list(told) == ["healthy"]
    assert len(told["healthy"]) == 80
    (line,) = threshold.lines(told, ABOUT)
    assert line.startswith("threshold that healthy laboratories left out can bear: 0.60")
    assert line.endswith("(the bundle's is 0.3)")
