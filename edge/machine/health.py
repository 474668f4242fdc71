"""How the machine bears its work: temperature, throttling, voltage, as far as it tells.

Everything is read from files that Linux keeps, and each is optional: what is missing or makes no sense is
None, never a guess.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import monotonic

from edge.files.kernel import integer, text

PROCESSOR = re.compile(r"cpu|soc|^tj|x86_pkg|coretemp|k10temp|zenpower|package|tctl", re.IGNORECASE)
"""Names that Linux gives to a processor's sensor: Raspberry Pi, Jetson, Intel, AMD."""

_SLOWS_DOWN = re.compile(r"cpufreq|devfreq|throttle-alert|^processor$|powerclamp", re.IGNORECASE)
"""Cooling devices that cool by working less; a fan does not."""

_POSSIBLE_C = (-40.0, 150.0)  # sensors that are switched off tell 0 K, or the largest number they have
_RISING_S = 10.0  # a throttle counter that rose says so for this long
_VCGENCMD_S = 5.0  # between two questions to the Raspberry Pi's firmware where only its program can ask
_PATIENCE_S = 2.0  # for that program

# Raspberry Pi, "vcgencmd get_throttled" (https://www.raspberrypi.com/documentation/computers/os.html)
_UNDERVOLTAGE, _SLOWED = 0x1, 0x2 | 0x4 | 0x8
_SINCE_BOOT = 16  # bits by which the same, since the boot, lie further left


@dataclass(frozen=True)
class Health:
    """What the machine tells of itself; None where it does not.

    Attributes
    ----------
    temperature_c : of the hottest part of the processor.
    throttled : the processor runs slower than it could, to cool or for want of power.
    undervoltage : the power supply is too weak.
    throttled_before, undervoltage_before : the same at some time since the boot.
    mhz, max_mhz : of the fastest core now, and at best.
    memory_free_mb : memory that a program can still have, MB of 10^6 bytes.
    """

    temperature_c: float | None = None
    throttled: bool | None = None
    throttled_before: bool | None = None
    undervoltage: bool | None = None
    undervoltage_before: bool | None = None
    mhz: float | None = None
    max_mhz: float | None = None
    memory_free_mb: float | None = None


@dataclass
class _Memory:
    """What one look must know of those before it."""

    throttle_count: int | None = None
    rose_s: float = float("-inf")
    firmware: int | None = None
    asked_s: float = field(default=float("-inf"))


@cache
def _memory(root: Path) -> _Memory:
    return _Memory()


def look(root: Path = Path("/"), *, thorough: bool = False) -> Health:
    """How the machine is now; a millisecond.

    Parameters
    ----------
    root : where the files of the machine lie.
    thorough : on a Raspberry Pi ask the firmware's own program too, which takes longer and knows better what
        was since the boot.
    """
    bits = _firmware_bits(root, thorough)
    sysfs = root / "sys"
    slowed = [_bit(bits, _SLOWED), _cooling(sysfs), _counter_rises(root)]
    counts = _throttle_count(sysfs)
    slowed_before = [_bit(bits, _SLOWED << _SINCE_BOOT), None if counts is None else counts > 0]
    weak = [_bit(bits, _UNDERVOLTAGE), _voltage_alarm(sysfs)]
    return Health(
        temperature_c=max(
            (celsius for name, celsius in temperatures(sysfs) if PROCESSOR.search(name)), default=None
        ),
        throttled=_any(slowed),
        throttled_before=_any(slowed_before),
        undervoltage=_any(weak),
        undervoltage_before=_any([_bit(bits, _UNDERVOLTAGE << _SINCE_BOOT)]),
        mhz=max(clocks_mhz(sysfs), default=None),
        max_mhz=max(clocks_mhz(sysfs, "cpuinfo_max_freq"), default=None),
        memory_free_mb=_memory_free_mb(root),
    )


