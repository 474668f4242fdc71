from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge.cameras import Adjustable, Camera, CameraError
from edge.cameras import attached as everything
from edge.cameras.attached import Attached
from edge.cameras.selection import KINDS, camera_for, namesake, parse
from edge.machine.profile import CameraSettings
from edge.types import Frame, Light
from tests.edge.cameras.fakes import SETTINGS, write_image, write_video

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("spec", "kind", "argument"),
    [
        ("0", "uvc", "0"),
        ("12", "uvc", "12"),
        ("picamera:1", "picamera", 1),
        ("csi:0", "csi", 0),
        ("rtsp://10.0.0.1/stream", "stream", "rtsp://10.0.0.1/stream"),
        ("HTTP://10.0.0.1/stream", "stream", "HTTP://10.0.0.1/stream"),
        ("https://10.0.0.1/stream", "stream", "https://10.0.0.1/stream"),
        ("/dev/video3", "uvc", "/dev/video3"),
        ("/dev/v4l/by-id/usb-x", "uvc", "/dev/v4l/by-id/usb-x"),
        ("usb:1", "uvc", "usb:1"),
        ("fields", "files", "fields"),
        ("fields/*.png", "files", "fields/*.png"),
        ("fields/7.png", "files", "fields/7.png"),
        ("slide.avi", "files", "slide.avi"),
        ("./demo", "files", "./demo"),
    ],
)
def test_what_a_spec_means(
    spec: str, kind: str, argument: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "fields" / "7.png")
    write_video(tmp_path / "slide.avi")
    (tmp_path / "demo").mkdir()
    found, arguments = parse(spec, SETTINGS)
    assert found == kind
    assert argument in arguments.values()
    assert isinstance(camera_for(spec, SETTINGS), Camera)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no disk in memory below /dev here")
def test_a_folder_in_memory_is_no_camera() -> None:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        assert parse(folder, SETTINGS) == ("files", {"path": folder})


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            "demo",
            "demo means the simulated microscope; to read the file or folder of that name give --",
        ),
        ("demo:3", "demo:3 means the simulated microscope"),
        ("0", "0 means a camera; to read the file or folder of that name give --camera ./0"),
        ("usb:0", "usb:0 means a camera"),
        ("1", None),
        ("./demo", None),
        ("fields", None),
    ],
)
def test_a_folder_that_is_called_like_a_camera_is_told(
    spec: str, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "demo:3", "0", "usb:0", "fields"):
        (tmp_path / name).mkdir()
    assert (namesake(spec) or "").startswith(told or "")
    assert (namesake(spec) is None) == (told is None)


@pytest.mark.parametrize(("spec", "seed"), [("demo", {}), ("demo:0", {"seed": 0}), ("demo:17", {"seed": 17})])
def test_the_simulated_microscope_and_its_seed(spec: str, seed: dict[str, int]) -> None:
    assert parse(spec, SETTINGS) == ("demo", seed)
    assert not camera_for(spec, SETTINGS, pace_fps=10).live


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("picamera:x", "must be a whole number, as in picamera:1"),
        ("csi:", "must be a whole number, as in csi:1"),
        ("rtsp://", "no such file, folder or kind of camera"),
        ("demo:x", "must be a whole number, as in demo:1"),
        ("demo:-1", "must be a whole number, as in demo:1"),
        ("usb:", "must be a whole number, as in usb:1"),
        ("fieldz/", "no such file, folder or kind of camera; use a number"),
        ("webcam", "no such file, folder or kind of camera"),
        ("~nobody-of-this-name/fields", "no such file, folder or kind of camera"),
        ("DEMO", "no such file, folder or kind of camera"),
        ("", "no such file, folder or kind of camera"),
        ("²", "no such file, folder or kind of camera"),
    ],
)
def test_a_spec_that_means_nothing(spec: str, message: str) -> None:
    with pytest.raises(CameraError, match=message) as raised:
        camera_for(spec, SETTINGS)
    assert str(raised.value).startswith("camera ")
    assert "\n" not in str(raised.value)


def test_numbers_go_on_after_the_cameras_of_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    board = [Attached("picamera", "imx477", "picamera:0"), Attached("csi", "imx219", "csi:4")]
    monkeypatch.setattr(everything, "on_the_board", lambda: board)
    assert parse("0", SETTINGS) == ("picamera", {"number": 0, "settings": SETTINGS})
    assert parse("1", SETTINGS) == ("csi", {"number": 4, "settings": SETTINGS})
    assert parse("3", SETTINGS) == ("uvc", {"device": "1", "called": "3", "settings": SETTINGS})
    with pytest.raises(CameraError, match="camera 9: there is no such camera; "):
        camera_for("9", SETTINGS).open()


def test_a_camera_of_the_board_that_is_told_late_still_has_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board: list[Attached] = []
    monkeypatch.setattr(everything, "on_the_board", lambda: board)
    monkeypatch.setitem(KINDS, "picamera", f"{__name__}:OnTheBoard")
    camera = camera_for("0", SETTINGS)
    assert isinstance(camera, Adjustable)
    camera.fix_light(Light(gain=2.0))
    with pytest.raises(CameraError, match="camera 0: there is no such camera"):
        camera.open()
    board.append(Attached("picamera", "imx477", "picamera:0"))
    with pytest.raises(CameraError, match="camera 0: there is no such camera"):
        camera.open()
    with closing(camera):
        camera.open()
        assert (camera.name, camera.serial, camera.light()) == ("imx477", "i2c@1", Light(gain=2.0))
        assert camera.read() is None
    board.clear()
    camera.open()
    assert camera.name == "imx477"


class OnTheBoard:
    """A camera that is known when it is open."""

    name, serial, live = "picamera:0", "", True
    um_per_px: float | None = None

    def __init__(self, number: int, settings: CameraSettings) -> None:
        self._light: Light | None = None

    def open(self) -> None:
        self.name, self.serial = "imx477", "i2c@1"

    def read(self) -> Frame | None:
        return None

    def close(self) -> None:
        return

    def light(self) -> Light | None:
        return self._light

    def fix_light(self, light: Light | None) -> None:
        self._light = light


def test_every_kind_can_be_loaded() -> None:
    for target in KINDS.values():
        module, name = target.split(":")
        assert isinstance(getattr(import_module(module), name), type)


def test_only_the_chosen_kind_is_imported(tmp_path: Path) -> None:
    code = f"""
import sys
from edge.cameras import attached as everything
from edge.cameras.attached import Attached
from edge.cameras.selection import camera_for
from edge.machine.profile import CameraSettings
camera_for({str(tmp_path)!r}, CameraSettings(640, 480, 30, 0.1, 1.0))
print(*[name for name in sys.modules if name.startswith("edge.cameras.")])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    assert "edge.cameras.files" in imported
    assert "edge.cameras.uvc" not in imported
    assert "edge.cameras.picamera" not in imported
    assert "edge.cameras.demo.camera" not in imported
