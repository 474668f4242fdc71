"""Cells counted one by one, people's words above the machine's, and what stands of a positive finding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.finding import judge
from edge.line.ledger import Ledger, agreed
from edge.line.rules import Rules
from edge.types import Said
from tests.conftest import CLASSES

RATES = ErrorRates(Spread(0.85, 0.8, 0.9), Spread(0.003, 0.0, 0.01), "test")
RULES = Rules(
    tuple(CLASSES), tuple(CLASSES[:7]), ("blast",), "leukocyte", "blast",
    FindingRule(0.05, 0.95, 0.5, "test"), RATES,
)  # fmt: skip
NOW = "2026-01-02T03:04:05.000+00:00"


def counted(*names: str, rules: Rules = RULES) -> Ledger:
    ledger = Ledger(rules)
    add(ledger, 0, names)
    return ledger


def add(ledger: Ledger, first: int, names: Sequence[str]) -> None:
    ids = np.arange(first, first + len(names), dtype=np.int32)
    ledger.count(ids, np.array([CLASSES.index(name) for name in names], np.int32))


def say(cell: int, named: str | None, by: str = "AB") -> Said:
    return Said(cell, by, named, NOW)


def test_what_is_no_leukocyte_is_counted_beside_them() -> None:
    tally = counted(
        "blast", "neutrophil", "erythroblast", "platelet", "smudge-cell", "artefact", "blast"
    ).tally()
    assert (tally.leukocytes, tally.positives, tally.candidates) == (3, 2, 2)
    assert tally.counts["platelet"] == 1
    assert tally.counts["monocyte"] == 0


def test_a_persons_word_stands_above_the_machines() -> None:
    ledger = counted("blast", "neutrophil", "platelet")
    ledger.hear([say(0, "lymphocyte"), say(1, "neutrophil"), say(2, "blast")])
    tally = ledger.tally()
    assert (tally.leukocytes, tally.positives, tally.candidates, tally.overruled) == (3, 1, 0, 1)
    assert tally.confirmed == {"lymphocyte": 1, "neutrophil": 1, "blast": 1}
    assert ledger.word(0) == "lymphocyte"
    ledger.hear([say(0, None), say(2, None)])
    assert (ledger.tally().positives, ledger.tally().candidates, ledger.word(0)) == (1, 1, None)


def test_a_cell_that_only_a_person_named_counts() -> None:
    ledger = counted("neutrophil")
    ledger.hear([say(9, "blast")])
    tally = ledger.tally(uncertain=3)
    assert (tally.leukocytes, tally.positives, tally.uncertain) == (2, 1, 2)


def test_people_who_differ_leave_the_machines_word() -> None:
    ledger = counted("blast")
    ledger.hear([say(0, "lymphocyte", "AB"), say(0, "blast", "CD")])
    tally = ledger.tally()
    assert (tally.positives, tally.candidates, dict(tally.confirmed)) == (1, 1, {})


@pytest.mark.parametrize(
    ("names", "word"),
    [
        ([], None),
        (["blast"], "blast"),
        (["blast", "blast"], "blast"),
        (["blast", "monocyte"], None),
        (["lymphocyte", "monocyte"], "monocyte"),  # they agree that it is no blast
    ],
)
def test_agreed(names: list[str], word: str | None) -> None:
    assert agreed(names, ("blast",)) == word


def test_a_positive_finding_stands_until_a_person_takes_its_cells_away() -> None:
    ledger = counted(*["neutrophil"] * 10, *["blast"] * 6)
    assert ledger.tally().standing == "refer"
    add(ledger, 16, ["neutrophil"] * 1500)
    assert judge(ledger.tally(), RULES).kind == "refer"
    ledger.hear([say(cell, "lymphocyte") for cell in (10, 11)])
    assert ledger.tally().standing is not None  # four are left
    ledger.hear([say(cell, "lymphocyte") for cell in range(12, 16)])
    assert judge(ledger.tally(), RULES).kind == "no-blasts-seen"


def test_what_was_said_is_weighed_as_if_the_machine_had_said_it() -> None:
    """Frame by frame or at once, words before or after: the same tally."""
    rng = np.random.default_rng(5)
    names = [str(name) for name in rng.choice(["blast", "neutrophil", "platelet"], 200, p=[0.04, 0.9, 0.06])]
    words = [say(int(cell), "neutrophil") for cell in rng.choice(200, 20, replace=False)]
    at_once = counted(*names)
    at_once.hear(words)
    by_frames = Ledger(RULES)
    by_frames.hear(words)
    for first in range(0, 200, 7):
        add(by_frames, first, names[first : first + 7])
    assert by_frames.tally() == at_once.tally()


def test_two_confirmed_blasts_are_enough_to_have_the_film_read() -> None:
    ledger = counted(*["neutrophil"] * 300, "blast", "blast")
    assert judge(ledger.tally(), RULES).kind == "keep-scanning"
    ledger.hear([say(300, "blast")])
    one = judge(ledger.tally(), RULES)
    assert (one.kind, one.reason) == ("keep-scanning", "1 blast confirmed by people. One more decides.")
    ledger.hear([say(301, "blast")])
    two = judge(ledger.tally(), RULES)
    assert (two.kind, two.reason) == ("read-film", "2 blasts confirmed by people among 302 leukocytes.")


def test_a_fifth_confirmed_refers() -> None:
    rules = Rules(**{**vars(RULES), "rates": None})
    ledger = counted(*["neutrophil"] * 8, *["blast"] * 2, rules=rules)
    ledger.hear([say(8, "blast"), say(9, "blast")])
    assert judge(ledger.tally(), rules).kind == "read-film"  # two are no fifth of anything
    add(ledger, 10, ["blast"])
    ledger.hear([say(10, "blast")])
    assert judge(ledger.tally(), rules).kind == "refer"


def test_rules_are_read_again_from_the_records() -> None:
    assert Rules.of_record(RULES.record()) == RULES
    nothing = Rules(**{**vars(RULES), "rates": None})
    assert Rules.of_record(nothing.record()) == nothing
    with pytest.raises(ValueError, match=r"rules\.rule\.refer_fraction is missing"):
        Rules.of_record(RULES.record() | {"rule": {}})