def temperatures(sysfs: Path = Path("/sys")) -> Iterator[tuple[str, float]]:
    """Sensor and °C (Linux documentation: driver-api/thermal/sysfs-api, hwmon/sysfs-interface)."""
    for zone in sorted(sysfs.glob("class/thermal/thermal_zone*")):
        yield from _temperature(text(zone / "type"), zone / "temp")
    for sensor in sorted(sysfs.glob("class/hwmon/hwmon*/temp*_input")):
        label = text(sensor.with_name(sensor.name.replace("_input", "_label")))
        yield from _temperature(f"{text(sensor.parent / 'name')} {label}".strip(), sensor)


def _temperature(name: str, file: Path) -> Iterator[tuple[str, float]]:
    thousandths = integer(file)
    if thousandths is not None and _POSSIBLE_C[0] < thousandths / 1000 < _POSSIBLE_C[1] and thousandths:
        yield name, thousandths / 1000


def _firmware_bits(root: Path, thorough: bool) -> int | None:
    """What the Raspberry Pi's firmware says of voltage and throttling; None on other machines."""
    files = (root / "sys/devices/platform").glob("soc*/*firmware*/get_throttled")
    told = next((bits for file in files if (bits := integer(file, 16)) is not None), None)
    if told is None or thorough:
        asked = _asked_firmware(root)
        return told if asked is None else (told or 0) | asked
    return told


def _asked_firmware(root: Path) -> int | None:
    """The same from the program that asks the firmware, once in a while."""
    memory = _memory(root)
    program = root / "usr/bin/vcgencmd"
    if monotonic() - memory.asked_s >= _VCGENCMD_S and program.exists():
        try:
            said = subprocess.run(
                [program, "get_throttled"],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PATIENCE_S,
            ).stdout
        except (OSError, ValueError, subprocess.TimeoutExpired):
            said = ""
        found = re.fullmatch(r"throttled=(0x[0-9a-fA-F]{1,8})\s*", said)
        memory.firmware = int(found[1], 16) if found else None
        memory.asked_s = monotonic()
    return memory.firmware


def _cooling(sysfs: Path) -> bool | None:
    """Whether Linux slows a processor down to cool it (Jetson, and wherever there is such a device)."""
    states = [
        integer(device / "cur_state")
        for device in sysfs.glob("class/thermal/cooling_device*")
        if _SLOWS_DOWN.search(text(device / "type"))
    ]
    return _any([None if state is None else state > 0 for state in states])


def _throttle_count(sysfs: Path) -> int | None:
    """How often x86 cores were throttled since the boot (Linux: admin-guide/thermal, therm_throt)."""
    files = sysfs.glob("devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [count for file in files if (count := integer(file)) is not None]
    return sum(counts) if counts else None


def _counter_rises(root: Path) -> bool | None:
    """Whether that count rose just now, against the look before."""
    memory, count = _memory(root), _throttle_count(root / "sys")
    if count is None:
        return None
    if memory.throttle_count is not None and count > memory.throttle_count:
        memory.rose_s = monotonic()
    memory.throttle_count = count
    return monotonic() - memory.rose_s < _RISING_S


def _voltage_alarm(sysfs: Path) -> bool | None:
    """The Raspberry Pi's undervoltage alarm (Linux: hwmon/raspberrypi-hwmon)."""
    alarms = [integer(file) for file in sysfs.glob("class/hwmon/hwmon*/in0_lcrit_alarm")]
    return _any([None if alarm is None else alarm > 0 for alarm in alarms])


def clocks_mhz(sysfs: Path, name: str = "scaling_cur_freq") -> list[float]:
    """MHz of every core that tells, now or under another name of cpufreq."""
    files = sysfs.glob(f"devices/system/cpu/cpu[0-9]*/cpufreq/{name}")
    return [kilohertz / 1000 for file in files if (kilohertz := integer(file))]


def _memory_free_mb(root: Path) -> float | None:
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None


def _bit(bits: int | None, mask: int) -> bool | None:
    return None if bits is None else bool(bits & mask)


def _any(told: list[bool | None]) -> bool | None:
    """True if one says so, False if none does, None where nothing tells."""
    known = [one for one in told if one is not None]
    return any(known) if known else None
