"""Whether finished slides reach the hospital's server, where one is named."""

from __future__ import annotations

from edge.doctor.check import Check, Subject
from edge.records.database import RecordsError
from edge.records.outbox import Outbox
from edge.sync import settings
from edge.sync.status import Status

_LONG_S = 7 * 86400.0
_SHOWN = 2  # reasons of refusals


def outbox(subject: Subject) -> Check:
    """What waits to be sent and for how long, and what the server does not take."""
    wanted = settings.read(subject.folder / settings.FILE)
    if wanted is None:
        return Check("fine", "no server is named: nothing is sent anywhere")
    server = wanted.server().address
    records = subject.folder / "records.db"
    if not records.exists():
        return Check("fine", f"{server}: no slide was screened yet")
    try:
        with Outbox(records, busy_s=2.0, reads_only=True) as book:
            return _of(Status.of(book, server))
    except RecordsError as error:
        return Check.told("worth knowing", str(error))  # the check of the records says what that means


def _of(status: Status) -> Check:
    if status.refused:
        n = len(status.refused)
        answers = (due.refused.reason for due in status.refused if due.refused)
        reasons = list(dict.fromkeys(answers))
        more = ", and others" if len(reasons) > _SHOWN else ""
        return Check(
            "worth knowing",
            f"{status.server} refused {n} slide{'s' * (n != 1)} ({'; '.join(reasons[:_SHOWN])[:200]}{more}), "
            f"{status.told}",
            "edge-device sync --status names them; mend it there or here, then edge-device sync --again",
        )
    if status.oldest and status.oldest.seconds > _LONG_S:
        return Check(
            "worth knowing",
            f"{status.server}: {status.told}",
            "edge-device sync says what holds them up; see that the link works at times",
        )
    return Check("fine", f"{status.server}: {status.told}")
