"""The doctor on made-up cameras, and on calibrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge.cameras import CameraError
from edge.cameras.attached import Attached
from edge.doctor import calibration, camera
from edge.doctor.check import Check, Examination, Subject, examine_all
from edge.optics.calibrations import Calibration, CalibrationStore
from edge.types import Frame
from tests.edge.doctor.sample import UNIT, Tree, said, unit


class FakeCamera:
    """Gives pictures of one grey level."""

    name, serial, live, um_per_px = "Scope 3", "", True, None

    def __init__(self, grey: int = 128, size: tuple[int, int] = (1080, 1920), error: str = "") -> None:
        self.pixels = np.full((*size, 3), grey, np.uint8)
        self.error, self.closed = error, False

    def open(self) -> None:
        if self.error:
            raise CameraError(self.error)

    def read(self) -> Frame | None:
        return Frame(self.pixels, 0, self.name, datetime.now(UTC), 0.0)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def attach(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeCamera]:
    def attach(source: FakeCamera | None = None, problem: str | None = None) -> FakeCamera:
        source = source or FakeCamera()
        one = Attached("uvc", source.name, "/dev/video0", problem=problem)
        monkeypatch.setattr(camera, "_attached", lambda root: [one])
        monkeypatch.setattr("edge.cameras.selection.camera_for", lambda spec, settings: source)
        return source

    return attach


def test_a_camera_that_works(subject: Subject, attach: Callable[..., FakeCamera]) -> None:
    source = attach()
    assert camera.camera(subject) == Check("fine", "Scope 3 gives pictures of 1920×1080")
    assert source.closed


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (FakeCamera(2), "all black; turn the microscope's lamp on"),
        (FakeCamera(255), "all white; turn the microscope's lamp down"),
        (FakeCamera(size=(480, 640)), "640×480, where the profile asks for 1920×1080"),
    ],
)
def test_pictures_that_show_little(
    subject: Subject, attach: Callable[..., FakeCamera], source: FakeCamera, words: str
) -> None:
    attach(source)
    assert camera.camera(subject).level == "worth knowing"
    assert words in said(camera.camera(subject))


@pytest.mark.parametrize(
    ("asked", "box", "level"),
    [(None, False, "worth knowing"), ("0", False, "wrong"), (None, True, "wrong"), ("0", True, "wrong")],
)
def test_no_camera(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, asked: str | None, box: bool, level: str
) -> None:
    monkeypatch.setattr(camera, "_attached", lambda root: [])
    found = camera.camera(replace(subject, camera=asked, box=box))
    assert (found.level, found.message) == (level, "none is attached")


def test_too_high_a_number(subject: Subject, attach: Callable[..., FakeCamera]) -> None:
    attach()
    found = camera.camera(replace(subject, camera="3"))
    assert (found.level, found.message) == ("wrong", "there is no camera 3, only Scope 3")


def test_a_camera_in_use(subject: Subject, attach: Callable[..., FakeCamera]) -> None:
    attach(problem="is used by another program; close it")
    found = camera.camera(subject)
    assert (found.level, found.mend) == ("wrong", "close it")
    ours = replace(
        subject, systemctl=lambda arguments: "Id=leukoscope.service\nLoadState=loaded\nActiveState=active"
    )
    assert said(camera.camera(ours)) == "fine: Scope 3 is in use by leukoscope.service; "


def test_the_services_own_stream_is_left_to_it(subject: Subject, tree: Tree) -> None:
    tree({UNIT: "[Service]\nEnvironment=CAMERA=0\n", "etc/default/leukoscope": 'CAMERA="rtsp://scope/1"\n'})
    ours = replace(subject, camera="rtsp://scope/1", systemctl=lambda arguments: unit())
    assert camera.camera(ours).level == "fine"


def test_a_camera_that_fails(subject: Subject, attach: Callable[..., FakeCamera]) -> None:
    source = attach(FakeCamera(error="camera 0: gives no pictures; unplug it and plug it in again"))
    (found,) = examine_all([Examination("camera", camera.camera)], subject, lambda i, name: None).values()
    assert found == Check("wrong", "camera 0: gives no pictures", "unplug it and plug it in again")
    assert source.closed


def test_the_simulated_camera(subject: Subject) -> None:
    found = camera.camera(replace(subject, camera="demo"))
    assert (found.level, "demo:0 gives pictures" in found.message) == ("fine", True)


@pytest.mark.parametrize(
    ("size", "days", "level", "words"),
    [
        ((1920, 1080), 0, "fine", "Scope 3: 0.1023 µm per pixel by red-cells, no flat field, today"),
        ((1920, 1080), 400, "worth knowing", "400 days ago"),
        ((1920, 1080), -30, "fine", "at a time unknown"),
        ((640, 480), 1, "worth knowing", "made for 640×480, and the profile asks for 1920×1080"),
    ],
)
def test_calibrations(subject: Subject, size: tuple[int, int], days: int, level: str, words: str) -> None:
    at = (datetime.now(UTC) - timedelta(days=days, minutes=5)).isoformat(timespec="seconds")
    made = Calibration(
        camera="Scope 3", width=size[0], height=size[1], um_per_px=0.1023, uncertainty=0.01,
        measured_at=at, method="red-cells",
    )  # fmt: skip
    CalibrationStore(subject.folder / "calibrations.json").save(made)
    found = calibration.calibration(subject)
    assert found.level == level
    assert words in found.message


def test_damaged_calibrations(subject: Subject) -> None:
    (subject.folder / "calibrations.json").write_text("{")
    (found,) = examine_all(
        [Examination("calibration", calibration.calibration)], subject, lambda i, name: None
    ).values()
    assert found.level == "wrong"
    assert found.mend


def test_a_calibration_of_another_camera(subject: Subject, attach: Callable[..., FakeCamera]) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    made = Calibration("Scope 2", 1920, 1080, 0.1, 0.01, at, "red-cells")
    CalibrationStore(subject.folder / "calibrations.json").save(made)
    attach()
    found = calibration.calibration(subject)
    assert (found.level, found.message) == ("worth knowing", "made for Scope 2, not for this Scope 3")
    CalibrationStore(subject.folder / "calibrations.json").save(replace(made, camera="Scope 3"))
    assert calibration.calibration(subject).level == "fine"
