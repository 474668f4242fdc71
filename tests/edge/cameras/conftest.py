from __future__ import annotations

from pathlib import Path

import pytest

from edge.cameras import Camera
from edge.cameras.network import stream
from tests.edge.cameras.fake_sysfs import plug_in
from tests.edge.cameras.fake_v4l2 import FakeCamera
from tests.edge.cameras.uvc_rig import a_camera


@pytest.fixture
def fake() -> FakeCamera:
    """A camera down to the system calls."""
    return FakeCamera()


@pytest.fixture
def uvc(fake: FakeCamera, tmp_path: Path) -> Camera:
    """The program's camera on top of it."""
    return a_camera(fake, plug_in(tmp_path), tmp_path)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no silent camera."""
    monkeypatch.setattr(stream, "SILENT_S", 20.0)
    monkeypatch.setattr(stream, "OPEN_S", 30.0)
