"""`--camera SPEC` to a camera. Only the module of the chosen kind is imported."""

from __future__ import annotations

import glob
import os
import re
from importlib import import_module
from typing import Any, cast

from edge.cameras import Camera, CameraError
from edge.machine.profile import CameraSettings

KINDS = {
    "demo": "edge.cameras.demo.camera:SimulatedCamera",
    "files": "edge.cameras.files.camera:FileCamera",
    "uvc": "edge.cameras.uvc:UvcCamera",
    "picamera": "edge.cameras.picamera:PiCamera",
    "csi": "edge.cameras.csi:CsiCamera",
    "stream": "edge.cameras.network.stream:StreamCamera",
}
"""Kind of camera -> where its class lies."""

WAYS = (
    "a number as `edge-device cameras` lists them, /dev/videoN, usb:N, picamera:N, csi:N, an rtsp:// or "
    "http:// address, a video, a folder or glob of images, or demo for the simulated microscope"
)

_NUMBERED = ("demo", "usb", "picamera", "csi")
_NO_PATH = re.compile(r"\d+|demo|(demo|usb|picamera|csi):\d+", re.ASCII)
"""What means a camera though a file or folder may be called so."""


def camera_for(spec: str, settings: CameraSettings, pace_fps: float | None = None) -> Camera:
    """The camera that `--camera SPEC` names, not opened yet.

    Parameters
    ----------
    spec : `N`, `/dev/videoN`, `usb:N`, `picamera:N`, `csi:N`, an address, a video, a folder or glob of
        images, `demo` or `demo:SEED`.
    settings : resolution and rate to ask a real camera for.
    pace_fps : frames per second of the simulated microscope; None draws as fast as they are taken.

    Raises
    ------
    CameraError : the SPEC means nothing.
    """
    kind, arguments = parse(spec, settings)
    if kind == "demo":
        arguments["pace_fps"] = pace_fps
    if "called" not in arguments:
        return cast(Camera, _of(kind, arguments))
    from edge.cameras.numbered import NumberedCamera

    return NumberedCamera(lambda: _of(*parse(spec, settings)))


def namesake(spec: str) -> str | None:
    """What to tell of a SPEC that is also the name of a file or folder here, which is not read; else None."""
    if not _NO_PATH.fullmatch(spec) or not os.path.exists(spec):
        return None
    kind = "the simulated microscope" if spec.startswith("demo") else "a camera"
    return f"{spec} means {kind}; to read the file or folder of that name give --camera ./{spec}"


def _of(kind: str, arguments: dict[str, Any]) -> Any:
    module, name = KINDS[kind].split(":")
    return getattr(import_module(module), name)(**arguments)


def parse(spec: str, settings: CameraSettings) -> tuple[str, dict[str, Any]]:
    """Kind of camera, a key of `KINDS`, and the arguments of its class."""
    if re.fullmatch(r"\d+", spec, re.ASCII):
        return _attached(spec, settings)
    if re.fullmatch(r"usb:\d+|/dev/.+", spec, re.ASCII) and not _in_memory(spec):
        return "uvc", {"device": spec, "settings": settings}
    if found := re.fullmatch(r"(picamera|csi):(\d+)", spec, re.ASCII):
        return found[1], {"number": int(found[2]), "settings": settings}
    if found := re.fullmatch(r"demo(?::(\d+))?", spec, re.ASCII):
        return "demo", {"seed": int(found[1])} if found[1] else {}
    if re.match(r"(rtsp|https?)://.", spec, re.IGNORECASE):
        return "stream", {"url": spec, "settings": settings}
    if glob.has_magic(spec) or os.path.exists(os.path.expanduser(spec)):
        return "files", {"path": spec}
    scheme, colon, _ = spec.partition(":")
    if scheme in _NUMBERED and colon:
        raise CameraError(f"camera {spec}: what follows the colon must be a whole number, as in {scheme}:1")
    raise CameraError(f"camera {spec!r}: no such file, folder or kind of camera; use {WAYS}")


def _in_memory(path: str) -> bool:
    """Whether it is a folder or a file below /dev, where systems keep a disk in memory (/dev/shm)."""
    return os.path.isabs(path) and (os.path.isdir(path) or os.path.isfile(path))


def _attached(number: str, settings: CameraSettings) -> tuple[str, dict[str, Any]]:
    """The N-th camera of all; where there are not so many, it is one that may yet be plugged in."""
    from edge.cameras.attached import on_the_board

    first = on_the_board()
    place = int(number)
    if place < len(first):
        return parse(first[place].spec, settings)
    return "uvc", {"device": str(place - len(first)), "settings": settings, "called": number}
