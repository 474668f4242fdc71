"""Numbers, times and texts of people as they stand on pages: in one form, whatever the machine."""

from __future__ import annotations

from datetime import UTC, datetime

from edge.files.text import printable
from edge.records.identifiers import isolated

NOBODY_SAID = "not given"


def percent(share: float) -> str:
    """0.3619 → '36.2%'."""
    return f"{_hundredths(share)}%"


def between(interval: tuple[float, float]) -> str:
    """(0.276, 0.457) → '27.6 to 45.7%'."""
    low, high = interval
    return f"{_hundredths(low)} to {_hundredths(high)}%"


def level(share: float) -> str:
    """0.95 → '95%'."""
    return f"{share * 100:.4g}%"


def many(n: int, noun: str) -> str:
    """A number and what there are so many of."""
    return f"{n} {noun}" + ("" if n == 1 else "s")


def called(name: str) -> str:
    """A class for people: 'immature-granulocyte' → 'immature granulocyte'."""
    return said(name.replace("-", " "))


def said(text: str | None) -> str:
    """Text of people and devices: what would act is written out, what runs from right to left stays apart."""
    if not text:
        return NOBODY_SAID
    return "\n".join(isolated(printable(line)) for line in text.splitlines())


def moment(text: str | None) -> str:
    """A time as the records have it → '2026-11-30 11:43 UTC'."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return said(text)
    found = found.astimezone(UTC) if found.tzinfo else found
    return f"{found:%Y-%m-%d %H:%M} UTC"


def _hundredths(share: float) -> str:
    hundredths = f"{share * 100:.1f}"
    if hundredths == "0.0" and share > 0:
        return "<0.1"
    return hundredths.removesuffix(".0") if hundredths in ("0.0", "100.0") else hundredths
