"""What servers, and what lies before them, answer: a clear word, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.records.outbox import Outbox
from tests.edge.sync.conftest import Send, Waits
from tests.edge.sync.hospital import Answer, Handler, Hospital, outcome, report_of, response, says

PAGE = b"<!DOCTYPE html><title>Welcome to the guest network</title>"


def dropped(handler: Handler, body: bytes) -> None:
    handler.hang_up()


def cut_short(handler: Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"resourceType": "Bun')
    handler.wfile.flush()
    handler.hang_up()


def halfway_taken(handler: Handler, body: bytes) -> None:
    """It has all of it, and the answer is lost."""
    handler.send = lambda *_: handler.hang_up()  # type: ignore[method-assign, assignment]
    handler.take(body)


def too_long(handler: Handler, body: bytes) -> None:
    handler.send(200, b"[" + b" " * (5 << 20) + b"]")


def no_http(handler: Handler, body: bytes) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.hang_up()


def kept_quiet(handler: Handler, body: bytes) -> None:
    """Says that it took all, and has nothing."""
    handler.send(200, response(len(bundle_of(body)["entry"])))


def bundle_of(body: bytes) -> dict[str, Any]:
    import gzip

    return dict(json.loads(gzip.decompress(body)))


def entries(*statuses: str, more: int = 0) -> Answer:
    def answer(handler: Handler, body: bytes) -> None:
        handler.send(200, response(len(bundle_of(body)["entry"]) + more, *statuses))

    return answer


TROUBLES = {
    "500": (says(500, outcome("no space for P-7")), "HTTP 500"),
    "502 page": (says(502, PAGE, "text/html"), "HTTP 502"),
    "400 page": (says(400, PAGE, "text/html"), "HTTP 400"),
    "429": (says(429), "HTTP 429"),
    "408": (says(408), "HTTP 408"),
    "captive portal": (says(200, PAGE, "text/html"), "a web page, such as the login of a network"),
    "garbage": (says(200, b"\x00\xff" * 50), "with no FHIR"),
    "other JSON": (says(200, {"ok": True}), "with no FHIR"),
    "nothing": (says(204), "with no FHIR"),
    "another bundle": (says(200, {"resourceType": "Bundle", "type": "searchset"}), "answers no transaction"),
    "too few": (entries(more=-1), "entries"),
    "too many": (entries(more=1), "entries"),
    "entry without status": (entries(""), "answered nothing"),
    "entry 503": (entries("201", "503 Busy"), "answered 503"),
    "dropped": (dropped, "the connection was cut"),
    "cut short": (cut_short, "the connection was cut"),
    "answer lost": (halfway_taken, "the connection was cut"),
    "too long": (too_long, "more than 4 MB"),
    "no HTTP": (no_http, "the connection was cut"),
    "deep JSON": (says(200, b"[" * 100_000), "with no FHIR"),
    "accepted, not there": (kept_quiet, "accepted a slide, but does not have it"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_ends_the_run_and_refuses_nothing(
    name: str, send: Send, hospital: Hospital, records: Path
) -> None:
    answer, told = TROUBLES[name]
    hospital.always = answer
    sent = send()
    assert (sent.accepted, sent.refused, sent.waiting) == (0, 0, 3)
    assert told in sent.trouble
    assert hospital.url.replace("/fhir", "") in sent.trouble
    assert "P-7" not in sent.trouble
    assert len(hospital.bodies) <= 6
    with Outbox(records, reads_only=True) as book:
        assert book._rows("SELECT * FROM outbox") == []
    hospital.always = None
    assert send().accepted == 3


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_twice_costs_nothing(name: str, send: Send, hospital: Hospital) -> None:
    hospital.posts += [TROUBLES[name][0]] * 2
    sent = send()
    assert (sent.accepted, sent.waiting, sent.trouble) == (3, 0, "")
    assert len(hospital.reports) == 3


def test_a_refused_slide_is_kept_with_the_reason_and_holds_up_nobody(
    send: Send, hospital: Hospital, records: Path
) -> None:
    hospital.posts.append(says(422, outcome("Observation.subject:\nminimum required = 1")))
    sent = send()
    assert (sent.accepted, sent.refused, sent.waiting, sent.trouble) == (2, 1, 0, "")
    with Outbox(records, reads_only=True) as book:
        (due,) = book.due(hospital.url)
        assert due.refused is not None
        assert (due.slide, due.refused.status) == ("alarming", 422)
        assert due.refused.reason == "HTTP 422: Observation.subject: minimum required = 1"
    assert send().refused == 0
    assert len(hospital.bodies) == 3
    assert send(again=True).accepted == 1
    assert send(again=True).accepted == 0


def test_a_refused_slide_goes_once_it_says_something_else(
    send: Send, hospital: Hospital, records: Path
) -> None:
    hospital.posts.append(says(422, outcome("no subject")))
    assert send().refused == 1
    with Outbox(records) as book:
        book.note("alarming", "AB", patient="P-1")
    assert send().accepted == 1


def test_an_entry_that_is_not_taken_refuses_the_slide(send: Send, hospital: Hospital) -> None:
    hospital.posts.append(entries("201", "412 Precondition Failed"))
    sent = send()
    assert (sent.accepted, sent.refused) == (2, 1)


def test_a_conflict_is_tried_once_more(send: Send, hospital: Hospital) -> None:
    hospital.posts.append(says(409, outcome("version")))
    assert (send().accepted, len(hospital.bodies)) == (3, 4)


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told_what_to_look_at(status: int, send: Send, hospital: Hospital) -> None:
    hospital.always = says(status, outcome("who are you"))
    sent = send()
    assert (sent.refused, sent.waiting, len(hospital.bodies)) == (0, 3, 1)
    assert f"HTTP {status}: who are you; " in sent.words
    assert f"HTTP {status}; " in sent.trouble
    assert "give --token-file, or --certificates" in sent.trouble


@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_an_address_that_takes_no_transactions_refuses_no_slide(
    status: int, send: Send, hospital: Hospital
) -> None:
    hospital.always = says(status, outcome("unknown"))
    sent = send()
    assert (sent.refused, sent.waiting, len(hospital.bodies)) == (0, 3, 1)
    assert "no FHIR server takes transactions at this address; see --to" in sent.trouble


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_told_and_not_followed(status: int, send: Send, hospital: Hospital) -> None:
    hospital.always = says(status, Location="https://elsewhere.example/login?token=secret")
    sent = send()
    assert (sent.refused, sent.waiting, len(hospital.bodies)) == (0, 3, 1)
    assert "it sends on to https://elsewhere.example/login; redirects are not followed" in sent.trouble
    assert "secret" not in sent.trouble


def test_a_server_that_takes_no_gzip_gets_it_plain_and_is_remembered(send: Send, hospital: Hospital) -> None:
    hospital.takes_gzip = False
    assert send().accepted == 3
    assert [headers.get("content-encoding") for headers in hospital.headers] == ["gzip", None, None, None]


def test_a_server_that_stumbles_over_gzip_gets_it_plain(send: Send, hospital: Hospital) -> None:
    hospital.posts.append(says(400, outcome("not JSON")))
    sent = send()
    assert (sent.accepted, sent.refused) == (3, 0)
    assert [headers.get("content-encoding") for headers in hospital.headers] == ["gzip", None, None, None]


def test_one_that_is_known_to_take_gzip_is_believed(send: Send, hospital: Hospital) -> None:
    hospital.posts += [lambda handler, body: handler.take(body), says(400, outcome("bad"))]
    sent = send()
    assert (sent.accepted, sent.refused, len(hospital.bodies)) == (2, 1, 3)


def test_too_large_with_pictures_goes_without(send: Send, hospital: Hospital) -> None:
    hospital.posts.append(says(413, PAGE, "text/html"))
    assert (send(pictures=True).accepted, len(hospital.bodies)) == (3, 4)
    assert hospital.slides[0] == "alarming"
    assert len(hospital.bodies[1]) < len(hospital.bodies[0])


def test_too_large_without_pictures_is_refused(send: Send, hospital: Hospital) -> None:
    hospital.posts.append(says(413, PAGE, "text/html"))
    sent = send()
    assert (sent.accepted, sent.refused) == (2, 1)


def test_a_server_that_asks_for_patience_gets_it_within_limits(send: Send, hospital: Hospital) -> None:
    waits = Waits()
    hospital.posts.append(says(503, Retry_After="77"))
    assert send(waits=waits).accepted == 3
    assert 77 in waits.waited


def test_a_server_that_asks_for_too_much_patience_ends_the_run(send: Send, hospital: Hospital) -> None:
    waits = Waits()
    hospital.posts.append(says(503, Retry_After="3600"))
    sent = send(waits=waits)
    assert (sent.accepted, sent.waiting) == (0, 3)
    assert "HTTP 503" in sent.trouble
    assert waits.s < 60


def test_slides_over_which_a_server_stumbles_do_not_hold_up_the_rest(
    send: Send, hospital: Hospital, records: Path
) -> None:
    """However many lie in front: every run gets some through."""

    def stumbles(handler: Handler, body: bytes) -> None:
        slide = report_of(bundle_of(body))["identifier"][1]["value"]
        if slide in ("alarming", "calm"):
            handler.send(500, outcome("a bug"))
        else:
            handler.take(body)

    hospital.always = stumbles
    sent = send()
    assert (sent.accepted, sent.refused, sent.waiting) == (1, 0, 2)


def test_a_server_that_keeps_the_old_revision_is_found_out(
    send: Send, hospital: Hospital, records: Path
) -> None:
    assert send().accepted == 3
    with Outbox(records) as book:
        book.sign("calm", "AB")
    for report in hospital.reports.values():
        report["issued"] = "2020-01-01T00:00:00+00:00"
    hospital.always = kept_quiet
    sent = send()
    assert (sent.accepted, sent.waiting) == (0, 1)
    assert "does not have it" in sent.trouble


def test_a_search_that_lags_behind_is_waited_for(send: Send, hospital: Hospital) -> None:
    hospital.gets.append(says(200, {"resourceType": "Bundle", "type": "searchset", "total": 0}))
    assert (send().accepted, len(hospital.bodies)) == (3, 3)


def test_a_server_that_is_not_there(send: Send, hospital: Hospital) -> None:
    from edge.sync.server import Server

    waits = Waits()
    for address in ("http://localhost:9", "https://no-such-host.invalid/fhir"):
        sent = send(server=Server.of(address), waits=waits)
        assert (sent.accepted, sent.waiting) == (0, 3)
        assert sent.trouble.startswith(f"{address}: cannot be reached (")
