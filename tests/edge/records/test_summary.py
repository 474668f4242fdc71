"""The line that a screening ends with."""

from __future__ import annotations

from dataclasses import replace

from edge.records.summary import Summary
from tests.edge.records.example import FINDING, HEADER, reading


def test_one_slide_is_told_with_its_reason() -> None:
    summary = Summary()
    assert summary.line is None
    summary.start("S-1", HEADER, 0.1)
    summary.finding(reading(0))
    assert summary.line == f"slide S-1: refer. {FINDING.reason}"


def test_of_several_slides_the_findings_are_counted() -> None:
    summary = Summary()
    for kind in ("keep-scanning", "refer", "keep-scanning"):
        summary.start("S", HEADER, 0.1)
        summary.finding(replace(reading(0), finding=replace(FINDING, kind=kind)))
    assert summary.line == "3 slides: 2 keep-scanning, 1 refer"


def test_an_unsigned_model_is_told_with_every_finding() -> None:
    summary = Summary()
    for _ in range(2):
        summary.start("S", replace(HEADER, trusted=False), 0.1)
        summary.finding(reading(0))
        assert str(summary.line).endswith(" (unsigned model: not for patients)")
