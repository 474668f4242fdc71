"""`edge-device calibrate` from its arguments to the file, on made-up cameras."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest

from edge import device
from edge.cameras import CameraError
from edge.cameras.demo.camera import SimulatedCamera
from edge.machine.profile import data_folder
from edge.optics.calibrations import FILE, CalibrationStore
from edge.types import U8, Frame, Light


class Scope:
    """A live camera that shows one picture after another, then the last for ever."""

    live = True
    um_per_px: float | None = None

    def __init__(self, pictures: Sequence[U8], name: str = "scope", serial: str = "77") -> None:
        self.name, self.serial = name, serial
        self._pictures = list(pictures)
        self._index = 0
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def read(self) -> Frame | None:
        picture = self._pictures[min(self._index, len(self._pictures) - 1)]
        self._index += 1
        return Frame(picture, self._index, self.name, datetime.now(UTC), monotonic())


class Fixed(Scope):
    """A scope whose light can be fixed, and is right as it is."""

    def __init__(self, pictures: Sequence[U8]) -> None:
        super().__init__(pictures)
        self.asked: list[Light | None] = []

    def light(self) -> Light | None:
        return Light(10.0, 1.0, (1.0, 1.0))

    def fix_light(self, light: Light | None) -> None:
        self.asked.append(light)


@pytest.fixture(scope="module")
def blood() -> list[U8]:
    camera = SimulatedCamera(1)
    camera.open()
    frames = [np.ascontiguousarray(camera.read().pixels[:600, :800], np.uint8) for _ in range(6)]
    camera.close()
    return frames


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.calibrate.steps._SPREAD_S", 0.0)


def glass(level: float = 218.0) -> U8:
    y, x = np.mgrid[-1:1:600j, -1:1:800j]
    picture = level * (1 - 0.2 * (x**2 + y**2))[..., None] * np.ones(3)
    return np.asarray(picture, np.uint8)


def ruled() -> U8:
    picture = np.full((480, 640, 3), 210, np.uint8)
    for x in range(10, 640, 50):
        picture[:, x : x + 3] = 60
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.uint8)


@pytest.fixture
def attach(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scope], Scope]:
    """Make this camera the one that `--camera 0` picks."""

    def attached(camera: Scope) -> Scope:
        monkeypatch.setattr("edge.cameras.selection.camera_for", lambda *_: camera)
        return camera

    return attached


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Somebody at a terminal types this."""

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    return lambda text: monkeypatch.setattr("sys.stdin", Keyboard(text))


def calibrate(*arguments: str) -> int:
    return device.main(["calibrate", *arguments])


def store() -> CalibrationStore:
    return CalibrationStore(data_folder() / FILE)


def test_red_cells_of_five_fields_are_saved(
    attach: Callable[[Scope], Scope], blood: list[U8], capsys: pytest.CaptureFixture[str]
) -> None:
    camera = attach(Scope(blood))
    assert calibrate("--camera", "0", "--yes", "--json", "-") == 0
    out = json.loads(capsys.readouterr().out)
    assert out["um_per_px"] == pytest.approx(0.1, rel=0.1)
    assert out["method"] == "red-cells"
    assert out["done"] == ["scale"]
    assert set(out["left_out"]) == {"light", "flat"}
    saved = store().find("scope", "77", 800, 600)
    assert saved is not None
    assert saved.um_per_px == out["um_per_px"]
    assert camera.closed == 1


def test_everything_step_by_step_with_somebody_at_the_terminal(
    attach: Callable[[Scope], Scope],
    answer: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    camera = attach(Fixed([glass()]))
    answer("\n\n")
    assert calibrate("--camera", "0", "--um-per-px", "0.12") == 0
    said = capsys.readouterr().err
    assert "clear glass" in said
    assert "--undo" in said
    saved = store().find("scope", "77", 800, 600)
    assert saved is not None
    assert (saved.um_per_px, saved.method) == (0.12, "given")
    assert saved.light is not None
    assert saved.flat is not None
    assert saved.lit is not None
    assert not len(saved.lit), "all of the picture is lit"
    assert saved.glass is not None
    assert isinstance(camera, Fixed)
    assert calibrate("--camera", "0", "--only", "scale", "--um-per-px", "0.2", "--yes") == 0
    assert camera.asked[-1] == saved.light
    kept = store().find("scope", "77", 800, 600)
    assert kept is not None
    assert kept.flat is not None
    assert kept.light == saved.light


def test_undo_and_list(attach: Callable[[Scope], Scope], capsys: pytest.CaptureFixture[str]) -> None:
    attach(Scope([glass()]))
    for um in ("0.1", "0.2"):
        assert calibrate("--camera", "0", "--only", "scale", "--um-per-px", um, "--yes") == 0
    assert calibrate("--camera", "0", "--undo") == 0
    assert calibrate("--list") == 0
    assert "0.1000 µm per pixel" in capsys.readouterr().out
    assert calibrate("--camera", "0", "--undo") == 0
    assert store().all() == []
    assert calibrate("--camera", "0", "--undo") == 1


def test_a_micrometer_in_a_folder_is_measured_and_not_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "scale.png"), ruled())
    arguments = ("--camera", str(tmp_path), "--only", "scale", "--micrometer", "10", "--yes", "--json", "-")
    assert calibrate(*arguments) == 0
    told = capsys.readouterr()
    out = json.loads(told.out)
    assert out["um_per_px"] == pytest.approx(0.2, rel=0.002)
    assert out["saved"] is None
    assert "--um-per-px 0.2" in told.err
    assert not store().path.exists()


