"""`--camera SPEC` to a camera. Only the module of the chosen kind is imported."""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import Any, cast

from edge.cameras import Camera, CameraError
from edge.config import CameraSettings

KINDS = {
    "demo": "edge.cameras.simulated:SimulatedCamera",
    "files": "edge.cameras.files:FileCamera",
    "uvc": "edge.cameras.uvc:UvcCamera",
}
"""Kind of camera -> where its class lies."""

NOT_READ = {
    "picamera": "Raspberry Pi cameras",
    "csi": "Jetson CSI cameras",
    "rtsp": "network streams",
    "http": "network streams",
    "https": "network streams",
}
"""What a SPEC may begin with that this version cannot read."""

WAYS = (
    "a number or /dev/videoN for a USB camera, a video, a folder or glob of images, "
    "or demo for the simulated microscope"
)


def camera_for(spec: str, settings: CameraSettings, pace_fps: float | None = None) -> Camera:
    """The camera that `--camera SPEC` names, not opened yet.

    Parameters
    ----------
    spec : `N`, `/dev/videoN`, `usb:N`, a video, a folder or glob of images, `demo` or `demo:SEED`.
    settings : resolution and rate to ask a real camera for.
    pace_fps : frames per second of the simulated microscope; None draws as fast as they are taken.

    Raises
    ------
    CameraError
        The SPEC means nothing, or a kind that this version cannot read.
    """
    kind, arguments = parse(spec, settings)
    if kind == "demo":
        arguments["pace_fps"] = pace_fps
    module, name = KINDS[kind].split(":")
    return cast(Camera, getattr(import_module(module), name)(**arguments))


def parse(spec: str, settings: CameraSettings) -> tuple[str, dict[str, Any]]:
    """Kind of camera, a key of `KINDS`, and the arguments of its class."""
    if re.fullmatch(r"(usb:)?\d+|/dev/.+", spec, re.ASCII):
        return "uvc", {"device": spec, "settings": settings}
    if found := re.fullmatch(r"demo(?::(\d+))?", spec, re.ASCII):
        return "demo", {"seed": int(found[1])} if found[1] else {}
    scheme = spec.partition(":")[0].lower()
    if scheme in NOT_READ and ":" in spec:
        raise CameraError(f"camera {spec}: {NOT_READ[scheme]} are not supported by this version; use {WAYS}")
    if re.search(r"[*?\[]", spec) or os.path.exists(os.path.expanduser(spec)):
        return "files", {"path": spec}
    if scheme in ("demo", "usb") and ":" in spec:
        raise CameraError(f"camera {spec}: what follows the colon must be a whole number, as in {scheme}:1")
    raise CameraError(f"camera {spec!r}: no such file, folder or kind of camera; use {WAYS}")
