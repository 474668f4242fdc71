"""What time it is, and whether anything vouches for it: a device without a battery clock is normal.

Such a device starts with the time of its last shutdown (fake-hwclock, systemd-timesyncd), which looks right
and is not. So a time counts as set only if NTP or a clock with a battery says so. Who was wrong at first and
learns better later can put right what it wrote, by the clock that counts from the boot on.
"""

from __future__ import annotations

import ctypes
import platform
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal
from uuid import uuid4

from edge.files.kernel import integer, text, value

Voucher = Literal["", "hand", "rtc", "ntp"]
"""Who says that the time is right, the better the later: nobody, somebody who set it, a clock with a battery,
time servers."""

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""No earlier time can be right: the month of this version."""

_TIME_ERROR = 5  # what adjtimex(2) returns of a clock that nothing synchronises
_TIMEX_BYTES = 512  # struct timex has 208; its first field, the changes asked for, stays 0
_RTC_OFF_S = 300.0  # what an RTC and a system clock drift apart in a month at 100 ppm
_ZONE_S = 900.0  # an RTC that runs in local time is off by quarters of an hour


@dataclass(frozen=True)
class Moment:
    """Now, on every clock.

    Attributes
    ----------
    utc : wall clock, right or wrong.
    monotonic_s : seconds on the clock of `Frame.monotonic_s`, which stands still while the machine sleeps.
    boot_s : seconds since the boot, sleep included.
    boot_id : what this boot is called; both clocks start anew with the next.
    voucher : 'ntp' or 'rtc', who says that `utc` is right; empty where nobody does.
    """

    utc: datetime
    monotonic_s: float
    boot_s: float
    boot_id: str
    voucher: Voucher

    @property
    def is_set(self) -> bool:
        """Whether something vouches for `utc`."""
        return bool(self.voucher)


def now(root: Path = Path("/")) -> Moment:
    """This moment; `root` is where the files of the machine lie."""
    utc, monotonic_s = datetime.now(UTC), time.monotonic()
    return Moment(utc, monotonic_s, monotonic_s + asleep_s(), boot_id(root), voucher(utc, root))


def asleep_s() -> float:
    """Seconds that the machine slept since its boot, by which `boot_s` is ahead of `monotonic_s`.

    Nobody steps CLOCK_BOOTTIME and CLOCK_MONOTONIC, and they are slewed as the wall clock is
    (clock_gettime(2)); so a jump of the wall clock shows against the first, and a sleep does not.
    """
    if not hasattr(time, "CLOCK_BOOTTIME"):  # not Linux: the monotonic clock is all there is
        return 0.0
    slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return slept if slept > 0.001 else 0.0  # below that it is the time between the two calls


@cache
def boot_id(root: Path = Path("/")) -> str:
    """What the kernel calls this boot; where it has no name for it, each start of the program is one."""
    found = text(root / "proc/sys/kernel/random/boot_id")
    return found if re.fullmatch(r"[0-9a-f-]{32,36}", found) else str(uuid4())


def voucher(utc: datetime, root: Path = Path("/")) -> Voucher:
    """Who says that this is the time: 'ntp', 'rtc', or nobody."""
    if utc < RELEASED:
        return ""
    if synchronised(root):
        return "ntp"
    return "rtc" if battery_clock(utc, root) else ""


def synchronised(root: Path = Path("/")) -> bool:
    """Whether time servers set the clock in this boot, as systemd-timesyncd or the kernel tells."""
    if (root / "run/systemd/timesync/synchronized").exists():
        return True
    # where system calls are filtered (proc_pid_status(5)), asking for adjtimex may be the end
    unfiltered = value(root / "proc/self/status", "Seccomp") == "0"
    return unfiltered and _kernel_synchronised()  # chrony and ntpd tell the kernel only


def _kernel_synchronised() -> bool:
    """Whether the kernel takes its clock for synchronised; reading it needs no privilege (adjtimex(2))."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):  # not Linux
        return False
    return isinstance(state, int) and 0 <= state < _TIME_ERROR


def battery_clock(utc: datetime, root: Path = Path("/")) -> bool:
    """Whether a clock that runs while the machine is off agrees with `utc`.

    Its date must be possible: one without a battery starts at 1970 or 2000, however well the system clock
    was set by it. Without any such clock an x86 machine still took the time of its boot from the firmware or
    the hypervisor, which Linux reads there without a driver; others have nothing to take it from.
    """
    told = [integer(path) for path in (root / "sys/class/rtc").glob("rtc*/since_epoch")]
    if not told:
        return platform.machine() in ("x86_64", "AMD64", "i686")
    # in local time, as beside some other systems (adjtime_config(5))
    local = "LOCAL" in text(root / "etc/adjtime").split()
    return any(_agree(seconds, utc.timestamp(), local) for seconds in told if seconds is not None)


def _agree(rtc_s: float, system_s: float, local: bool) -> bool:
    off = rtc_s - system_s
    if local and abs(off) < 24 * 3600:
        off = (off + _ZONE_S / 2) % _ZONE_S - _ZONE_S / 2
    return rtc_s > RELEASED.timestamp() - 24 * 3600 and abs(off) <= _RTC_OFF_S
