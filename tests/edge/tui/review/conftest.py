"""A terminal that shows cells, and slides of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.review.review import Review
from tests.edge.tui.review.slides import SLIDE, screened


@pytest.fixture(autouse=True)
def true_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the terminal that the tests are started in."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.fixture(scope="session")
def _screened(made_once: Callable[..., Path]) -> Path:
    return made_once("reviewed", lambda folder: screened(folder / "records.db")) / "records.db"


@pytest.fixture
def store(_screened: Path, tmp_path: Path) -> Path:
    """A record store with a slide of 60 cells, 12 of them suspicious."""
    return Path(shutil.copy(_screened, tmp_path / "records.db"))


@pytest.fixture
def book(store: Path) -> Iterator[Book]:
    with Book(store) as book:
        yield book


@pytest.fixture
def review(book: Book) -> Iterator[Review]:
    """The slide under the eye of AB, who is the first."""
    with Review(book, SLIDE, "AB") as review:
        yield review
