"""Sends what waits in one record store to one server."""

from __future__ import annotations

from pathlib import Path

from edge.records.outbox import Outbox
from edge.sync.line import Line
from edge.sync.lock import alone
from edge.sync.pace import Pace
from edge.sync.run import Run, Sent, Tell
from edge.sync.server import Server

__all__ = ["Sender", "Sent"]


class Sender:
    """Sends the slides of one record store to one server; may run in any thread.

    Parameters
    ----------
    records : the store's file. server : where to. pace : how fast; None for the usual.
    pictures, without_patient : see `edge.sync.message.message`.
    again : slides that were refused are tried again.
    max_seconds : after so many it ends, at the next piece of work or within one; None for no limit.
    timeout_s : how long to wait for the server's next bytes.
    tell : see `edge.sync.run.Tell`.
    """

    def __init__(
        self,
        records: Path,
        server: Server,
        pace: Pace | None = None,
        *,
        pictures: bool = False,
        without_patient: bool = False,
        again: bool = False,
        max_seconds: float | None = None,
        timeout_s: float = 60.0,
        tell: Tell = lambda done, total, text: None,
    ) -> None:
        self._records, self._server = Path(records), server
        self._pace = pace
        self._about = {"pictures": pictures, "without_patient": without_patient}
        self._again, self._tell = again, tell
        self._max_seconds, self._timeout_s = max_seconds, timeout_s

    def run(self) -> Sent:
        """Send what waits.

        Raises
        ------
        RecordsError : the records cannot be read, or not be written. Nothing that was accepted is lost by it.
        edge.sync.server.ServerError : certificates or token cannot be used.
        """
        pace = self._pace or Pace()
        with Outbox(self._records) as book, alone(self._records) as mine:
            if not mine:
                return Sent(busy=True)
            with Line(self._server, pace, self._timeout_s) as line:
                end_s = pace.now() + (self._max_seconds or float("inf"))
                run = Run(book, line, self._server, pace, end_s, self._about, self._again)
                run.all(self._tell)
                return run.sent
