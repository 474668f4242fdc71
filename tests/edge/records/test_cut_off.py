"""Slides that were cut off: gone on with in another boot, closed, told of; whole pictures of fields."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.custody.merge import Merged, merge
from edge.custody.verify import Inspection
from edge.machine import clock
from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.rows import KeepFields
from edge.records.store import Store
from edge.review.unfinished import close
from tests.edge.records.example import FINDING, HEADER, TALLY
from tests.edge.records.slides import PIXELS, field, screened
from tests.edge.records.test_boots import TRUTH, Machine, machine

__all__ = ["machine"]


def cut_off(path: Path) -> None:
    """The program that screens is gone."""
    with sqlite3.connect(path) as database:
        database.execute("UPDATE slides SET process = '1:0'")


def test_a_slide_that_goes_on_in_another_boot_keeps_true_times(tmp_path: Path, machine: Machine) -> None:
    path = tmp_path / "r.db"
    machine.set(TRUTH, "ntp")
    with Store(path) as store:
        store.begin_slide("s", HEADER)
        machine.go(60)
        store.add(machine.reading(0))
        store.flush()
    cut_off(path)
    machine.boot(TRUTH + timedelta(days=1), after=timedelta(days=1))
    machine.voucher = "ntp"
    with Book(path) as book:
        before = book.found("s")
        assert before["state"] == "cut off"
    with Store(path) as store:
        store.go_on(before, HEADER)
        machine.go(30)
        store.add(machine.reading(1))
        machine.go(5)
        store.finish_slide(FINDING, TALLY)
    with Book(path) as book:
        slide, readings = book.found("s"), book.readings("s")
        assert (slide["started_at"][:19], slide["clock"]) == (f"{TRUTH:%Y-%m-%dT%H:%M:%S}", "set")
        later = TRUTH + timedelta(days=1, seconds=30)
        assert [row["captured_at"][:19] for row in readings] == [
            f"{TRUTH + timedelta(seconds=60):%Y-%m-%dT%H:%M:%S}", f"{later:%Y-%m-%dT%H:%M:%S}",
        ]  # fmt: skip
        assert [row["clock"] for row in readings] == ["set", "set"]
        assert slide["finished_at"][:19] == f"{later + timedelta(seconds=5):%Y-%m-%dT%H:%M:%S}"
        assert [again["version"] for again in slide["gone_on"]] == ["1.2.3"]


def test_a_slide_that_is_closed_later_ended_when_it_was_cut_off(tmp_path: Path, machine: Machine) -> None:
    path = tmp_path / "r.db"
    machine.set(TRUTH, "ntp")
    with Store(path) as store:
        store.begin_slide("s", HEADER)
        machine.go(60)
        store.add(machine.reading(0))
        store.begin_slide("empty", HEADER)
    cut_off(path)
    machine.boot(TRUTH + timedelta(days=1), after=timedelta(days=1))
    with Book(path) as book:
        before = book.found("s")
    with Store(path) as store:
        store.go_on(before, HEADER)  # and is cut off again before anything was read
    cut_off(path)
    with Book(path) as book:
        for slide in ("s", "empty"):
            close(book, slide)
            found = book.found(slide)
            assert found["finished_at"][:19] == f"{TRUTH + timedelta(seconds=60):%Y-%m-%dT%H:%M:%S}"
            assert (found["state"], bool(found["sha256"])) == ("finished", True)


def test_while_it_goes_on_what_people_found_before_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    screened(path, ["blast"] * 3, finish=False)
    cut_off(path)
    with Book(path) as book:
        book.say("s", [1], "blast", "AB")
        book.judged("s", FINDING, TALLY, "AB")
        assert (book.found("s")["finding"], book.glances()[0].finding) == ("refer", "refer")
        with Store(path) as store:
            store.go_on(book.found("s"), HEADER)
            assert (book.found("s")["state"], book.found("s")["finding"]) == ("under way", None)
            assert book.glances()[0].finding is None
            with pytest.raises(RecordsError, match="is being screened by this program"):
                close(book, "s")
            later = replace(FINDING, kind="read-film", headline="HAVE THE FILM READ TODAY")
            store.finish_slide(later, TALLY)
        assert (book.found("s")["finding"], book.glances()[0].finding) == ("read-film", "read-film")


def test_only_a_slide_of_late_is_told_of(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.db"
    monkeypatch.setattr(clock, "boot_id", lambda: machine.now().boot_id)
    machine.set(TRUTH, "ntp")
    screened(path, ["blast"], "old", finish=False)
    machine.go(86400)
    screened(path, ["blast"], "signed", finish=False)
    screened(path, ["blast"], "done")
    cut_off(path)
    with Book(path) as book:
        book.judged("signed", FINDING, TALLY, "AB")
        book.sign("signed", "AB")
    with Store(path) as store:
        assert store.cut_off(3) == {"id": "old", "at": TRUTH.isoformat(timespec="milliseconds")}
        machine.go(3 * 86400)
        assert store.cut_off(3) is None
        store.begin_slide("now", HEADER)
        assert store.cut_off(3) is None  # it is under way here


@pytest.mark.parametrize(("asked", "kept"), [("none", []), ("suspicious", [0]), ("all", [0, 1])])
def test_whole_pictures_of_counted_fields_are_kept_where_they_are_asked_for(
    tmp_path: Path, asked: KeepFields, kept: list[int]
) -> None:
    path = tmp_path / "r.db"
    plain = field(1, ["lymphocyte"])
    plain.probabilities[:] = (0.01, 0.98, 0.01)
    rejected = replace(field(2, ["blast"]), problems=("out of focus",))
    repeated = replace(field(3, ["blast"]), repeated=True)
    with Store(path, keep_fields=asked) as store:
        store.begin_slide("s", HEADER)
        for one in (replace(field(0, ["blast"]), overlaps=((4, 1.5, 2.5),)), plain, rejected, repeated):
            store.add(one)
        store.finish_slide(FINDING, TALLY)
    with Book(path) as book:
        rows = book.kept_fields("s")
        assert [row["frame"] for row in rows] == kept
        assert book.field(99) is None
        for row in rows:
            jpeg = book.field(row["reading"])
            assert jpeg is not None
            (sealed,) = book._rows("SELECT sha256 FROM fields WHERE reading = ?", row["reading"])
            assert sealed["sha256"] == hashlib.sha256(jpeg).digest()
            pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            assert pixels.shape == PIXELS.shape
            assert abs(pixels.astype(int) - PIXELS).mean() < 20
            assert row["overlaps"] == ([] if row["frame"] else [(4, 1.5, 2.5)])


def _merged(records: Path, other: Path) -> Merged:
    with Inspection(other) as there:
        return merge(there, records, lambda *_: None)


def test_a_slide_that_went_on_in_another_boot_comes_whole_into_other_records(
    tmp_path: Path, machine: Machine
) -> None:
    path, copy = tmp_path / "r.db", tmp_path / "copy.db"
    machine.set(TRUTH, "ntp")
    Store(copy).close()  # a boot of its own, so that numbers differ
    with Store(path) as store:
        store.begin_slide("s", HEADER)
        store.add(field(0, ["blast"]))
        store.flush()
    cut_off(path)
    _merged(copy, path)
    machine.boot(TRUTH + timedelta(days=1), after=timedelta(days=1))
    with Book(path) as book, Store(path) as store:
        store.go_on(book.found("s"), HEADER)
        store.add(field(1, ["blast"]))
        store.finish_slide(FINDING, TALLY)
    found = _merged(copy, path)
    assert found.extended == {"s": 2}, found
    with Book(path) as one, Book(copy) as other:
        assert other.checksum("s") == one.checksum("s")
        for what in ("started_at", "finished_at", "gone_on", "state"):
            assert other.found("s")[what] == one.found("s")[what]
        times = [[row["captured_at"] for row in book.readings("s")] for book in (one, other)]
        assert times[0] == times[1]
