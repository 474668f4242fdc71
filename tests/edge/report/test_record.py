"""JSON of a slide: what is written is what docs/slide.schema.json describes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge import slides
from edge.records.book import Book
from edge.records.store import Store
from edge.report.report import RESEARCH_USE
from edge.types import Apl
from tests.edge.bundle.sites import site
from tests.edge.records.example import FINDING, HEADER, TALLY
from tests.edge.records.slides import field, screened
from tests.edge.records.test_migrations import version_2
from tests.edge.report.exported import exported

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/slide.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
NAMED = ["blast", "blast", "blast", *["lymphocyte"] * 20, "artefact"]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A store with slides of every kind."""
    path = tmp_path / "records.db"
    screened(path, NAMED, "signed")
    screened(path, NAMED, "Präparat 7/a", finish=False)
    with Store(path) as store:
        store.begin_slide("empty", replace(HEADER, site=replace(site(), file="ab" * 8).record()))
        store.begin_slide("apl", HEADER)
        store.add(field(0, ["blast"] * 9))
        store.flush()
        finding = replace(FINDING, apl=Apl(1.25, True, 0.2))
        store.finish_slide(finding, replace(TALLY, apl=finding.apl))
        store.begin_slide("no cells", HEADER)
        store.flush()
        store.finish_slide(replace(FINDING, kind="keep-scanning"), replace(TALLY, counts={}))
    with Book(path) as book:
        book.note("signed", "AB", patient="患者 7", age=0, sex="other", note="pale\nvery")
        for by in ("AB", "MK"):
            book.say("signed", [1, 2], "blast", by)
            book.finish("signed", by)
        book.say("signed", [2], None, "AB")
        book.sign("signed", "AB")
    return path


def undescribed(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Fields that a value has and its schema says nothing of."""
    schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] | schema if "$ref" in schema else schema
    if isinstance(value, list):
        for item in value:
            yield from undescribed(item, schema.get("items", {}), path)
    if isinstance(value, dict) and not isinstance(schema.get("additionalProperties"), dict):
        for name, inner in value.items():
            about = schema.get("properties", {}).get(name, {})
            if "description" not in about:
                yield f"{path}/{name}"
            yield from undescribed(inner, about, f"{path}/{name}")


def test_exports_are_as_the_schema_says(records: Path) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    files = exported(records, "--all", "--format", "json")
    assert len(files) == 5
    found = {record["slide"]: record for record in map(json.loads, files.values())}
    for slide, record in found.items():
        assert [*map(str, VALIDATOR.iter_errors(record))] == [], slide
        assert [*undescribed(record, SCHEMA)] == []
    signed, empty = found["signed"], found["empty"]
    assert signed["report"]["status"] == "final"
    assert signed["report"]["made_at"] == "2026-11-30T00:00:00+00:00"
    assert signed["report"]["note"] == RESEARCH_USE
    assert signed["cells"][1]["said"][-1]["as"] is None
    assert (signed["patient"], signed["age"]) == ("患者 7", 0)
    assert signed["agreement"] is None or signed["agreement"]["readers"] == ["AB", "MK"]
    assert (empty["cells"], empty["finding"], empty["interval_level"]) == ([], None, None)
    assert found["apl"]["apl"] == {"score": 1.25, "alert": True}
    assert found["Präparat 7/a"]["state"] == "under way"


def test_list_and_show_are_the_same_without_the_report(
    records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert slides.main(["list", "--json", "-", "--records", str(records)]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert slides.main(["show", "signed", "--json", "-", "--records", str(records)]) == 0
    shown = json.loads(capsys.readouterr().out)
    for record in [*listed, shown]:
        assert [*VALIDATOR.iter_errors(record)] == []
        assert "report" not in record
    exports = json.loads(exported(records, "signed", "--format", "json")["signed.json"])
    assert {name: value for name, value in exports.items() if name != "report"} == shown
    assert set(shown) - set(listed[0]) == {*SCHEMA["dependentRequired"]["cells"], "cells"}


def test_records_of_an_older_version_are_so_too(tmp_path: Path) -> None:
    path = version_2(tmp_path)
    Book(path).close()  # brings it up to date
    for content in exported(path, "--all", "--format", "json").values():
        errors = VALIDATOR.iter_errors(json.loads(content))
        # that slide's bundle has no whole hash
        assert [str(error) for error in errors if [*error.path] != ["bundle", "sha256"]] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("finding", "nonsense"),
        ("age", 131),
        ("blast_interval", [0.1]),
        ("bundle", {"name": "x"}),
        ("cells", {}),
    ],
)
def test_the_schema_refuses_what_is_wrong(records: Path, field: str, value: object) -> None:
    record = json.loads(exported(records, "signed", "--format", "json")["signed.json"])
    assert [*VALIDATOR.iter_errors(record | {field: value})]
    assert not [*VALIDATOR.iter_errors(record | {"later": value})]  # fields may be added
