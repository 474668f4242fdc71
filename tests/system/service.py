"""The service in a guest with systemd: what comes back by itself, what waits, and what each says meanwhile.

    python tests/system/service.py --vm PATH/vm-camera.sh     boots the guest and runs every case in it

The guest has a kernel with vivid, the driver of a camera that does not exist, and Python with the packages of
the device application. The figures are of an emulated machine: they show what happens, not how fast.
Exit status 0: every case passed; 3: one did not.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
"""How long the emulated guest gets for anything."""

PROGRAM = Path("/opt/venv/bin")
STATE = Path("/var/lib/leukoscope")
WATCHDOG_S = 60  # a reading takes seconds here, and the first one longer


def main() -> int:
    """Boot the guest, or in it run the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vm", type=Path, default=ROOT.parent / "shared" / "tools" / "vm-camera.sh")
    parser.add_argument("--timeout", type=int, default=5400, metavar="S", help="for the guest as a whole")
    parser.add_argument("--guest", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"only these: {', '.join(CASES)}")
    arguments = parser.parse_args()
    if not arguments.guest:
        if not arguments.vm.exists():
            parser.error(f"--vm {arguments.vm}: is not there; give the path of vm-camera.sh")
        inside = [PROGRAM / "python3", "/mnt/host/tests/system/service.py", "--guest", *arguments.cases]
        return subprocess.run(
            [arguments.vm, "-S", "-M", "", "-t", str(arguments.timeout), "-d", ROOT, "--", *inside],
            check=False,
        ).returncode
    _prepare()
    failed = [name for name in arguments.cases or CASES if not _passes(name, CASES[name])]
    print(f"failed: {', '.join(failed)}" if failed else "all passed", flush=True)
    return 3 if failed else 0


def _passes(name: str, case: Callable[[], str]) -> bool:
    began = monotonic()
    try:
        detail, passed = case(), True
    except (AssertionError, subprocess.SubprocessError, sqlite3.Error, OSError) as error:
        detail, passed = f"{type(error).__name__}: {error}", False
    print(f"{'pass' if passed else 'FAIL'} {name} ({monotonic() - began:.0f} s): {detail}", flush=True)
    if not passed:
        print(_said("leukoscope*", lines=40), flush=True)
    return passed


