"""Whoever moves the stage: somebody at the terminal, or nobody."""

from __future__ import annotations

import sys

from edge import command
from edge.calibrate.steps import CalibrateError, SkippedError


class Terminal:
    """Asks on standard error and waits for the answer on standard input."""

    def ready(self, text: str) -> None:
        """Enter goes on; raises SkippedError for s, StoppedError for q or the end of the input."""
        if self._answer(f"{text}\n  Enter: ready   s: skip this step   q: stop without saving > ") == "s":
            raise SkippedError

    def again(self, reason: str) -> bool:
        """Enter tries again, s gives up; StoppedError for q."""
        self.tell(reason)
        return self._answer("  Enter: try again   s: skip this step   q: stop without saving > ") != "s"

    def tell(self, line: str) -> None:
        """A line on standard error."""
        command.say("edge-device", line)

    def _answer(self, question: str) -> str:
        command.write_to(sys.stderr, question)
        try:
            answer = sys.stdin.readline()
        except UnicodeDecodeError:  # a terminal of another encoding; neither s nor q
            answer = "?"
        if not answer or answer.strip().lower() == "q":
            raise StoppedError("calibrate: stopped; nothing was saved")
        return answer.strip().lower()


class StoppedError(CalibrateError):
    """The user has had enough."""


class AtOnce:
    """Nobody to ask: what is under the objective is measured as it is."""

    def ready(self, text: str) -> None:
        """At once."""

    def again(self, reason: str) -> bool:
        """Never: nobody would change anything."""
        return False

    def tell(self, line: str) -> None:
        """A line on standard error."""
        command.say("edge-device", line)
