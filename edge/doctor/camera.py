"""The camera: is one attached, does it open, does it give a picture."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cameras import Camera
from edge.doctor import service
from edge.doctor.check import Check, Subject

if TYPE_CHECKING:
    from edge.cameras.attached import Attached
    from edge.types import Frame

_DARK, _BRIGHT = 8, 247  # mean grey levels that no stained slide in focus or out of it has


def chosen(subject: Subject) -> Attached | None:
    """The attached camera that is looked at; None where there is none, or it is not one that is attached."""
    if subject.camera is not None and not subject.camera.isdecimal():
        return None
    return _of(_attached(subject.root), subject)


def _of(found: list[Attached], subject: Subject) -> Attached | None:
    return next(iter(found[int(subject.camera or 0) :]), None)


def camera(subject: Subject) -> Check:
    """Whether the camera gives pictures, or is busy giving them to the service."""
    spec = subject.camera or "0"
    one = None
    if spec.isdecimal():
        found = _attached(subject.root)  # once: where a driver does not answer it takes seconds
        one = _of(found, subject)
        if one is None:
            return _absent(subject, found)
    unit = service.running(subject)
    if unit and one and one.problem:
        return Check("fine", f"{one.name} is in use by {unit}")
    if unit and one is None and spec == service.camera(subject.root):
        return Check("fine", f"{spec} is left to {unit}, which uses it")
    if one and one.problem:
        return Check.told("wrong", f"{one.name}: {one.problem}")
    return _picture(subject, spec)


def _attached(root: Path) -> list[Attached]:
    from edge.cameras.attached import attached

    return attached(root)


def _absent(subject: Subject, found: list[Attached]) -> Check:
    others = ", ".join(one.name for one in found)
    said = f"there is no camera {subject.camera}, only {others}" if found else "none is attached"
    mend = "plug it in, and see whether edge-device cameras lists it"
    if subject.camera is not None or subject.box:
        return Check("wrong", said, mend)
    return Check("worth knowing", said, "plug one in; edge-run --camera demo works without")


def _picture(subject: Subject, spec: str) -> Check:
    """Open the camera and look at a picture; CameraError says what was wrong."""
    from edge.cameras.selection import camera_for

    source = camera_for(spec, subject.profile.camera)
    try:
        source.open()
        frame = _frame(source)
    finally:
        with suppress(Exception):
            source.close()
    if frame is None or frame.fault is not None:
        why = "nothing to read" if frame is None else frame.fault
        return Check("wrong", f"{source.name}: {why}", "choose another with --camera")
    return _seen(subject, source, frame)


def _frame(source: Camera) -> Frame | None:
    """The camera's second picture: many give a black one first."""
    frame = source.read()
    return (source.read() or frame) if source.live else frame


def _seen(subject: Subject, source: Camera, frame: Frame) -> Check:
    said = f"{source.name} gives pictures of {frame.width}×{frame.height}"
    grey = float(frame.pixels.mean())
    if grey < _DARK:
        return Check("worth knowing", f"{said}, all black", "turn the microscope's lamp on, open the shutter")
    if grey > _BRIGHT:
        return Check("worth knowing", f"{said}, all white", "turn the microscope's lamp down")
    wanted = subject.profile.camera
    if source.live and (frame.width, frame.height) != (wanted.width, wanted.height):
        return Check(
            "worth knowing", f"{said}, where the profile asks for {wanted.width}×{wanted.height}",
            "a smaller picture shows less of the slide at once; another port or cable may give more",
        )  # fmt: skip
    return Check("fine", said)
