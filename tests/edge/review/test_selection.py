"""Slides chosen by text, dates, finding and state."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path
from typing import get_args

import pytest

from edge.records.book import Book
from edge.records.states import State
from edge.review import selection
from edge.types import FindingKind
from tests.edge.records.slides import screened


def chosen(path: Path, *flags: str) -> list[str]:
    parser = argparse.ArgumentParser()
    selection.add_to(parser)
    asked = selection.Selection.of(parser.parse_args(flags))
    with Book(path, reads_only=True) as book:
        return [slide["id"] for slide in asked.slides(book)]


def test_slides_are_chosen_by_dates_findings_and_states(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    screened(path, ["blast"] * 3, "sick")
    screened(path, ["lymphocyte"] * 3, "well")
    screened(path, ["lymphocyte"] * 3, "cut", finish=False)
    with sqlite3.connect(path) as other:  # as if that program were gone
        other.execute("UPDATE slides SET process = NULL WHERE id = 'cut'")
    with Book(path) as book:
        book.sign("sick", "AB")
        findings = {name: book.found(name)["finding"] for name in ("sick", "well")}
        day = book.found("sick")["started_at"][:10]
    assert sorted(chosen(path)) == ["cut", "sick", "well"]
    assert chosen(path, "--state", "signed") == ["sick"]
    assert chosen(path, "--state", "finished") == ["well"]
    assert chosen(path, "--search", "wel") == ["well"]
    assert set(chosen(path, "--finding", findings["sick"])) >= {"sick"}
    # of one that was cut off by what it had come to
    assert "cut" in chosen(path, "--finding", findings["well"])
    assert len(chosen(path, "--since", day, "--until", day)) == 3
    assert chosen(path, "--until", "2020-01-01") == []
    assert chosen(path, "--since", "2999-01-01") == []


def test_a_wrong_date_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        chosen(Path(), "--since", "yesterday")
    assert "yesterday is no date like 2026-11-30" in capsys.readouterr().err


def test_the_choices_are_those_that_there_are() -> None:
    assert get_args(FindingKind) == selection.FINDINGS
    assert get_args(State) == selection.STATES
