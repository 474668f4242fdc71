"""True times in the records of devices whose clock is set late, wrongly, or never."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.machine import clock
from edge.machine.clock import Moment, Voucher
from edge.records import store as store_module
from edge.records.boots import TrueTimes
from edge.records.identifiers import new_slide_id
from edge.records.store import Store, Unrecorded
from edge.types import Reading
from tests.edge.records.example import FINDING, HEADER, TALLY, reading

TRUTH = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
"""When the first boot of these tests began."""

STALE = datetime(2027, 2, 20, 17, 0, tzinfo=UTC)
"""The time of the last shutdown, with which a device without a battery clock starts."""


class Machine:
    """A device with a wall clock, right or wrong, and one that counts from the boot."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clock, "now", self.now)
        monkeypatch.setattr(clock, "asleep_s", lambda: self.asleep_s)
        monkeypatch.setattr(store_module, "CLOCK_S", 0.0)
        self.boots = 0
        self.began = TRUTH
        self.boot(STALE)

    def boot(self, wall: datetime, after: timedelta = timedelta(0)) -> None:
        """Start, `after` the last boot, with this on the wall clock."""
        self.boots += 1
        self.began += after
        self.boot_s: float = 0.0
        self.asleep_s: float = 0.0
        self.error = wall - self.began
        self.voucher: Voucher = ""

    def set(self, wall: datetime, voucher: Voucher = "") -> None:
        self.error = wall - self.true
        self.voucher = voucher

    def go(self, seconds: float) -> None:
        self.boot_s += seconds

    def sleep(self, seconds: float) -> None:
        self.boot_s += seconds
        self.asleep_s += seconds

    @property
    def true(self) -> datetime:
        return self.began + timedelta(seconds=self.boot_s)

    def now(self) -> Moment:
        utc = self.true + self.error
        return Moment(utc, self.boot_s - self.asleep_s, self.boot_s, f"boot-{self.boots}", self.voucher)

    def reading(self, index: int) -> Reading:
        """What the camera sees now."""
        one, moment = reading(index, 1), self.now()
        frame = replace(one.frame, captured_at=moment.utc, monotonic_s=moment.monotonic_s)
        return replace(one, frame=frame)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def store(machine: Machine, path: Path) -> Iterator[Store]:
    with Store(path) as store:
        yield store


def add(store: Store, machine: Machine, index: int, after_s: float = 10) -> datetime:
    """One reading after so many seconds; when it really was."""
    machine.go(after_s)
    store.add(machine.reading(index))
    store.flush()
    return machine.true


def times(store: Store, slide: str) -> list[datetime]:
    return [datetime.fromisoformat(row["captured_at"]) for row in store.readings(slide)]


def states(store: Store, slide: str) -> list[str]:
    return [row["clock"] for row in store.readings(slide)]


def near(found: list[datetime], wanted: list[datetime]) -> bool:
    pairs = zip(found, wanted, strict=True)
    return all(abs(a - b) < timedelta(seconds=0.1) for a, b in pairs)


def test_a_clock_set_in_the_middle_of_a_slide(store: Store, machine: Machine) -> None:
    machine.go(60)
    began = machine.true
    slide = store.begin_slide("s", HEADER)
    true = [add(store, machine, 0), add(store, machine, 1)]
    assert states(store, slide) == ["not set"] * 2
    assert store.slides()[0]["clock"] == "not set"
    machine.set(machine.true, "ntp")
    true += [add(store, machine, 2), add(store, machine, 3)]
    store.finish_slide(FINDING, TALLY)
    assert near(times(store, slide), true)
    assert states(store, slide) == ["corrected", "corrected", "set", "set"]
    (told,) = store.slides()
    assert (told["clock"], told["clock_set"]) == ("corrected", 0)
    ends = [datetime.fromisoformat(told[key]) for key in ("started_at", "finished_at")]
    assert near(ends, [began, machine.true])


