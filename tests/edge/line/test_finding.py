"""The interval against published values, and the rule case by case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.bundle import FindingRule, Manifest
from edge.line import finding
from edge.types import Tally
from tests.conftest import CLASSES, graph

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


def _tally(leukocytes: int, positives: int, **more: Any) -> Tally:
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


FIELDS = {"unit": "field", "sign": "positive field"}
OTHERS = {"unit": "leukocyte", "sign": "positive leukocyte"}


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (_tally(20, 0), "Too few cells to say: about 53 more leukocytes are needed."),
        (_tally(100, 20), "20 blasts among 100 leukocytes: clearly more than 5%. Refer the patient"),
        (_tally(30, 30), "30 blasts among 30 leukocytes"),
        (_tally(50, 3, certain_positives=3), "3 certain blasts in only 50 leukocytes. Refer"),
        (_tally(200, 1), "1 blast among 200 leukocytes: clearly fewer than 5%."),
        (_tally(30, 20, **FIELDS), "20 positive fields among 30 fields: clearly more than 5%. Refer"),
        (_tally(100, 0, **FIELDS), "0 positive fields among 100 fields: clearly fewer than 5%."),
        (_tally(1, 0, **FIELDS), "Too few fields to say: about 72 more fields are needed."),
        (_tally(40, 3, certain_positives=3, **FIELDS), "3 certain positive fields in only 40 fields. Refer"),
        (_tally(100, 20, **OTHERS), "20 positive leukocytes among 100 leukocytes: clearly more than 5%."),
        (_tally(5, 0, rejected=26, **FIELDS), "26 of 50 fields could not be read."),
    ],
)
def test_the_words_are_those_of_what_is_counted(tally: Tally, words: str) -> None:
    assert words in finding.judge(tally, RULE).reason


@pytest.mark.parametrize("leukocytes", [0, 1, 500])
def test_without_a_positive_class_nothing_is_ruled_out(leukocytes: int) -> None:
    """A detector that knows no blasts: not one among five hundred cells says nothing."""
    said = finding.judge(_tally(leukocytes, 0, sign=""), RULE)
    assert said.kind == "keep-scanning"
    assert said.reason == "This model finds and counts cells; it does not tell blasts apart."
    assert said.cells_needed is None
    unread = finding.judge(_tally(leukocytes, 0, rejected=26, sign=""), RULE)
    assert unread.kind == "not-readable"


def test_other_classes_are_counted_as_their_bundle_has_them(make_bundle: Callable[..., Path]) -> None:
    names = ["benign", "early", "pre", "pro", "glass"]
    given = {"classes": names, "leukocytes": names[:4], "positive": names[1:4]}
    about = bundle.load(make_bundle(graph=graph(len(names)), **given), allow_unsigned=True).manifest
    start = Tally(counts=dict.fromkeys(names, 0), unit=about.unit, sign=about.sign)
    tally = finding.count(
        start, about, np.array([0, 1, 3, 3, 4], np.int32), np.array([True, True, False, True, True])
    )
    assert tally.counts == {"benign": 1, "early": 1, "pre": 0, "pro": 2, "glass": 1}
    assert (tally.leukocytes, tally.positives, tally.certain_positives) == (4, 3, 2)
    assert tally.summary == "4 leukocytes, 3 positive leukocytes"
    assert Tally(counts={}, leukocytes=7, sign="").summary == "7 leukocytes"
