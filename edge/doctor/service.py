"""Screening as a service: is it installed, does it run, how often did it have to be started again."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from edge.doctor.check import Check, Subject, Systemctl

UNITS = ("leukoscope.service", "leukoscope-kiosk.service")
"""What `edge-device setup` installs; one of them runs at a time."""

_UNIT_FOLDERS = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_SETTINGS = "etc/default/leukoscope"
_ASKED = "Id,LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result,StatusText"
_PATIENCE_S = 3.0
_WHY = {"watchdog": "it hung", "oom-kill": "it took too much memory", "timeout": "it did not start in time"}


def installed(root: Path) -> list[str]:
    """What the unit files of screening say, those that there are."""
    texts = []
    for unit in UNITS:
        for folder in _UNIT_FOLDERS:
            try:
                texts.append((root / folder / unit).read_text(encoding="utf-8", errors="replace"))
                break
            except OSError:
                continue
    return texts


def home(root: Path) -> Path | None:
    """The service's data folder, None where no service is installed or it does not say."""
    for text in installed(root):
        if found := re.search(r"^Environment=.*\bLEUKOSCOPE_HOME=(/[^\s\"]*)", text, re.MULTILINE):
            return root / found[1].lstrip("/")
    return None


def camera(root: Path) -> str | None:
    """Which camera the service takes; None where no service is installed."""
    if not (texts := installed(root)):
        return None
    with suppress(OSError):
        texts.insert(0, (root / _SETTINGS).read_text(encoding="utf-8", errors="replace"))
    named = (re.search(r"^(?:Environment=)?CAMERA=[\"']?([^\"'\n]+)", text, re.MULTILINE) for text in texts)
    return next((found[1].strip() for found in named if found), None)


def systemctl(root: Path) -> Systemctl:
    """How to ask the service manager that runs below `root`; nobody answers for another than this machine."""

    def ask(arguments: Sequence[str]) -> str | None:
        program = shutil.which("systemctl")
        if root != Path("/") or program is None or not Path("/run/systemd/system").is_dir():
            return None
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_S,
        )
        return done.stdout

    return ask


def states(subject: Subject) -> list[dict[str, str]] | None:
    """The properties of the units that are there, None without systemd."""
    told = subject.systemctl(["show", *UNITS, f"--property={_ASKED}"])
    if told is None:
        return None
    blocks = (block for block in told.strip().split("\n\n") if block.strip())
    units = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return [unit for unit in units if unit.get("LoadState") not in (None, "not-found")]


def running(subject: Subject) -> str | None:
    """The unit that runs now and may hold the camera."""
    for unit in states(subject) or []:
        if unit.get("ActiveState") in ("active", "activating", "reloading"):
            return unit["Id"]
    return None


def service(subject: Subject) -> Check:
    """Whether it starts by itself, and stays."""
    try:
        units = states(subject)
    except subprocess.TimeoutExpired:
        return Check("worth knowing", "systemctl does not answer", "restart the machine if it stays so")
    if units is None:
        return Check("fine", "no systemd here: screening is started by hand")
    if not units:
        return Check("fine", "not installed: screening is started by hand (edge-device setup installs it)")
    order = {"active": 0, "activating": 1, "failed": 2}
    unit = min(
        units, key=lambda one: (order.get(one["ActiveState"], 3), one.get("UnitFileState") != "enabled")
    )
    return _state(unit)


def _state(unit: dict[str, str]) -> Check:
    name, active = unit.get("Id", UNITS[0]), unit.get("ActiveState", "")
    journal = f"journalctl -b -u {name} tells why"
    restarts = unit.get("NRestarts", "0")
    again = f", restarts since the machine started: {restarts}" if restarts != "0" else ""
    doing = f": {unit['StatusText']}" if unit.get("StatusText") else ""
    if active == "active" and not again:
        return Check("fine", f"{name} runs{doing}")
    if active == "active":
        return Check("worth knowing", f"{name} runs{again}{doing}", journal)
    if active == "activating" and unit.get("SubState") != "auto-restart":
        return Check("worth knowing", f"{name} is starting{again}{doing}", "look again in a minute")
    if active in ("failed", "activating"):
        result = unit.get("Result") or "no reason given"
        return Check("wrong", f"{name} fails ({_WHY.get(result, result)}){again}{doing}", journal)
    if unit.get("UnitFileState") == "enabled":
        return Check("wrong", f"{name} is not running", f"start it: sudo systemctl start {name}")
    return Check(
        "worth knowing", f"{name} is installed but turned off",
        f"sudo systemctl enable --now {name}, if it should start by itself",
    )  # fmt: skip
