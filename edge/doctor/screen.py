"""The box's own screen: are there all the colours that cells need, or what keeps it from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired

from edge.doctor import service
from edge.doctor.check import Check, Subject
from edge.files.kernel import text

KIOSK = "leukoscope-kiosk.service"
PROGRAMS = ("usr/bin/cage", "usr/bin/foot", "usr/sbin/seatd")
PLAIN = "run/leukoscope-kiosk/plain"
"""Is there while the screen is on the plain console (`firmware_config/parts/kiosk/screen.sh`)."""

_SIXTEEN = "only 16 colours, by which no cell can be recognised"
_AGAIN = f"sudo systemctl restart {KIOSK}"


def screen(subject: Subject) -> Check:
    """Whether cells can be recognised on the machine's own monitor."""
    try:
        if not _turned_on(subject):
            return Check("fine", "none of its own (edge-device setup --with kiosk opens one)")
        for message, mend in _obstacles(subject):
            return Check("worth knowing", message, mend)
    except TimeoutExpired:
        return Check("worth knowing", "systemctl does not answer", "restart the machine if it stays so")
    return Check("fine", f"all colours, on {', '.join(_monitors(subject.root))}")


def _turned_on(subject: Subject) -> bool:
    """Whether the screen runs, or starts with the machine."""
    return any(
        unit["Id"] == KIOSK and (unit.get("UnitFileState") == "enabled" or unit["ActiveState"] == "active")
        for unit in service.states(subject) or []
    )


def _obstacles(subject: Subject) -> Iterator[tuple[str, str]]:
    """What is in the way of all colours, and how to mend it; the first has to be mended first."""
    root = subject.root
    if absent := [f"/{name}" for name in PROGRAMS if not (root / name).exists()]:
        install = "sudo apt install --no-install-recommends cage foot seatd"
        yield f"{_SIXTEEN}: there is no {', '.join(absent)}", f"{install}, then {_AGAIN}"
    if _active(subject, "display-manager.service"):
        restart = "sudo systemctl set-default multi-user.target, then restart the machine"
        yield "a desktop holds the monitor", restart
    if not any((root / "dev/dri").glob("card*")):
        driver = "on a Raspberry Pi: dtoverlay=vc4-kms-v3d in config.txt, then restart the machine"
        yield f"{_SIXTEEN}: the machine has no graphics driver (/dev/dri)", driver
    if not _active(subject, "seatd.service"):
        yield f"{_SIXTEEN}: seatd does not run", f"sudo systemctl enable --now seatd, then {_AGAIN}"
    if not _monitors(root):
        yield "no monitor answers", "plug it in and turn it on"
    if (root / PLAIN).exists():
        why = f"journalctl -b -t leukoscope-kiosk tells why; to try again: {_AGAIN}"
        yield f"{_SIXTEEN}: the terminal that has all did not come up", why


def _active(subject: Subject, unit: str) -> bool:
    told = subject.systemctl(["show", unit, "--property=ActiveState"]) or ""
    return told.strip() == "ActiveState=active"


def _monitors(root: Path) -> list[str]:
    """Those that are plugged in, each with its first mode, such as 'HDMI-A-1 1920x1080'."""
    places = [
        path.parent for path in (root / "sys/class/drm").glob("card*-*/status") if text(path) == "connected"
    ]
    return sorted(
        f"{place.name.partition('-')[2]} {text(place / 'modes').partition(chr(10))[0]}" for place in places
    )
