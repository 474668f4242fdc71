from __future__ import annotations

import itertools
import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.machine import clock
from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.identifiers import new_slide_id
from edge.records.migrations import MIGRATIONS
from edge.records.people import About
from edge.records.store import WAITING, Store, Unrecorded
from tests.edge.records.example import CLASSES, FINDING, HEADER, TALLY, reading

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as store:
        yield store


def test_what_was_added_is_read_back(path: Path) -> None:
    added = [reading(0), reading(1, 0, problems=("blurred",)), reading(2, 0, fault="cut short"), reading(3)]
    with Store(path) as store:
        assert store.begin_slide("slide 1", HEADER) == "slide 1"
        for one in added:
            store.add(one)
        assert store.flush() == added
        store.finish_slide(FINDING, TALLY)

    with Store(path) as store:
        (slide,) = store.slides()
        readings, cells = store.readings("slide 1"), store.cells("slide 1")
    assert slide["classes"] == list(CLASSES)
    assert slide["bundle_sha256"] == HEADER.bundle_sha256
    assert slide["finding"] == "refer"
    assert (slide["interval_low"], slide["interval_high"]) == FINDING.interval
    assert slide["tally"]["counts"] == TALLY.counts
    assert slide["finished_at"] >= slide["started_at"]
    assert [r["frame"] for r in readings] == [0, 1, 2, 3]
    assert [r["problems"] for r in readings] == [[], ["blurred"], [], []]
    assert [r["fault"] for r in readings] == [None, None, "cut short", None]
    assert readings[3]["source"] == "Im3.jpg"
    assert [c["frame"] for c in cells] == [0, 0, 0, 3, 3, 3]
    for i, cell in enumerate(cells[3:]):
        was = added[3]
        assert [cell[k] for k in ("x0", "y0", "x1", "y1")] == was.cells.boxes_px[i].tolist()
        assert cell["cell"] == was.ids[i]
        assert cell["class"] == CLASSES[was.classes[i]]
        assert (cell["new"], cell["counted"]) == (was.new[i], was.counted[i])
        np.testing.assert_array_equal(cell["probabilities"], was.probabilities[i])


def test_crops_are_kept_nearly_as_they_were_and_once(store: Store) -> None:
    slide = store.begin_slide(None, HEADER)
    store.add(reading(0))
    first, again, third = store.cells(slide)
    assert again["crop"] is None
    for cell, was in ((first, reading(0).crops[0]), (third, reading(0).crops[2])):
        assert cell["crop"].shape == was.shape
        assert np.abs(cell["crop"].astype(int) - was).mean() < 2


def test_a_reading_is_handed_back_only_once_others_can_read_it(store: Store, path: Path) -> None:
    store.begin_slide("s", HEADER)
    handed: list[int] = []
    for index in range(60):
        store.add(reading(index))
        handed += [r.frame.index for r in store.committed()]
        if handed:
            with sqlite3.connect(path) as other:
                (last,) = other.execute("SELECT max(frame) FROM readings").fetchone()
            assert last >= handed[-1]
    handed += [r.frame.index for r in store.flush()]
    assert handed == list(range(60))


def test_a_lone_reading_is_committed_within_a_quarter_of_a_second(store: Store) -> None:
    store.begin_slide("s", HEADER)
    took_s = []
    while not took_s or (min(took_s) >= 0.25 and len(took_s) < 20):  # a busy machine is not the store
        store.add(reading(2 * len(took_s)))
        store.flush()
        alone = reading(2 * len(took_s) + 1)
        store.add(alone)
        began = time.monotonic()
        while not (came := store.committed()) and time.monotonic() < began + 60:
            time.sleep(0.005)
        took_s.append(time.monotonic() - began)
        assert came == [alone]
    assert min(took_s) < 0.25


def test_readings_in_memory_are_bounded(store: Store) -> None:
    store.begin_slide("s", HEADER)
    most = 0
    for index in range(200):
        store.add(reading(index, 1))
        most = max(most, len(store._waiting))
        store.committed()
    assert most <= WAITING


