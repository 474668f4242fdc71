"""Slides that were merged stand where they belong in time."""

from __future__ import annotations

from edge.records.boots import TrueTimes
from edge.records.queries import in_order

CLOCK = [
    {"boot": 1, "utc": "2026-11-01T08:00:00+00:00", "boot_s": 0.0, "voucher": "ntp"},
    {"boot": 2, "utc": "2000-01-01T00:00:00+00:00", "boot_s": 0.0, "voucher": ""},
    {"boot": 3, "utc": "2026-10-01T08:00:00+00:00", "boot_s": 0.0, "voucher": "ntp"},
    {"boot": 4, "utc": "2026-11-02T08:00:00+00:00", "boot_s": 0.0, "voucher": "ntp"},
]


def slide(name: str, origin: str, boot: int, at: str) -> dict[str, object]:
    return {"id": name, "origin": origin, "boot": boot, "started_at": at, "started_s": 60.0}


def test_slides_of_two_stores_stand_in_the_order_of_their_times() -> None:
    here = [
        slide("first", "here", 1, "2026-11-01T08:01:00+00:00"),
        slide("no clock", "here", 2, "2000-01-01T00:01:00+00:00"),
        slide("last", "here", 4, "2026-11-02T08:01:00+00:00"),
    ]
    merged = slide("october", "there", 3, "2026-10-01T08:01:00+00:00")
    found = in_order([*here[:2], merged, here[2]], TrueTimes(CLOCK))
    assert [one["id"] for one in found] == ["october", "first", "no clock", "last"]
    # of one store alone, boots tell, whatever its clock showed
    assert in_order(here, TrueTimes(CLOCK)) == here