def test_readings_are_never_rewritten(store: Store, machine: Machine, path: Path) -> None:
    store.begin_slide("s", HEADER)
    add(store, machine, 0)

    def written() -> list[tuple[Any, ...]]:
        with sqlite3.connect(path) as other:
            return [
                *other.execute("SELECT * FROM readings WHERE frame = 0"),
                *other.execute("SELECT * FROM slides"),
                *other.execute("SELECT * FROM clock WHERE id = 1"),
            ]

    before = written()
    machine.set(machine.true, "ntp")
    add(store, machine, 1)
    assert states(store, "s") == ["corrected", "set"]
    assert written() == before


def test_a_clock_that_is_right_from_the_start(store: Store, machine: Machine) -> None:
    machine.boot(TRUTH + timedelta(hours=1), timedelta(hours=1))
    machine.voucher = "rtc"
    store.close()
    with Store(store.path) as store:
        slide = store.begin_slide(None, HEADER)
        true = [add(store, machine, 0)]
        machine.voucher = "ntp"  # agrees with the battery clock
        true += [add(store, machine, 1)]
        machine.voucher = ""  # the network went away
        true += [add(store, machine, 2)]
        assert re.fullmatch(r"2027-03-01T1000-[a-z2-7]{10}", slide)
        assert states(store, slide) == ["set"] * 3
        assert times(store, slide) == true
        assert [row["voucher"] for row in store._rows("SELECT voucher FROM clock WHERE boot = 2")] == [
            "rtc", "ntp",
        ]  # fmt: skip


def test_time_servers_know_better_than_a_battery_clock(store: Store, machine: Machine) -> None:
    machine.set(machine.true + timedelta(minutes=4), "rtc")
    slide = store.begin_slide("s", HEADER)
    true = [add(store, machine, 0)]
    assert states(store, slide) == ["set"]
    machine.set(machine.true, "ntp")
    true += [add(store, machine, 1)]
    assert states(store, slide) == ["corrected", "set"]
    assert near(times(store, slide), true)


def test_a_clock_set_by_hand_holds_where_nothing_knows_better(store: Store, machine: Machine) -> None:
    slide = store.begin_slide("s", HEADER)
    true = [add(store, machine, 0)]
    machine.set(machine.true)
    true += [add(store, machine, 1)]
    assert states(store, slide) == ["corrected", "set"]
    assert near(times(store, slide), true)
    machine.set(machine.true + timedelta(days=365))  # a slip of the finger
    true += [add(store, machine, 2)]
    machine.set(machine.true, "ntp")
    true += [add(store, machine, 3)]
    assert states(store, slide) == ["corrected", "set", "corrected", "set"]
    assert near(times(store, slide), true)


def test_a_clock_that_goes_backwards(store: Store, machine: Machine) -> None:
    machine.set(machine.true + timedelta(hours=3))
    slide = store.begin_slide("s", HEADER)
    true = [add(store, machine, 0), add(store, machine, 1)]
    machine.set(machine.true, "ntp")
    true += [add(store, machine, 2)]
    written = [row["captured_at"] for row in store._rows("SELECT captured_at FROM readings")]
    assert written != sorted(written)
    assert near(times(store, slide), true)
    assert times(store, slide) == sorted(times(store, slide))


def test_a_clock_put_back_to_1970_vouches_for_nothing(store: Store, machine: Machine) -> None:
    slide = store.begin_slide("s", HEADER)
    machine.set(datetime(1970, 1, 1, tzinfo=UTC))
    add(store, machine, 0)
    assert states(store, slide) == ["not set"]
    assert times(store, slide)[0].year == 1970


def test_sleep_is_no_jump(store: Store, machine: Machine) -> None:
    slide = store.begin_slide("s", HEADER)
    true = [add(store, machine, 0)]
    machine.sleep(8 * 3600)
    true += [add(store, machine, 1)]
    assert states(store, slide) == ["not set", "not set"]
    machine.set(machine.true, "ntp")
    true += [add(store, machine, 2)]
    assert near(times(store, slide), true)
    assert len(store._rows("SELECT * FROM clock")) == 2


