"""Inside the guest: the program installed, and the service asked what it does."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
"""How long the emulated guest gets for anything."""

PROGRAM = Path("/opt/venv/bin")
STATE = Path("/var/lib/leukoscope")
WATCHDOG_S = 120  # a frame that is full of what might be cells takes a minute here


def prepare() -> None:
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
    Path("/opt/guest.toml").write_text("\n".join(lines) + "\n")
    patience = Path("/etc/systemd/system/leukoscope.service.d/guest.conf")
    patience.parent.mkdir()
    patience.write_text(f"[Service]\nTimeoutStartSec={PATIENCE_S:.0f}\n")
    # as an installation does; the service itself may not write there
    ran(str(PROGRAM / "python3"), "-m", "compileall", "-q", str(packages / "edge"))


def camera_comes() -> None:
    """Plug the camera in: a picture that is turned down as too bright, for reading one takes long here."""
    ran("modprobe", "vivid", "n_devs=1", "node_types=0x1")
    until(Path("/dev/video0").exists, "the camera's node")
    ran("v4l2-ctl", "--device=/dev/video0", "--set-ctrl=test_pattern=6")


def device(*arguments: str) -> str:
    return ran(str(PROGRAM / "edge-device"), *arguments)


def ran(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"
    )
    return done.stdout


def show(what: str, unit: str = "leukoscope.service") -> str:
    return ran("systemctl", "show", "--value", "--property", what, unit).strip()


def said(unit: str, since: str = "-1h", lines: int = 1000) -> str:
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


def now() -> str:
    return ran("date", "+%Y-%m-%d %H:%M:%S").strip()


def readings() -> int:
    try:
        ((count,),) = asked("SELECT count(*) FROM readings")
    except sqlite3.Error:
        return 0  # no records yet
    return int(count)


def asked(question: str) -> list[tuple[Any, ...]]:
    records = sqlite3.connect(f"file:{STATE}/records.db?mode=ro", uri=True, timeout=10)
    try:
        return records.execute(question).fetchall()
    finally:
        records.close()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def until(condition: Callable[[], bool], what: str) -> None:
    began = told = monotonic()
    while not condition():
        now = monotonic()
        assert now < began + PATIENCE_S, (
            f"waited {PATIENCE_S:.0f} s for: {what}; status {show('StatusText')!r}"
        )
        if now > told + 60:
            told = now
            print(f"  {now - began:.0f} s, waiting for: {what}; status {show('StatusText')!r}", flush=True)
        sleep(1)  # asking takes the guest's time too


def settings() -> dict[str, str]:
    """Every file of /etc and what is in it."""
    return {
        str(path): os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path("/etc").rglob("*")
        if path.is_symlink() or path.is_file()
    }


def unlike(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The files of /etc that differ, but for the users: they are never removed, the records are theirs."""
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    users = {f"/etc/{name}{old}" for name in ("passwd", "group", "shadow", "gshadow") for old in ("", "-")}
    return changed - users - {"/etc/.pwd.lock"}
