"""Cases of the screen on the guest's monitor, in all colours and on the plain console."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from time import monotonic, sleep

import cv2
import numpy as np
from service_guest import PROGRAM, asked, device, ran, readings, said, show, until

KIOSK = "leukoscope-kiosk.service"
RUNTIME = Path("/run/leukoscope-kiosk")
PLAIN = RUNTIME / "plain"
LASTING_S = 60
"""Of screen.sh: a terminal that ends before is not tried again."""


def kiosk() -> str:
    """The screen on the first console takes the service's place, and a login's, and has all colours."""
    ran("systemctl", "start", "getty@tty1.service")
    began = monotonic()
    device("setup", "--profile", "/opt/guest.toml", "--with", "kiosk", "--yes")
    _up("the kiosk")
    took = monotonic() - began
    assert show("ActiveState", "getty@tty1.service") == "inactive"
    assert show("ActiveState") == "inactive"
    _reads()
    told = Path(f"/proc/{_edge_run()}/environ").read_bytes().split(b"\0")
    assert b"COLORTERM=truecolor" in told, told
    shown = _picture()
    assert shown.shape == (600, 1024, 3), shown.shape
    colours = len(np.unique(shown.reshape(-1, 3), axis=0))
    assert colours > 100, f"{colours} colours"
    memory_mb = int(show("MemoryCurrent", KIOSK)) / 1e6
    return f"up in {took:.0f} s, {colours} colours on the monitor, {memory_mb:.0f} MB"


def kiosk_comes_back() -> str:
    """Whatever of the screen is killed it comes back, with all colours; so it does where the line hangs."""
    took = []
    for name, blow in (
        *(("cage", signal.SIGKILL), ("foot", signal.SIGKILL)),
        *(("edge-run", signal.SIGKILL), ("edge-run", signal.SIGSTOP)),
    ):
        sleep(LASTING_S)
        before, began = _edge_run(), monotonic()
        os.kill(before if name == "edge-run" else int(ran("pgrep", "--exact", name)), blow)
        _up(f"the kiosk after {blow.name} to {name}", another_than=before)
        assert not PLAIN.exists(), said(KIOSK)
        took.append(f"{blow.name} to {name}: {monotonic() - began:.0f} s")
    _reads()
    return ", ".join(took)


def kiosk_ends() -> str:
    """SIGTERM ends the slide properly within the terminal too: its finding is in the records."""
    began = monotonic()
    ran("systemctl", "stop", KIOSK)
    took = monotonic() - began
    assert show("Result", KIOSK) == "success", said(KIOSK)
    ((finding,),) = asked("SELECT finding FROM slides ORDER BY rowid DESC LIMIT 1")
    assert finding, "the slide has no finding"
    return f"in {took:.0f} s, finding {finding!r}"


def kiosk_plain() -> str:
    """Without a way to the graphics driver it is on the plain console, and the doctor knows why."""
    ran("systemctl", "mask", "--now", "seatd.service")
    try:
        ran("systemctl", "start", KIOSK)
        assert PLAIN.exists()
        _reads()
        console = Path("/dev/vcs1").read_bytes().decode("cp437")
        assert "eukocyte" in console or "last" in console, console
        command = [PROGRAM / "edge-device", "doctor"]
        checks = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        (check,) = [line for line in checks if ": screen: " in line]
        assert "seatd does not run" in check, check
    finally:
        ran("systemctl", "unmask", "seatd.service")
        ran("systemctl", "start", "seatd.service")
    os.kill(int(show("MainPID", KIOSK)), signal.SIGKILL)
    until(lambda: _edge_run() != 0, "it is back with all colours")
    _up("the kiosk")
    assert not PLAIN.exists(), said(KIOSK)
    return f"console shows {' '.join(console.split())[:60]!r}; {check}"


def _up(what: str, another_than: int = 0) -> None:
    until(lambda: show("ActiveState", KIOSK) == "active" and _edge_run() not in (0, another_than), what)


def _reads() -> None:
    before = readings()
    until(lambda: readings() > before, "readings flow")


def _edge_run() -> int:
    """The program's process within the terminal, 0 where there is none."""
    pid = RUNTIME / "pid"
    found = int(pid.read_text() or 0) if pid.exists() else 0
    return found if Path(f"/proc/{found}/environ").exists() else 0


def _picture() -> np.ndarray:
    """What is on the monitor, (h, w, 3) uint8."""
    taken = Path("/run/screen.png")
    socket = {"XDG_RUNTIME_DIR": str(RUNTIME), "WAYLAND_DISPLAY": "wayland-0"}
    subprocess.run(["grim", taken], env=os.environ | socket, check=True)
    shown = cv2.imread(str(taken))
    assert shown is not None
    return shown
