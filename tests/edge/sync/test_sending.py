"""Slides sent to a server: each once, the urgent first, and again when they say something else."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.records.outbox import Outbox
from edge.review.review import Review
from edge.sync.pace import Pace
from edge.sync.sending import Sender
from edge.sync.server import Server
from tests.edge.records.slides import screened
from tests.edge.sync.conftest import CALM, Send, Waits
from tests.edge.sync.hospital import Hospital, report_of, says


def test_the_urgent_go_first_and_each_once(send: Send, hospital: Hospital) -> None:
    sent = send()
    assert (sent.accepted, sent.waiting, sent.trouble) == (3, 0, "")
    assert hospital.slides == ["alarming", "calm", "late"]
    assert send().accepted == 0
    assert len(hospital.bundles) == 3


def test_what_is_sent_is_small_and_has_no_pictures(send: Send, hospital: Hospital) -> None:
    sent = send()
    assert sent.size == sum(map(len, hospital.bodies)) < 3 * 20_000
    assert {headers["content-encoding"] for headers in hospital.headers} == {"gzip"}
    assert {headers["content-type"] for headers in hospital.headers} == {"application/fhir+json"}
    for body, bundle in zip(hospital.bodies, hospital.bundles, strict=True):
        assert gzip.decompress(body) == json.dumps(bundle, ensure_ascii=False, separators=(",", ":")).encode()
        kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
        assert kinds == {"Device", "Specimen", "Observation", "DiagnosticReport"}


def test_pictures_go_where_they_are_asked_for(send: Send, hospital: Hospital) -> None:
    send(pictures=True)
    kinds = {entry["resource"]["resourceType"] for entry in hospital.bundles[0]["entry"]}
    assert {"Media", "DocumentReference"} <= kinds


def test_a_slide_that_is_screened_just_now_does_not_go(records: Path, send: Send, hospital: Hospital) -> None:
    screened(records, CALM, "under way", finish=False)
    assert send().accepted == 3
    assert "under way" not in hospital.slides


def test_a_slide_goes_again_with_whatever_its_report_says_anew(
    records: Path, send: Send, hospital: Hospital
) -> None:
    assert send().accepted == 3

    def changed(act: object = None) -> str:
        sent = send()
        assert (sent.accepted, sent.trouble) == (1, "")
        assert hospital.slides[-1] == "calm"
        assert send().accepted == 0
        return str(report_of(hospital.bundles[-1])["status"])

    with Book(records) as book:
        book.note("calm", "AB", patient="P-7")
        assert changed() == "preliminary"
        assert any(entry["resource"]["resourceType"] == "Patient" for entry in hospital.bundles[-1]["entry"])
        book.note("calm", "AB", note="pale")
        changed()
        with Review(book, "calm", "AB") as review:
            review.say([1], "blast")
        changed()
        book.sign("calm", "AB")
        assert changed() == "final"
        book.note("calm", "AB", note="called the clinic")
        assert changed() == "appended"
        book.reopen("calm", "CD", "another patient")
        assert changed() == "preliminary"
        book.sign("calm", "CD")
        assert changed() == "corrected"
        with book.open_by("calm", "AB"):  # nothing that the report says
            book.keep_place("calm", "AB", 1)
        assert send().accepted == 0


def test_a_signature_that_was_taken_back_goes_though_the_slide_was_cut_off(
    records: Path, send: Send, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    screened(records, CALM, "cut", finish=False)
    monkeypatch.setattr("edge.machine.processes.runs", lambda name: False)
    assert send().accepted == 3
    with Book(records) as book:
        with Review(book, "cut", "AB") as review:
            review.say([1], "blast")
        assert send().accepted == 0
        book.sign("cut", "AB")
        assert send().accepted == 1
        book.reopen("cut", "AB", "too early")
        assert send().accepted == 1
    assert [report_of(bundle)["status"] for bundle in hospital.bundles[-2:]] == ["final", "preliminary"]


def test_every_server_gets_its_own(send: Send, hospital: Hospital) -> None:
    assert send().accepted == 3
    assert send(server=Server.of(hospital.url + "/other")).accepted == 3
    assert send(server=Server.of(hospital.url.replace("localhost", "LOCALHOST") + "/")).accepted == 0


def test_one_run_at_a_time(records: Path, send: Send, hospital: Hospital) -> None:
    met, go_on = threading.Event(), threading.Event()

    def slow(handler: object, body: bytes) -> None:
        met.set()
        go_on.wait(20)
        handler.take(body)  # type: ignore[attr-defined]

    hospital.posts.append(slow)
    first = threading.Thread(target=send)
    first.start()
    assert met.wait(20)
    assert send().busy
    go_on.set()
    first.join()
    assert len(hospital.bundles) == 3


def test_it_ends_when_its_time_is_up(records: Path, hospital: Hospital) -> None:
    waits = Waits()
    pace = Pace(0.1, None, now=waits.now, sleep=waits.sleep)  # a slide takes minutes
    sent = Sender(records, Server.of(hospital.url), pace, max_seconds=300).run()
    assert sent.late
    assert 1 <= sent.accepted < 3
    assert sent.waiting == 3 - sent.accepted


def test_an_answer_that_its_time_does_not_suffice_for_is_no_trouble(send: Send, hospital: Hospital) -> None:
    waits = Waits()

    def slow(handler: object, body: bytes) -> None:
        waits.s = 1000.0
        handler.hang_up()  # type: ignore[attr-defined]

    hospital.always = slow
    sent = send(waits=waits, max_seconds=100)
    assert (sent.late, sent.waiting, sent.trouble) == (True, 3, "")


def test_an_answer_that_drips_has_an_end(
    send: Send, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and the whole never."""
    over = threading.Event()

    def drips(handler: object, body: bytes) -> None:
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        while not over.wait(0.02):
            handler.wfile.write(b" ")  # type: ignore[attr-defined]

    monkeypatch.setattr("edge.sync.line._PATIENCE_S", -4.7)  # of a time-out of 5 s
    hospital.always = drips
    sent = send()
    over.set()
    assert (sent.accepted, sent.waiting) == (0, 3)
    assert "no whole answer within 0 s" in sent.trouble


