"""Identifiers of slides: readable, and no two alike."""

from __future__ import annotations

from base64 import b32encode
from secrets import token_bytes

from edge.machine import clock


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


def _drawn() -> str:
    """50 random bits in ten characters, among which are neither 0 nor 1, which look like letters."""
    return b32encode(token_bytes(7)).decode().lower()[:10]
