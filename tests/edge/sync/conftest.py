"""What tests of the sending share: a server, records to send, and a sender that waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.sync.pace import Pace
from edge.sync.sending import Sender, Sent
from edge.sync.server import Server
from tests.edge.records.slides import screened
from tests.edge.sync.hospital import Hospital, running

CALM = ["lymphocyte"] * 12
ALARMING = ["blast"] * 10 + ["lymphocyte"] * 2

Send = Callable[..., Sent]


class Waits:
    """A clock on which only waiting takes time; `waited` are the waits, in order."""

    def __init__(self) -> None:
        self.s, self.waited = 0.0, list[float]()

    def now(self) -> float:
        return self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds
        self.waited.append(seconds)


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    with running() as found:
        yield found


@pytest.fixture(scope="session")
def _three(made_once: Callable[..., Path]) -> Path:
    def make(folder: Path) -> None:
        for name, cells in (("calm", CALM), ("alarming", ALARMING), ("late", CALM)):
            screened(folder / "records.db", cells, name)

    return made_once("three slides to send", make) / "records.db"


@pytest.fixture
def records(_three: Path, tmp_path: Path) -> Path:
    """Three finished slides; the second one is to be referred."""
    path = tmp_path / "records.db"
    path.write_bytes(_three.read_bytes())
    path.chmod(0o600)
    return path


@pytest.fixture
def send(records: Path, hospital: Hospital) -> Send:
    """Sends once, without waiting in earnest."""

    def send(**options: Any) -> Sent:
        waits = options.pop("waits", None) or Waits()
        server = options.pop("server", None) or Server.of(hospital.url)
        pace = options.pop("pace", None) or Pace(0, None, now=waits.now, sleep=waits.sleep)
        return Sender(options.pop("records", records), server, pace, timeout_s=5, **options).run()

    return send
