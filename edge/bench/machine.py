"""What the system tells of the machine, its temperature and its clock. Absent is None, never a guess."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from edge.files.kernel import value
from edge.machine.health import PROCESSOR, clocks_mhz, temperatures
from edge.machine.processor import instructions
from edge.machine.profile import device_model


def describe() -> dict[str, Any]:
    """Name, processor, its instructions, cores, memory and system of this machine."""
    processor = value(Path("/proc/cpuinfo"), "model name")
    memory = value(Path("/proc/meminfo"), "MemTotal")
    return {
        "name": device_model() or processor or platform.machine(),
        "cpu": processor,
        "architecture": platform.machine(),
        "instructions": instructions() or None,
        "cores": cores(),
        "memory_mb": int(memory.split()[0]) // 1024 if memory else None,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def memory_mb(pid: int, root: Path = Path("/proc")) -> tuple[float, float] | None:
    """Resident memory of a process now and at its peak, MB of 10^6 bytes; None where nothing tells."""
    status = root / str(pid) / "status"
    values = [value(status, name) for name in ("VmRSS", "VmHWM")]
    now, peak = (float(told.split()[0]) * 1024 / 1e6 if told else None for told in values)
    return None if now is None or peak is None else (now, peak)


class Watch:
    """Temperature, clock and load while something is measured, as Linux shows them below `sysfs`."""

    def __init__(self, sysfs: Path = Path("/sys")) -> None:
        self._sysfs = sysfs
        self._hottest: dict[str, float] = {}
        self._clocks: list[float] = []
        self._loads: list[float] = []
        self.sample()

    def sample(self) -> None:
        """Look once; call it between measurements, and not within one."""
        for name, celsius in temperatures(self._sysfs):
            self._hottest[name] = max(celsius, self._hottest.get(name, celsius))
        self._clocks += self._clock()
        self._loads.append(round(os.getloadavg()[0], 2))

    def summary(self) -> dict[str, Any]:
        """The extremes so far, as `conditions` of the JSON."""
        processor = [celsius for name, celsius in self._hottest.items() if PROCESSOR.search(name)]
        clocks = self._clocks
        return {
            "temperatures_c": dict(self._hottest),
            "cpu_c": max(processor, default=None),
            "clock_mhz": {"lowest": min(clocks), "highest": max(clocks)} if clocks else None,
            "load": [self._loads[0], self._loads[-1]],
        }

    def _clock(self) -> list[float]:
        """MHz of every core, from cpufreq (kilohertz), else what x86 tells in /proc/cpuinfo."""
        if clocks := clocks_mhz(self._sysfs):
            return clocks
        told = value(Path("/proc/cpuinfo"), "cpu MHz")
        return [round(float(told))] if told else []
