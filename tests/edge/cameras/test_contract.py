"""What every camera promises, run on each kind. A new kind gets a line in `MAKERS`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from edge.cameras import Camera, CameraError, Reducing, csi, picamera
from edge.cameras.child import isolated
from edge.cameras.csi import CsiCamera
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.files.camera import FileCamera
from edge.cameras.network import stream
from edge.cameras.network.stream import StreamCamera
from edge.cameras.numbered import NumberedCamera
from edge.cameras.picamera import PiCamera
from edge.cameras.uvc import UvcCamera
from edge.types import Frame
from tests.edge.cameras.fake_sysfs import plug_in
from tests.edge.cameras.fake_v4l2 import FakeCamera
from tests.edge.cameras.fakes import SETTINGS, write_image, write_video
from tests.edge.cameras.outside import TEST_PIPELINE, fake_python, gstreamer_missing
from tests.edge.cameras.servers import camera_serving, mjpeg


def a_folder(tmp_path: Path) -> Camera:
    for number in range(4):
        write_image(tmp_path / "fields" / f"{number}.png", number)
    return FileCamera(str(tmp_path / "fields"))


def a_folder_of_jpegs(tmp_path: Path) -> Camera:
    for number in range(4):
        write_image(tmp_path / "fields" / f"{number}.jpg", number)
    return FileCamera(str(tmp_path / "fields"))


def a_video(tmp_path: Path) -> Camera:
    return FileCamera(str(write_video(tmp_path / "slide.avi")))


def a_simulated_one(tmp_path: Path) -> Camera:
    return SimulatedCamera(1)


def a_fake_usb_one(tmp_path: Path) -> Camera:
    fake = FakeCamera()
    return UvcCamera(plug_in(tmp_path), SETTINGS, root=tmp_path, open_device=fake.open, clock=fake.clock)


def a_numbered_one(tmp_path: Path) -> Camera:
    return NumberedCamera(lambda: cast(UvcCamera, a_fake_usb_one(tmp_path)))


def a_real_usb_one(tmp_path: Path) -> Camera:
    if not os.path.exists("/dev/video0"):
        pytest.skip("no /dev/video0 on this machine")
    return UvcCamera("/dev/video0", SETTINGS)


def a_fake_pi_one(tmp_path: Path) -> Camera:
    return PiCamera(0, SETTINGS)


def a_fake_jetson_one(tmp_path: Path) -> Camera:
    return CsiCamera(0, SETTINGS)


def a_real_pipeline(tmp_path: Path) -> Camera:
    if gstreamer_missing():
        pytest.skip(gstreamer_missing())
    os.environ.pop("LEUKOSCOPE_SYSTEM_PYTHON")
    return CsiCamera(0, SETTINGS, TEST_PIPELINE.format(pattern="ball"))


def a_real_pi_one(tmp_path: Path) -> Camera:
    os.environ.pop("LEUKOSCOPE_SYSTEM_PYTHON")
    if not picamera.attached():
        pytest.skip("no Raspberry Pi camera on this machine")
    return PiCamera(0, SETTINGS)


def a_real_jetson_one(tmp_path: Path) -> Camera:
    os.environ.pop("LEUKOSCOPE_SYSTEM_PYTHON")
    if not csi.attached():
        pytest.skip("no Jetson CSI camera on this machine")
    return CsiCamera(0, SETTINGS)


@contextmanager
def a_network_one(tmp_path: Path) -> Iterator[Camera]:
    with camera_serving(mjpeg) as host:
        yield StreamCamera(f"http://{host}/video", SETTINGS)


JPEGS = (".jpg", ".avi", "/video")
"""How sources end whose pictures are JPEG."""

MAKERS = [
    a_folder,
    a_folder_of_jpegs,
    a_video,
    a_simulated_one,
    a_fake_usb_one,
    a_numbered_one,
    a_real_usb_one,
    a_fake_pi_one,
    a_fake_jetson_one,
    a_real_pipeline,
    a_real_pi_one,
    a_real_jetson_one,
    a_network_one,
]


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def camera(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Camera]:
    monkeypatch.setenv("LEUKOSCOPE_SYSTEM_PYTHON", fake_python())
    for module in (isolated, stream):  # a busy machine is no silent camera
        monkeypatch.setattr(module, "SILENT_S", 20.0)
        monkeypatch.setattr(module, "OPEN_S", 30.0)
    made = request.param(tmp_path)
    with nullcontext(made) if isinstance(made, Camera) else made as camera:
        yield camera


def read(camera: Camera, count: int) -> list[Frame]:
    frames = [camera.read() for _ in range(count)]
    return [frame for frame in frames if frame is not None]


def test_says_what_it_is(camera: Camera) -> None:
    assert isinstance(camera, Camera)
    name = camera.name
    assert name.strip()
    with closing(camera):
        camera.open()
        assert camera.name == name
        assert isinstance(camera.live, bool)
        assert camera.um_per_px is None or 0.01 < camera.um_per_px < 10


def test_frames_are_rgb_counted_and_dated(camera: Camera) -> None:
    with closing(camera):
        camera.open()
        frames = read(camera, 3)
    assert [frame.index for frame in frames] == [0, 1, 2]
    for frame in frames:
        assert frame.fault is None
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.shape[2] == 3
        assert min(frame.pixels.shape[:2]) >= 32
        assert frame.source
        assert frame.captured_at.tzinfo is not None
        assert abs(frame.captured_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert frame.exposure_ms is None or frame.exposure_ms > 0
    assert all(a.monotonic_s <= b.monotonic_s for a, b in pairwise(frames))


def test_frames_are_not_overwritten_by_later_ones(camera: Camera) -> None:
    with closing(camera):
        camera.open()
        (first,) = read(camera, 1)
        before = first.pixels.copy()
        read(camera, 2)
    np.testing.assert_array_equal(first.pixels, before)


def test_what_is_asked_at_half_its_size_is_the_same_frame(camera: Camera) -> None:
    if not isinstance(camera, Reducing):
        pytest.skip("gives what its driver decoded")
    assert camera.reduction == 1
    with closing(camera):
        camera.open()
        (first,) = read(camera, 1)
        camera.reduction = 2
        frames = read(camera, 3)
    assert (first.reduction, first.size) == (1, first.pixels.shape[1::-1])
    assert first.whole is first.pixels
    for frame in frames:
        assert frame.size == first.size
        assert frame.whole.shape == first.pixels.shape
        assert frame.pixels.shape[:2] == tuple(-(-side // frame.reduction) for side in frame.whole.shape[:2])
        assert abs(float(frame.pixels.mean()) - float(frame.whole.mean())) < 2
    assert frames[-1].reduction == (2 if frames[-1].source.endswith(JPEGS) else 1)


def test_opening_twice_goes_on(camera: Camera) -> None:
    with closing(camera):
        camera.open()
        read(camera, 1)
        camera.open()
        assert read(camera, 1)[0].index == 1


def test_reading_before_opening_and_after_closing_is_an_error(camera: Camera) -> None:
    with pytest.raises(CameraError, match="not open"):
        camera.read()
    camera.open()
    camera.close()
    with pytest.raises(CameraError, match="not open"):
        camera.read()


def test_closing_twice_and_before_opening_does_nothing(camera: Camera) -> None:
    camera.close()
    camera.open()
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="not open"):
        camera.read()


def test_it_opens_again_and_counts_from_zero(camera: Camera) -> None:
    for _ in range(2):
        with closing(camera):
            camera.open()
            assert [frame.index for frame in read(camera, 2)] == [0, 1]


@pytest.mark.parametrize("make", [a_folder, a_video])
def test_after_the_last_frame_comes_nothing_for_good(make: Callable[[Path], Camera], tmp_path: Path) -> None:
    with closing(make(tmp_path)) as camera:
        camera.open()
        frames = read(camera, 20)
        assert 4 <= len(frames) < 20
        assert camera.read() is None
        assert camera.read() is None
