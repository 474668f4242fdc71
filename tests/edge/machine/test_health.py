"""What a machine tells of itself, read from made-up machines."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.machine import health
from edge.machine.health import Health, look

Tree = Callable[[dict[str, str]], Path]

ZONE = "sys/class/thermal/thermal_zone"
COOLING = "sys/class/thermal/cooling_device"
CPU = "sys/devices/system/cpu/cpu"


def zones(*named: tuple[str, str]) -> dict[str, str]:
    return {
        f"{ZONE}{i}/{key}": value + "\n"
        for i, (name, milli) in enumerate(named)
        for key, value in (("type", name), ("temp", milli))
    }


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert look(tmp_path) == Health()


@pytest.mark.parametrize(
    ("sensors", "celsius"),
    [
        ([("cpu-thermal", "61322")], 61.322),  # Raspberry Pi
        ([("CPU-therm", "50000"), ("GPU-therm", "70000"), ("tj-thermal", "52500")], 52.5),  # Jetson
        ([("acpitz", "27800"), ("x86_pkg_temp", "88000"), ("iwlwifi_1", "95000")], 88.0),  # a laptop
        ([("cpu-thermal", "-273200")], None),
        ([("cpu-thermal", "0")], None),
        ([("cpu-thermal", "garbage")], None),
        ([("battery", "35000")], None),
    ],
)
def test_the_hottest_part_of_the_processor(
    tree: Tree, sensors: list[tuple[str, str]], celsius: float | None
) -> None:
    assert look(tree(zones(*sensors))).temperature_c == celsius


def test_sensors_of_hwmon_count_too(tree: Tree) -> None:
    hwmon = "sys/class/hwmon/hwmon0/"
    root = tree({hwmon + "name": "k10temp", hwmon + "temp1_input": "71500", hwmon + "temp1_label": "Tctl"})
    assert look(root).temperature_c == 71.5


@pytest.mark.parametrize("place", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
@pytest.mark.parametrize(
    ("told", "now", "before", "weak", "weak_before"),
    [
        ("0", False, False, False, False),
        ("50005", True, True, True, True),
        ("50000", False, True, False, True),
        ("e0008", True, True, False, False),
        ("80000", False, True, False, False),
        ("garbage", None, None, None, None),
    ],
)
def test_what_the_raspberry_pis_firmware_says(
    tree: Tree, place: str, told: str, now: bool, before: bool, weak: bool, weak_before: bool
) -> None:
    found = look(tree({f"sys/devices/platform/{place}/get_throttled": told + "\n"}))
    assert (found.throttled, found.throttled_before) == (now, before)
    assert (found.undervoltage, found.undervoltage_before) == (weak, weak_before)


def program(root: Path, text: str) -> Path:
    path = root / "usr/bin/vcgencmd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho asked >> {root}/asked\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_the_firmwares_program_is_asked_where_there_is_no_file_and_seldom(tmp_path: Path) -> None:
    program(tmp_path, "echo throttled=0x50005")
    for _ in range(5):
        found = look(tmp_path)
    assert found.throttled
    assert found.undervoltage
    assert (tmp_path / "asked").read_text() == "asked\n"


@pytest.mark.parametrize("text", ["echo VCHI initialization failed; exit 255", "exit 1", "echo throttled=0x"])
def test_a_program_that_may_not_ask_says_nothing(tmp_path: Path, text: str) -> None:
    program(tmp_path, text)
    assert look(tmp_path) == Health()


def test_a_program_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_PATIENCE_S", 0.2)
    program(tmp_path, "exec sleep 60")
    assert look(tmp_path) == Health()


def test_a_thorough_look_asks_both(tree: Tree) -> None:
    root = tree({"sys/devices/platform/soc/soc:firmware/get_throttled": "0"})
    program(root, "echo throttled=0x50000")
    assert look(root).throttled_before is False
    assert look(root, thorough=True).throttled_before
    assert look(root, thorough=True).undervoltage_before


def test_the_undervoltage_alarm(tree: Tree) -> None:
    alarm = {"sys/class/hwmon/hwmon1/name": "rpi_volt", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"}
    assert look(tree(alarm)).undervoltage


@pytest.mark.parametrize(
    ("kind", "state", "throttled"),
    [
        ("cpu-throttle-alert", "1", True),
        ("cpufreq-cpu0", "3", True),
        ("thermal-cpufreq-0", "0", False),
        ("Processor", "2", True),
        ("intel_powerclamp", "-1", False),
        ("pwm-fan", "4", None),
        ("Fan", "1", None),
        ("cpufreq-cpu0", "", None),
    ],
)
def test_cooling_by_working_less(tree: Tree, kind: str, state: str, throttled: bool | None) -> None:
    assert look(tree({f"{COOLING}0/type": kind, f"{COOLING}0/cur_state": state})).throttled is throttled


def test_a_throttle_counter_that_rises(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(health, "monotonic", lambda: now)
    counter = f"{CPU}0/thermal_throttle/core_throttle_count"
    root = tree({counter: "7\n", f"{CPU}1/thermal_throttle/core_throttle_count": "0\n"})
    first = look(root)
    assert (first.throttled, first.throttled_before) == (False, True)
    tree({counter: "9\n"})
    assert look(root).throttled
    now += 5
    assert look(root).throttled
    now += 6
    assert look(root).throttled is False


def test_clocks_and_memory(tree: Tree) -> None:
    root = tree(
        {
            f"{CPU}0/cpufreq/scaling_cur_freq": "1500000\n",
            f"{CPU}1/cpufreq/scaling_cur_freq": "600000\n",
            f"{CPU}0/cpufreq/cpuinfo_max_freq": "2400000\n",
            "proc/meminfo": "MemTotal:  8000000 kB\nMemAvailable:  1000000 kB\n",
        }
    )
    found = look(root)
    assert (found.mhz, found.max_mhz, found.memory_free_mb) == (1500, 2400, 1024)
