"""The simulated microscope: its frames, its walk over the slide, its faults, and its truth."""

from __future__ import annotations

import json
import time

import cv2
import numpy as np
import pytest

from edge.cameras import Camera, CameraError
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.demo.cytology import LEUKOCYTES
from edge.cameras.demo.scope import scope_of
from edge.cameras.demo.sensor import Sensor
from edge.cameras.demo.smear import CLEAR
from edge.cameras.demo.walk import LONGEST_MOVE, SHORTEST_MOVE, wander
from edge.types import Frame


@pytest.fixture(scope="module")
def first_frames() -> list[Frame]:
    camera = SimulatedCamera(1)
    camera.open()
    return [camera.read() for _ in range(6)]


def test_it_keeps_the_cameras_protocol(first_frames: list[Frame]) -> None:
    camera = SimulatedCamera(1)
    assert isinstance(camera, Camera)
    assert camera.name == "demo:1"
    assert camera.live is False
    assert camera.um_per_px == 0.1
    assert [frame.index for frame in first_frames] == list(range(6))
    for frame in first_frames:
        assert frame.pixels.shape == (900, 1440, 3)
        assert frame.source == "demo:1"
        assert frame.fault is None
        assert frame.captured_at.tzinfo is not None


def test_frames_are_the_same_every_time(first_frames: list[Frame]) -> None:
    camera = SimulatedCamera(1)
    camera.open()
    again = [camera.read() for _ in range(2)]
    camera.close()
    camera.close()
    camera.open()
    camera.open()
    assert np.array_equal(camera.read().pixels, first_frames[0].pixels)
    for frame, first in zip(again, first_frames, strict=False):
        assert np.array_equal(frame.pixels, first.pixels)


def test_frames_have_noise_of_their_own_where_the_stage_stands_still() -> None:
    camera = SimulatedCamera(0)
    camera.open()
    corners = camera._walk.corners_px
    still = int(np.flatnonzero((np.diff(corners, axis=0) == 0).all(1))[0])
    camera._index = still
    one, two = camera.read().pixels, camera.read().pixels
    difference = np.abs(one.astype(int) - two)
    assert 0.5 < difference.mean() < 12


def test_overlapping_frames_show_the_same_place(first_frames: list[Frame]) -> None:
    camera = SimulatedCamera(1)
    overlaps = 0
    for i in range(5):
        (ax, ay), (bx, by) = camera.field_um(i), camera.field_um(i + 1)
        dx, dy = round((bx - ax) / 0.1), round((by - ay) / 0.1)
        if abs(dx) > 1100 or abs(dy) > 700:
            continue
        one, two = (cv2.cvtColor(first_frames[k].pixels, cv2.COLOR_RGB2GRAY) for k in (i, i + 1))
        a = one[max(dy, 0) : 900 + min(dy, 0), max(dx, 0) : 1440 + min(dx, 0)]
        b = two[max(-dy, 0) : 900 + min(-dy, 0), max(-dx, 0) : 1440 + min(-dx, 0)]
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8
        overlaps += 1
    assert overlaps


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_the_walk_moves_overlaps_stands_still_and_comes_back(seed: int) -> None:
    scope = scope_of(seed)
    walk = wander(scope)
    width, height = scope.field_px
    slide = np.array(scope.slide_um) / scope.um_per_px
    assert len(walk) > 300
    assert (walk.corners_px >= 0).all()
    assert (walk.corners_px + scope.field_px <= slide + 1).all()
    steps = np.abs(np.diff(walk.corners_px, axis=0)) / (width, height)
    moves = steps[(steps[:, 0] > 0) & (steps[:, 1] < 0.3)][:, 0]
    usual = (moves > SHORTEST_MOVE - 0.01) & (moves < LONGEST_MOVE + 0.01)
    assert usual.mean() > 0.85
    assert (moves < 0.8).mean() > 0.3
    assert (steps.max(1) == 0).sum() > 5
    corners = walk.corners_px.tolist()
    returned = [corner for k, corner in enumerate(corners) if corner in corners[: max(k - 4, 0)]]
    assert len(returned) > 3


@pytest.mark.parametrize("seed", [0, 1])
def test_200_frames_visit_many_leukocytes_in_the_slides_proportion(seed: int) -> None:
    camera = SimulatedCamera(seed)
    truth = camera.truth()
    cells = [cell for cell in truth["cells"] if cell["class"] in LEUKOCYTES]
    places = np.array([(cell["x_um"], cell["y_um"]) for cell in cells])
    blasts = np.array([cell["class"] == "blast" for cell in cells])
    seen = np.zeros(len(cells), np.bool_)
    numbers = []
    for field in truth["fields"][:200]:
        x, y = (places - (field["x_um"], field["y_um"])).T
        here = (x > 0) & (x < 144) & (y > 0) & (y < 90)
        numbers.append(here.sum())
        seen |= here
    assert 3 <= np.mean(numbers) <= 5
    assert seen.sum() >= 300
    assert blasts[seen].mean() == pytest.approx(truth["blast_fraction"], abs=0.03)


