"""What a server has yet to get, whatever clocks say, and wherever slides and answers are kept."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.custody.merge import merge, opened
from edge.custody.repair import repair
from edge.custody.verify import Inspection
from edge.machine import clock
from edge.records.book import Book
from edge.records.outbox import Age, Outbox
from edge.records.store import Store
from tests.edge.records.example import FINDING, HEADER, TALLY
from tests.edge.records.slides import screened
from tests.edge.records.test_migrations import version_2

URL = "https://fhir.example/r4"
CALM = ["lymphocyte"] * 3


def accept(path: Path, *slides: str, outcome: str = "accepted") -> None:
    with Outbox(path) as book:
        for due in book.due(URL):
            if not slides or due.slide in slides:
                book.answered(due, URL, outcome, 200, "", 1000)  # type: ignore[arg-type]


def due(path: Path) -> list[str]:
    with Outbox(path, reads_only=True) as book:
        return [one.slide for one in book.due(URL)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for name in ("s", "t"):
        screened(tmp_path / "records.db", CALM, name)
    return tmp_path / "records.db"


def test_a_store_of_an_older_version_is_all_to_be_sent(tmp_path: Path) -> None:
    old = version_2(tmp_path)
    assert due(old) == ["old"]
    accept(old)
    assert due(old) == []
    with Book(old) as book:
        book.say("old", [1], "lymphocyte", "AB")
    assert due(old) == ["old"]


def test_answers_are_only_added_to_and_are_no_part_of_a_slide(path: Path) -> None:
    with Book(path) as book:
        before = book.checksum("s")
    accept(path)
    with Book(path) as book:
        assert book.checksum("s") == before
    with sqlite3.connect(path) as other:
        for change in ("UPDATE outbox SET status = 1", "DELETE FROM outbox"):
            with pytest.raises(sqlite3.Error, match="outbox is only added to"):
                other.execute(change)


def test_an_answer_that_is_not_as_it_was_written_is_found_out(path: Path) -> None:
    accept(path)
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER outbox_update")
        other.execute("UPDATE outbox SET revision = 'x' WHERE slide = 's'")
    with Inspection(path) as records:
        (failure,) = records.slide("s").failures
        assert "row 1 of outbox: is not as the sending left it" in failure.what
        assert records.slide("t").failures == ()


def test_long_reasons_are_cut_and_kept_in_one_line(path: Path) -> None:
    with Outbox(path) as book:
        one = book.due(URL)[0]
        book.answered(one, URL, "refused", 422, "why\n" * 1000, 1)
        (again, _) = book.due(URL)
    assert again.refused is not None
    assert again.refused.reason.startswith("why why why")
    assert len(again.refused.reason) == 500


def test_what_was_sent_from_there_need_not_go_from_here(path: Path, tmp_path: Path) -> None:
    """Of slides that come over; of one that is here already nobody could tell which store sent it last."""
    accept(path, "s")
    here = tmp_path / "here.db"
    with opened(path, here) as other:
        assert merge(other, here, lambda *_: None).added == ["s", "t"]
    assert due(here) == ["t"]
    accept(path, "t")
    with opened(path, here) as other:
        assert merge(other, here, lambda *_: None).same == ["s", "t"]
    assert due(here) == ["t"]
    accept(here)
    with Outbox(here, reads_only=True) as book:
        assert book._rows("SELECT count(*) AS n FROM outbox") == [{"n": 2}]
    with Book(here) as book:
        book.note("s", "AB", note="pale")
    assert due(here) == ["s"]
    assert due(path) == []


def test_a_repaired_store_knows_what_was_sent(path: Path) -> None:
    accept(path, "s")
    accept(path, "t", outcome="refused")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    repaired = repair(path, lambda *_: None)
    assert repaired.saved["outbox"] == 2
    with Outbox(path, reads_only=True) as book:
        (one,) = book.due(URL)
        assert (one.slide, one.refused is not None) == ("t", True)


# -- clocks --------------------------------------------------------------------------------------------------


def test_the_order_and_the_age_rest_on_no_wall_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that falls back to 1970 between two slides."""
    path = tmp_path / "records.db"
    real = clock.now()
    for name, utc, boot_s in (
        ("first", datetime(2031, 1, 1, tzinfo=UTC), 1000.0),
        ("second", datetime(1970, 1, 1, tzinfo=UTC), 2000.0),
    ):
        moment = replace(real, utc=utc, boot_s=boot_s, voucher="")
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", lambda root=None, moment=moment: moment)
            with Store(path) as store:
                store.begin_slide(name, HEADER)
                store.finish_slide(FINDING, TALLY)
    with Outbox(path, reads_only=True) as book:
        found = book.due(URL)
        assert [one.slide for one in found] == ["first", "second"]
        now = replace(real, utc=datetime(1999, 1, 1, tzinfo=UTC), boot_s=5000.0, voucher="")
        assert [one.age(now) for one in found] == [Age(4000.0), Age(3000.0)]
        # after another boot, whose clock nobody vouches for, either
        assert found[0].age(replace(now, boot_id="next", boot_s=60.0)) == Age(60.0, at_least=True)


def test_times_that_a_clock_puts_right_later_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "records.db"
    real = clock.now()
    wrong = replace(real, utc=datetime(1970, 1, 1, tzinfo=UTC), boot_s=100.0, voucher="")
    right = replace(real, utc=datetime(2027, 1, 1, tzinfo=UTC), boot_s=900.0, voucher="ntp")
    monkeypatch.setattr(clock, "now", lambda root=None: wrong)
    screened(path, CALM)
    accept(path)
    assert due(path) == []
    monkeypatch.setattr(clock, "now", lambda root=None: right)
    with Book(path) as book, book.at_once():
        pass  # whoever writes next notes the clock
    assert due(path) == ["s"]
    with Outbox(path) as book:
        (one,) = book.due(URL)
        later = replace(right, utc=right.utc + timedelta(days=3), boot_id="next", boot_s=5.0)
        assert one.age(later).seconds == pytest.approx(3 * 86400 + 800, abs=60)
    accept(path)
    assert due(path) == []


# -- many ----------------------------------------------------------------------------------------------------


def test_a_slide_is_looked_up_by_indexes_alone(path: Path) -> None:
    """Or it would take seconds of ten thousand slides on a small board."""
    asked: list[str] = []

    class Watched(Outbox):
        def _rows(self, sql: str, *values: object) -> list[dict[str, object]]:
            asked.append(sql)
            return super()._rows(sql, *values)

    with Watched(path, reads_only=True) as book:
        book.due(URL)
        (sql,) = (one for one in asked if "FROM slides AS s" in one)
        plan = [str(row["detail"]) for row in book._rows(f"EXPLAIN QUERY PLAN {sql}")]
    assert [line for line in plan if line.startswith("SCAN")] == ["SCAN s"]
    assert not any("AUTOMATIC" in line for line in plan)
    # the order of a slide's words is the index's
    assert sum("TEMP B-TREE" in line for line in plan) == sum("FOR ORDER BY" in line for line in plan) <= 2
