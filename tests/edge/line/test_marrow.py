"""Slides of marrow, and slides that look like it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.bundle.manifest import FindingRule
from edge.line import marrow
from edge.line.rules import Rules
from edge.types import Tally
from tests.conftest import CLASSES

RULES = Rules(
    tuple(CLASSES),
    tuple(CLASSES[:7]),
    ("blast",),
    "leukocyte",
    "blast",
    FindingRule(0.05, 0.95, 0.5, "test"),
    made_for=("blood",),
)


@pytest.mark.parametrize(
    ("leukocytes", "erythroblasts", "told"),
    [(45, 5, False), (44, 6, True), (40, 9, False), (200, 20, False), (200, 30, True), (0, 0, False)],
)
def test_many_erythroblasts_in_blood_are_told(leukocytes: int, erythroblasts: int, told: bool) -> None:
    tally = Tally({"erythroblast": erythroblasts}, leukocytes)
    assert (marrow.note(tally, RULES) is not None) == told
    assert marrow.note(tally, replace(RULES, specimen="marrow")) is None


def test_a_bundle_that_knows_no_erythroblasts_says_nothing() -> None:
    few = replace(RULES, classes=RULES.classes[:7])
    assert marrow.note(Tally({}, 100), few) is None


def test_only_a_specimen_that_the_bundle_is_not_made_for_is_strange() -> None:
    assert RULES.strange is None
    of_marrow = replace(RULES, specimen="marrow")
    assert of_marrow.strange == "This model is made for blood; of marrow it counts, and people judge."
    assert replace(of_marrow, made_for=("blood", "marrow")).strange is None
    assert replace(of_marrow, made_for=()).strange is None
    assert Rules.of_record(of_marrow.record()) == of_marrow


def test_rules_kept_before_there_were_specimens_are_of_blood() -> None:
    old = {key: value for key, value in RULES.record().items() if key not in ("specimen", "made_for")}
    assert Rules.of_record(old) == replace(RULES, made_for=())
