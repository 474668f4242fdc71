"""The machine's clock, on made-up machines: who vouches for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.machine import clock

TODAY = datetime(2027, 3, 1, 9, 30, tzinfo=UTC)

Tree = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_pc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Raspberry Pi, unless a test says otherwise."""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")


def rtc(off: timedelta = timedelta(), name: str = "rtc0") -> dict[str, str]:
    """A battery clock that is off by so much."""
    return {f"sys/class/rtc/{name}/since_epoch": f"{int((TODAY + off).timestamp())}\n"}


def test_a_pi_without_network_has_no_time_however_plausible_it_looks(tree: Tree) -> None:
    assert clock.voucher(TODAY, tree({"etc/fake-hwclock.data": "2027-03-01 09:17:01"})) == ""


def test_systemd_says_that_time_servers_were_reached(tree: Tree) -> None:
    assert clock.voucher(TODAY, tree({"run/systemd/timesync/synchronized": ""})) == "ntp"


def test_the_kernel_is_asked_only_where_system_calls_are_not_filtered(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask() -> bool:
        asked.append(1)
        return True

    monkeypatch.setattr(clock, "_kernel_synchronised", ask)
    assert clock.voucher(TODAY, tree({"proc/self/status": "Name:\tx\nSeccomp:\t2\n"})) == ""
    assert not asked
    assert clock.voucher(TODAY, tree({"proc/self/status": "Name:\tx\nSeccomp:\t0\n"})) == "ntp"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (rtc(), True),
        (rtc(timedelta(seconds=-100)), True),
        (rtc(timedelta(hours=-1)), False),
        (rtc(timedelta(hours=-1)) | {"etc/adjtime": "0.0 0 0.0\n0\nLOCAL\n"}, True),
        (rtc(timedelta(hours=-1)) | {"etc/adjtime": "0.0 0 0.0\n0\nUTC\n"}, False),
        (rtc(datetime(1970, 1, 1, 0, 5, tzinfo=UTC) - TODAY), False),
        (rtc(datetime(1970, 1, 1, tzinfo=UTC) - TODAY) | rtc(name="rtc1"), True),
        ({"sys/class/rtc/rtc0/since_epoch": "garbage"}, False),
        ({"sys/class/rtc/rtc0/since_epoch": ""}, False),
        ({"sys/class/rtc/rtc0/name": "no time"}, False),
    ],
)
def test_a_battery_clock_vouches_where_it_agrees(tree: Tree, files: dict[str, str], expected: bool) -> None:
    assert (clock.voucher(TODAY, tree(files)) == "rtc") is expected


def test_a_battery_clock_without_a_battery_vouches_for_nothing(tree: Tree) -> None:
    """After the kernel set the system clock by it, the two agree: both wrong."""
    wrong = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    assert clock.voucher(wrong, tree(rtc(wrong - TODAY))) == ""


def test_a_pc_takes_its_time_from_the_firmware(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert clock.voucher(TODAY, tree({})) == "rtc"
    assert clock.voucher(TODAY, tree(rtc(timedelta(days=-300)))) == ""


def test_no_time_before_the_release_is_right(tree: Tree) -> None:
    root = tree({"run/systemd/timesync/synchronized": ""} | rtc())
    assert clock.voucher(datetime(2024, 5, 1, tzinfo=UTC), root) == ""


def test_the_release_lies_in_the_past() -> None:
    assert datetime.now(UTC) > clock.RELEASED, "or this machine's own clock is not set"


def test_the_boot_has_a_name(tree: Tree, tmp_path: Path) -> None:
    name = "eee5f533-3b78-4762-beb8-ace2c76992fa"
    assert clock.boot_id(tree({"proc/sys/kernel/random/boot_id": name + "\n"})) == name


@pytest.mark.parametrize("files", [{}, {"proc/sys/kernel/random/boot_id": "garbage\n"}])
def test_a_boot_without_a_name_gets_one_for_this_start(tree: Tree, files: dict[str, str]) -> None:
    root = tree(files)
    name = clock.boot_id(root)
    assert len(name) == 36
    assert clock.boot_id(root) == name


def test_this_moment() -> None:
    one, other = clock.now(), clock.now()
    assert one.utc.tzinfo is UTC
    assert one.boot_id == other.boot_id
    assert one.monotonic_s <= other.monotonic_s
    assert one.boot_s >= one.monotonic_s
    assert one.is_set == bool(one.voucher)


@pytest.mark.skipif(not os.path.exists("/proc/uptime"), reason="only Linux tells since when it runs")
def test_seconds_since_the_boot_include_sleep() -> None:
    with open("/proc/uptime") as stream:  # CLOCK_BOOTTIME, in hundredths
        uptime = float(stream.read().split()[0])
    assert clock.now().boot_s == pytest.approx(uptime, abs=2)
