"""What the doctor says of slides that are sent to a server."""

from __future__ import annotations

import pytest

from edge.doctor.check import Subject
from edge.doctor.outbox import outbox
from edge.machine import clock
from edge.machine.clock import Moment
from edge.records.outbox import Outbox
from edge.sync import settings
from edge.sync.settings import Settings
from tests.edge.records.slides import screened

URL = "https://fhir.example/r4"


@pytest.fixture
def asked(subject: Subject) -> Subject:
    """A device that was told of a server, and has a slide to send."""
    settings.write(subject.folder / settings.FILE, Settings(URL))
    screened(subject.folder / "records.db", ["lymphocyte"] * 3)
    return subject


def test_without_a_server_nothing_is_sent_anywhere(subject: Subject) -> None:
    check = outbox(subject)
    assert (check.level, check.mend) == ("fine", "")
    assert "nothing is sent anywhere" in check.message


def test_before_the_first_slide_and_with_one_that_waits(asked: Subject) -> None:
    check = outbox(asked)
    assert check.level == "fine"
    assert "1 slide waiting" in check.message
    (asked.folder / "records.db").unlink()
    assert "no slide was screened yet" in outbox(asked).message


def test_what_waits_for_long_is_told_with_what_to_do(asked: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    later = Moment(now.utc, now.monotonic_s, now.boot_s + 8 * 86400, now.boot_id, now.voucher)
    monkeypatch.setattr("edge.sync.status.clock.now", lambda: later)
    check = outbox(asked)
    assert check.level == "worth knowing"
    assert "1 slide waiting, about 5 kB, the oldest 8 days old" in check.message
    assert check.mend.startswith("edge-device sync")


def test_what_a_server_refused_is_told_with_its_reason(asked: Subject) -> None:
    with Outbox(asked.folder / "records.db") as book:
        (due,) = book.due(URL)
        book.answered(due, URL, "refused", 422, "HTTP 422: no subject", 900)
    check = outbox(asked)
    assert check.level == "worth knowing"
    assert "refused 1 slide (HTTP 422: no subject)" in check.message
    assert "--again" in check.mend


def test_settings_that_cannot_be_read_are_told(asked: Subject) -> None:
    from edge.types import LeukoscopeError

    (asked.folder / settings.FILE).write_text("to = 5")
    with pytest.raises(LeukoscopeError, match=r"sync.toml: to is 5; it must be a text in quotes"):
        outbox(asked)


def test_records_that_cannot_be_read_are_another_check_s_matter(asked: Subject) -> None:
    (asked.folder / "records.db").write_bytes(b"no database" * 1000)
    assert outbox(asked).level == "worth knowing"
