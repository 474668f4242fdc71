"""The service in a guest with systemd: what comes back by itself, what waits, and what each says meanwhile.

    python tests/system/service.py --vm PATH/vm-camera.sh     boots the guest and runs every case in it

The guest has a kernel with vivid, the driver of a camera that does not exist, a monitor, what a screen with
all colours takes, and Python with the packages of the device application. The figures are of an emulated
machine: they show what happens, not how fast.
Exit status 0: every case passed; 3: one did not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from guest import run
from service_guest import (
    PROGRAM,
    STATE,
    WATCHDOG_S,
    asked,
    camera_comes,
    device,
    fill,
    now,
    prepare,
    ran,
    readings,
    said,
    settings,
    show,
    unlike,
    until,
)
from service_screen import kiosk, kiosk_comes_back, kiosk_ends, kiosk_plain

PACKAGES = "ffmpeg v4l-utils tmux procps cage foot seatd grim"
"""In the guest: what vm-camera.sh puts there, and what shows all colours and takes a picture of them."""

BEFORE: dict[str, str] = {}
"""The files of /etc before setup."""


def main() -> int:
    """Boot the guest, or in it run the cases."""
    screen = Path(__file__).with_name("screen")
    return run(__file__, __doc__, CASES, _begin, packages=PACKAGES, timeout_s=5400, programs=screen)


def _begin() -> None:
    prepare()
    BEFORE.update(settings())


# --- the cases, in this order -------------------------------------------------------------------------------


def installs() -> str:
    """Setup installs and starts the service; a second time there is nothing to do."""
    first = device("setup", "--profile", "/opt/guest.toml", "--yes")
    second = device("setup", "--profile", "/opt/guest.toml", "--yes")
    assert "nothing to do" in second, second
    exposure = ran("systemd-analyze", "security", "--no-pager", "leukoscope.service").strip().splitlines()[-1]
    return f"{len(first.splitlines())} lines shown; {exposure.strip()}"


def no_camera() -> str:
    """Without a camera at start it runs, waits and says why; with one it reads."""
    began = monotonic()
    until(lambda: show("ActiveState") == "active", "the service is up")
    up = monotonic() - began
    until(lambda: "camera" in show("StatusText"), "the status says what is missing")
    status = show("StatusText")
    sleep(WATCHDOG_S + 15)  # waiting is a sign of life: the watchdog leaves it alone
    assert show("NRestarts") == "0", said("leukoscope")
    before = readings()
    began = monotonic()
    camera_comes()
    until(lambda: readings() > before, "readings flow")
    names = [str(path) for path in Path("/dev").glob("leukoscope/*")]
    took = monotonic() - began
    return f"up in {up:.0f} s, {status!r}; first reading {took:.0f} s after the camera came; {names}"


def steady() -> str:
    """It goes on reading, and the watchdog has no reason to step in."""
    restarts, before, began = show("NRestarts"), readings(), monotonic()
    sleep(2 * WATCHDOG_S)
    assert show("NRestarts") == restarts, f"{show('NRestarts')} restarts"
    assert readings() > before, show("StatusText")
    return f"{readings() - before} readings in {monotonic() - began:.0f} s, {show('StatusText')!r}"


def killed() -> str:
    """kill -9: it comes back and reads, and nothing stored is lost."""
    return _back_after(signal.SIGKILL)


def hangs() -> str:
    """A line that hangs (SIGSTOP): the watchdog ends it, it comes back and reads."""
    took = _back_after(signal.SIGSTOP)
    journal = said("leukoscope")
    assert "Watchdog timeout" in journal, journal
    return f"{took} (WatchdogSec={WATCHDOG_S})"


def full_disk() -> str:
    """A full disk: it says so, comes back by itself once there is room, and then reads."""
    ran("systemctl", "stop", "leukoscope.service")
    ran("cp", "-a", str(STATE), "/root/state")
    ran("mount", "-t", "tmpfs", "-o", "size=24m,mode=0750", "tmpfs", str(STATE))
    ran("cp", "-a", "/root/state/.", str(STATE))  # what the self-test found, above all: it takes long here
    try:
        before = readings()
        ran("systemctl", "start", "leukoscope.service")
        until(lambda: readings() > before, "readings flow on the small disk")
        since = now()
        fill(STATE / "filling")
        began = monotonic()
        until(lambda: "full" in said("leukoscope", since).lower(), "it says that the disk is full")
        told = monotonic() - began
        line = next(line for line in said("leukoscope", since).splitlines() if "full" in line.lower())
        sleep(30)
        restarts, since = int(show("NRestarts")), now()
        (STATE / "filling").unlink()
        before, began = readings(), monotonic()
        until(lambda: readings() > before, "readings flow again")
        return (
            f"said so after {told:.0f} s: {line.strip()!r}; {restarts} restarts in 30 s; "
            f"reads {monotonic() - began:.0f} s after there is room"
        )
    finally:
        ran("systemctl", "stop", "leukoscope.service")
        ran("umount", str(STATE))


def partition() -> str:
    """Records on a partition of their own: without it nothing is screened, and plugging it in is enough."""
    for name in ("/usr/sbin/overlayroot-chroot", "/usr/sbin/update-initramfs"):
        Path(name).write_text("#!/bin/sh\n")  # the overlay itself needs a start of the machine
        Path(name).chmod(0o755)
    disk = Path("/root/stick")
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    ran("mkfs.ext4", "-q", "-L", "LEUKOSCOPE", str(disk))
    refused = subprocess.run(
        [PROGRAM / "edge-device", "setup", "--profile", "/opt/guest.toml", "--with", "read-only", "--yes"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1, refused.stdout
    assert "mkfs.ext4 -L LEUKOSCOPE" in refused.stderr, refused.stderr
    loop = ran("losetup", "--find", "--show", str(disk)).strip()
    until(Path("/dev/disk/by-label/LEUKOSCOPE").exists, "the partition has its name")
    device("setup", "--profile", "/opt/guest.toml", "--with", "read-only", "--yes")
    ran("systemctl", "stop", "leukoscope.service")
    ran("losetup", "--detach", loop)
    until(lambda: not Path("/dev/disk/by-label/LEUKOSCOPE").exists(), "the partition is away")
    ran("losetup", loop, str(disk))
    began = monotonic()
    until(lambda: show("ActiveState") == "active", "the service is up")
    took = monotonic() - began
    assert STATE.is_mount()
    until(lambda: readings() > 0, "readings flow into the partition")
    device("setup", "--profile", "/opt/guest.toml", "--yes")
    ran("systemctl", "stop", "leukoscope.service")
    ran("umount", str(STATE))
    ran("losetup", "--detach", loop)
    return f"refused without it: {refused.stderr.strip()!r}; up {took:.0f} s after it was plugged in"


def stops() -> str:
    """SIGTERM ends the slide properly: its finding is in the records."""
    ran("systemctl", "start", "leukoscope.service")
    before = readings()
    until(lambda: readings() > before, "readings flow")
    began = monotonic()
    ran("systemctl", "stop", "leukoscope.service")
    took = monotonic() - began
    assert show("Result") == "success", said("leukoscope")
    ((finding,),) = asked("SELECT finding FROM slides ORDER BY rowid DESC LIMIT 1")
    assert finding, "the slide has no finding"
    return f"in {took:.0f} s, finding {finding!r}"


def undone() -> str:
    """Undo gives back everything that setup wrote or changed."""
    device("setup", "--undo", "--yes")
    assert not STATE.with_name("leukoscope-setup").exists()
    after = settings()
    assert not unlike(BEFORE, after), unlike(BEFORE, after)
    assert show("LoadState") == "not-found"
    return f"{len(after)} files of /etc as before"


CASES: dict[str, Callable[[], str]] = {
    case.__name__: case
    for case in (
        *(installs, no_camera, steady, killed, hangs, full_disk, partition, stops),
        *(kiosk, kiosk_comes_back, kiosk_ends, kiosk_plain),
        undone,
    )
}


def _back_after(blow: signal.Signals) -> str:
    """Deal the service this blow; how long until it reads again."""
    camera_comes()
    before = readings()
    until(lambda: readings() > before, "readings flow")
    pid = int(show("MainPID"))
    before, began = readings(), monotonic()
    os.kill(pid, blow)
    until(lambda: int(show("MainPID")) not in (0, pid), "another process runs")
    restarted = monotonic() - began
    stored = readings()
    assert stored >= before, f"{before} readings before, {stored} after"
    until(lambda: readings() > stored, "readings flow again")
    return f"another process after {restarted:.0f} s, reads after {monotonic() - began:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
