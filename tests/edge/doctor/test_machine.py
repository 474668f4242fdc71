"""The doctor on made-up machines: programs, profile, memory, heat, power, clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.doctor import calibration, disk, machine, model, service
from edge.doctor.check import Check, Examination, Subject, examine_all
from edge.types import LeukoscopeError
from tests.edge.doctor.sample import Tree, said


def test_a_machine_that_tells_nothing_is_fine(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    for check in (
        machine.program, machine.memory, machine.temperature, machine.power, disk.space, disk.storage,
        disk.permissions, calibration.calibration, model.records, service.service,
    ):  # fmt: skip
        found = check(subject)
        assert found.level == "fine", found
        assert "\n" not in found.message


def test_a_library_that_is_missing(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine._LIBRARIES, "no_such_module", "needed-one")
    assert said(machine.program(subject)) == "wrong: not installed: needed-one; pip install needed-one"


def test_a_profile_for_another_machine(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert machine.profile(subject).level == "worth knowing"
    assert "another machine than this (x86_64)" in machine.profile(subject).message


def test_a_profile_that_cannot_be_read(subject: Subject) -> None:
    broken = replace(subject, profile_error=LeukoscopeError("profile x.toml: key 'y' is missing; add it"))
    (found,) = examine_all([Examination("profile", machine.profile)], broken, lambda i, name: None).values()
    assert found == Check("wrong", "profile x.toml: key 'y' is missing", "add it")


def test_a_board_that_is_recognised(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr(machine, "device_model", lambda: "Raspberry Pi 5 Model B Rev 1.0")
    found = machine.profile(subject)
    assert (found.level, found.message) == ("fine", "raspberry-pi-5 (Raspberry Pi 5 Model B Rev 1.0)")


@pytest.mark.parametrize(("free_kb", "level"), [(100_000, "wrong"), (450_000, "worth knowing")])
def test_little_memory(subject: Subject, tree: Tree, free_kb: int, level: str) -> None:
    tree({"proc/meminfo": f"MemAvailable: {free_kb} kB\n"})
    assert machine.memory(subject).level == level
    assert "end other programs" in machine.memory(subject).mend


def throttled(bits: str) -> dict[str, str]:
    return {"sys/devices/platform/soc/soc:firmware/get_throttled": bits}


def zone(celsius: float) -> dict[str, str]:
    folder = "sys/class/thermal/thermal_zone0/"
    return {folder + "type": "cpu-thermal", folder + "temp": f"{celsius * 1000:.0f}"}


@pytest.mark.parametrize(
    ("files", "level", "words"),
    [
        (zone(48) | throttled("0"), "fine", "48 °C, not slowed down since the start"),
        (zone(86) | throttled("0"), "worth knowing", "86 °C"),
        (zone(71) | throttled("4"), "worth knowing", "slows itself down now"),
        (zone(50) | throttled("40000"), "worth knowing", "slowed itself down since the start"),
    ],
)
def test_heat(subject: Subject, tree: Tree, files: dict[str, str], level: str, words: str) -> None:
    tree(files)
    found = machine.temperature(subject)
    assert found.level == level
    assert words in found.message
    assert bool(found.mend) == (level != "fine")


@pytest.mark.parametrize(
    ("bits", "level"), [("50005", "wrong"), ("50000", "worth knowing"), ("0", "fine"), ("junk", "fine")]
)
def test_voltage(subject: Subject, tree: Tree, bits: str, level: str) -> None:
    tree(throttled(bits))
    assert machine.power(subject).level == level


def test_a_clock_that_is_not_set(subject: Subject, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    found = machine.wall_clock(subject)
    assert found.level == "worth knowing"
    assert "nobody vouches for it" in found.message
    assert "fit a clock with a battery" in found.mend
    tree({"sys/class/rtc/rtc0/since_epoch": "17"})
    assert "give its clock a battery" in machine.wall_clock(subject).mend
    tree({"run/systemd/timesync/synchronized": ""})
    assert machine.wall_clock(subject).level == "fine"
