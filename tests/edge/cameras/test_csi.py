from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from edge.cameras.child import isolated
from edge.cameras.csi import CsiCamera, attached
from edge.types import Light
from tests.edge.cameras.fakes import SETTINGS
from tests.edge.cameras.outside import TEST_PIPELINE, drivers, failed, fake_python, gstreamer_missing

SMALL = replace(SETTINGS, width=160, height=120, settle_s=0)

Faulty = Callable[..., None]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no silent camera."""
    monkeypatch.setattr(isolated, "SILENT_S", 20.0)
    monkeypatch.setattr(isolated, "OPEN_S", 30.0)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faulty:
    """Stands a fake in for GStreamer, with these faults."""

    def set_faults(**faults: object) -> None:
        monkeypatch.setenv("FAKE_GI", json.dumps(faults))

    monkeypatch.setenv("LEUKOSCOPE_SYSTEM_PYTHON", fake_python())
    return set_faults


failure = partial(failed, spec="csi:0")


def test_pictures_are_rgb_counted_and_dated_by_the_sensor(faulty: Faulty) -> None:
    with closing(CsiCamera(0, SMALL)) as camera:
        before = time.monotonic()
        camera.open()
        frames = [camera.read() for _ in range(3)]
        now = time.monotonic()
    assert frames[0].pixels.shape == (120, 160, 3)
    assert (frames[0].pixels[1:] == [240, 120, 10]).all()
    assert [frame.pixels[0, 0, 0] for frame in frames] == [2, 3, 4]
    assert all(before - 1 < frame.monotonic_s < now - 0.03 for frame in frames)


def test_light_is_locked_after_settling_and_can_be_fixed_and_freed(faulty: Faulty) -> None:
    def shown() -> int:
        return int(camera.read().pixels[0, 1, 2])

    with closing(CsiCamera(0, SMALL)) as camera:
        camera.open()
        assert [shown() for _ in range(3)] == [0, 99, 99]
        assert camera.light() is None
        camera.fix_light(Light(exposure_ms=12, gain=2))
        assert shown() == 112
        assert camera.light() == Light(exposure_ms=12, gain=2)
        camera.fix_light(None)
        assert shown() == 0
        assert camera.light() is None


@pytest.mark.parametrize(
    ("faults", "reads", "said"),
    [
        ({"installed": False}, 0, "cannot be used (Namespace Gst not available); install it with `sudo apt"),
        (
            {"state_hangs": "PLAYING"},
            0,
            "gives no pictures; check its ribbon cable, and restart the camera serv",
        ),
        ({"silent_at": 2}, 3, "gives no pictures"),
        ({"error_at": 3}, 3, "does not work (TIMEOUT, argus died); check"),
    ],
)
def test_what_goes_wrong(
    faults: dict[str, object], reads: int, said: str, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "state_hangs" in faults:
        monkeypatch.setattr(isolated, "OPEN_S", 1.0)
    faulty(**faults)
    assert said in failure(CsiCamera(0, SMALL), reads)
    assert not drivers()


def test_a_stop_that_hangs_is_cut_short(faulty: Faulty) -> None:
    faulty(state_hangs="NULL")
    camera = CsiCamera(0, SMALL)
    camera.open()
    camera.close()
    assert not drivers()


def test_what_nvidias_source_prints_is_not_seen(faulty: Faulty, capfd: pytest.CaptureFixture[str]) -> None:
    faulty(prints=True)
    with closing(CsiCamera(0, SMALL)) as camera:
        camera.open()
        camera.read()
    assert capfd.readouterr() == ("", "")


def test_a_camera_that_was_not_listed_at_first_has_its_name_when_it_is_open(
    faulty: Faulty, tmp_path: Path
) -> None:
    camera = CsiCamera(0, SMALL, root=tmp_path)
    assert (camera.name, camera.serial) == ("csi:0", "")
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"nvidia,tegra234\0")
    (tmp_path / "sys/class/video4linux/video0").mkdir(parents=True)
    (tmp_path / "sys/class/video4linux/video0/name").write_text("vi-output, imx219 9-0010\n")
    with closing(camera):
        camera.open()
        assert camera.read().source == "imx219"
    assert (camera.name, camera.serial) == ("imx219", "9-0010")


def test_cameras_are_listed_on_a_jetson_only(tmp_path: Path) -> None:
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    for number, name in (
        (10, "vi-output, imx477 10-001a"),
        (2, "vi-output, imx219 9-0010"),
        (0, "HD Webcam"),
    ):
        node = tmp_path / f"sys/class/video4linux/video{number}"
        node.mkdir(parents=True)
        (node / "name").write_text(f"{name}\n")
    assert attached(tmp_path) == []
    (tree / "compatible").write_bytes(b"nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
    assert [(camera.name, camera.spec, camera.serial) for camera in attached(tmp_path)] == [
        ("imx219", "csi:0", "9-0010"),
        ("imx477", "csi:1", "10-001a"),
    ]
    camera = CsiCamera(1, SMALL, root=tmp_path)
    assert (camera.name, camera.serial) == ("imx477", "10-001a")
    (tree / "compatible").write_bytes(b"raspberrypi,5-model-b\0brcm,bcm2712\0")
    assert attached(tmp_path) == []


@pytest.fixture
def real() -> None:
    if gstreamer_missing():
        pytest.skip(gstreamer_missing())


@pytest.mark.usefixtures("real")
def test_a_real_pipeline_gives_the_right_colours_now() -> None:
    for pattern, colour in (("red", [255, 0, 0]), ("blue", [0, 0, 255])):
        with closing(CsiCamera(0, SETTINGS, TEST_PIPELINE.format(pattern=pattern))) as camera:
            camera.open()
            frames = [camera.read() for _ in range(4)]
        assert (frames[-1].pixels == colour).all()
        assert all(a.monotonic_s < b.monotonic_s for a, b in pairwise(frames))


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("nosuchthing name=source ! {sink}", 'cannot be used (no element "nosuchthing"); install'),
        (
            "videotestsrc num-buffers=3 ! video/x-raw,format=BGRx,width=64,height=48 ! {sink}",
            "pictures ended",
        ),
        (
            "videotestsrc is-live=true ! identity error-after=4 ! video/x-raw,format=BGRx ! {sink}",
            "does not work",
        ),
    ],
)
def test_what_goes_wrong_in_a_real_pipeline(pipeline: str, said: str) -> None:
    assert said in failure(CsiCamera(0, SETTINGS, pipeline), reads=9)


@pytest.mark.usefixtures("real")
def test_a_real_pipeline_leaves_nothing_behind() -> None:
    process = psutil.Process()
    camera = CsiCamera(0, SMALL, TEST_PIPELINE.format(pattern="ball"))
    for cycle in range(10):
        with closing(camera):
            camera.open()
            camera.read()
        if cycle == 1:
            files, threads = process.num_fds(), process.num_threads()
    assert process.num_fds() <= files
    assert process.num_threads() <= threads
    assert not drivers()
