"""The interval against published values, and the rule case by case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge import bundle, finding
from edge.bundle import FindingRule, Manifest
from edge.types import Tally
from tests.conftest import CLASSES

RULE = FindingRule(0.05, 0.95, 3, 100, 0.5, "test")


@pytest.fixture
def about(make_bundle: Callable[..., Path]) -> Manifest:
    return bundle.load(make_bundle(), allow_unsigned=True).manifest


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe, Statist Med 1998;17:857-872, table I, method 3 (score, no continuity correction)
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval(k: int, n: int, low: float, high: float) -> None:
    assert finding.wilson_interval(k, n) == pytest.approx((low, high), abs=5e-5)


def _tally(leukocytes: int, positives: int, **more: int) -> Tally:
    return Tally(counts={}, leukocytes=leukocytes, positives=positives, frames=more.pop("frames", 50), **more)


@pytest.mark.parametrize(
    ("tally", "kind"),
    [
        (_tally(0, 0), "keep-scanning"),
        (_tally(72, 0), "keep-scanning"),
        (_tally(73, 0), "no-blasts-seen"),
        (_tally(200, 4), "keep-scanning"),
        (_tally(100, 20), "refer"),
        (_tally(50, 3, certain_positives=3), "refer"),
        (_tally(50, 3, certain_positives=2), "keep-scanning"),
        (_tally(100, 3, certain_positives=3), "keep-scanning"),
        (_tally(5, 0, rejected=26), "not-readable"),
        (_tally(5, 0, rejected=25), "keep-scanning"),
        (_tally(100, 20, rejected=49), "refer"),
        (_tally(0, 0, frames=1, rejected=1), "not-readable"),
    ],
)
def test_rule(tally: Tally, kind: str) -> None:
    said = finding.judge(tally, RULE)
    assert said.kind == kind
    assert said.reason


@pytest.mark.parametrize(("k", "n"), [(0, 0), (0, 30), (2, 60), (6, 60), (1, 40)])
def test_the_cells_asked_for_are_enough_and_not_too_many(k: int, n: int) -> None:
    needed = finding.cells_needed(k, n, RULE)
    assert needed is not None

    def decided(total: int) -> bool:
        low, high = finding.wilson_interval(round((k / n if n else 0) * total), total)
        return low > 0.05 or high < 0.05

    assert decided(n + needed)
    assert needed == 1 or not decided(n + needed - 2)


def test_a_fraction_at_the_limit_is_never_decided() -> None:
    assert finding.cells_needed(5, 100, RULE) is None
    assert "many more" in finding.judge(_tally(100, 5), RULE).reason


def test_counting_leaves_out_what_is_no_leukocyte(about: Manifest) -> None:
    names = ["blast", "neutrophil", "erythroblast", "platelet", "smudge-cell", "artefact", "blast"]
    classes = np.array([CLASSES.index(name) for name in names], np.int32)
    certain = np.array([True] + [False] * 6)
    tally = finding.count(Tally(counts=dict.fromkeys(CLASSES, 0)), about, classes, certain)
    assert (tally.leukocytes, tally.positives, tally.certain_positives) == (3, 2, 1)
    assert tally.counts["platelet"] == 1
    assert finding.in_differential(classes, about).tolist() == [True, True, False, False, False, False, True]
