"""The slide that all tests of pages report on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.report.report import Report
from tests.edge.report.pages import slide


@pytest.fixture
def records(made_once: Callable[..., Path]) -> Path:
    """The record store with the slide, to read only."""
    return made_once("slide of pages", slide.write) / "records.db"


@pytest.fixture
def report(records: Path) -> Iterator[Report]:
    with Book(records, reads_only=True) as book:
        yield slide.report(book)
