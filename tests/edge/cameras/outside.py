"""Drivers in a process of their own, with stand-ins for the libraries they use, or with the real ones."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import psutil
import pytest

from edge.cameras import Camera, CameraError
from edge.cameras.child.driver import SYSTEM_PYTHON

FAKES = [Path(__file__).parent / name for name in ("fake_picamera2", "fake_gi")]

TEST_PIPELINE = (
    "videotestsrc name=source is-live=true pattern={pattern} ! "
    "video/x-raw,width={{width}},height={{height}},framerate={{fps}}/1 ! "
    "videoconvert ! video/x-raw,format=BGRx ! {{sink}}"
)


def fake_python() -> str:
    """For $LEUKOSCOPE_SYSTEM_PYTHON: this Python, which finds the stand-ins."""
    path = f"PYTHONPATH={':'.join(map(str, FAKES))}"
    return shlex.join([shutil.which("env") or "env", path, sys.executable, "-P", "-B"])


@cache
def gstreamer_missing() -> str:
    """Why the real GStreamer cannot be used on this machine, empty where it can."""
    program = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None); "
    program += "assert all(map(Gst.ElementFactory.find, ('videotestsrc', 'videoconvert', 'appsink')))"
    try:
        subprocess.run([*shlex.split(SYSTEM_PYTHON), "-c", program], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no GStreamer: apt install python3-gi gir1.2-gstreamer-1.0 gstreamer1.0-plugins-base"
    return ""


def drivers() -> list[psutil.Process]:
    """The drivers that this process started and that still live."""
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE
        and any(part.endswith("drivers") for part in child.cmdline())
    ]


def failed(camera: Camera, reads: int = 0, *, spec: str) -> str:
    """What opening the camera and reading it so often fails with: one line, with what to do after it."""

    def use() -> None:
        camera.open()
        for _ in range(reads):
            camera.read()

    with closing(camera), pytest.raises(CameraError) as caught:
        use()
    message = str(caught.value)
    assert message.startswith(f"camera {spec}: ")
    assert message.isprintable()
    assert message.count("; ") == 1
    return message