def test_a_slow_line_gets_no_more_than_it_takes(send: Send, hospital: Hospital) -> None:
    waits = Waits()
    sent = send(pace=Pace(8, None, now=waits.now, sleep=waits.sleep))
    assert sent.size * 8 / waits.s <= 8000 * 1.3


def test_a_damaged_slide_does_not_hold_up_the_others(records: Path, send: Send, hospital: Hospital) -> None:
    import sqlite3

    with sqlite3.connect(records) as other:
        other.execute("UPDATE slides SET rules = 'torn' WHERE id = 'alarming'")
    sent = send()
    assert (sent.accepted, sent.waiting, list(sent.unreadable)) == (2, 1, ["alarming"])


def test_nothing_but_the_outbox_is_written(records: Path, send: Send) -> None:
    def content() -> dict[str, list[object]]:
        with Outbox(records, reads_only=True) as book:
            names = [row["name"] for row in book._rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {
                n: book._rows(f"SELECT * FROM {n}") for n in names if n not in ("outbox", "sqlite_sequence")
            }

    before = content()
    send()
    after = content()
    del before["boots"], after["boots"], before["clock"], after["clock"]
    assert before == after


def test_no_address_tells_of_a_slide_or_a_patient(records: Path, send: Send, hospital: Hospital) -> None:
    with Book(records) as book:
        book.note("calm", "AB", patient="Mustermann")
    send()
    told = " ".join(hospital.paths)
    assert "DiagnosticReport?identifier=urn:uuid:" in told
    assert not any(word in told for word in ("calm", "alarming", "Mustermann"))


def test_patients_stay_behind_where_that_is_asked_for(records: Path, send: Send, hospital: Hospital) -> None:
    with Book(records) as book:
        book.note("calm", "AB", patient="Mustermann", age=44, sex="female", note="of Mustermann")
        book.sign("calm", "AB")
        book.reopen("calm", "AB", "is not Mustermann")
    assert send(without_patient=True).accepted == 3
    assert not any(b"Mustermann" in gzip.decompress(body) for body in hospital.bodies)


def test_screening_goes_on_beside_it(records: Path, send: Send) -> None:
    """Readings reach the disk while slides are sent, and both come to their end."""
    going = threading.Event()

    def screen() -> None:
        for number in range(10):
            screened(records, CALM, f"beside {number}")
            going.set()

    screening = threading.Thread(target=screen)
    screening.start()
    assert going.wait(60)
    while screening.is_alive():
        assert send().trouble == ""
    screening.join()
    send()
    with Outbox(records, reads_only=True) as book:
        assert book.accepted(book._rows("SELECT server FROM outbox")[0]["server"]) == 13


def test_without_a_right_to_search_what_was_accepted_holds(
    send: Send, hospital: Hospital, records: Path
) -> None:
    hospital.gets.append(says(403))
    assert send().accepted == 3
    assert sum("DiagnosticReport" in path for path in hospital.paths) == 1
    with Outbox(records, reads_only=True) as book:
        assert {row["reason"] for row in book._rows("SELECT reason FROM outbox")} == {"not read back"}
