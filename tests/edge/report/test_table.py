"""CSV: what spreadsheets and programs read back is what the records say."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.line.rules import Rules
from edge.records.book import Book
from edge.records.store import Store
from edge.report.table import SLIDES, table
from tests.edge.records.example import HEADER, RULES, reading
from tests.edge.records.slides import screened
from tests.edge.report.exported import exported

NAMED = ["blast", "blast", "blast", *["lymphocyte"] * 20, "artefact"]


def rows(content: bytes) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)]


def other_bundle(records: Path, slide: str) -> None:
    """A slide read with a bundle of other classes."""
    classes = ("lymphocyte", "basophil", "blast")
    rules = Rules(classes, ("lymphocyte", "basophil"), ("blast",), "leukocyte", "blast", RULES.rule)
    header = replace(HEADER, bundle="other 1", classes=classes, rules=rules.record())
    with Store(records) as store:
        store.begin_slide(slide, header)
        store.add(reading(0))


def test_a_row_a_cell_with_what_machine_and_people_said(tmp_path: Path) -> None:
    records = tmp_path / "records.db"
    screened(records, NAMED, uncertain=[4], cut=[5])
    with Book(records) as book:
        book.say("s", [1], "lymphocyte", "MK")
        book.say("s", [2], "blast", "MK")
        book.say("s", [2], "artefact", "Ä")
        views = {view["cell"]: view for view in book.views("s")}
    found = {int(row["cell"]): row for row in rows(exported(records, "s", "--format", "csv")["s.csv"])}
    assert found.keys() == views.keys()
    assert [int(found[1]["x0"]), int(found[1]["y1"])] == [views[1]["x0"], views[1]["y1"]]
    assert float(found[3]["p_blast"]) == pytest.approx(views[3]["probabilities"][0], abs=1e-4)
    assert float(found[3]["area_um2"]) == pytest.approx(views[3]["area_um2"], abs=0.05)
    told = [(found[i]["class"], found[i]["machine"], found[i]["people"]) for i in (1, 2, 3)]
    # two who differ leave it to the machine
    assert told == [("lymphocyte", "blast", "lymphocyte"), ("blast", "blast", ""), ("blast", "blast", "")]
    assert json.loads(found[2]["words"]) == {"MK": "blast", "Ä": "artefact"}
    assert [found[i]["counted"] for i in (1, 5, 6, 24)] == ["1", "0", "0", "0"]
    assert (found[5]["uncertain"], found[6]["cut"]) == ("1", "1")
    assert [*found][:3] == [1, 2, 3]  # the suspicious first


def test_slides_of_two_bundles_share_a_table(tmp_path: Path) -> None:
    records = tmp_path / "records.db"
    screened(records, NAMED, "old")
    other_bundle(records, "new")
    with Book(records) as book:
        book.note("old", "AB", patient="Müller, 7", age=40, sex="female", note="pale")
        book.sign("old", "AB")
    files = exported(records, "old", "new", "--format", "csv")
    assert set(files) == {"old.csv", "new.csv", SLIDES}
    old, new = rows(files[SLIDES])
    counts = ("n_blast", "n_lymphocyte", "n_artefact", "n_basophil")
    assert [old[name] for name in counts] == ["3", "20", "1", ""]
    assert (new["n_artefact"], new["n_basophil"]) == ("", "0")
    assert (old["patient"], old["age"], old["signed_by"], old["status"]) == ("Müller, 7", "40", "AB", "final")
    low, high = map(float, old["blast_interval"].split(" to "))
    assert low < float(old["blast_fraction"]) < high
    assert (new["state"], new["bundle"]) == ("under way", "other 1")
    assert "p_basophil" in rows(files["new.csv"])[0]


def test_pandas_reads_numbers_as_numbers(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    screened(tmp_path / "records.db", NAMED)
    files = exported(tmp_path / "records.db", "s", "--format", "csv")
    frame = pandas.read_csv(io.BytesIO(files["s.csv"]))
    assert len(frame) == len(NAMED)
    assert frame["p_blast"].between(0, 1).all()
    assert pandas.read_csv(io.BytesIO(files[SLIDES]))["cells_counted"].tolist() == [23]


@pytest.mark.parametrize(
    "text", ["=1+1", "+49 30", "-cmd|' /C calc'!A0", "@SUM(A1)", "＝1+1", "=HYPERLINK(\"http://x\")"]
)  # fmt: skip
def test_no_spreadsheet_computes_what_was_typed(tmp_path: Path, text: str) -> None:
    screened(tmp_path / "records.db", NAMED)
    with Book(tmp_path / "records.db") as book:
        book.note("s", "AB", patient=text)
    (row,) = rows(exported(tmp_path / "records.db", "s", "--format", "csv")[SLIDES])
    assert row["patient"] == f"'{text}"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("-0.5", "-0.5"),
        (-0.5, "-0.5"),
        (None, ""),
        ('a"b,c\nd', 'a"b,c\nd'),
        ("a=b", "a=b"),
        ("患者", "患者"),
    ],
)
def test_what_computes_nothing_stays_as_it_is(value: Any, read: str) -> None:
    (row,) = rows(table(["x", "y"], [[value, 1]]))
    assert row == {"x": read, "y": "1"}
