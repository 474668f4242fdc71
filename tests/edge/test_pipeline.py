"""The line against the simulated slide's truth, and the screening round it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import bundle
from edge.cameras import Camera, CameraError
from edge.cameras.simulated import SimulatedCamera
from edge.classify import Classifier
from edge.optics import Scales
from edge.pipeline import Line, Order, Screening
from edge.records.store import Store, Unrecorded
from edge.types import Frame, Reading

FRAMES = 40


@pytest.fixture(scope="module")
def classifier() -> Iterator[Classifier]:
    opened = Classifier(bundle.load())
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=[0, 1])
def screened(request: pytest.FixtureRequest, classifier: Classifier) -> tuple[dict[str, Any], list[Reading]]:
    """The truth of a simulated slide, and what the line reads in its first frames."""
    camera = SimulatedCamera(request.param)
    line = Line(classifier, Scales(asked="auto", nominal=0.1, camera=camera).for_slide())
    camera.open()
    truth = camera.truth()
    readings = [line.read(camera.read()) for _ in range(FRAMES)]
    camera.close()
    return truth, readings


def _on_slide(truth: dict[str, Any], reading: Reading) -> np.ndarray:
    """Centres of the reading's cells on the slide, µm."""
    corner = truth["fields"][reading.frame.index]
    return reading.cells.centres_px * truth["um_per_px"] + (corner["x_um"], corner["y_um"])


def test_leukocytes_are_found_and_placed(screened: tuple[dict[str, Any], list[Reading]]) -> None:
    truth, readings = screened
    wanted = [c for c in truth["cells"] if c["class"] not in ("platelet", "artefact", "smudge-cell")]
    places = np.array([[c["x_um"], c["y_um"]] for c in wanted])
    asked = found = 0
    for reading in readings:
        if reading.problems:
            continue
        corner = truth["fields"][reading.frame.index]
        inside = places - (corner["x_um"], corner["y_um"])
        size = np.array([reading.frame.width, reading.frame.height]) * truth["um_per_px"]
        whole = ((inside > 12) & (inside < size - 12)).all(axis=1)
        centres = _on_slide(truth, reading)
        for place in places[whole]:
            asked += 1
            found += bool(len(centres)) and np.hypot(*(centres - place).T).min() < 4
    assert asked > 60
    assert found / asked >= 0.97


def test_what_is_counted_is_a_leukocyte_and_counted_once(
    screened: tuple[dict[str, Any], list[Reading]],
) -> None:
    truth, readings = screened
    places = np.array([[c["x_um"], c["y_um"]] for c in truth["cells"]])
    counted = []
    for reading in readings:
        centres = _on_slide(truth, reading)
        for i in np.flatnonzero(reading.counted):
            counted.append(int(np.hypot(*(places - centres[i]).T).argmin()))
    tally = readings[-1].tally
    assert tally.leukocytes == len(counted) > 40
    assert len(counted) - len(set(counted)) <= 0.02 * len(counted)
    right = [truth["cells"][i]["class"] in bundle.load().manifest.leukocytes for i in counted]
    assert np.mean(right) >= 0.95


def test_the_finding_follows_the_truth(screened: tuple[dict[str, Any], list[Reading]]) -> None:
    truth, readings = screened
    finding = readings[-1].finding
    assert finding.interval is not None
    if truth["blast_fraction"]:
        assert finding.kind == "refer"
        assert finding.interval[0] <= truth["blast_fraction"] <= finding.interval[1]
    else:
        assert finding.kind in ("no-blasts-seen", "keep-scanning")


def test_blurred_frames_are_rejected_and_sharp_ones_are_not(
    screened: tuple[dict[str, Any], list[Reading]],
) -> None:
    truth, readings = screened
    blur = np.array([truth["fields"][r.frame.index]["defocus_um"] for r in readings])
    light = np.array([truth["fields"][r.frame.index]["exposure"] for r in readings])
    rejected = np.array([bool(r.problems) for r in readings])
    sharp = (blur < 0.4) & (np.abs(np.log(light)) < 0.2)
    assert sharp.sum() > 20
    assert not rejected[sharp].any()
    for reading in readings:
        assert not (reading.problems and len(reading.cells))


