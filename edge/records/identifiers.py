"""Identifiers of slides: readable, and no two alike. What people may type for one, and for themselves."""

from __future__ import annotations

import re
import shlex
import unicodedata
from base64 import b32encode
from secrets import token_bytes

from edge.machine import clock
from edge.records.database import RecordsError

LONGEST = 64
"""Characters of an identifier; a barcode on a slide's label has room for about half."""

_SHOWN = 24  # of what is refused
_BLANK = frozenset(map(chr, (
    0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
)))  # fmt: skip
"""Printable by Unicode, and invisible all the same: fillers, joiners, and what chooses among shapes."""

_INITIALS = re.compile(r"[^\W_]([^\W_]|[.-]){0,7}")


def new_slide_id(boot: int | str = "", dated: bool | None = None) -> str:
    """A readable identifier that no other slide has, as `2026-11-01T0912-k7m2qx5w4f`: UTC and 50 random bits.

    While the clock is not set a date would mislead: then it is the boot and the minutes since, as in
    `boot12-0007-k7m2qx5w4f`. That two boxes draw the same bits in the same minute need not be reckoned with
    when their records are brought together; within one store `Store.begin_slide` sees to it.

    Parameters
    ----------
    boot : number of the boot; without one its name's first digits.
    dated : whether the clock is to be believed; None asks `edge.machine.clock`.
    """
    moment = clock.now()
    if moment.is_set if dated is None else dated:
        return f"{moment.utc:%Y-%m-%dT%H%M}-{_drawn()}"
    return f"boot{boot or '-' + moment.boot_id[:8]}-{int(moment.boot_s) // 60:04d}-{_drawn()}"


def checked(text: str, what: str = "slide") -> str:
    """An identifier as people typed or scanned it, without the space round it and in one spelling (NFC).

    Letters of every script are welcome, those written from right to left too (`isolated` shows them safely).
    What cannot be seen is not: two identifiers that look alike must be alike.

    Raises
    ------
    RecordsError : it is empty, too long, or has control or invisible characters.
    """
    found = unicodedata.normalize("NFC", text).strip()
    if not found:
        reason = "is empty"
    elif len(found) > LONGEST:
        reason = f"has {len(found)} characters, more than {LONGEST}"
    elif hidden := next((letter for letter in found if not letter.isprintable() or letter in _BLANK), None):
        reason = f"has the invisible character U+{ord(hidden):04X}"
    elif not any(letter.isalnum() for letter in found):
        reason = "has no letter or digit"
    else:
        return found
    raise RecordsError(f"{what} {shortened(text)}: {reason}; type letters and digits that can be seen")


def initials(text: str) -> str:
    """A person's initials, in capitals: `ab` and `AB` are one person.

    Raises
    ------
    RecordsError : they are not 1 to 8 letters, digits, dots or hyphens.
    """
    found = unicodedata.normalize("NFC", text).strip().upper()
    if not _INITIALS.fullmatch(found):
        raise RecordsError(
            f"initials {shortened(text)}: are not 1 to 8 letters, digits, dots or hyphens, such as AB"
        )
    return found


def isolated(text: str) -> str:
    """Text for a line of others: one that runs from right to left does not turn those round.

    With the marks of Unicode's bidirectional algorithm (UAX 9), which terminals do not show.
    """
    right_to_left = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text)
    return f"\u2068{text}\u2069" if right_to_left else text


def goes_on(slide: str) -> str:
    """What can be done with a slide that was cut off, as commands."""
    name = shlex.quote(slide)
    return f"go on with it: edge-run --camera … --slide {name} --go-on, or close it: edge-slides close {name}"


def shortened(text: str) -> str:
    """What was typed, in quotes, escaped and short enough for one line."""
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _drawn() -> str:
    """50 random bits in ten characters, among which are neither 0 nor 1, which look like letters."""
    return b32encode(token_bytes(7)).decode().lower()[:10]
