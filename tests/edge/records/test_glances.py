"""Slides at a glance say what the long list says."""

from __future__ import annotations

from pathlib import Path

from edge.records.book import Book
from edge.records.store import Store
from tests.edge.records.example import HEADER
from tests.edge.records.slides import screened


def test_a_glance_agrees_with_the_whole_row(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    screened(path, ["blast"] * 6 + ["lymphocyte"] * 10, "S-1")
    screened(path, ["lymphocyte"] * 5, "S-2", finish=False)
    with Book(path) as book:
        book.note("S-1", "ab", patient="P-7", age=4)
        book.note("S-1", "cd", patient="P-8")
        book.say("S-1", [1, 2], "blast", "ab")
        book.sign("S-1", "cd")
        glances, rows = book.glances(), book.listed()
        assert [one.slide for one in glances] == [row["id"] for row in rows] == ["S-2", "S-1"]
        for one, row in zip(glances, rows, strict=True):
            assert (one.patient, one.finding, one.headline) == (
                row["patient"],
                row["finding"],
                row["headline"],
            )
            assert (one.state, one.signed_by) == (row["state"], row["signed_by"])
            assert one.started == (row["started_at"], row["clock"])
        assert glances[1].cells == rows[1]["cells_counted"]
        assert glances[0].cells is None
        for word in ("s-1", "p-8", "refer", "ab", "cd"):
            assert word in glances[1].searched
        assert "p-7" not in glances[1].searched


def test_only_the_newest_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with Store(path) as store:
        for i in range(5):
            store.begin_slide(f"S-{i}", HEADER)
    with Book(path, reads_only=True) as book:
        assert [one.slide for one in book.glances(2)] == ["S-4", "S-3"]
        assert book.holds("S-0")
        assert not book.holds("S-5")


def test_no_slides(tmp_path: Path) -> None:
    Store(tmp_path / "records.db").close()
    with Book(tmp_path / "records.db") as book:
        assert book.glances() == []
