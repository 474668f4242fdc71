"""Whether the camera is calibrated, and how long ago."""

from __future__ import annotations

from datetime import UTC, datetime

from edge.cameras.attached import Attached
from edge.doctor import camera
from edge.doctor.check import Check, Subject
from edge.optics.calibrations import FILE, OLD_DAYS, Calibration, CalibrationStore

_MEND = "measure it with edge-device calibrate"


def calibration(subject: Subject) -> Check:
    """What is known of this camera at the profile's resolution."""
    kept = CalibrationStore(subject.folder / FILE).all()
    if not kept:
        return Check("fine", "none yet; the scale comes from the red cells of each slide's first fields")
    wanted = subject.profile.camera
    of_size = [one for one in kept if (one.width, one.height) == (wanted.width, wanted.height)]
    if not of_size:
        sizes = " and ".join(sorted({f"{one.width}×{one.height}" for one in kept}))
        asked = f"{wanted.width}×{wanted.height}"
        return Check("worth knowing", f"made for {sizes}, and the profile asks for {asked}", _MEND)
    attached = camera.chosen(subject)
    mine = [one for one in of_size if attached and _is_of(one, attached)]
    if attached and not mine:
        others = ", ".join(sorted({one.camera for one in of_size}))
        return Check("worth knowing", f"made for {others}, not for this {attached.name}", _MEND)
    return _described((mine or of_size)[-1])


def _is_of(one: Calibration, attached: Attached) -> bool:
    return one.camera == attached.name and one.serial in ("", attached.serial)


def _described(found: Calibration) -> Check:
    age = found.age(datetime.now(UTC))
    days = "at a time unknown" if age is None else f"{age.days} days ago" if age.days else "today"
    scale = f"{found.um_per_px:.4f} µm per pixel by {found.method}" if found.scale_measured else "no scale"
    flat = "no flat field" if found.flat is None else "a flat field"
    said = f"{found.camera}: {scale}, {flat}, {days}"
    if age is not None and age.days > OLD_DAYS:
        return Check("worth knowing", said, _MEND)
    return Check("fine", said)