def test_two_boots(store: Store, machine: Machine) -> None:
    store.begin_slide("first", HEADER)
    first = [add(store, machine, 0)]
    store.close()
    machine.boot(STALE, timedelta(days=1))  # the same stale time again: the power went
    with Store(store.path) as store:
        store.begin_slide("second", HEADER)
        second = [add(store, machine, 0)]
        machine.set(machine.true, "ntp")
        second += [add(store, machine, 1)]
        assert near(times(store, "second"), second)
        assert states(store, "first") == ["not set"]
        assert not near(times(store, "first"), first)
        slides = store.slides()
        assert [(one["id"], one["boot"], one["clock"]) for one in slides] == [
            ("first", 1, "not set"), ("second", 2, "corrected"),
        ]  # fmt: skip


def test_a_clock_set_while_the_program_did_not_run(store: Store, machine: Machine) -> None:
    slide = store.begin_slide("s", HEADER)
    true = [add(store, machine, 0)]
    store.close()
    machine.go(600)
    machine.set(machine.true, "ntp")
    with Store(store.path) as store:
        assert near(times(store, slide), true)
        assert states(store, slide) == ["corrected"]


def test_two_programs_note_a_jump_once(store: Store, machine: Machine) -> None:
    with Store(store.path) as other:
        for one, name in ((store, "a"), (other, "b")):
            one.begin_slide(name, HEADER)
        machine.set(machine.true, "ntp")
        for one in (store, other):
            add(one, machine, 0)
        assert len(store._rows("SELECT * FROM boots")) == 1
        assert len(store._rows("SELECT * FROM clock")) == 2


def test_looks_at_the_clock_are_some_seconds_apart(
    machine: Machine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "CLOCK_S", 3600.0)
    with Store(path) as store:
        store.begin_slide("s", HEADER)
        looks = 0

        def look() -> Moment:
            nonlocal looks
            looks += 1
            return machine.now()

        monkeypatch.setattr(clock, "now", look)
        for index in range(20):
            add(store, machine, index)
        assert looks == 0


def test_identifiers_name_the_boot_while_the_clock_is_not_set(store: Store, machine: Machine) -> None:
    machine.go(7 * 60 + 20)
    ids = [store.begin_slide(None, HEADER) for _ in range(5)]
    assert all(re.fullmatch("boot1-0007-[a-z2-7]{10}", one) for one in ids)
    machine.set(machine.true)
    add(store, machine, 0)
    assert store.new_slide_id().startswith("2027-03-01T09")  # somebody set it


def test_identifiers_without_a_store(machine: Machine) -> None:
    ids = {new_slide_id() for _ in range(20)} | {Unrecorded().new_slide_id()}
    assert len(ids) == 21
    assert all(re.fullmatch("boot-boot-1-0000-[a-z2-7]{10}", one) for one in ids)
    machine.voucher = "ntp"
    assert new_slide_id().startswith("2027-02-20T1700-")


def test_slides_are_in_order_whatever_the_clock_showed(store: Store, machine: Machine) -> None:
    machine.set(machine.true + timedelta(days=400))
    store.begin_slide("z", HEADER)
    machine.go(60)
    machine.set(datetime(1970, 1, 1, tzinfo=UTC))
    store.begin_slide("a", HEADER)
    machine.boot(STALE, timedelta(hours=1))
    store.close()
    with Store(store.path) as store:
        store.begin_slide("m", HEADER)
        assert [one["id"] for one in store.slides()] == ["z", "a", "m"]


def test_a_jump_between_two_looks_leaves_the_nearest_truth() -> None:
    """The clock was set twice within seconds; readings between belong to no setting that was noted."""
    rows = [
        {"boot": 1, "utc": STALE.isoformat(), "boot_s": 0.0, "voucher": ""},
        {"boot": 1, "utc": (TRUTH + timedelta(seconds=100)).isoformat(), "boot_s": 100.0, "voucher": "ntp"},
    ]
    between = (TRUTH + timedelta(days=2)).isoformat()
    assert TrueTimes(rows).of(1, between, 50.0) == (
        (TRUTH + timedelta(seconds=50)).isoformat(timespec="milliseconds"),
        "corrected",
    )