def test_focus_comes_and_goes() -> None:
    defocus = wander(scope_of(0)).defocus_um
    blurred = defocus > 0.3
    assert (defocus[:8] < 0.15).all()
    assert 0.06 < blurred.mean() < 0.3
    assert 0.9 < defocus.max() <= 1.2
    starts = np.flatnonzero(np.diff(blurred.astype(int)) == 1)
    assert 15 < np.diff(starts).mean() < 40


def test_defocus_blurs_and_exposure_scales() -> None:
    scope = scope_of(0)
    camera = SimulatedCamera(0)
    light = camera._smear.window(4000, 3000, *scope.field_px)
    sensor = Sensor(scope)

    def look(defocus_um: float, exposure: float) -> tuple[float, float]:
        pixels = sensor.expose(light, defocus_um, exposure, (3, 5))
        green = cv2.GaussianBlur(pixels[..., 1].astype(np.float32), (0, 0), 4)
        return float(cv2.Laplacian(green, cv2.CV_32F).var()), float(pixels.mean())

    sharp, blurred, dark, bright = look(0.0, 1.0), look(1.0, 1.0), look(0.0, 0.4), look(0.0, 1.8)
    assert blurred[0] < 0.3 * sharp[0]
    assert blurred[1] == pytest.approx(sharp[1], rel=0.02)
    assert dark[1] == pytest.approx(0.4 * sharp[1], rel=0.05)
    assert bright[1] > 1.1 * sharp[1]


def test_the_sensor_darkens_corners_and_casts_its_colour() -> None:
    scope = scope_of(1)
    width, height = scope.field_px
    glass = np.full((height, width, 3), CLEAR, np.uint8)
    pixels = Sensor(scope).expose(glass, 0.0, 1.0, (0, 0))
    middle = pixels[height // 2 - 50 : height // 2 + 50, width // 2 - 50 : width // 2 + 50]
    assert np.abs(middle.mean((0, 1)) - scope.white).max() < 3
    assert pixels[:60, :60].mean() < 0.97 * middle.mean()
    deviation = (scope.shot_noise * scope.white[1] / 255 + scope.read_noise**2) ** 0.5
    assert deviation * 0.7 < middle[..., 1].std() < 2.5 * deviation


def test_the_truth_is_json_and_says_where_the_frames_lie() -> None:
    camera = SimulatedCamera(2)
    truth = json.loads(json.dumps(camera.truth()))
    assert truth["seed"] == 2
    assert truth["um_per_px"] == camera.um_per_px
    assert set(truth["cells"][0]) == {"id", "class", "x_um", "y_um", "diameter_um", "touching"}
    assert [cell["id"] for cell in truth["cells"]] == list(range(len(truth["cells"])))
    ids = {cell["id"] for cell in truth["cells"]}
    assert all(cell["touching"] in ids for cell in truth["cells"] if cell["touching"] is not None)
    for field in truth["fields"][::100]:
        assert (field["x_um"], field["y_um"]) == pytest.approx(camera.field_um(field["index"]), abs=1e-3)


def test_it_never_ends() -> None:
    camera = SimulatedCamera(0)
    camera.open()
    camera._index = 10 * len(camera._walk) - 1
    last, after = camera.read(), camera.read()
    assert after.index == last.index + 1
    assert camera.field_um(after.index) == camera.field_um(0)


def test_it_keeps_its_pace() -> None:
    camera = SimulatedCamera(0, pace_fps=4)
    camera.open()
    started = time.monotonic()
    for _ in range(3):
        camera.read()
    assert time.monotonic() - started >= 0.49


def test_reading_before_opening_says_so() -> None:
    with pytest.raises(CameraError, match="demo:0: not open"):
        SimulatedCamera(0).read()


@pytest.mark.parametrize(("seed", "pace_fps"), [(-1, None), (0, 0.0), (0, -2.0), (0, float("nan"))])
def test_what_cannot_be_is_refused_with_its_value(seed: int, pace_fps: float | None) -> None:
    with pytest.raises(CameraError, match=f"demo:{seed}"):
        SimulatedCamera(seed, pace_fps)
