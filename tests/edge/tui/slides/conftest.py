"""A record store with a slide in every state, at fixed times, and a screen to look at it on."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from edge.machine import clock
from edge.machine.clock import Moment
from edge.records.book import Book
from edge.records.people import About
from edge.records.store import Store
from tests.edge.records.example import HEADER
from tests.edge.tui.fake_screening import CLASSES, COUNTS, NEGATIVE, RULES, reading

ARABIC = "شريحة-٤٢"
_FEW = (1, 0, 20, 3, 11, 1, 0, 0, 4, 1, 0)
_FIRST = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A true-colour terminal, and a clock that goes on by a minute whenever somebody looks at it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    minutes = count()

    def now(root: Path = Path("/")) -> Moment:
        passed = next(minutes)
        return Moment(_FIRST + timedelta(minutes=passed), 60.0 * passed, 60.0 * passed, "this boot", "ntp")

    monkeypatch.setattr(clock, "now", now)
    monkeypatch.setattr(clock, "boot_id", lambda root=Path("/"): "this boot")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Six slides, four of them of patient P-7; S-6 is under way in this program."""
    path = tmp_path / "records.db"
    screened(path, "S-1", "P-7", NEGATIVE)
    screened(path, "S-2", "P-7", COUNTS)
    screened(path, "S-3", "P-7", COUNTS, age=4, sex="female")
    screened(path, ARABIC, "مريض-٧", COUNTS)
    screened(path, "S-5", "P-8", _FEW, finishes=False)
    with sqlite3.connect(path) as database:  # the program that screened it is gone
        database.execute("UPDATE slides SET process = '1:0' WHERE id = 'S-5'")
    screened(path, "S-6", None, _FEW, finishes=False)
    with Book(path) as book:
        book.note("S-3", "AB", note="thick film, stained anew")
        book.sign("S-1", "CD")
    return path


def screened(
    path: Path,
    slide: str,
    patient: str | None = None,
    counts: tuple[int, ...] = COUNTS,
    *,
    finishes: bool = True,
    age: int | None = None,
    sex: str | None = None,
) -> None:
    """A slide of one field that is said to have counted so much."""
    one = reading(counts=counts)
    header = replace(HEADER, classes=CLASSES, rules=RULES.record())
    with Store(path) as store:
        store.begin_slide(slide, header, about=About(patient, age, sex))
        store.add(one)
        store.flush()
        if finishes:
            store.finish_slide(one.finding, one.tally)
