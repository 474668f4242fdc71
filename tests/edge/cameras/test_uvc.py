from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from edge.cameras import CameraError, uvc
from edge.cameras.uvc import REOPENINGS, Node, UvcCamera, list_nodes
from tests.edge.cameras.fakes import SETTINGS, FakeCapture, number_in

NODES = [
    Node("/dev/video0", "Built-in", usb=False),
    Node("/dev/video2", "Microscope A", usb=True),
    Node("/dev/video10", "Microscope B", usb=True),
]


class Devices:
    """Opens fake captures and keeps them; the n-th delivers as many frames as the n-th of `frames`."""

    def __init__(self, *frames: int) -> None:
        self.captures = [FakeCapture(count) for count in frames]
        self.paths: list[str] = []

    def __call__(self, path: str) -> FakeCapture:
        self.paths.append(path)
        return self.captures[len(self.paths) - 1]


@pytest.mark.parametrize(
    ("device", "path", "name"),
    [
        ("0", "/dev/video0", "Built-in"),
        ("2", "/dev/video10", "Microscope B"),
        ("usb:0", "/dev/video2", "Microscope A"),
        ("usb:1", "/dev/video10", "Microscope B"),
        ("/dev/video2", "/dev/video2", "Microscope A"),
        ("/dev/video5", "/dev/video5", "/dev/video5"),
    ],
)
def test_which_device_is_meant(device: str, path: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvc, "list_nodes", lambda: NODES)
    devices = Devices(5)
    with closing(UvcCamera(device, SETTINGS, open_capture=devices)) as camera:
        camera.open()
        frame = camera.read()
    assert devices.paths == [path]
    assert frame is not None
    assert frame.source == camera.name == name


@pytest.mark.parametrize("device", ["3", "usb:2"])
def test_a_number_too_high_lists_what_there_is(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvc, "list_nodes", lambda: NODES)
    with pytest.raises(CameraError, match=rf"camera {device}: there is no such camera; .*Microscope A"):
        UvcCamera(device, SETTINGS).open()


def test_mjpeg_and_the_profiles_size_are_asked_for_and_colours_are_rgb() -> None:
    devices = Devices(5)
    with closing(UvcCamera("/dev/video0", SETTINGS, open_capture=devices)) as camera:
        camera.open()
        frame = camera.read()
    asked = devices.captures[0].asked
    assert asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert list(asked).index(cv2.CAP_PROP_FOURCC) < list(asked).index(cv2.CAP_PROP_FRAME_WIDTH)
    assert (asked[cv2.CAP_PROP_FRAME_WIDTH], asked[cv2.CAP_PROP_FRAME_HEIGHT]) == (640, 480)
    assert frame is not None
    assert number_in(frame.pixels) == 3
    assert devices.captures[0].released


def test_a_camera_that_falls_silent_is_opened_again() -> None:
    devices = Devices(2, 0, 3)
    camera = UvcCamera("/dev/video0", SETTINGS, open_capture=devices, reopen_after_s=0)
    with closing(camera):
        camera.open()
        indices = [frame.index for _ in range(5) if (frame := camera.read())]
    assert indices == [0, 1, 2, 3, 4]
    assert [capture.released for capture in devices.captures] == [True] * 3


def test_a_camera_that_stays_silent_is_given_up() -> None:
    devices = Devices(1, *[0] * REOPENINGS)
    camera = UvcCamera("/dev/video0", SETTINGS, open_capture=devices, reopen_after_s=0)
    with closing(camera):
        camera.open()
        camera.read()
        with pytest.raises(CameraError, match=r"camera /dev/video0: .*no more pictures; check its cable"):
            camera.read()
    assert len(devices.paths) == 1 + REOPENINGS


def test_a_node_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvc, "list_nodes", lambda: NODES[1:2])
    with pytest.raises(CameraError, match=r"there is no /dev/video99; attached: .* \(Microscope A\)"):
        UvcCamera("/dev/video99", SETTINGS).open()
    monkeypatch.setattr(uvc, "list_nodes", lambda: [])
    with pytest.raises(CameraError, match=r"no camera is attached; .* --camera demo"):
        UvcCamera("0", SETTINGS).open()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/shm"])
def test_a_node_that_is_no_camera(path: str) -> None:
    with pytest.raises(CameraError, match=f"camera {path}: {path} is not a camera"):
        UvcCamera(path, SETTINGS).open()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "no permission to use /dev/video99; .*usermod -aG video"),
        (errno.EIO, "/dev/video99 cannot be opened: Input/output error"),
        (errno.EBUSY, "/dev/video99 is used by another program; close it or choose another with --camera"),
    ],
)
def test_why_a_node_cannot_be_opened(number: int, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, flags: int) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CameraError, match=f"camera /dev/video99: {advice}"):
        UvcCamera("/dev/video99", SETTINGS).open()


def test_nodes_come_in_order_of_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, index, bus in (
        ("video10", "0", "usb1/1-1"),
        ("video2", "0", "platform/isp"),
        ("video3", "1", "platform/isp"),
        ("video4", "0", "platform/decoder"),
    ):
        device = tmp_path / "devices" / bus
        entry = tmp_path / "class" / name
        device.mkdir(parents=True, exist_ok=True)
        entry.mkdir(parents=True)
        (entry / "index").write_text(f"{index}\n")
        (entry / "name").write_text(f"model {name}\n")
        (entry / "device").symlink_to(device)
    refusals = {"/dev/video2": errno.EACCES, "/dev/video4": errno.ENOTTY, "/dev/video10": 0}
    monkeypatch.setattr(uvc, "_refusal", refusals.__getitem__)
    assert list_nodes(tmp_path / "class") == [
        Node("/dev/video2", "model video2", usb=False),
        Node("/dev/video10", "model video10", usb=True),
    ]
    assert list_nodes(tmp_path / "nowhere") == []


real = pytest.mark.skipif(not os.path.exists("/dev/video0"), reason="no /dev/video0 on this machine")


@real
def test_a_real_camera_is_listed() -> None:
    assert "/dev/video0" in [node.path for node in list_nodes()]
    with closing(UvcCamera("0", SETTINGS)) as camera:
        camera.open()
        assert camera.read() is not None


@real
def test_a_real_camera_in_use_is_busy() -> None:
    with closing(UvcCamera("0", SETTINGS)) as first, closing(UvcCamera("0", SETTINGS)) as second:
        first.open()
        assert first.read() is not None
        with pytest.raises(CameraError, match="used by another program"):
            second.open()
        assert first.read() is not None
