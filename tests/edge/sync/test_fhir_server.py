"""What any FHIR server must do for a slide to be there once: the test server's and Medplum's, by one suite.

Medplum's router holds resources against FHIR's definitions; see `tests/edge/report/medplum.py`.
"""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from edge.records.book import Book
from edge.report.fhir import files
from edge.report.formats import Layout
from edge.report.gather import gather
from tests.edge.records.slides import screened
from tests.edge.report.medplum import KINDS, Server, installed, serving
from tests.edge.sync.fhir_server import Fault, FhirServer

SYSTEM = "urn:uuid:9e0dcc70-7859-4882-b543-50c574d83593"
DEVICE, OBSERVATION = f"{SYSTEM[:-1]}0", f"{SYSTEM[:-1]}1"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def medplum(pytestconfig: pytest.Config) -> Iterator[Server]:
    with serving(installed(pytestconfig)) as started:
        yield started


@pytest.fixture(params=["ours", "medplum"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Either, by HTTP alone."""
    if request.param == "medplum":
        yield request.getfixturevalue("medplum")
    else:
        with FhirServer() as started:
            yield Server(started.port)


def asked(server: Server, path: str, sent: Json | bytes | None = None, method: str = "") -> tuple[int, Json]:
    """The status and what came with it; what is sent goes packed, as a sender on a slow line does it."""
    body = sent if isinstance(sent, bytes) or sent is None else json.dumps(sent).encode()
    about = {"Content-Type": "application/fhir+json", "Content-Encoding": "gzip"} if body else {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/{path}",
        gzip.compress(body) if body else None,
        about,
        method=method or None,
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def transaction(*entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": "transaction", "entry": [*entries]}


def named(kind: str, name: str, **more: Any) -> Json:
    return {"resourceType": kind, "identifier": [{"system": SYSTEM, "value": name}], **more}


def query(name: str) -> str:
    return f"identifier={quote(f'{SYSTEM}|{name}', safe=':')}"


def created(name: str, **more: Any) -> Json:
    """An entry that makes a device where there is none of this name."""
    request = {"method": "POST", "url": "Device", "ifNoneExist": query(name)}
    return {
        "fullUrl": f"urn:uuid:{SYSTEM[9:-1]}0",
        "resource": named("Device", name, **more),
        "request": request,
    }


def replaced(name: str, **more: Any) -> Json:
    resource = named("Observation", name, status="final", code={"text": "blasts"}) | more
    request = {"method": "PUT", "url": f"Observation?{query(name)}"}
    return {"fullUrl": OBSERVATION, "resource": resource, "request": request}


def outcomes(told: Json) -> list[str]:
    assert told["type"] == "transaction-response"
    return [entry["response"]["status"][:3] for entry in told["entry"]]


def count(server: Server, kind: str, name: str) -> int:
    status, told = asked(server, f"{kind}?{query(name)}&_summary=count")
    assert status == 200
    return int(told.get("total") or len(told.get("entry", [])))


def test_created_where_it_is_missing_and_never_changed(server: Server) -> None:
    first = asked(server, "", transaction(created("once")))
    assert (first[0], outcomes(first[1])) == (200, ["201"])
    again = asked(server, "", transaction(created("once", lotNumber="another")))
    assert (again[0], outcomes(again[1])) == (200, ["200"])
    assert count(server, "Device", "once") == 1
    (entry,) = asked(server, f"Device?{query('once')}")[1]["entry"]
    assert "lotNumber" not in entry["resource"]


def test_a_conditional_update_creates_and_then_replaces(server: Server) -> None:
    assert outcomes(asked(server, "", transaction(replaced("twice")))[1]) == ["201"]
    (first,) = asked(server, f"Observation?{query('twice')}")[1]["entry"]
    assert outcomes(asked(server, "", transaction(replaced("twice", status="amended")))[1]) == ["200"]
    (second,) = asked(server, f"Observation?{query('twice')}")[1]["entry"]
    assert second["resource"]["id"] == first["resource"]["id"]
    assert second["resource"]["status"] == "amended"
    assert second["resource"]["meta"]["versionId"] != first["resource"]["meta"]["versionId"]
    assert asked(server, f"Observation/{first['resource']['id']}")[1]["status"] == "amended"


def test_names_within_a_transaction_become_those_of_the_server(server: Server) -> None:
    device = created("the device")
    told = replaced("of the device", device={"reference": device["fullUrl"]})
    _, answer = asked(server, "", transaction(told, device))
    places = ["/".join(entry["response"]["location"].split("/")[-4:][:2]) for entry in answer["entry"]]
    if "_history" not in answer["entry"][0]["response"]["location"]:
        places = ["/".join(entry["response"]["location"].split("/")[-2:]) for entry in answer["entry"]]
    assert asked(server, places[0])[1]["device"] == {"reference": places[1]}


@pytest.mark.parametrize(
    "bad",
    [
        replaced("bad") | {"resource": named("Observation", "bad", code={"text": "blasts"})},
        replaced("bad", subject=None),
        replaced("bad") | {"resource": {"resourceType": "Haiku"}},
    ],
    ids=["lacks status", "null", "no such type"],
)
def test_one_bad_resource_and_nothing_is_stored(server: Server, bad: Json) -> None:
    status, told = asked(server, "", transaction(created("beside a bad one"), bad))
    assert 400 <= status < 500
    assert told["resourceType"] == "OperationOutcome"
    assert told["issue"][0]["severity"] == "error"
    assert count(server, "Device", "beside a bad one") == count(server, "Observation", "bad") == 0


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'{"resourceType": "Bundle"'])
def test_what_is_no_bundle_is_refused(server: Server, body: bytes) -> None:
    assert 400 <= asked(server, "", body)[0] < 500


def test_what_is_not_there_is_not_found(server: Server) -> None:
    assert count(server, "Device", "nobody has it") == 0
    assert 400 <= asked(server, "Device/3f1cbd5c-4e4d-4c23-8bd8-3fd2a34ad8a8")[0] < 500


def test_only_the_elements_that_are_asked_for_at_least(server: Server) -> None:
    asked(server, "", transaction(replaced("elements")))
    (entry,) = asked(server, f"Observation?{query('elements')}&_elements=identifier")[1]["entry"]
    assert entry["resource"]["identifier"] == [{"system": SYSTEM, "value": "elements"}]


def test_a_slide_is_there_once_and_follows_what_people_do(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    screened(path, ["lymphocyte", "blast", *["lymphocyte"] * 8], "S-1")
    status, told = asked(server, "", sent := of_slide(path))
    assert (status, set(outcomes(told))) == (200, {"201"})
    assert set(outcomes(asked(server, "", sent)[1])) == {"200"}
    held = {kind: [one["identifier"][0]["value"] for one in server.all(kind)] for kind in KINDS}
    for kind in KINDS:
        names = [
            entry["resource"]["identifier"][0]["value"]
            for entry in sent["entry"]
            if entry["resource"]["resourceType"] == kind
        ]
        assert {name: held[kind].count(name) for name in names} == dict.fromkeys(names, 1)
    with Book(path) as book:
        book.sign("S-1", "AB")
    asked(server, "", of_slide(path))
    (report,) = server.all("DiagnosticReport")
    assert report["status"] == "final"


def of_slide(path: Path) -> Json:
    with Book(path, reads_only=True) as book:
        ((_, content),) = files(gather(book, "S-1", datetime.now(UTC)), Layout())
    told: Json = json.loads(content)
    return told


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_of_the_test_server_is_one_and_the_next_request_is_answered(fault: Fault) -> None:
    with FhirServer(lambda number: fault if number == 0 else None, pause_s=0.001) as ours:
        server, stored = Server(ours.port), transaction(created("x"))
        try:
            status, answer = asked(server, "", stored)
        except (OSError, HTTPException, ValueError) as error:
            status, answer = 0, {"broken": str(error)}
        there = len(ours.resources.search("Device", ""))
        kept = fault in (Fault.CUT_ANSWER, Fault.CUT_WITHIN, Fault.SLOW)
        assert there == kept, (status, answer)
        assert (status == 200) == (fault in (Fault.SLOW, Fault.DROPPED)), (status, answer)
        expected = "200" if kept else "201"
        assert outcomes(asked(server, "", stored)[1]) == [expected]
        assert ours.requests == 2
        assert (ours.resources.created, ours.resources.updated) == (1, 0)


@pytest.mark.parametrize("element", [{"status": "finished"}, {"note": []}, {"status": ""}])
def test_what_medplum_lets_pass_is_refused_by_the_test_server(element: Json) -> None:
    with FhirServer() as ours:
        status, told = asked(Server(ours.port), "", transaction(created("x"), replaced("bad", **element)))
        assert status == 422
        assert f"Observation.{next(iter(element))}" in told["issue"][0]["diagnostics"]
        assert ours.resources.names("Device") == []


def test_a_reference_that_leads_nowhere_is_refused_by_the_test_server() -> None:
    with FhirServer() as ours:
        for target in ("Device/none", SYSTEM):
            bundle = transaction(replaced("lost", device={"reference": target}))
            assert asked(Server(ours.port), "", bundle)[0] == 400
        assert ours.resources.names("Observation") == []


def test_the_test_server_asks_for_its_token() -> None:
    with FhirServer(token="secret") as ours:
        assert asked(Server(ours.port), "", transaction(created("x")))[0] == 401
        assert ours.resources.names("Device") == []