def _prepare() -> None:
    """The program where the service may see it, and a profile with patience for this machine."""
    packages = next(Path("/opt/venv/lib").glob("python3*")) / "site-packages"
    for package in ("edge", "firmware_config"):
        shutil.copytree(ROOT / package, packages / package, ignore=shutil.ignore_patterns("__pycache__"))
    for command, module in (("edge-run", "cli"), ("edge-device", "device")):
        script = PROGRAM / command
        script.write_text(
            f"#!{PROGRAM}/python3\nimport sys\nfrom edge.{module} import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
    text = (ROOT / "firmware_config/profiles/generic-x86-64.toml").read_text()
    swaps = {
        "width": 640,
        "height": 480,
        "watchdog_s": WATCHDOG_S,
        "precision": '"fp32"',  # the others are put to a self-test first, and emulated they fail it
        "parts": '["udev", "journald", "service"]',
    }
    lines = [
        f"{key} = {swaps[key]}" if (key := line.partition(" =")[0]) in swaps else line
        for line in text.splitlines()
    ]
    Path("/root/guest.toml").write_text("\n".join(lines) + "\n")
    patience = Path("/etc/systemd/system/leukoscope.service.d/guest.conf")
    patience.parent.mkdir()
    patience.write_text(f"[Service]\nTimeoutStartSec={PATIENCE_S:.0f}\n")
    # as an installation does; the service itself may not write there
    _ran(str(PROGRAM / "python3"), "-m", "compileall", "-q", str(packages / "edge"))


# --- the cases, in this order -------------------------------------------------------------------------------


def installs() -> str:
    """Setup installs and starts the service; a second time there is nothing to do."""
    first = _device("setup", "--profile", "/root/guest.toml", "--yes")
    second = _device("setup", "--profile", "/root/guest.toml", "--yes")
    assert "nothing to do" in second, second
    exposure = (
        _ran("systemd-analyze", "security", "--no-pager", "leukoscope.service").strip().splitlines()[-1]
    )
    return f"{len(first.splitlines())} lines shown; {exposure.strip()}"


def no_camera() -> str:
    """Without a camera at start it runs, waits and says why; with one it reads."""
    began = monotonic()
    _until(lambda: _show("ActiveState") == "active", "the service is up")
    up = monotonic() - began
    _until(lambda: "camera" in _show("StatusText"), "the status says what is missing")
    status = _show("StatusText")
    sleep(WATCHDOG_S + 15)  # waiting is a sign of life: the watchdog leaves it alone
    assert _show("NRestarts") == "0", _said("leukoscope")
    before = _readings()
    began = monotonic()
    _ran("modprobe", "vivid", "n_devs=1", "node_types=0x1")
    _until(lambda: _readings() > before, "readings flow")
    names = [str(path) for path in Path("/dev").glob("leukoscope/*")]
    took = monotonic() - began
    return f"up in {up:.0f} s, {status!r}; first reading {took:.0f} s after the camera came; {names}"


def killed() -> str:
    """kill -9: it comes back and reads, and nothing stored is lost."""
    return _back_after(signal.SIGKILL)


def hangs() -> str:
    """A line that hangs (SIGSTOP): the watchdog ends it, it comes back and reads."""
    took = _back_after(signal.SIGSTOP)
    said = _said("leukoscope")
    assert "Watchdog timeout" in said, said
    return f"{took} (WatchdogSec={WATCHDOG_S})"


def full_disk() -> str:
    """A full disk: it says so, comes back by itself once there is room, and then reads."""
    _ran("systemctl", "stop", "leukoscope.service")
    _ran("cp", "-a", str(STATE), "/root/state")
    _ran("mount", "-t", "tmpfs", "-o", "size=24m,mode=0750", "tmpfs", str(STATE))
    _ran("cp", "-a", "/root/state/.", str(STATE))  # what the self-test found, above all: it takes long here
    try:
        before = _readings()
        _ran("systemctl", "start", "leukoscope.service")
        _until(lambda: _readings() > before, "readings flow on the small disk")
        since = _now()
        _fill(STATE / "filling")
        began = monotonic()
        _until(lambda: "full" in _said("leukoscope", since).lower(), "it says that the disk is full")
        told = monotonic() - began
        said = next(line for line in _said("leukoscope", since).splitlines() if "full" in line.lower())
        sleep(30)
        restarts, since = int(_show("NRestarts")), _now()
        (STATE / "filling").unlink()
        before, began = _readings(), monotonic()
        _until(lambda: _readings() > before, "readings flow again")
        return (
            f"said so after {told:.0f} s: {said.strip()!r}; {restarts} restarts in 30 s; "
            f"reads {monotonic() - began:.0f} s after there is room"
        )
    finally:
        _ran("systemctl", "stop", "leukoscope.service")
        _ran("umount", str(STATE))


def partition() -> str:
    """Records on a partition of their own: without it nothing is screened, and plugging it in is enough."""
    for name in ("/usr/sbin/overlayroot-chroot", "/usr/sbin/update-initramfs"):
        Path(name).write_text("#!/bin/sh\n")  # the overlay itself needs a start of the machine
        Path(name).chmod(0o755)
    disk = Path("/root/stick")
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    _ran("mkfs.ext4", "-q", "-L", "LEUKOSCOPE", str(disk))
    refused = subprocess.run(
        [PROGRAM / "edge-device", "setup", "--profile", "/root/guest.toml", "--with", "read-only", "--yes"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1, refused.stdout
    assert "mkfs.ext4 -L LEUKOSCOPE" in refused.stderr, refused.stderr
    device = _ran("losetup", "--find", "--show", str(disk)).strip()
    _until(Path("/dev/disk/by-label/LEUKOSCOPE").exists, "the partition has its name")
    _device("setup", "--profile", "/root/guest.toml", "--with", "read-only", "--yes")
    _ran("systemctl", "stop", "leukoscope.service")
    _ran("losetup", "--detach", device)
    _until(lambda: not Path("/dev/disk/by-label/LEUKOSCOPE").exists(), "the partition is away")
    _ran("losetup", device, str(disk))
    began = monotonic()
    _until(lambda: _show("ActiveState") == "active", "the service is up")
    took = monotonic() - began
    assert STATE.is_mount()
    _until(lambda: _readings() > 0, "readings flow into the partition")
    _device("setup", "--profile", "/root/guest.toml", "--yes")
    _ran("systemctl", "stop", "leukoscope.service")
    _ran("umount", str(STATE))
    _ran("losetup", "--detach", device)
    return f"refused without it: {refused.stderr.strip()!r}; up {took:.0f} s after it was plugged in"


def stops() -> str:
    """SIGTERM ends the slide properly: its finding is in the records."""
    _ran("systemctl", "start", "leukoscope.service")
    before = _readings()
    _until(lambda: _readings() > before, "readings flow")
    began = monotonic()
    _ran("systemctl", "stop", "leukoscope.service")
    took = monotonic() - began
    assert _show("Result") == "success", _said("leukoscope")
    ((finding,),) = _asked("SELECT finding FROM slides ORDER BY rowid DESC LIMIT 1")
    assert finding, "the slide has no finding"
    return f"in {took:.0f} s, finding {finding!r}"


def kiosk() -> str:
    """The screen on the first console takes the service's place, and a login's."""
    _ran("systemctl", "start", "getty@tty1.service")
    _device("setup", "--profile", "/root/guest.toml", "--with", "kiosk", "--yes")
    unit = "leukoscope-kiosk.service"
    _until(lambda: _show("ActiveState", unit) == "active", "the kiosk is up")
    assert _show("ActiveState", "getty@tty1.service") == "inactive"
    assert _show("ActiveState") == "inactive"
    before = _readings()
    _until(lambda: _readings() > before, "readings flow")
    console = Path("/dev/vcs1").read_bytes().decode("cp437")
    assert "eukocyte" in console or "last" in console, console
    pid = int(_show("MainPID", unit))
    began = monotonic()
    os.kill(pid, signal.SIGKILL)
    _until(
        lambda: _show("ActiveState", unit) == "active" and int(_show("MainPID", unit)) not in (0, pid),
        "it is back",
    )
    return f"console shows {' '.join(console.split())[:60]!r}; back {monotonic() - began:.0f} s after kill -9"


def undone() -> str:
    """Undo gives back everything that setup wrote or changed."""
    _device("setup", "--undo", "--yes")
    assert not STATE.with_name("leukoscope-setup").exists()
    after = _settings()
    changed = {path for path in BEFORE.keys() | after.keys() if BEFORE.get(path) != after.get(path)}
    # users are never removed: the records are theirs
    changed -= {f"/etc/{name}{old}" for name in ("passwd", "group", "shadow", "gshadow") for old in ("", "-")}
    assert changed <= {"/etc/.pwd.lock"}, changed
    assert _show("LoadState") == "not-found"
    return f"{len(after)} files of /etc as before"


CASES: dict[str, Callable[[], str]] = {
    case.__name__: case
    for case in (installs, no_camera, killed, hangs, full_disk, partition, stops, kiosk, undone)
}


# --- what they share ----------------------------------------------------------------------------------------


def _back_after(blow: signal.Signals) -> str:
    """Deal the service this blow; how long until it reads again."""
    _ran("modprobe", "vivid", "n_devs=1", "node_types=0x1")
    before = _readings()
    _until(lambda: _readings() > before, "readings flow")
    pid = int(_show("MainPID"))
    before, began = _readings(), monotonic()
    os.kill(pid, blow)
    _until(lambda: int(_show("MainPID")) not in (0, pid), "another process runs")
    restarted = monotonic() - began
    stored = _readings()
    assert stored >= before, f"{before} readings before, {stored} after"
    _until(lambda: _readings() > stored, "readings flow again")
    return f"another process after {restarted:.0f} s, reads after {monotonic() - began:.0f} s"


def _device(*arguments: str) -> str:
    return _ran(str(PROGRAM / "edge-device"), *arguments)


def _ran(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"
    )
    return done.stdout


def _show(what: str, unit: str = "leukoscope.service") -> str:
    return _ran("systemctl", "show", "--value", "--property", what, unit).strip()


def _said(unit: str, since: str = "-1h", lines: int = 1000) -> str:
    command = [
        "journalctl",
        "--no-pager",
        "--output=cat",
        f"--lines={lines}",
        f"--since={since}",
        "--unit",
        unit,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _now() -> str:
    return _ran("date", "+%Y-%m-%d %H:%M:%S").strip()


def _readings() -> int:
    try:
        ((count,),) = _asked("SELECT count(*) FROM readings")
    except sqlite3.Error:
        return 0  # no records yet
    return int(count)


def _asked(question: str) -> list[tuple[Any, ...]]:
    records = sqlite3.connect(f"file:{STATE}/records.db?mode=ro", uri=True, timeout=10)
    try:
        return records.execute(question).fetchall()
    finally:
        records.close()


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def _until(condition: Callable[[], bool], what: str) -> None:
    began = told = monotonic()
    while not condition():
        now = monotonic()
        assert now < began + PATIENCE_S, (
            f"waited {PATIENCE_S:.0f} s for: {what}; status {_show('StatusText')!r}"
        )
        if now > told + 60:
            told = now
            print(f"  {now - began:.0f} s, waiting for: {what}; status {_show('StatusText')!r}", flush=True)
        sleep(1)  # asking takes the guest's time too


def _settings() -> dict[str, str]:
    """Every file of /etc and what is in it."""
    return {
        str(path): os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path("/etc").rglob("*")
        if path.is_symlink() or path.is_file()
    }


BEFORE = _settings() if "--guest" in sys.argv else {}

if __name__ == "__main__":
    sys.exit(main())
