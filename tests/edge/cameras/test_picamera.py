from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from edge.cameras import Adjustable, CameraError, picamera
from edge.cameras.child import isolated
from edge.cameras.child.driver import DriverError
from edge.cameras.picamera import PiCamera, attached
from edge.types import Light
from tests.edge.cameras.fakes import SETTINGS
from tests.edge.cameras.outside import FAKES, drivers, failed, fake_python

SMALL = replace(SETTINGS, width=160, height=120, settle_s=0)
PATIENT = replace(SMALL, settle_s=60)

Faulty = Callable[..., None]


@pytest.fixture(autouse=True)
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faulty:
    """Gives the stand-in for picamera2 these faults from now on."""

    def set_faults(**faults: object) -> None:
        monkeypatch.setenv("FAKE_PICAMERA2", json.dumps(faults))

    monkeypatch.setenv("LEUKOSCOPE_SYSTEM_PYTHON", fake_python())
    monkeypatch.setattr(isolated, "SILENT_S", 20.0)  # a busy machine is no silent camera
    monkeypatch.setattr(isolated, "OPEN_S", 30.0)
    picamera._listed.cache_clear()
    return set_faults


@pytest.fixture
def raspberry(tmp_path: Path) -> Path:
    """The root folder of a Raspberry Pi."""
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    return tmp_path


def number_in(pixels: np.ndarray) -> int:
    """Which of its pictures the stand-in drew."""
    return 256 * int(pixels[0, 0, 1]) + int(pixels[0, 0, 2])


failure = partial(failed, spec="picamera:0")


def test_pictures_are_red_where_the_camera_saw_red_and_without_padding() -> None:
    with closing(PiCamera(0, SMALL)) as camera:
        camera.open()
        frame = camera.read()
    assert frame.pixels.shape == (120, 160, 3)
    assert (frame.pixels[1:] == [200, 100, 50]).all()
    assert (frame.pixels[0, 1:] == [200, 100, 50]).all()


def test_a_picture_stays_while_anything_looks_at_it_and_later_ones_are_newer() -> None:
    with closing(PiCamera(0, SMALL)) as camera:
        camera.open()
        corners = [camera.read().pixels[:1, :1] for _ in range(3 * isolated.SLOTS)]
        numbers = [number_in(corner) for corner in corners]
    assert numbers == list(range(2, 2 + len(numbers)))
    assert [number_in(corner) for corner in corners] == numbers


def test_pictures_nobody_keeps_are_not_copied() -> None:
    with closing(PiCamera(0, SMALL)) as camera:
        camera.open()
        first = camera.read().pixels.ctypes.data
        assert {camera.read().pixels.ctypes.data for _ in range(5)} == {first}


def test_time_and_light_of_a_picture_are_the_sensors() -> None:
    with closing(PiCamera(0, PATIENT)) as camera:
        assert camera.light() is None
        before = time.monotonic()
        camera.open()
        frame = camera.read()
        light = camera.light()
    assert isinstance(camera, Adjustable)
    assert before - 1 < frame.monotonic_s < time.monotonic() - 0.02
    assert light is not None
    assert frame.exposure_ms == light.exposure_ms
    assert light.white[1] == 2.0


def test_light_is_automatic_and_then_locked() -> None:
    with closing(PiCamera(0, PATIENT)) as camera:
        camera.open()
        exposures = [camera.read().exposure_ms for _ in range(5)]
        assert len(set(exposures)) == 5
        camera._lock_at_s = 0
        lights = []
        for _ in range(5):
            camera.read()
            lights.append(camera.light())
    assert lights[0] is not None
    assert lights[0].exposure_ms == exposures[-1]
    assert len(set(lights)) == 1


def test_a_fixed_light_is_kept_over_opening_again_and_partly_fixed_is_partly_found() -> None:
    fixed = Light(exposure_ms=7.5, gain=2.5, white=(1.25, 1.75))
    camera = PiCamera(0, SMALL)
    camera.fix_light(fixed)
    for _ in range(2):
        with closing(camera):
            camera.open()
            camera.read()
            assert camera.light() == fixed
    with closing(camera):
        camera.open()
        camera.fix_light(replace(fixed, gain=None))
        camera.read()
        light = camera.light()
        assert light is not None
        assert (light.exposure_ms, light.white) == (7.5, (1.25, 1.75))
        assert light.gain != 2.5
        camera.fix_light(None)
        camera.read()
        assert camera.light() != light


