"""Which camera is meant, and what may be in the way of opening it."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path

import pytest

from edge.cameras import Camera, CameraError
from edge.cameras.uvc import UvcCamera
from edge.cameras.v4l2 import abi
from tests.edge.cameras.fake_sysfs import plug_in, pull_out
from tests.edge.cameras.fake_v4l2 import FakeCamera, FakeDevice
from tests.edge.cameras.fakes import SETTINGS
from tests.edge.cameras.uvc_rig import a_camera, failing, take


@pytest.mark.parametrize("call", [abi.S_FMT, abi.REQBUFS, abi.STREAMON])
def test_in_use_by_another_program(call: int, fake: FakeCamera, uvc: Camera) -> None:
    fake.fails[call] = errno.EBUSY
    path = uvc.device  # type: ignore[attr-defined]
    message = f"camera {path}: {path} is used by another program; close it or choose another with --camera"
    began_s = fake.now_s
    with pytest.raises(CameraError) as raised:
        uvc.open()
    assert str(raised.value) == message
    assert fake.now_s == began_s
    assert fake.held == 0


def test_two_of_us(fake: FakeCamera, tmp_path: Path) -> None:
    path = plug_in(tmp_path)
    with closing(a_camera(fake, path, tmp_path)) as first, closing(a_camera(fake, path, tmp_path)) as second:
        first.open()
        with pytest.raises(CameraError, match="used by another program"):
            second.open()
        assert take(first)


def test_messages_call_it_what_the_user_did(fake: FakeCamera, tmp_path: Path) -> None:
    fake.in_use = True
    path = plug_in(tmp_path)
    camera = UvcCamera(path, SETTINGS, called="3", root=tmp_path, open_device=fake.open)
    with pytest.raises(CameraError, match=f"^camera 3: {path} is used"):
        camera.open()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "may not be used without permission; .*usermod -aG video"),
        (errno.EIO, "has failed .Input/output error.; unplug it"),
    ],
)
def test_why_a_node_cannot_be_opened(number: int, advice: str, fake: FakeCamera, uvc: Camera) -> None:
    fake.refused = number
    with pytest.raises(CameraError, match=advice):
        uvc.open()


def test_no_room_on_the_bus_is_met_with_a_lighter_format(fake: FakeCamera, uvc: Camera) -> None:
    fake.room = 1000
    with closing(uvc):
        uvc.open()
        assert fake.opened[-1].agreed[0] == "MJPG"
        assert take(uvc)
    fake.offers = {"YUYV": {(64, 48): (25.0,)}}
    with pytest.raises(CameraError, match="gets no room on its USB bus; plug it into another port"):
        uvc.open()
    assert fake.held == 0


def test_a_sensor_that_gives_raw_data_only(fake: FakeCamera, tmp_path: Path) -> None:
    fake.offers = {"RG10": {(64, 48): (25.0,)}}
    path = plug_in(tmp_path)
    with pytest.raises(CameraError, match="offers only RG10, which cannot be read; choose another"):
        a_camera(fake, path, tmp_path).open()
    with pytest.raises(CameraError, match="there is no such camera"):
        a_camera(fake, "0", tmp_path).open()
    assert fake.held == 0


def test_a_node_that_does_not_exist(fake: FakeCamera, tmp_path: Path) -> None:
    def missing(path: str) -> FakeDevice:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    absent = str(tmp_path / "dev/video99")
    with pytest.raises(CameraError, match=r"there is no .*/video99; no camera is attached; .*--camera demo"):
        UvcCamera(absent, SETTINGS, root=tmp_path, open_device=missing).open()
    plug_in(tmp_path, 2)
    for device in ("3", "usb:1"):
        with pytest.raises(CameraError, match=rf"camera {device}: there is no such camera; .*\(Microscope\)"):
            a_camera(fake, device, tmp_path).open()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/shm"])
def test_a_node_that_is_no_camera(path: str) -> None:
    with pytest.raises(CameraError, match=f"camera {path}: {path} is not a camera"):
        UvcCamera(path, SETTINGS).open()


def test_it_is_found_again_under_another_number(fake: FakeCamera, tmp_path: Path) -> None:
    camera = a_camera(fake, plug_in(tmp_path, serial="A7"), tmp_path)
    assert camera.serial == "A7"
    camera.open()
    take(camera)
    pull_out(tmp_path)
    fake.unplugged = True
    failing(camera, "was unplugged")
    camera.close()
    with pytest.raises(CameraError, match="Microscope is not attached; plug it in again"):
        camera.open()
    fake.unplugged = False
    plug_in(tmp_path, 0, model="Webcam", port="usb1/1-2", ids="aaaa:bbbb")
    with pytest.raises(CameraError, match="Microscope is not attached; plug it in again"):
        camera.open()
    plug_in(tmp_path, 3, serial="A7", port="usb1/1-4")
    camera.open()
    assert take(camera)[0].index == 0
    camera.close()
    assert fake.held == 0


def test_one_that_comes_later_gets_its_name_then(fake: FakeCamera, tmp_path: Path) -> None:
    camera = a_camera(fake, "usb:0", tmp_path)
    assert (camera.name, camera.serial) == ("usb:0", "")
    with pytest.raises(CameraError):
        camera.open()
    plug_in(tmp_path, serial="A7")
    with closing(camera):
        camera.open()
        assert (camera.name, camera.serial) == ("Microscope", "A7")


real = pytest.mark.skipif(not os.path.exists("/dev/video0"), reason="no /dev/video0 on this machine")


@real
def test_a_real_camera_in_use_is_busy() -> None:
    with closing(UvcCamera("0", SETTINGS)) as first, closing(UvcCamera("0", SETTINGS)) as second:
        first.open()
        assert first.read() is not None
        with pytest.raises(CameraError, match="used by another program"):
            second.open()
        assert first.read() is not None
