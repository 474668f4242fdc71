"""Slides sent over a link that breaks anywhere, at random: each arrives once, and none is lost."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.custody.backup import backup
from edge.custody.merge import merge, opened
from edge.custody.restore import restore
from edge.machine import clock
from edge.records.book import Book
from edge.records.outbox import Outbox
from edge.report.fhir.bundle import bundle
from edge.report.formats import Layout
from edge.report.gather import gather
from edge.sync.pace import Pace
from edge.sync.sending import Sender, Sent
from edge.sync.server import Server
from tests.edge.records.slides import screened
from tests.edge.report.medplum import KINDS
from tests.edge.sync.fhir_server import Fault, FhirServer
from tests.edge.sync.proxy import Cut, Proxy
from tests.edge.sync.resources import Resources

CUTS = 200
SILENT = 6  # of them; each lasts until the sender has had enough
EXCHANGE = 5000  # bytes that a connection carries for one slide, about
A_SLIDE = 20_000  # bytes on the wire at most


def sender(records: Path, url: str, *, timeout_s: float = 20.0, again: bool = False) -> Sender:
    """The real one, which waits for nothing that is not on the wire."""
    pace = Pace(0, None, sleep=lambda _: None)
    return Sender(records, Server.of(url), pace, timeout_s=timeout_s, again=again)


def due(records: Path, url: str) -> list[str]:
    with Outbox(records) as book:
        return [one.slide for one in book.due(Server.of(url).address)]


def expected(records: Path) -> Resources:
    """What a server holds that got each slide once, over no link at all."""
    alone = Resources()
    with Book(records, reads_only=True) as book:
        for slide in sorted(glance.slide for glance in book.glances()):
            report = gather(book, slide, datetime.now(UTC))
            alone.transact(json.loads(json.dumps(bundle(report, Layout(), pictures=False))))
    return alone


def assert_same(found: Resources, wanted: Resources) -> None:
    for kind in KINDS:
        assert Counter(found.names(kind)) == Counter(wanted.names(kind)), kind
    told = [{one["identifier"][0]["value"]: one["status"] for one in r.search("DiagnosticReport", "")}
            for r in (found, wanted)]  # fmt: skip
    assert told[0] == told[1]


def cuts(seed: int) -> list[Cut]:
    """Somewhere between the connection and the end of the answer, each time elsewhere."""
    drawn = random.Random(seed)
    found = [
        Cut(drawn.choice((0, drawn.randrange(1, EXCHANGE), drawn.randrange(1, EXCHANGE))),
            drawn.choice(("reset", "end")))
        for _ in range(CUTS)
    ]  # fmt: skip
    for i in drawn.sample(range(CUTS), SILENT):
        found[i] = Cut(max(found[i].after, 1), "silence")
    return found


def test_each_slide_is_there_once_however_often_the_link_breaks(tmp_path: Path) -> None:
    records, planned = tmp_path / "records.db", cuts(seed=1)
    drawn = random.Random(2)
    made = 0
    with (
        FhirServer() as server,
        Proxy(server.port, lambda _: planned[link.cuts] if link.cuts < CUTS else None) as link,
    ):
        while link.cuts < CUTS or due(records, link.url):
            if link.cuts < CUTS and (not made or not due(records, link.url)):
                for _ in range(4):
                    screened(records, ["blast", *["lymphocyte"] * 4], f"S-{made}")
                    made += 1
                with Book(records) as book:
                    book.sign(f"S-{drawn.randrange(made - 4, made)}", "AB")
            sender(records, link.url, timeout_s=0.3 if link.cuts < CUTS else 20.0).run()
        assert link.cuts == CUTS
        assert sender(records, link.url).run() == Sent()
        assert_same(server.resources, expected(records))
        assert server.resources.created < server.resources.created + server.resources.unchanged
        assert made > 20


def test_a_slide_without_pictures_is_small_on_the_wire(tmp_path: Path) -> None:
    records = tmp_path / "records.db"
    classes = ["blast", "lymphocyte", "artefact"]
    for i in range(3):
        screened(records, [classes[j % (i + 1)] for j in range(150)], f"S-{i}")
    with Book(records) as book:
        book.note("S-1", "AB", patient='<O\'Neil> & "Ж" 患者', age=44, sex="female", note="seen before " * 20)
        book.sign("S-1", "AB")
    with FhirServer() as server, Proxy(server.port) as link:
        assert sender(records, link.url).run().accepted == 3
        assert link.sent + link.answered <= 3 * A_SLIDE
        assert server.resources.names("Media") == []


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_the_server_does_the_slide_is_there_once_in_the_end(tmp_path: Path, fault: Fault) -> None:
    records = tmp_path / "records.db"
    screened(records, ["blast", "lymphocyte"], "S-1")
    with FhirServer(lambda number: fault if number < 2 else None, pause_s=0.001) as server:
        for _ in range(6):
            told = sender(records, server.url, again=True).run()
            if not due(records, server.url):
                break
            assert told.trouble or told.refused
        assert due(records, server.url) == []
        assert_same(server.resources, expected(records))


def test_an_update_that_is_dropped_is_sent_again_though_the_clock_went_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there was issued later than the signature, by a clock that was ahead."""
    records = tmp_path / "records.db"
    screened(records, ["lymphocyte"], "S-1")
    with FhirServer() as server:
        assert sender(records, server.url).run().accepted == 1
        at = replace(clock.now(), utc=datetime(2026, 11, 3, tzinfo=UTC), voucher="", boot_id="the next")
        monkeypatch.setattr(clock, "now", lambda: at)
        with Book(records) as book:
            book.sign("S-1", "AB")
        before = server.requests
        server.fault = lambda number: Fault.DROPPED if number == before else None
        assert sender(records, server.url).run().accepted == 1
        (report,) = server.resources.search("DiagnosticReport", "")
        assert report["status"] == "final"


def sent_signed_and_restored(records: Path, old: Path, server: FhirServer) -> None:
    """Records from a backup that is older than a signature, which was sent; `old` has it."""
    screened(records, ["lymphocyte"], "S-1")
    backup(records, records.parent, records.parent / "backup", nothing, nothing)
    with Book(records) as book:
        book.sign("S-1", "AB")
    assert sender(records, server.url).run().accepted == 1
    records.rename(old)
    restore(records.parent / "backup", records, None, nothing)
    assert sender(records, server.url).run().accepted == 1


def test_a_copy_without_the_signature_does_not_take_its_place(tmp_path: Path) -> None:
    records = tmp_path / "records.db"
    with FhirServer() as server:
        sent_signed_and_restored(records, tmp_path / "old.db", server)
        (report,) = server.resources.search("DiagnosticReport", "")
        assert report["status"] == "final"
        with Outbox(records, reads_only=True) as book:
            (row,) = book._rows("SELECT reason FROM outbox")
        assert "the server has it signed" in row["reason"]
        with Book(records) as book:  # it is signed anew
            book.sign("S-1", "CD")
        assert sender(records, server.url).run().accepted == 1
        (report,) = server.resources.search("DiagnosticReport", "")
        assert "CD" in json.dumps(report["performer"])


def test_a_signature_that_comes_back_with_an_old_disk_arrives(tmp_path: Path) -> None:
    records, old = tmp_path / "records.db", tmp_path / "old.db"
    with FhirServer() as server:
        sent_signed_and_restored(records, old, server)
        with opened(old, records) as found:
            merge(found, records, nothing)
        assert sender(records, server.url).run().accepted == 1
        (report,) = server.resources.search("DiagnosticReport", "")
        assert report["status"] == "final"


def nothing(*_: object) -> None:
    return