@pytest.mark.parametrize("locked", [True, False])
def test_a_still_is_the_whole_sensor_in_the_same_light_and_the_pictures_go_on(locked: bool) -> None:
    with closing(PiCamera(0, SMALL if locked else PATIENT)) as camera:
        camera.open()
        for _ in range(3):
            before = camera.read()
        still = camera.still()
        assert still.pixels.shape == (240, 320, 3)
        assert (still.pixels[1:] == [200, 100, 50]).all()
        assert still.exposure_ms == before.exposure_ms
        after = camera.read()
        assert after.pixels.shape == (120, 160, 3)
        assert after.index == before.index + 1
        assert (after.exposure_ms == before.exposure_ms) == locked


def test_the_whole_field_is_read_from_the_sensor(faulty: Faulty) -> None:
    # the stand-in has a mode of the right size that is cut out of the middle, and one that is not
    program = (
        "import sys\n"
        f"sys.path += [{str(FAKES[0])!r}, {str(Path(picamera.__file__).with_name('child') / 'drivers')!r}]\n"
        "import raspberry\n"
        "for fps in (30, 200):\n"
        "    print(raspberry.Camera(0, 160, 120, fps)._camera.configuration['sensor'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["{'output_size': (160, 120), 'bit_depth': 10}", "None"]


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (
            {"import": "No module named 'picamera2'"},
            "picamera2 cannot be used (No module named 'picamera2'); "
            "install it with `sudo apt install python3-picamera2`",
        ),
        ({"cameras": 0}, "there is no such camera (0 attached); "),
        ({"busy": True}, "is used by another program; close it"),
        ({"start": "Camera frontend has timed out!; a\nb"}, "(Camera frontend has timed out!, a b); "),
        ({"format": "NV12"}, "the camera gives NV12, not BGR888"),
        (
            {"crash_at": 1},
            "its driver broke down (signal 11: [0:01:02] ERROR V4L2 v4l2_device.cpp:1: the sensor",
        ),
        ({"hang_at": 1}, "gives no pictures"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_why_it_does_not_open(
    faults: dict[str, object], said: str, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "hang_at" in faults:
        monkeypatch.setattr(isolated, "OPEN_S", 1.0)
    faulty(**faults)
    assert said in failure(PiCamera(0, SMALL))
    assert not drivers()


def test_no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEUKOSCOPE_SYSTEM_PYTHON", "/nowhere/python3 -I")
    before = psutil.Process().num_fds()
    assert "(/nowhere/python3 cannot be run: No such file or directory)" in failure(PiCamera(0, SMALL))
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("fault", ["hang_at", "hold_at", "crash_at"])
def test_a_driver_that_fails_is_ended_and_opening_again_starts_another(
    fault: str, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(**{fault: 3})
    camera = PiCamera(0, SMALL)
    with closing(camera):
        camera.open()
        camera.read()
        monkeypatch.setattr(isolated, "SILENT_S", 1.0)
        began = time.monotonic()
        with pytest.raises(
            CameraError, match=r"^camera picamera:0: (gives no pictures|its driver broke down)"
        ):
            camera.read()
        assert time.monotonic() - began < 60
    assert not drivers()
    monkeypatch.setattr(isolated, "SILENT_S", 20.0)
    faulty()
    with closing(camera):
        camera.open()
        assert camera.read().index == 0


def test_a_stop_that_hangs_is_cut_short(faulty: Faulty) -> None:
    faulty(stop_hangs=True)
    camera = PiCamera(0, SMALL)
    camera.open()
    camera.close()
    assert not drivers()


def test_another_size_than_asked_for(faulty: Faulty) -> None:
    faulty(size=[136, 90])
    with closing(PiCamera(0, SMALL)) as camera:
        camera.open()
        assert camera.read().pixels.shape == (90, 136, 3)


def test_what_libraries_print_disturbs_nothing(faulty: Faulty, capfd: pytest.CaptureFixture[str]) -> None:
    faulty(chatter='{"n": 1, "error": "x"}\n' * 500)
    with closing(PiCamera(0, SMALL)) as camera:
        camera.open()
        for _ in range(20):
            camera.read()
    assert capfd.readouterr() == ("", "")


def test_cameras_are_listed_on_a_raspberry_only_and_once(raspberry: Path, faulty: Faulty) -> None:
    faulty(cameras=2)
    assert attached(raspberry / "nothing") == []
    found = attached(raspberry)
    assert [(camera.kind, camera.name, camera.spec, camera.serial) for camera in found] == [
        ("picamera", "imx296", "picamera:0", "i2c@80000"),
        ("picamera", "imx297", "picamera:1", "i2c@81000"),
    ]
    camera = PiCamera(1, SMALL, root=raspberry)
    assert (camera.name, camera.serial) == ("imx297", "i2c@81000")
    faulty(cameras=0)
    assert attached(raspberry) == found
    (raspberry / "proc/device-tree/model").write_text("NVIDIA Jetson Orin Nano\0")
    assert attached(raspberry) == []


def test_without_picamera2_none_are_listed(raspberry: Path, faulty: Faulty) -> None:
    faulty(**{"import": "No module named 'libcamera'"})
    assert attached(raspberry) == []


def test_a_listing_that_failed_is_asked_for_again(
    raspberry: Path, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(module: str) -> list[dict[str, str]]:
        raise DriverError("silent", "")

    with monkeypatch.context() as patch:
        patch.setattr(picamera, "listed", silent)
        assert attached(raspberry) == []
        camera = PiCamera(0, SMALL, root=raspberry)
    assert (camera.name, camera.serial) == ("picamera:0", "")
    faulty(**{"import": "No module named 'picamera2'"})
    assert attached(raspberry) == []
    faulty()
    assert [found.name for found in attached(raspberry)] == ["imx296"]
    with closing(camera):
        camera.open()
        assert camera.read().source == "imx296"
        assert (camera.name, camera.serial) == ("imx296", "i2c@80000")


@pytest.mark.parametrize("fault", ["hold_at", ""])
def test_the_driver_dies_with_the_program_however_that_ends(fault: str, faulty: Faulty) -> None:
    faulty(**({fault: 2} if fault else {}))
    program = (
        "import threading, time\n"
        "from edge.cameras.picamera import PiCamera\n"
        "from tests.edge.cameras.test_picamera import SMALL\n"
        "camera = PiCamera(0, SMALL)\n"
        "opening = threading.Thread(target=camera.open)\n"  # a thread that ends before the driver does
        "opening.start()\n"
        "opening.join()\n"
        "print(camera._driver._process.pid, flush=True)\n"
        "camera.read()\n"
        "time.sleep(100)\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root
    ) as user:
        assert user.stdout is not None
        driver = psutil.Process(int(user.stdout.readline()))
        time.sleep(0.2)
        assert driver.is_running()
        user.send_signal(signal.SIGKILL)
    driver.wait(60)


def test_nothing_is_left_behind() -> None:
    process = psutil.Process()
    shared = set(os.listdir("/dev/shm"))
    camera = PiCamera(0, SMALL)
    for cycle in range(cycles := 8):
        with closing(camera):
            camera.open()
            frame = camera.read()
        if cycle == 2:
            files, threads, memory = process.num_fds(), process.num_threads(), process.memory_info().rss
    assert number_in(frame.pixels) == 2
    assert process.num_fds() <= files
    assert process.num_threads() <= threads
    assert process.memory_info().rss - memory < 8e6
    assert not drivers()
    assert len(set(os.listdir("/dev/shm")) - shared) < cycles, "others may come and go, one a cycle is ours"
    mapped = Path("/proc/self/maps").read_text().count("leukoscope-raspberry")
    assert mapped <= 2
