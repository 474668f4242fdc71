"""One run: what waits is sent, slide after slide, until all is there, the link fails or the time is up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from edge.records.outbox import Due, Outbox
from edge.sync.answers import Found, Verdict, found, verdict
from edge.sync.line import Line, LinkError
from edge.sync.message import Message, message
from edge.sync.pace import Pace
from edge.sync.server import Server

Tell = Callable[[int, int, str], None]
"""Is given how many slides are done, of how many, and what goes on."""

_IN_A_ROW = 3  # troubles that end a run, and tries of one slide within it
_LONGEST_WAIT_S = 120.0  # that a server may ask for within a run
_LOOK_S = 300.0  # between two looks at what waits: a slide to refer may have come
_LOOKS_S = (0.0, 1.0, 4.0)  # waits before a server is asked whether it has what it accepted


@dataclass
class Sent:
    """What came of a run.

    Attributes
    ----------
    accepted, refused : slides. size : bytes that were sent, those that did not arrive included.
    waiting : slides that still wait, those refused not counted.
    unreadable : slides of which no report could be made, with the reason.
    trouble : why it ended before all was sent; empty otherwise. It holds nothing of a patient.
    words : the same with what the server said, which may.
    late : the time was up. busy : another run sends from these records; this one did nothing.
    """

    accepted: int = 0
    refused: int = 0
    size: int = 0
    waiting: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    words: str = ""
    late: bool = False
    busy: bool = False


class _EndError(Exception):
    """The run ends: nothing more would come through. `words` has what the server said, too."""

    def __init__(self, told: str, words: str = "") -> None:
        super().__init__(told)
        self.words = words or told


class _TroubleError(Exception):
    """This slide did not come through, by no fault of its own that is known."""

    def __init__(self, told: str, words: str = "", wait_s: float | None = None) -> None:
        super().__init__(told)
        self.words, self.wait_s = words or told, wait_s


class Run:
    """One run over one line."""

    def __init__(
        self,
        book: Outbox,
        line: Line,
        server: Server,
        pace: Pace,
        end_s: float,
        about: Mapping[str, bool],
        again: bool,
    ) -> None:
        self._book, self._line, self._server, self._pace = book, line, server, pace
        self._end_s, self._about, self._again = end_s, about, again
        self._packed, self._takes_packed = True, False  # what is tried, and what the server has shown
        self._lets_look = True
        self._tries: Counter[str] = Counter()
        self._troubles: dict[str, _TroubleError] = {}
        self._done: set[str] = set()
        self.sent = Sent()

    # -- the queue -------------------------------------------------------------------------------------------

    def all(self, tell: Tell) -> None:
        """Send until nothing waits that could be sent."""
        try:
            self._send_all(tell)
        except _EndError as end:
            self.sent.trouble, self.sent.words = str(end), end.words
        else:
            for trouble in self._troubles.values():
                self.sent.trouble, self.sent.words = str(trouble), trouble.words
        self.sent.size = self._line.sent
        self.sent.late = self._is_late()
        self.sent.waiting = sum(due.refused is None for due in self._book.due(self._server.address))

    def _send_all(self, tell: Tell) -> None:
        row, looked_s = 0, self._pace.now()
        queue, later = self._waiting(), list[Due]()
        while (queue or later) and not self._is_late():
            if self._pace.now() - looked_s > _LOOK_S:
                queue, later, looked_s = self._waiting(), [], self._pace.now()
                continue
            if not queue:
                queue, later = later, []
            # where the server stumbles over the first ones, another shows whether it does over all
            due = queue.pop(0 if row < _IN_A_ROW - 1 else random.randrange(len(queue)))
            done = self.sent.accepted + self.sent.refused
            tell(done, done + len(queue) + len(later) + 1, f"{done} slides sent, {len(queue)} to come")
            try:
                self._slide(due)
            except _TroubleError as trouble:
                if self._is_late():  # it was cut short from here
                    return
                row += 1
                self._troubles[due.slide] = trouble
                self._tries[due.slide] += 1
                if self._tries[due.slide] < _IN_A_ROW:
                    later.append(due)
                if row == _IN_A_ROW or not self._waited(trouble.wait_s, row):
                    return
            else:
                row = 0
                self._done.add(due.slide)
                self._troubles.pop(due.slide, None)
            self._pace.rest(self._end_s)

    def _waiting(self) -> list[Due]:
        due = self._book.due(self._server.address)
        self._pace.rest(self._end_s)
        return [
            one
            for one in due
            if one.slide not in self._done
            and self._tries[one.slide] < _IN_A_ROW
            and (self._again or one.refused is None)
        ]

    def _is_late(self) -> bool:
        return self._pace.now() >= self._end_s

    def _waited(self, asked_s: float | None, row: int) -> bool:
        """Wait before the next try; False where the server asks for more time than a run has."""
        wait_s = 2.0 * 4 ** (row - 1) if asked_s is None else asked_s
        if wait_s > _LONGEST_WAIT_S or self._pace.now() + wait_s >= self._end_s:
            return False
        self._pace.sleep(wait_s)
        return True

    # -- a slide ---------------------------------------------------------------------------------------------

    def _slide(self, due: Due) -> None:
        made = self._made(due, self._about)
        if made is None:
            return
        if not due.ever_signed and self._is_signed_there(made):
            told = "the server has it signed, these records do not: left as it is"
            self._book.answered(due, self._server.address, "accepted", 200, told, 0)
            self.sent.accepted += 1
            return
        said, size = self._answered(made)
        if said.meaning == "too large" and self._about["pictures"]:
            made = self._made(due, {**self._about, "pictures": False}) or made
            said, size = self._answered(made)
        if said.meaning == "again":
            said, size = self._answered(made)
        match said.meaning:
            case "accepted":
                note = self._looked(made, due.replaces)
                self._book.answered(due, self._server.address, "accepted", said.status, note, size)
                self.sent.accepted += 1
            case "refused" | "too large" | "again" | "not packed":
                self._book.answered(due, self._server.address, "refused", said.status, said.reason, size)
                self.sent.refused += 1
            case "who is there":
                raise self._ended(said, self._server.credential)
            case "address":
                moved, none = (
                    "redirects are not followed",
                    "no FHIR server takes transactions at this address",
                )
                raise self._ended(said, f"{moved if said.status < 400 else none}; see --to")
            case _:
                raise _TroubleError(
                    f"{self._server}: {said.told}", f"{self._server}: {said.reason}", said.wait_s
                )

    def _ended(self, said: Verdict, what_to_do: str) -> _EndError:
        told, words = (f"{self._server}: {why}; {what_to_do}" for why in (said.told, said.reason))
        return _EndError(told, words)

    def _made(self, due: Due, about: Mapping[str, bool]) -> Message | None:
        """The message; None where there is none to be made. One damaged slide does not hold up others."""
        try:
            made = message(self._book, due.slide, **about)
        except Exception as error:  # a damaged row may be anything
            why = " ".join(f"{type(error).__name__}: {error}".split())
            self.sent.unreadable[due.slide] = why[:200]
            made = None
        self._pace.rest(self._end_s)
        return made

    def _answered(self, made: Message) -> tuple[Verdict, int]:
        """What the server says to it, packed if it takes that; and how many bytes went."""
        if self._packed:
            body = made.packed()
            said = self._posted(body, made, packed=True)
            if said.meaning == "accepted":
                self._takes_packed = True
            doubted = said.status == 400 and not self._takes_packed
            if said.meaning != "not packed" and not doubted:
                return said, len(body)
        said = self._posted(made.body, made, packed=False)
        if said.meaning == "accepted":
            self._packed = False
        elif said.meaning == "not packed":
            raise self._ended(said, "it takes no application/fhir+json; see --to")
        return said, len(made.body)

    def _posted(self, body: bytes, made: Message, *, packed: bool) -> Verdict:
        try:
            reply = self._line.post(body, packed=packed, within_s=self._left_s())
        except LinkError as error:
            raise self._cut(error) from error
        return verdict(reply, made.entries)

    def _is_signed_there(self, made: Message) -> bool:
        """Whether the server has a signed report of this slide, which an unsigned copy must not replace.

        Copies come by backups that are older than the signature, and by merges.
        """
        if not self._lets_look:
            return False
        seen = self._asked(made)
        if seen is None:
            raise _TroubleError(f"{self._server}: does not say what it has of a slide")
        self._lets_look = seen.allowed
        return seen.signed

    def _asked(self, made: Message) -> Found | None:
        """What the server has of a slide's report; None for an answer that means nothing."""
        try:
            asked = f"{made.report}&_elements=issued,status&_count=1"
            return found(self._line.ask(asked, within_s=self._left_s()))
        except LinkError as error:
            raise self._cut(error) from error

    def _looked(self, made: Message, replaces: bool) -> str:
        """See that the server has what it accepted; a note where it does not let anybody look."""
        if not self._lets_look:
            return "not read back"
        cut: _TroubleError | None = None
        for wait_s in _LOOKS_S:
            self._pace.sleep(wait_s)
            try:
                seen, cut = self._asked(made), None
            except _TroubleError as trouble:
                cut = trouble
                continue
            if seen and not seen.allowed:
                self._lets_look = False
                return "not read back"
            if seen and seen.there and not (replaces and _is_another(seen, made)):
                return ""
        if cut is not None:
            raise cut
        raise _TroubleError(f"{self._server}: accepted a slide, but does not have it; it is sent again")

    def _left_s(self) -> float:
        return max(self._end_s - self._pace.now(), 1.0)

    def _cut(self, error: LinkError) -> Exception:
        return _EndError(str(error)) if error.for_good else _TroubleError(str(error))


def _is_another(there: Found, here: Message) -> bool:
    """Whether the server has another report, or one issued at another time; not where it does not tell.

    Earlier or later: what it had before may have been issued by a clock that was ahead then.
    """
    if there.status and there.status != here.status:
        return True
    try:
        issued = [datetime.fromisoformat(one) for one in (here.issued, there.issued)]
        return abs((issued[0] - issued[1]).total_seconds()) >= 1
    except (ValueError, TypeError):
        return False