class _Frames:
    """A camera of the given frames that may fail after the last."""

    live = False
    um_per_px: float | None = 0.1
    name = "frames"

    def __init__(self, frames: list[Frame], failure: str | None = None) -> None:
        self._frames, self._failure = frames, failure

    def open(self) -> None:
        self._left = iter(self._frames)

    def read(self) -> Frame | None:
        frame = next(self._left, None)
        if frame is None and self._failure:
            raise CameraError(self._failure)
        return frame

    def close(self) -> None:
        self._left = iter(())


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    camera = SimulatedCamera(1)
    camera.open()
    taken = [camera.read() for _ in range(4)]
    camera.close()
    return taken


@pytest.fixture
def screening(classifier: Classifier) -> Callable[..., Screening]:
    def make(camera: Camera, store: Store | Unrecorded | None = None, **order: Any) -> Screening:
        return Screening(
            camera=camera,
            bundle=bundle.load(),
            classifier=classifier,
            scales=Scales(asked=0.1, nominal=0.1, camera=camera),
            store=store or Unrecorded(),
            profile="test",
            order=Order(**order),
        )

    return make


def test_a_reading_is_on_the_disk_before_it_is_given(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    with Store(tmp_path / "r.db") as store, Store(tmp_path / "r.db") as other:
        work = screening(_Frames(frames), store)
        for n, reading in enumerate(work.readings()):
            assert len(other.readings(work.slide)) > n
            assert reading.frame.index == n


def test_a_camera_that_fails_loses_nothing(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    given = []
    with Store(tmp_path / "r.db") as store:
        work = screening(_Frames(frames, failure="camera frames: unplugged"), store)
        with pytest.raises(CameraError, match="unplugged"):
            given.extend(reading.frame.index for reading in work.readings())
        assert given == [0, 1, 2, 3]
        assert len(store.readings(work.slide)) == 4
        assert store.slides()[0]["finding"] is not None


def test_an_unreadable_frame_goes_down_the_line(
    screening: Callable[..., Screening], frames: list[Frame]
) -> None:
    nothing = np.zeros((0, 0, 3), np.uint8)
    bad = Frame(nothing, 1, "b.png", datetime.now(UTC), 0.0, fault="truncated")
    readings = list(screening(_Frames([frames[0], bad, frames[2]])).readings())
    assert [bool(r.problems) for r in readings] == [False, True, False]
    assert readings[-1].tally.rejected == 1


def test_a_new_slide_starts_from_nothing(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    with Store(tmp_path / "r.db") as store:
        work = screening(_Frames(frames), store, slide="first")
        seen = []
        for reading in work.readings():
            seen.append((work.slide, reading.tally.frames))
            if len(seen) == 1:
                second = work.new_slide()
        slides = [row["id"] for row in store.slides()]
        assert slides == ["first", second] or slides == [second, "first"]
        assert {slide for slide, _ in seen} == {"first", second}
        assert sum(len(store.readings(slide)) for slide in slides) == 4
    restarted = [n for slide, n in seen if slide == second]
    assert restarted == list(range(1, len(restarted) + 1))


def test_pause_holds_and_stop_ends(screening: Callable[..., Screening]) -> None:
    work = screening(SimulatedCamera(0))
    work.pause(True)
    given: list[Reading] = []
    thread = threading.Thread(target=lambda: given.extend(work.readings()))
    thread.start()
    thread.join(1.0)
    assert thread.is_alive()
    assert not given
    work.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_limits(screening: Callable[..., Screening]) -> None:
    assert len(list(screening(SimulatedCamera(0), max_frames=3).readings())) == 3
    few = list(screening(SimulatedCamera(0), max_seconds=1.0).readings())
    assert 1 <= len(few) < 200


def test_header_says_what_the_slide_was_read_with(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    with Store(tmp_path / "r.db") as store:
        list(screening(_Frames(frames), store).readings())
        row = store.slides()[0]
    assert row["bundle_sha256"] == bundle.load().sha256
    assert row["trusted"] == 1
    assert row["profile"] == "test"
