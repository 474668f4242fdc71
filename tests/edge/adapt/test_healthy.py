"""Scores of normal cells → threshold and false blasts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adapt import healthy
from edge.adapt.healthy import AIM, HIGHEST, LOWEST, HealthyError, Scores
from edge.bundle.bundle import Bundle
from edge.bundle.manifest import Manifest
from tests.conftest import CLASSES


def scores(values: Any, fields: Any = None, types: Any = None) -> Scores:
    values = np.asarray(values, np.float32)
    n = len(values)
    return Scores(
        values,
        np.array(["neutrophil"] * n) if types is None else np.array(types),
        np.asarray(np.arange(n) if fields is None else fields, np.int32),
        n,
    )


def drawn(rng: np.random.Generator, n: int, middle: float = -5.0, width: float = 0.8) -> np.ndarray:
    """Scores whose logits have an exponential tail."""
    return np.asarray(1 / (1 + np.exp(-(middle + width * rng.gumbel(size=n)))), np.float32)


def test_about_one_in_two_hundred_normal_cells_lies_above() -> None:
    rng = np.random.default_rng(0)
    everything = drawn(rng, 200_000)
    above = [(everything >= healthy.threshold(drawn(rng, 400))).mean() for _ in range(60)]
    assert np.mean(above) == pytest.approx(AIM, rel=0.3)


def test_the_tail_tells_more_than_the_highest_scores() -> None:
    rng = np.random.default_rng(1)
    everything = drawn(rng, 200_000)
    samples = [drawn(rng, 200) for _ in range(60)]
    off = {
        way.__name__: np.mean([abs((everything >= way(one)).mean() - AIM) for one in samples])
        for way in (healthy.threshold, healthy.empirical)
    }
    assert off["threshold"] < off["empirical"]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60))
def test_whatever_the_scores_a_threshold_is_one(values: list[float]) -> None:
    found = healthy.threshold(np.array(values, np.float32))
    assert LOWEST <= found <= HIGHEST
    assert found <= max(max(values) + 0.0011, LOWEST)


def test_a_site_whose_cells_score_high_gets_a_higher_threshold() -> None:
    low, high = (healthy.threshold(drawn(np.random.default_rng(2), 300, middle)) for middle in (-7, -2))
    assert low < 0.1 < high


def test_the_rate_is_of_cells_that_had_no_part_in_the_threshold() -> None:
    values = np.full(250, 0.01, np.float32)
    values[7] = 0.6  # one cell alone: a threshold that has seen it lies above it, one that has not does not
    found = scores(values)
    assert healthy.called(found) == 1
    in_one_field = scores(values, np.repeat(np.arange(50), 5))
    assert healthy.called(in_one_field) == 1


def test_few_fields_are_parted_cell_by_cell() -> None:
    assert healthy.called(scores(drawn(np.random.default_rng(3), 250), np.zeros(250))) <= 10


def test_too_few_cells_say_how_many_more(model: Bundle) -> None:
    with pytest.raises(HealthyError, match="150 leukocytes of the 200 needed: 50 more"):
        healthy.measured(scores(np.full(150, 0.01)), model.manifest, "")


def test_what_is_measured(model: Bundle) -> None:
    values = drawn(np.random.default_rng(4), 400)
    types = ["neutrophil"] * 300 + ["lymphocyte"] * 100
    found = healthy.measured(scores(values, types=types), model.manifest, "here")
    assert found.threshold == healthy.threshold(values)
    assert (found.cells, found.slides, found.source) == (400, 1, "here")
    assert list(found.by_type) == ["neutrophil", "lymphocyte"]
    assert found.by_type["lymphocyte"] == (100, pytest.approx(np.sort(values[300:])[-10:].mean()))
    assert found.false_blasts.low <= found.called / 400 <= found.false_blasts.high


@pytest.mark.parametrize(
    ("told", "wanted"),
    [({"between_slides": 0.08}, 0.08), ({}, healthy.BETWEEN), ({"between_slides": 2}, healthy.BETWEEN)],
)
def test_how_alike_a_slides_cells_are(told: dict[str, float], wanted: float) -> None:
    about = cast(Manifest, SimpleNamespace(everything={"operation": told}))
    assert healthy.between_slides(about) == wanted
    assert healthy.between_slides(cast(Manifest, SimpleNamespace(everything={}))) == healthy.BETWEEN


def test_what_is_no_leukocyte_stays_out_unless_it_might_be_called_a_blast(model: Bundle) -> None:
    rows = np.zeros((4, len(CLASSES)), np.float32)
    kinds = [("neutrophil", 0.001), ("artefact", 0.001), ("smudge-cell", 0.1), ("artefact", 0.9)]
    for row, (kind, blast) in zip(rows, kinds, strict=True):
        row[CLASSES.index("blast")], row[CLASSES.index(kind)] = blast, 1 - blast
    found = Scores.of(rows, [0, 1, 2, 3], model.manifest)
    assert found.types.tolist() == ["neutrophil", "smudge-cell", "artefact"]
    assert found.values.tolist() == pytest.approx([0.001, 0.1, 0.9])
    assert found.leukocytes == 2  # one called so, one called a blast
    assert len(Scores.of(rows[:0], [], model.manifest).values) == 0


def test_what_speaks_against_a_healthy_slide() -> None:
    calm, humped = scores(np.full(300, 0.01)), scores(np.r_[np.full(300, 0.01), np.full(40, 0.95)])
    assert healthy.suspicions(calm, None, "") == []
    assert healthy.suspicions(calm, "keep-scanning", "KEEP SCANNING") == []
    assert healthy.suspicions(calm, "read-film", "HAVE THE FILM READ") == [
        "the finding is HAVE THE FILM READ"
    ]
    assert healthy.suspicions(humped, None, "") == ["12% of the cells score above 0.9, a hump of their own"]
