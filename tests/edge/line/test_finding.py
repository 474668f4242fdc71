"""The rule case by case, and the words beside the counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.finding import judge
from edge.line.rules import Rules
from edge.types import Apl, Tally
from edge.types.problems import MEND
from tests.conftest import CLASSES

RATES = ErrorRates(Spread(0.85, 0.8, 0.9), Spread(0.003, 0.0, 0.01), "test")
HARSH = ErrorRates(Spread(0.2, 0.01, 0.6), Spread(0.08, 0.002, 0.3), "test")


def _rules(rates: ErrorRates | None = RATES, unit: str = "leukocyte", sign: str = "blast") -> Rules:
    rule = FindingRule(0.05, 0.95, 0.5, "test")
    return Rules(tuple(CLASSES), tuple(CLASSES[:7]), ("blast",) if sign else (), unit, sign, rule, rates)


def _tally(leukocytes: int, positives: int, **more: Any) -> Tally:
    given = {"counts": {}, "frames": 50, "candidates": positives} | more
    return Tally(leukocytes=leukocytes, positives=positives, **given)


@pytest.mark.parametrize(
    ("tally", "kind"),
    [
        (_tally(0, 0), "keep-scanning"),
        (_tally(73, 0), "keep-scanning"),
        (_tally(199, 0), "keep-scanning"),
        (_tally(200, 0), "no-blasts-seen"),
        (_tally(384, 1), "keep-scanning"),
        (_tally(400, 1), "no-blasts-seen"),
        (_tally(400, 12), "keep-scanning"),
        (_tally(3, 1), "keep-scanning"),
        (_tally(400, 4, standing="read-film"), "read-film"),
        (_tally(400, 4, standing="refer"), "refer"),
        (_tally(400, 2, candidates=0, confirmed={"blast": 2}), "read-film"),
        (_tally(400, 2, candidates=1, confirmed={"blast": 1}), "keep-scanning"),
        (_tally(10, 3, candidates=0, confirmed={"blast": 3}), "refer"),
        (_tally(400, 4, standing="read-film", confirmed={"blast": 80}), "refer"),
        (_tally(5, 0, rejected=26), "not-readable"),
        (_tally(5, 0, rejected=25), "keep-scanning"),
        (_tally(100, 20, rejected=49, standing="refer"), "refer"),
        (_tally(0, 0, frames=1, rejected=1), "not-readable"),
    ],
)
def test_rule(tally: Tally, kind: str) -> None:
    said = judge(tally, _rules())
    assert said.kind == kind
    assert said.reason
    assert said.headline


@pytest.mark.parametrize("tally", [_tally(0, 0), _tally(3, 3), _tally(500, 0), _tally(500, 100)])
def test_without_knowing_how_often_it_errs_nothing_is_said(tally: Tally) -> None:
    said = judge(tally, _rules(rates=None))
    assert (said.kind, said.headline) == ("keep-scanning", "COUNTS ONLY")
    assert said.corrected is None
    assert said.cells_needed is None
    assert judge(_tally(9, 2, confirmed={"blast": 2}), _rules(rates=None)).kind == "read-film"


FIELDS = {"unit": "field", "sign": "positive field"}
OTHERS = {"unit": "leukocyte", "sign": "positive leukocyte"}


@pytest.mark.parametrize(
    ("tally", "headline", "reason"),
    [
        (_tally(20, 0), "KEEP SCANNING", "Too few cells to say."),
        (_tally(20, 1), "KEEP SCANNING", "1 blast among 20 leukocytes: too few cells to say."),
        (_tally(300, 4), "KEEP SCANNING", "4 blasts among 300 leukocytes: not decided yet."),
        (
            _tally(100, 20, standing="refer"),
            "REFER",
            "20 blasts among 100 leukocytes: clearly more than 5%, errors allowed for.",
        ),
        (
            _tally(100, 5, standing="read-film"),
            "HAVE THE FILM READ TODAY",
            "5 blasts among 100 leukocytes: more than the model calls falsely.",
        ),
        (
            _tally(484, 1),
            "1 suspicious cell among 484: look at it",
            "1 blast among 484 leukocytes: clearly fewer than 5%.",
        ),
        (_tally(900, 2), "2 suspicious cells among 900: look at them", "2 blasts among 900"),
        (_tally(200, 0), "NO BLASTS SEEN", "0 blasts among 200 leukocytes: clearly fewer than 5%."),
        (_tally(200, 0, **OTHERS), "NONE POSITIVE", "0 positive leukocytes among 200 leukocytes"),
        (_tally(400, 1, **FIELDS), "1 suspicious field among 400: look at it", "1 positive field among 400"),
        (_tally(1, 0, **FIELDS), "KEEP SCANNING", "Too few fields to say."),
        (_tally(5, 0, rejected=26, **FIELDS), "NOT READABLE", "26 of 50 fields could not be read."),
        (
            _tally(38, 0, frames=220),
            "KEEP SCANNING",
            "Only 38 leukocytes in 220 fields: scan the whole film, few can hide blasts.",
        ),
    ],
)
def test_the_words_are_those_of_what_is_counted(tally: Tally, headline: str, reason: str) -> None:
    said = judge(tally, _rules(unit=tally.unit, sign=tally.sign))
    assert said.headline == headline
    assert said.reason.startswith(reason)


def test_what_to_do_is_said_with_what_was_found() -> None:
    clear, one = judge(_tally(200, 0), _rules()), judge(_tally(500, 1), _rules())
    assert clear.advice.startswith("This does not rule out leukemia")
    assert "does not rule out leukemia" in one.advice
    assert "Look at the suspicious cells" in one.advice
    assert "today" in judge(_tally(50, 20, standing="refer"), _rules()).advice
    field = judge(_tally(50, 20, standing="refer", **FIELDS), _rules(unit="field", sign="positive field"))
    assert field.advice.endswith("Look at the suspicious fields in the review.")
    assert "today" in judge(_tally(50, 20, standing="read-film"), _rules()).advice


def test_in_an_unknown_laboratory_more_cells_may_not_help() -> None:
    said = judge(_tally(500, 0), _rules(HARSH))
    assert said.kind == "keep-scanning"
    assert said.cells_needed is None
    assert said.headline == "NOT DECIDED"
    assert "in an unknown laboratory this model errs too often to say more" in said.reason
    assert said.advice == "Have the film read by an expert if the patient is ill."
    some = judge(_tally(500, 30), _rules(replace(HARSH, place="site")))
    assert some.headline == "NOT DECIDED: LOOK AT THE CELLS"
    assert (
        some.reason
        == "30 blasts among 500 leukocytes: this model may overlook too many blasts to rule them out."
    )
    assert some.advice.startswith("Look at the suspicious cells in the review.")


@pytest.mark.parametrize("leukocytes", [0, 1, 500])
def test_without_a_positive_class_nothing_is_ruled_out(leukocytes: int) -> None:
    """A detector that knows no blasts: not one among five hundred cells says nothing."""
    said = judge(_tally(leukocytes, 0, sign=""), _rules(sign=""))
    assert said.kind == "keep-scanning"
    assert said.reason == "This model finds and counts cells; it does not tell blasts apart."
    assert said.cells_needed is None
    unread = judge(_tally(leukocytes, 0, rejected=26, sign=""), _rules(sign=""))
    assert unread.kind == "not-readable"


@pytest.mark.parametrize("trouble", MEND)
def test_advice_follows_the_cause(trouble: str) -> None:
    said = judge(_tally(0, 0, frames=10, rejected=10, trouble=trouble), _rules())
    assert said.kind == "not-readable"
    assert said.advice == MEND[trouble][1]
    assert trouble == "unreadable" or trouble in said.reason


def test_a_slide_without_a_scale_is_not_readable_before_most_fields_are_turned_down() -> None:
    said = judge(_tally(0, 0, frames=20, rejected=1, trouble="scale unknown"), _rules())
    assert said.kind == "not-readable"
    assert (
        judge(_tally(5, 0, frames=20, rejected=1, trouble="scale unknown"), _rules()).kind == "keep-scanning"
    )


@pytest.mark.parametrize("standing", ["refer", "read-film"])
def test_blasts_that_look_like_apl_are_to_be_told_in_the_call(standing: str) -> None:
    said = judge(_tally(100, 20, standing=standing, apl=Apl(1.5, True, 0.1513)), _rules())
    assert said.apl == Apl(1.5, True, 0.1513)
    assert "The blasts may be of APL (promyelocytic): say so in the call" in said.advice
    assert said.advice.endswith("Of other acute leukemias up to 15% look so too.")
    plain = judge(_tally(100, 20, standing=standing, apl=Apl(-1.5, False, 0.1513)), _rules())
    assert plain.apl == Apl(-1.5, False, 0.1513)
    assert said.advice.startswith(plain.advice)
    assert plain.advice == judge(_tally(100, 20, standing=standing), _rules()).advice


def test_apl_is_told_of_a_positive_finding_only() -> None:
    apl = Apl(9.0, True, 0.05)
    for tally in (_tally(20, 1, apl=apl), _tally(500, 1, apl=apl), _tally(5, 0, rejected=26, apl=apl)):
        said = judge(tally, _rules())
        assert said.apl is None
        assert "APL" not in said.advice
    confirmed = judge(_tally(400, 2, candidates=0, confirmed={"blast": 2}, apl=apl), _rules())
    assert confirmed.apl == apl


def test_of_a_specimen_that_the_model_is_not_made_for_it_only_counts() -> None:
    rules = replace(_rules(rates=None), specimen="marrow", made_for=("blood",))
    for tally in (
        _tally(0, 0),
        _tally(300, 100),
        _tally(300, 100, candidates=0, confirmed={"blast": 100}),
    ):
        said = judge(tally, rules)
        assert (said.kind, said.headline) == ("keep-scanning", "COUNTS ONLY")
        assert said.reason == "This model is made for blood; of marrow it counts, and people judge."
        assert said.corrected is None
    assert judge(_tally(5, 0, rejected=26), rules).kind == "not-readable"
