"""The machine itself: programs, profile, memory, temperature, power, clock."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from edge import __version__
from edge.doctor.check import Check, Subject
from edge.machine import clock, health
from edge.machine.profile import device_model

_LIBRARIES = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "onnxruntime": "onnxruntime",
    "textual": "textual",
    "cryptography": "cryptography",
}
"""Module -> its package."""

_NEEDED_MB = 250  # what a screening takes, and some to spare


def program(subject: Subject) -> Check:
    """The program and what it stands on."""
    if missing := [package for module, package in _LIBRARIES.items() if find_spec(module) is None]:
        return Check("wrong", f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    named = ", ".join(f"{package} {_version(package)}" for package in _LIBRARIES.values())
    return Check("fine", f"leukoscope {__version__}, Python {platform.python_version()}, {named}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # the same library from another package, such as opencv-python
        return "(of another package)"


def profile(subject: Subject) -> Check:
    """Whether the machine was recognised."""
    if subject.profile_error is not None:
        raise subject.profile_error
    found, board = subject.profile, device_model()
    name = board or platform.machine()
    if not found.machine.fits(platform.machine(), board):
        return Check(
            "worth knowing", f"{found.name} is made for another machine than this ({name})",
            "leave --profile out, or write one for it",
        )  # fmt: skip
    if board and not found.machine.model:
        return Check("fine", f"{found.name}; there is none for this board alone ({board})")
    return Check("fine", f"{found.name} ({name})")


def memory(subject: Subject) -> Check:
    """Whether there is room to work."""
    free_mb, limit_mb = health.look(subject.root).memory_free_mb, subject.profile.memory.max_mb
    if free_mb is None:
        return Check("fine", "the system does not tell how much is free")
    if free_mb < _NEEDED_MB:
        return Check(
            "wrong", f"{free_mb:.0f} MB are free, screening takes {_NEEDED_MB}",
            "end other programs, or restart the machine",
        )  # fmt: skip
    if free_mb < limit_mb and not subject.box:
        return Check(
            "worth knowing", f"{free_mb:.0f} MB are free, less than the {limit_mb} the profile allows for",
            "end other programs if it gets slow",
        )  # fmt: skip
    return Check("fine", f"{free_mb:,.0f} MB are free, the profile allows the program {limit_mb}")


def temperature(subject: Subject) -> Check:
    """Whether the processor is cool enough to work at full speed."""
    found, thermal = health.look(subject.root, thorough=True), subject.profile.thermal
    degrees = "no sensor tells" if found.temperature_c is None else f"{found.temperature_c:.0f} °C"
    speed = f", {found.mhz:.0f} of {found.max_mhz:.0f} MHz" if found.mhz and found.max_mhz else ""
    air = "give it air, a fan or a heat sink"
    if found.throttled:
        return Check("worth knowing", f"{degrees}, the processor slows itself down now{speed}", air)
    if found.temperature_c is not None and found.temperature_c >= thermal.slow_at_c:
        limit = f"from {thermal.slow_at_c:.0f} °C on the line takes fewer frames"
        return Check("worth knowing", f"{degrees}; {limit}", air)
    if found.throttled_before:
        return Check("worth knowing", f"{degrees}; it slowed itself down since the start{speed}", air)
    throttled = "" if found.throttled is None else ", not slowed down since the start"
    return Check("fine", f"{degrees}{throttled}")


def power(subject: Subject) -> Check:
    """Whether the power supply is strong enough."""
    found = health.look(subject.root, thorough=True)
    supply = "use the supply made for this board, and a short cable"
    if found.undervoltage:
        return Check("wrong", "the voltage is too low now; cameras and SD cards fail so", supply)
    if found.undervoltage_before:
        return Check("worth knowing", "the voltage was too low since the start", supply)
    if found.undervoltage is None:
        return Check("fine", "the machine does not tell its voltage")
    return Check("fine", "the voltage is right, now and since the start")


def wall_clock(subject: Subject) -> Check:
    """Whether the records will have the right time."""
    moment = clock.now(subject.root)
    said = f"{moment.utc:%Y-%m-%d %H:%M} UTC"
    if moment.voucher == "ntp":
        return Check("fine", f"{said}, set by time servers")
    if moment.voucher == "rtc":
        return Check("fine", f"{said}, kept by a clock that runs while the machine is off")
    rtc = any((subject.root / "sys/class/rtc").glob("rtc*"))
    battery = "give its clock a battery" if rtc else "fit a clock with a battery"
    return Check(
        "worth knowing",
        f"{said}, but nobody vouches for it; slides are marked, and dated rightly once it is set",
        f"connect it to a network, set it (sudo date -s), or {battery}",
    )