def test_the_simulated_microscope_saves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate("--camera", "demo:1", "--yes") == 0
    assert "nothing is saved" in capsys.readouterr().err
    assert not store().path.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "flat"), "not empty"),
        (("--only", "light"), "no exposure"),
        (("--only", "scale", "--micrometer", "10"), "micrometer"),
    ],
)
def test_a_step_that_was_asked_for_and_fails_is_an_error(
    attach: Callable[[Scope], Scope], blood: list[U8], arguments: tuple[str, ...], said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    camera = attach(Scope(blood[:1]))
    assert calibrate("--camera", "0", "--yes", *arguments) == 1
    assert said in capsys.readouterr().err
    assert camera.closed == 1
    assert not store().path.exists()


def test_too_few_red_cells_are_refused(
    attach: Callable[[Scope], Scope], capsys: pytest.CaptureFixture[str]
) -> None:
    attach(Scope([glass()]))
    assert calibrate("--camera", "0", "--only", "scale", "--yes") == 1
    assert "red cells in 5 fields are too few" in capsys.readouterr().err


def test_steps_can_be_skipped_tried_again_and_stopped(
    attach: Callable[[Scope], Scope], blood: list[U8], answer: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    attach(Scope([*blood[:1] * 2, *[glass()] * 9]))
    answer("\n\n")  # ready; not empty: try again
    assert calibrate("--camera", "0", "--only", "flat", "--frames", "1") == 0
    attach(Scope([glass()]))
    answer("s\n")
    assert calibrate("--camera", "0", "--only", "flat") == 1
    assert "skipped" in capsys.readouterr().err
    answer("q\n")
    assert calibrate("--camera", "0") == 1
    assert "nothing was saved" in capsys.readouterr().err
    answer("")
    assert calibrate("--camera", "0") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--camera is missing"),
        (("--camera", "0"), "no terminal to ask on"),
        (("--camera", "0", "--only", "dust"), "no step"),
        (("--camera", "0", "--micrometer", "0"), "0.1 to 10000"),
        (("--camera", "0", "--um-per-px", "x"), "not a number"),
        (("--camera", "0", "--um-per-px", "0.1", "--micrometer", "1"), "not allowed"),
        (("--camera", "0", "--frames", "0"), "1 to 200"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        calibrate(*arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_camera_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Gone(Scope):
        def open(self) -> None:
            raise CameraError("camera 0: there is no such camera; plug it in")

    monkeypatch.setattr("edge.cameras.selection.camera_for", lambda *_: Gone([]))
    assert calibrate("--camera", "0", "--yes") == 1
    assert "plug it in" in capsys.readouterr().err


def test_a_json_that_cannot_be_written_is_named(
    attach: Callable[[Scope], Scope], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attach(Scope([glass()]))
    arguments = ("--camera", "0", "--only", "scale", "--um-per-px", "0.1", "--yes")
    assert calibrate(*arguments, "--json", str(tmp_path / "out.json")) == 0
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["kind"] == "calibration"
    assert calibrate(*arguments, "--json", str(tmp_path)) == 1
    assert "--json" in capsys.readouterr().err


def test_the_lit_field_of_an_eyepiece_is_saved_with_the_flat_field(
    attach: Callable[[Scope], Scope], capsys: pytest.CaptureFixture[str]
) -> None:
    picture = glass()
    outside = np.ones((600, 800), np.uint8)
    cv2.circle(outside, (400, 300), 270, 0, -1)
    picture[outside > 0] = 0
    attach(Fixed([picture]))
    assert calibrate("--camera", "0", "--only", "flat", "--yes", "--json", "-") == 0
    saved = store().find("scope", "77", 800, 600)
    assert saved is not None
    assert saved.lit is not None
    assert cv2.contourArea(saved.lit * np.array([800, 600], np.float32)) == pytest.approx(
        np.pi * 270**2, rel=0.05
    )
    out = json.loads(capsys.readouterr().out)
    assert len(out["lit"]) == len(saved.lit)
    assert out["fall"] < 0.3
