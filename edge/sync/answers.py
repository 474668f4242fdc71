"""What a server's answer to a transaction means: taken, refused, or nothing that one could rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from edge.files.text import printable
from edge.sync.line import Reply

Meaning = Literal[
    "accepted", "refused", "too large", "not packed", "who is there", "address", "again", "trouble"
]
"""Of an answer: every entry is there; this slide is not taken; not so large; not as gzip; the device is not
let in; nobody takes transactions there; once more, now; nothing that says whether the slide is there."""

_TROUBLE = (408, 425, 429)
_UNKNOWN = (404, 405, 410, 501)
_SIGNED = ("final", "amended", "corrected", "appended")  # a report, in the words of FHIR
_LONGEST = 400


@dataclass(frozen=True)
class Verdict:
    """What an answer means.

    Attributes
    ----------
    reason : why, with the server's words, in which there may be something of a patient.
    wait_s : how long the server asks to be left alone, None where it does not say.
    """

    meaning: Meaning
    status: int
    reason: str
    wait_s: float | None = None

    @property
    def told(self) -> str:
        """The reason without the server's words."""
        return self.reason.partition(": ")[0]


def verdict(reply: Reply, entries: int) -> Verdict:
    """What the answer to a transaction of so many entries means."""
    status = reply.status
    content = _json(reply)
    if 200 <= status < 300:
        return _of_success(reply, content, entries)
    told = f"HTTP {status}{_because(content, reply)}"
    if 300 <= status < 400:
        where = printable(reply.headers.get("location", "elsewhere"))[:100].partition("?")[0]
        return Verdict("address", status, f"HTTP {status}, it sends on to {where}")
    if status in (401, 403):
        return Verdict("who is there", status, told)
    if status in _UNKNOWN:
        return Verdict("address", status, told)
    if status == 413:
        return Verdict("too large", status, told)
    if status == 415:
        return Verdict("not packed", status, told)
    if status == 409:
        return Verdict("again", status, told)
    if status in _TROUBLE or status >= 500 or status < 200 or _is_page(reply):
        return Verdict("trouble", status, told, _asked_s(reply))
    return Verdict("refused", status, told)


def _of_success(reply: Reply, content: Any, entries: int) -> Verdict:
    """Taken only if it says so of each entry."""
    status = reply.status
    if not isinstance(content, dict) or content.get("resourceType") != "Bundle":
        page = "a web page, such as the login of a network" if _is_page(reply) else "no FHIR"
        return Verdict("trouble", status, f"HTTP {status} with {page}")
    if content.get("type") != "transaction-response":
        return Verdict("trouble", status, f"HTTP {status} with a bundle that answers no transaction")
    listed = content.get("entry")
    listed = listed if isinstance(listed, list) else []
    if len(listed) != entries:
        return Verdict(
            "trouble", status, f"HTTP {status}, and of {entries} entries {len(listed)} are answered"
        )
    for one in listed:
        answered = one.get("response") if isinstance(one, dict) else None
        answered = answered if isinstance(answered, dict) else {}
        code = str(answered.get("status", ""))[:3]
        if code.startswith("2") and code.isdecimal():
            continue
        told = f"an entry was answered {printable(code) or 'nothing'}{_because(answered.get('outcome'))}"
        refused = code.startswith("4") and code not in ("401", "403", *map(str, _TROUBLE))
        return Verdict("refused" if refused else "trouble", status, told)
    return Verdict("accepted", status, "")


@dataclass(frozen=True)
class Found:
    """What the server has of a report: whether it lets one look, and whether there is any.

    `issued` and `status` are the report's there, empty where the server does not tell.
    """

    allowed: bool
    there: bool = False
    issued: str = ""
    status: str = ""

    @property
    def signed(self) -> bool:
        """Whether somebody has signed what is there."""
        return self.status in _SIGNED


def found(reply: Reply) -> Found | None:
    """What the answer to the search of a report means; None where it means nothing."""
    if reply.status in (400, 403, *_UNKNOWN):  # a 401 says nothing of what may be looked at: a token ran out
        return Found(allowed=False)
    content = _json(reply)
    if not 200 <= reply.status < 300 or not isinstance(content, dict):
        return None
    if content.get("resourceType") != "Bundle" or content.get("type") != "searchset":
        return None
    listed = content.get("entry")
    resources = [one.get("resource") for one in listed if isinstance(one, dict)] if listed else []
    reports = [r for r in resources if isinstance(r, dict) and r.get("resourceType") == "DiagnosticReport"]
    newest = max(reports, key=lambda report: str(report.get("issued", "")), default={})
    issued, status = (str(newest.get(name, "")) for name in ("issued", "status"))
    total = content.get("total")
    return Found(True, bool(reports) or (isinstance(total, int) and total > 0), issued, status)


def _asked_s(reply: Reply) -> float | None:
    """Of `Retry-After` (RFC 9110, section 10.2.3), seconds; a date would rest on a clock, right or not."""
    asked = reply.headers.get("retry-after", "").strip()
    return float(asked) if asked.isdecimal() and asked.isascii() and len(asked) < 10 else None


def _is_page(reply: Reply) -> bool:
    """Whether somebody shows a page for people, who is none of FHIR's."""
    return "html" in reply.headers.get("content-type", "") or reply.body.lstrip()[:1] == b"<"


def _json(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _because(content: Any, reply: Reply | None = None) -> str:
    """The server's words, of an OperationOutcome or of a short plain text; empty without any."""
    words = "; ".join(dict.fromkeys(_issues(content)))
    if not words and reply is not None and "text/plain" in reply.headers.get("content-type", ""):
        words = reply.body[:_LONGEST].decode("utf-8", "replace")
    words = printable(" ".join(words.split()))
    return f": {words[:_LONGEST]}" if words else ""


def _issues(content: Any) -> Iterator[str]:
    """What an OperationOutcome says (http://hl7.org/fhir/R4/operationoutcome.html), the errors first."""
    if not isinstance(content, dict) or content.get("resourceType") != "OperationOutcome":
        return
    issues = content.get("issue")
    issues = [one for one in issues if isinstance(one, dict)] if isinstance(issues, list) else []
    for issue in sorted(issues, key=lambda one: one.get("severity") not in ("fatal", "error")):
        details = issue.get("details")
        text = details.get("text") if isinstance(details, dict) else None
        where = issue.get("expression") or issue.get("location")
        told = str(issue.get("diagnostics") or text or issue.get("code") or "")
        yield f"{told} ({where[0]})" if told and isinstance(where, list) and where else told
