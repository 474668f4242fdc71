"""How tests take pictures from a `UvcCamera` on a made-up device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.cameras import Camera, CameraError
from edge.cameras.uvc import UvcCamera
from edge.types import Frame
from tests.edge.cameras.fake_v4l2 import FakeCamera
from tests.edge.cameras.fakes import SETTINGS


def a_camera(fake: FakeCamera, device: str, root: Path) -> UvcCamera:
    settings = replace(SETTINGS, width=64, height=64, fps=25)
    return UvcCamera(device, settings, root=root, open_device=fake.open, clock=fake.clock)


def take(camera: Camera, count: int = 1) -> list[Frame]:
    frames = [camera.read() for _ in range(count)]
    return [frame for frame in frames if frame is not None]


def failing(camera: Camera, match: str) -> None:
    with pytest.raises(CameraError, match=match) as raised:
        camera.read()
    assert str(raised.value).startswith("camera ")
    assert "; " in str(raised.value)
    assert "\n" not in str(raised.value)
