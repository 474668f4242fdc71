"""What tests of the custody share: a command to run, and stores of a few slides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge import slides
from edge.machine.profile import data_folder
from edge.records.book import Book
from tests.edge.records.slides import screened

Run = Callable[..., tuple[int, str, str]]

NAMED = ["blast", "blast", "lymphocyte", "artefact", *["lymphocyte"] * 8]


def filled(path: Path, *names: str) -> Path:
    """A store with these slides, of which people said something."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        screened(path, NAMED, name)
        with Book(path) as book:
            book.note(name, "AB", patient=f"P-{name}", note="pale")
            book.say(name, [1, 2], "lymphocyte", "AB")
    return path


@pytest.fixture(scope="session")
def _two(made_once: Callable[..., Path]) -> Path:
    return made_once("two slides", lambda folder: filled(folder / "records.db", "s", "t")) / "records.db"


@pytest.fixture
def records(_two: Path) -> Path:
    """The default store, with slides s and t."""
    path = data_folder() / "records.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_two.read_bytes())
    path.chmod(0o600)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `edge-slides`: exit status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = slides.main(list(map(str, arguments)))
        except SystemExit as wrong_usage:
            status = int(str(wrong_usage.code))
        out, error = capsys.readouterr()
        return status, out, error

    return run
