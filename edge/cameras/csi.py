"""Jetson cameras on the board's own connector, through NVIDIA's camera service and GStreamer."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from edge.cameras.attached import Attached
from edge.cameras.child.isolated import IsolatedCamera
from edge.files.kernel import text
from edge.machine.profile import CameraSettings

PIPELINE = (
    "nvarguscamerasrc name=source sensor-id={number} ! "
    "video/x-raw(memory:NVMM),width={width},height={height},format=NV12,framerate={fps}/1 ! "
    "nvvidconv ! video/x-raw,format=BGRx ! {sink}"
)
"""From the sensor to memory the processor can read (Jetson Linux Developer Guide, Accelerated GStreamer)."""

NEWEST_ONLY = "appsink name=sink drop=true max-buffers=1 sync=false"

_MEND = "check its ribbon cable, and restart the camera service with `sudo systemctl restart nvargus-daemon`"

ADVICE = {
    "missing": (
        "GStreamer cannot be used{}; install it with `sudo apt install python3-gi gir1.2-gstreamer-1.0 "
        "gstreamer1.0-plugins-base`, and on a Jetson nvidia-l4t-gstreamer"
    ),
    "silent": f"gives no pictures{{}}; {_MEND}",
    "ended": f"its driver broke down{{}}; {_MEND}",
    "failed": f"does not work{{}}; {_MEND}",
}


class CsiCamera(IsolatedCamera):
    """A camera of a Jetson.

    Its `Light`: the gain is the sensor's; the gains of colours can be locked, not set, so `white` is empty.

    Parameters
    ----------
    number : NVIDIA's sensor-id, from 0.
    settings : resolution and rate; the service takes the sensor's mode that fits best.
    pipeline : from an element called `source` to `{sink}`, in GStreamer's notation.
    root : folder that holds `sys` and `proc`.
    """

    def __init__(
        self, number: int, settings: CameraSettings, pipeline: str = PIPELINE, root: Path = Path("/")
    ) -> None:
        described = pipeline.format(
            number=number, width=settings.width, height=settings.height, fps=settings.fps, sink=NEWEST_ONLY
        )
        super().__init__(
            spec=f"csi:{number}",
            attached=partial(attached, root),
            driver="argus",
            arguments={"pipeline": described},
            advice=ADVICE,
            settings=settings,
        )


def attached(root: Path = Path("/")) -> list[Attached]:
    """The cameras of a Jetson, in the order of NVIDIA's sensor-id; none on other machines.

    The video input of a Jetson names each of its nodes after the sensor and its I²C address, as in
    'vi-output, imx219 9-0010' (kernel, drivers of tegra-video).
    """
    if "nvidia,tegra" not in text(root / "proc/device-tree/compatible"):
        return []
    found: list[Attached] = []
    for node in sorted(
        (root / "sys/class/video4linux").glob("video*"), key=lambda node: int(node.name.removeprefix("video"))
    ):
        if named := re.fullmatch(r"vi-output, (.+) (\d+-[0-9a-f]+)", text(node / "name")):
            found.append(Attached("csi", named[1], f"csi:{len(found)}", named[2]))
    return found
