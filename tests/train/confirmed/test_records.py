"""Record stores that people reviewed become a data set: what is in it, what is not, and what is refused."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edge.cli
import edge.slides
from edge.bundle.model_input import crops
from edge.optics.specimen import specimen
from edge.records.book import Book
from edge.records.migrations import MIGRATIONS
from edge.records.store import Store
from edge.review.review import Review
from tests.edge.records.example import FINDING, HEADER, TALLY
from tests.edge.records.slides import PIXELS, field, screened
from tests.edge.records.test_migrations import version_2
from train import cli
from train.confirmed.folder import COLUMNS

NAMED = ["blast", "blast", "lymphocyte", "artefact", "lymphocyte", "lymphocyte"]
SIZED = replace(HEADER, crop_um=24.0)

Run = Callable[..., tuple[int, str, str]]


def _reviewed(path: Path, slide: str = "s", patient: str | None = "P 17") -> Path:
    """A slide of which AB and CD named cells: 1 to 3 alike, 4 differently; 5 was taken back."""
    screened(path, NAMED, slide, header=SIZED)
    with Book(path) as book:
        if patient:
            book.note(slide, "AB", patient=patient)
        with Review(book, slide, "AB") as review:
            review.confirm([1])
            review.say([2], "lymphocyte")
            review.say([3, 4, 5], "blast")
            review.say([5], None)
        with Review(book, slide, "CD") as review:
            review.say([3], "blast")
            review.say([4], "artefact")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return _reviewed(tmp_path / "records.db")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        status = cli.main(["import-records", *map(str, arguments)])
        out, error = capsys.readouterr()
        return status, out, error

    return run


def _rows(out: Path) -> list[dict[str, str]]:
    with (out / "cells.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _bytes(out: Path, but: Sequence[str] = ()) -> dict[str, bytes]:
    paths = sorted(path for path in out.rglob("*") if path.is_file() and path.name not in but)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


def _report(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "report.json").read_text())
    return told


def test_the_cells_that_people_named_are_there_with_what_the_machine_said(
    run: Run, store: Path, tmp_path: Path
) -> None:
    before = store.read_bytes()
    status, said, error = run(store, "--out", tmp_path / "ours", "--json", tmp_path / "report.json")
    assert (status, error) == (0, "")
    assert store.read_bytes() == before
    rows = _rows(tmp_path / "ours")
    assert tuple(rows[0]) == COLUMNS
    told = [(r["cell"], r["class"], r["machine"], r["by"], r["agreed"]) for r in rows]
    assert told == [
        ("1", "blast", "blast", "AB", "1"),
        ("2", "lymphocyte", "blast", "AB", "1"),
        ("3", "blast", "lymphocyte", "AB CD", "2"),
    ]
    with Book(store) as book:
        jpegs = book.jpegs("crop", "s", [1, 2, 3])
    for row in rows:
        assert (tmp_path / "ours" / row["path"]).read_bytes() == jpegs[int(row["cell"])]
        assert (row["um_per_px"], row["x"], row["y"]) == ("0.25", "48.0", "48.0")
        assert re.fullmatch("patient-[0-9a-f]{12}", row["patient"])
        assert (row["slide"], row["bundle"], row["specimen"]) == ("s", "leukocytes 4", "blood")
        assert 0 < float(row["machine_p"]) <= 1
    report = _report(tmp_path / "ours")
    assert report == json.loads((tmp_path / "report.json").read_text())
    assert report["left_out"] == {"readers-differ": 1}
    assert [one["words"] for one in report["unsettled"]] == [{"AB": "blast", "CD": "artefact"}]
    assert (report["blasts_denied"]["of_these"], report["blasts_denied"]["cells"]) == (1, 2)
    assert (report["blasts_missed"]["of_these"], report["blasts_missed"]["cells"]) == (1, 1)
    assert report["blasts_denied"]["interval"] == [0.0945, 0.9055]
    table = np.array(report["confusion"]["people_by_machine"])
    assert table.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert [(one["by"], one["cells"]) for one in report["by_reader"]] == [("AB", 4), ("CD", 2)]
    assert {cell["cell"] for cell in report["differing"]} == {2, 3}
    assert "P 17" not in "".join(map(str, _bytes(tmp_path / "ours").values()))
    assert "3 cells (patients 1, slides 1), 0 of them with" in said


def test_the_report_needs_nothing_else(run: Run, store: Path, tmp_path: Path) -> None:
    run(store, "--out", tmp_path / "ours")
    page = (tmp_path / "ours" / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert page.count('src="data:image/jpeg') == 2  # where they differ
    assert page.count('src="data:image/png') == 1  # the matrix
    assert "looked at" in page


def test_the_same_stores_give_the_same_bytes_and_more_stores_add(
    run: Run, store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ours"
    other = _reviewed(tmp_path / "other.db", "t")
    run(store, "--out", out)
    first = _bytes(out)
    run(store, "--out", out)
    assert _bytes(out) == first
    run(other, store, store, "--out", out)
    both = _bytes(out)
    assert len(_rows(out)) == 6
    assert {row["patient"] for row in _rows(out)} == {_rows(out)[0]["patient"]}  # of two slides
    assert len({row["store"] for row in _rows(out)}) == 2
    run(other, "--out", out)
    assert _bytes(out) == both
    again = tmp_path / "again"
    again.mkdir()
    run(store, "--out", again)
    (again / "salt.txt").write_bytes((out / "salt.txt").read_bytes())
    run(store, other, "--out", again)
    assert _bytes(again) == both


def test_what_people_say_later_holds_and_an_older_copy_changes_nothing(
    run: Run, store: Path, tmp_path: Path
) -> None:
    out, old = tmp_path / "ours", tmp_path / "old.db"
    run(store, "--out", out)
    old.write_bytes(store.read_bytes())
    with Book(store) as book:
        with Review(book, "s", "AB") as review:
            review.sign()
        book.reopen("s", "AB", "again")
        with Review(book, "s", "AB") as review:
            review.say([1], None)
            review.say([4], "artefact")
    assert run(store, "--out", out)[0] == 0
    assert [row["cell"] for row in _rows(out)] == ["2", "3", "4"]
    assert not list(out.rglob("*-1.jpg"))
    now = _bytes(out)
    status, _, error = run(old, "--out", out)
    assert (status, _bytes(out)) == (0, now)
    assert "a later copy of it was imported before" in error


def test_who_differ_in_the_kind_are_settled_by_a_word_that_was_not_blind(run: Run, tmp_path: Path) -> None:
    """The review takes the last of two words that are both no blast; blind ones are no label."""
    store, out = tmp_path / "records.db", tmp_path / "ours"
    screened(store, NAMED, header=SIZED)
    with Book(store) as book:
        book.say("s", [1, 3], "lymphocyte", "AB")
        book.say("s", [3], "artefact", "CD")
    run(store, "--out", out)
    assert [row["cell"] for row in _rows(out)] == ["1"]
    with Book(store) as book:
        book.finish("s", "CD")
        book.say("s", [3], "artefact", "CD")  # with AB's word in view
    run(store, "--out", out)
    assert [(row["cell"], row["class"], row["agreed"]) for row in _rows(out)] == [
        ("1", "lymphocyte", "1"),
        ("3", "artefact", "1"),
    ]
    with Book(store) as book:
        book.say("s", [3], "blast", "CD")
    run(store, "--out", out)
    assert [row["cell"] for row in _rows(out)] == ["1"]


def test_without_a_patient_the_slide_is_the_group(run: Run, tmp_path: Path) -> None:
    store = _reviewed(tmp_path / "records.db", "Müller/3", None)
    run(store, "--out", tmp_path / "ours")
    row = _rows(tmp_path / "ours")[0]
    assert row["patient"] == "slide-Müller/3"
    assert re.fullmatch(r"pictures/slide-M_ller_3-[0-9a-f]{8}/[\w-]+\.jpg", row["path"], re.ASCII)


def test_patients_keep_their_names_where_that_is_asked_for(run: Run, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours"
    assert run(store, "--out", out, "--keep-names")[0] == 0
    assert {row["patient"] for row in _rows(out)} == {"P 17"}
    assert not (out / "salt.txt").exists()
    status, _, error = run(store, "--out", out)
    assert (status, error.count("\n")) == (1, 1)
    assert "add --keep-names" in error


def test_where_the_field_is_kept_what_lies_round_a_cell_is_there(run: Run, tmp_path: Path) -> None:
    store, out = tmp_path / "records.db", tmp_path / "ours"
    view = specimen(PIXELS, 0.1, 0.25)
    with Store(store, keep_fields="all") as records:
        records.begin_slide("s", SIZED)
        for index in (0, 1):
            one = field(index, NAMED)
            cut = crops(view, one.cells.centres_px * view.scale, 96)
            if index == 1:  # as if the field were another one
                cut[:, ::2] = 0
            records.add(replace(one, crops=cut))
        records.finish_slide(FINDING, TALLY)
    with Book(store) as book:
        book.say("s", [1, 2, 11], "blast", "AB")
    assert run(store, "--out", out)[0] == 0
    wide, _, narrow = _rows(out)
    assert (wide["path"][-4:], wide["x"], wide["um_per_px"]) == (".png", "96.0", "0.25")
    assert (narrow["path"][-4:], narrow["x"]) == (".jpg", "48.0")
    picture = cv2.imread(str(out / wide["path"]))
    crop = cv2.imdecode(np.frombuffer(_crop(store, 1), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert crop is not None
    assert picture.shape == (192, 192, 3)
    assert np.abs(picture[48:144, 48:144].astype(int) - crop).mean() < 10
    assert _report(out)["pictures"] == {"field": {"blast": 2}, "crop": {"blast": 1}}


def test_a_slide_that_the_line_screened_is_imported_by_the_commands_alone(run: Run, tmp_path: Path) -> None:
    store, out = tmp_path / "records.db", tmp_path / "ours"
    words = ["--camera", "demo:1", "--headless", "--records", store, "--keep-fields", "all", "--slide", "s"]
    assert edge.cli.main([*map(str, words), "--max-frames", "2", "--patient", "P 17"]) == 0
    with Book(store) as book:
        cells = [view["cell"] for view in book.views("s")][:3]
    chosen = [word for cell in cells for word in ("--cell", str(cell))]
    words = ["confirm", "--records", store, "s", "--as", "monocyte", "--by", "AB", *chosen]
    assert edge.slides.main([*map(str, words)]) == 0
    assert run(store, "--out", out)[0] == 0
    rows = _rows(out)
    assert sorted(int(row["cell"]) for row in rows) == sorted(cells)
    assert {row["path"][-4:] for row in rows} == {".png"}
    assert {(row["class"], row["um_per_px"], row["x"]) for row in rows} == {("monocyte", "0.25", "96.0")}


def _crop(store: Path, cell: int) -> bytes:
    with Book(store) as book:
        return book.jpegs("crop", "s", [cell])[cell]


def test_pictures_that_cannot_be_read_are_left_out_and_counted(run: Run, store: Path, tmp_path: Path) -> None:
    with sqlite3.connect(store) as database:
        database.execute("UPDATE cells SET crop = x'ffd8ff00' WHERE cell = 1")
        database.execute("UPDATE cells SET crop = NULL WHERE cell = 2")
    database.close()
    assert run(store, "--out", tmp_path / "ours")[0] == 0
    assert [row["cell"] for row in _rows(tmp_path / "ours")] == ["3"]
    assert _report(tmp_path / "ours")["left_out"] == {"unreadable": 1, "no-picture": 1, "readers-differ": 1}


def test_an_older_store_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    store = version_2(folder)
    before = store.read_bytes()
    status, _, error = run(store, "--out", tmp_path / "ours")
    assert status == 1
    assert "nobody has named a cell" in error
    assert store.read_bytes() == before
    assert not (tmp_path / "ours").exists()


def test_a_store_under_way_is_read(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "records.db"
    with Store(store) as records:
        records.begin_slide("s", SIZED)
        records.add(field(0, NAMED))
        records.flush()
        with Book(store) as book:
            book.say("s", [1], "blast", "AB")
        assert run(store, "--out", tmp_path / "ours")[0] == 0
    assert [row["cell"] for row in _rows(tmp_path / "ours")] == ["1"]


def _newer(store: Path) -> None:
    with sqlite3.connect(store) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()


def _foreign(store: Path) -> None:
    store.unlink()
    with sqlite3.connect(store) as database:
        database.execute("CREATE TABLE notes (id)")
    database.close()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_newer, "newer version"),
        (_foreign, "is not a record store"),
        (lambda store: store.write_bytes(b""), "is not a record store"),
        (lambda store: store.write_bytes(b"no database" * 100), "is not a record store"),
        (Path.unlink, "no such file"),
    ],
)
def test_what_is_no_store_is_told_in_one_line(
    spoil: Callable[[Path], object], told: str, run: Run, store: Path, tmp_path: Path
) -> None:
    spoil(store)
    before = store.read_bytes() if store.exists() else None
    status, out, error = run(store, "--out", tmp_path / "ours")
    assert (status, out, error.count("\n")) == (1, "", 1)
    assert told in error
    assert not (tmp_path / "ours").exists()
    assert before == (store.read_bytes() if store.exists() else None)


def test_a_folder_with_something_else_in_it_stays_as_it_is(run: Run, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours"
    out.mkdir()
    (out / "letter.txt").write_text("dear")
    status, _, error = run(store, "--out", out)
    assert (status, error.count("\n")) == (1, 1)
    assert "'letter.txt' in it" in error
    assert [path.name for path in out.iterdir()] == ["letter.txt"]
    assert "is a file" in run(store, "--out", out / "letter.txt")[2]


def test_without_its_salt_nothing_is_added(run: Run, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours"
    run(store, "--out", out)
    (out / "salt.txt").unlink()
    status, _, error = run(store, "--out", out)
    assert (status, error.count("\n")) == (1, 1)
    assert "put it back" in error
    (out / "records.json").write_text("{")
    assert "is damaged" in run(store, "--out", out)[2]
