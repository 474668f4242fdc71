"""How often a model errs, as a manifest tells it and as the records keep it."""

from __future__ import annotations

from edge.bundle import bundle
from edge.bundle.operation import ErrorRates, Spread
from edge.files.strictjson import Table
from edge.line.rules import Rules

PLAIN = ErrorRates(Spread(0.3, 0.1, 0.6), Spread(0.1, 0.0, 0.4), "left out")
AT_SITE = ErrorRates(PLAIN.sensitivity, PLAIN.false_blasts, "left out", "laboratories", Spread(0.7, 0.5, 0.9))


def test_a_record_of_rates_is_read_again() -> None:
    for rates in (PLAIN, AT_SITE):
        assert ErrorRates.of(Table(rates.record())) == rates
    assert "at_site" not in PLAIN.record()
    assert AT_SITE.record()["at_site"] == {"sensitivity": {"mean": 0.7, "low": 0.5, "high": 0.9}}


def test_rules_keep_them_for_when_the_slide_is_judged_again() -> None:
    about = bundle.load(bundle.shipped_path()).manifest
    for rates in (PLAIN, AT_SITE):
        rules = Rules.of(about, rates)
        assert Rules.of_record(rules.record()) == rules


def test_the_shipped_table_is_of_other_laboratories() -> None:
    about = bundle.load(bundle.shipped_path()).manifest
    assert about.operation is not None
    assert about.operation.place == "laboratories"