def test_what_was_printed_survives_kill_9(path: Path) -> None:
    command = [sys.executable, "-m", "tests.edge.records.example", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        printed = []
        for line in process.stdout:
            printed.append(int(line))
            if len(printed) == 50:
                process.kill()
    with Store(path) as store:
        kept = [r["frame"] for r in store.readings("killed")]
        assert len(store.cells("killed")) == 3 * len(kept)
    assert printed == list(range(len(printed)))
    assert kept[: len(printed)] == printed
    assert kept == list(range(len(kept)))


def test_a_full_disk_is_told_and_what_was_shown_is_kept(path: Path) -> None:
    store = Store(path)
    store.begin_slide("s", HEADER)
    store._database.execute("PRAGMA max_page_count = 150")  # for several groups, however large they come
    shown: list[int] = []

    def fill() -> None:
        for index in range(1000):
            store.add(reading(index))
            shown.extend(r.frame.index for r in store.committed())

    with pytest.raises(
        RecordsError, match=r"the disk is full; free some space.* readings of slide s .* kept"
    ):
        fill()
    with pytest.raises(RecordsError, match="disk is full"):
        store.finish_slide(FINDING, TALLY)
    store.close()
    with Store(path) as after:
        kept = [r["frame"] for r in after.readings("s")]
    assert len(shown) > 5
    assert kept[: len(shown)] == shown


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root may mount a small disk")
def test_a_really_full_disk(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted: {mounted.stderr.decode().strip()}")
    try:
        shown: list[int] = []
        (tmp_path / "other").write_bytes(bytes(1 << 16))
        store = Store(tmp_path / "records.db")
        store.begin_slide("s", HEADER)
        with pytest.raises(RecordsError, match="disk"):  # noqa: PT012
            for index in range(10_000):
                store.add(reading(index))
                shown.extend(r.frame.index for r in store.committed())
        store.close()
        (tmp_path / "other").unlink()  # to open them anew takes a page
        with Store(tmp_path / "records.db") as after:
            kept = [r["frame"] for r in after.readings("s")]
        assert len(shown) > 5
        assert kept[: len(shown)] == shown
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_slide_is_not_begun_twice(store: Store) -> None:
    store.begin_slide("A 1", HEADER)
    with pytest.raises(RecordsError, match=r"slide A 1: is in the records .* already; .*--slide"):
        store.begin_slide(" A 1 ", HEADER)
    for bad in ("", "  ", "a\nb"):
        with pytest.raises(RecordsError, match="that can be seen"):
            store.begin_slide(bad, HEADER)
    assert [s["id"] for s in store.slides()] == ["A 1"]


def test_generated_identifiers_are_readable_and_differ() -> None:
    ids = {new_slide_id(dated=True) for _ in range(5000)}
    assert len(ids) == 5000
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d{4}-[a-z2-7]{10}", one) for one in ids)


@pytest.mark.parametrize("announced", [False, True])
def test_generated_identifiers_cannot_meet_in_a_store(
    path: Path, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    """Not even where the clock stands still and chance repeats itself for two programs."""
    drawn = itertools.cycle(
        [bytes(7), bytes(7), b"another", b"a third", *(bytes([i] * 7) for i in range(40))]
    )
    monkeypatch.setattr("edge.records.identifiers.token_bytes", lambda _: next(drawn))
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    with Store(path) as one, Store(path) as two:
        ids = []
        for store in (one, two) * 15:
            slide = store.new_slide_id() if announced else None
            ids.append(store.begin_slide(slide, HEADER, generated=announced))
            store.add(reading(0))
        assert len(set(ids)) == 30
        assert {row["id"] for row in one.slides()} == set(ids)
        assert all(len(two.readings(slide)) == 1 for slide in ids)


def test_chance_that_is_none_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.records.identifiers.token_bytes", bytes)
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    store.begin_slide(None, HEADER)
    with pytest.raises(RecordsError, match=r"every identifier drawn .* in them already; name the slide"):
        store.begin_slide(None, HEADER)


def test_two_programs_write_to_one_store(path: Path) -> None:
    with Store(path) as one, Store(path) as two:
        for slide, store in (("one", one), ("two", two)):
            store.begin_slide(slide, HEADER)
        for index in range(20):
            one.add(reading(index))
            two.add(reading(index))
        for slide, store in (("one", one), ("two", two)):
            store.flush()
            assert [r["frame"] for r in store.readings(slide)] == list(range(20))


def test_a_mistake_in_a_reading_is_raised_and_does_not_hang(store: Store) -> None:
    store.begin_slide("s", HEADER)
    wrong = reading(0)
    wrong.classes[0] = 99
    store.add(wrong)
    with pytest.raises(IndexError):
        store.flush()


def test_unrecorded_hands_back_at_once() -> None:
    nothing = Unrecorded()
    assert nothing.begin_slide("mine", HEADER) == "mine"
    assert nothing.begin_slide(None, HEADER) != nothing.begin_slide(None, HEADER)
    one = reading(0)
    nothing.add(one)
    assert nothing.committed() == [one]
    assert nothing.flush() == []


def refusal(path: Path) -> str:
    """The one line that opening the store at `path` gives."""
    with pytest.raises(RecordsError) as raised:
        Store(path, busy_s=0.05)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(f"records {path}: ")
    assert "--records" in message or "name a file" in message
    return message


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "folder cannot be made" in refusal(tmp_path / "file" / "records.db")


def test_another_kind_of_file_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"name,age\n" * 1000)
    assert "is not a record store; choose another" in refusal(path)
    assert path.read_bytes() == b"name,age\n" * 1000


def test_a_damaged_store_is_refused(path: Path) -> None:
    Store(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\x99" * (len(whole) - 100))
    assert "damaged" in refusal(path)


def test_another_programs_database_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (title)")
    assert "of another program" in refusal(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    assert f"schema 99, this one knows {len(MIGRATIONS)}" in refusal(path)


def test_a_locked_store_is_refused(path: Path) -> None:
    Store(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "is locked by another program" in refusal(path)
    other.close()
    Store(path).close()


def modes(folder: Path) -> dict[str, int]:
    """Permissions of a folder and of what is in it."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


PRIVATE = {"data": 0o700, "records.db": 0o600, "records.db-wal": 0o600, "records.db-shm": 0o600}


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_records_are_their_owners_alone(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "data" / "records.db"
    for frame in range(2):
        with Store(path) as store, Store(path) as other:
            store.begin_slide(None, HEADER)
            store.add(reading(frame))
            store.flush()
            other.slides()
            assert modes(path.parent) == PRIVATE
    assert modes(tmp_path / "new") == {"new": 0o700, "data": 0o700}
    assert os.umask(umask) == umask


@pytest.mark.parametrize("by", ["name", "link"])
def test_records_that_were_open_to_others_are_closed(tmp_path: Path, umask: int, by: str) -> None:
    path = tmp_path / "data/records.db"
    with Store(path) as store:
        store.begin_slide("s", HEADER)
        for file in path.parent.iterdir():
            file.chmod(0o666)
        (tmp_path / "link.db").symlink_to(path)
        with Store(path if by == "name" else tmp_path / "link.db") as store:
            assert modes(path.parent) == PRIVATE
            assert [row["id"] for row in store.slides()] == ["s"]


@pytest.mark.parametrize("content", [b"of another program", b""])
def test_a_file_that_is_no_store_of_records_keeps_its_permissions(path: Path, content: bytes) -> None:
    if content:
        path.write_bytes(content)
    else:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE other (a)")
    path.chmod(0o644)
    with pytest.raises(RecordsError):
        Store(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store(tmp_path / "records.db").close()
    assert modes(tmp_path) == {tmp_path.name: 0o755, "records.db": 0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_records_that_root_begins_in_the_folder_of_a_user_are_the_users() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        os.chown(name, 65534, 65534)
        path = Path(name) / "data/records.db"
        with Store(path) as store:
            store.begin_slide(None, HEADER)
            assert {file.stat().st_uid for file in (path.parent, *path.parent.iterdir())} == {65534}
        assert _opened_by_a_user(path) == ""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_place_is_refused(what: str) -> None:
    # not in pytest's own folder, which only root may enter when root runs the tests
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name) / "records.db"
        Store(path).close()
        assert _opened_by_a_user(path) == ""
        (path if what == "file" else folder).chmod(0o444 if what == "file" else 0o555)
        message = _opened_by_a_user(path)
        folder.chmod(0o755)
    assert re.fullmatch(rf"records {re.escape(str(path))}: .* (read-only|writable).*--records", message)


def _opened_by_a_user(path: Path) -> str:
    """The error, if any, of a user who owns the file and has no other rights; tests often run as root."""
    code = f"from edge.records.store import *; store = Store({str(path)!r}); store.close()"
    if os.geteuid() == 0:
        for owned in (path, path.parent):
            os.chown(owned, 65534, 65534)
        code = code.replace(";", "; import os; os.setgid(65534); os.setuid(65534);", 1)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1].partition(": ")[2] if done.returncode else ""


def test_no_frame_stays_in_memory_once_its_reading_is_handed_out(store: Store) -> None:
    store.begin_slide("slide 1", HEADER)
    one = reading(0)
    frame = weakref.ref(one.frame)
    store.add(one)
    handed = store.flush()
    assert handed == [one]
    del one, handed
    end = time.monotonic() + 60
    while frame() is not None:
        assert time.monotonic() < end, "somebody holds the frame"
        time.sleep(0.002)


def test_slides_of_one_reading_reach_the_disk_whole_and_several_at_once(store: Store, path: Path) -> None:
    commits: list[str] = []
    store._database.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    added = [reading(index) for index in range(40)]
    slides, handed = [], []
    for one in added:
        slides.append(store.add_slide(HEADER, one, FINDING, TALLY, About(patient="P-7")))
        handed += store.committed()
        with sqlite3.connect(path) as other:
            found, readings = other.execute(
                "SELECT (SELECT count(*) FROM slides WHERE finished_at NOT NULL), count(*) FROM readings"
            ).fetchone()
            assert readings == found
        assert found >= len(handed)
    assert handed + store.flush() == added
    assert [row["id"] for row in store.slides()] == [slide.id for slide in slides]
    assert [store.readings(slide.id)[0]["frame"] for slide in slides] == list(range(40))
    assert len(commits) < len(slides)
    with Book(path) as book:
        assert {(row["patient"], row["finding"]) for row in book.listed()} == {("P-7", "refer")}


def test_an_identifier_that_another_slide_has_is_drawn_anew_within_a_group(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter([bytes([i // 2] * 7) for i in range(40)])  # each twice
    monkeypatch.setattr("edge.records.identifiers.token_bytes", lambda _: next(drawn))
    slides = [store.add_slide(HEADER, reading(index), FINDING, TALLY) for index in range(6)]
    store.flush()
    assert [row["id"] for row in store.slides()] == [slide.id for slide in slides]
    assert len({slide.id for slide in slides}) == 6


def test_a_full_disk_among_slides_of_one_reading_says_how_many_are_kept(path: Path) -> None:
    store, shown = Store(path), []

    def fill() -> None:
        for index in range(1000):
            store.add_slide(HEADER, reading(index), FINDING, TALLY)
            shown.extend(store.committed())

    store._database.execute("PRAGMA max_page_count = 90")
    with pytest.raises(RecordsError, match=r"the disk is full; .*; the \d+ slides shown so far are kept"):
        fill()
    store.close()
    with Store(path) as after:
        assert len(after.slides()) >= len(shown) > 2
        assert all(row["finished_at"] for row in after.slides())


def test_without_records_slides_of_one_reading_have_names_too() -> None:
    nothing, one = Unrecorded(), reading(0)
    names = {nothing.add_slide(HEADER, one, FINDING, TALLY).id for _ in range(2)}
    assert len(names) == 2
    assert nothing.flush() == [one, one]


@pytest.mark.parametrize(
    "name",
    [
        "file:x.db?mode=memory", "file:x.db", ":memory:", "a?b.db", "a%20b#c.db", "two words.db", "-x.db",
        "~x.db", "тест.db", os.fsdecode(b"\xff.db"), "http://x/../y.db",
    ],
)  # fmt: skip
def test_whatever_a_file_is_called_it_is_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (Path(name), tmp_path / "folder" / name):
        with Store(path) as store:
            store.add_slide(HEADER, reading(0), FINDING, TALLY)
            store.flush()
        assert path.read_bytes().startswith(b"SQLite format 3")
        with Book(path, reads_only=True) as book:
            (slide,) = book.listed()
        with Book(path) as book:
            book.note(slide["id"], "AB", note="seen")
            assert len(book.about(slide["id"]).notes) == 1


def test_readings_come_back_without_pictures_where_nobody_wants_them(path: Path) -> None:
    added = reading(0)
    with Store(path, pictures=False) as store:
        store.begin_slide("slide 1", HEADER)
        store.add(added)
        (given,) = store.flush()
        store.finish_slide(FINDING, TALLY)
        (cell, *_) = store.cells("slide 1")
    assert (given.frame.height, given.frame.width) == (added.frame.height, added.frame.width)
    assert len(given.cells) == len(added.cells)
    for kept in (given.frame.pixels, given.cells.found.labels, given.cells.found.nuclei):
        assert not any(kept.strides), "a single value stands for all"
    assert cell["crop"] is not None, "what the records keep was made before"
