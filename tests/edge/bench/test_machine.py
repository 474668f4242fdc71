"""What the system tells of the machine: fake sysfs and proc, and this machine's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.bench import machine


def put(root: Path, **files: str) -> None:
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A Raspberry Pi's sysfs, with a sensor that is asleep."""
    zones, clocks = tmp_path / "class/thermal", tmp_path / "devices/system/cpu"
    put(zones, thermal_zone0__type="cpu-thermal", thermal_zone0__temp="48312")
    put(zones, thermal_zone1__type="battery", thermal_zone1__temp="90000", thermal_zone2__type="gpu-thermal")
    put(clocks, cpu0__cpufreq__scaling_cur_freq="1500000", cpu1__cpufreq__scaling_cur_freq="2400000")
    put(tmp_path / "class/hwmon/hwmon0", name="k10temp", temp1_input="51000", temp1_label="Tctl")
    return tmp_path


def test_temperature_and_clock_are_the_extremes_seen(board: Path) -> None:
    watch = machine.Watch(board)
    put(board / "class/thermal", thermal_zone0__temp="61500")
    put(board / "devices/system/cpu", cpu0__cpufreq__scaling_cur_freq="600000")
    watch.sample()
    put(board / "class/thermal", thermal_zone0__temp="40000")
    watch.sample()
    seen = watch.summary()
    assert seen["temperatures_c"] == {"cpu-thermal": 61.5, "battery": 90.0, "k10temp Tctl": 51.0}
    assert seen["cpu_c"] == 61.5  # not the battery's
    assert seen["clock_mhz"] == {"lowest": 600.0, "highest": 2400.0}
    assert len(seen["load"]) == 2


def test_a_system_that_tells_nothing_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "value", lambda file, name: None)
    seen = machine.Watch(tmp_path).summary()
    assert seen["temperatures_c"] == {}
    assert seen["cpu_c"] is None
    assert seen["clock_mhz"] is None
    assert machine.describe()["memory_mb"] is None
    assert machine.describe()["name"]


def test_memory_is_read_in_bytes_of_1024_and_told_in_mb_of_a_million(tmp_path: Path) -> None:
    put(tmp_path / "7", status="Name:\tedge-run\nVmHWM:\t  200000 kB\nVmRSS:\t  100000 kB")
    assert machine.memory_mb(7, tmp_path) == pytest.approx((102.4, 204.8))
    assert machine.memory_mb(8, tmp_path) is None


def test_this_process_has_memory_and_cores() -> None:
    told = machine.memory_mb(os.getpid())
    assert told is not None
    assert 10 < told[0] <= told[1]
    assert 1 <= machine.describe()["cores"] <= (os.cpu_count() or 1)
