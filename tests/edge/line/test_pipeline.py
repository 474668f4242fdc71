"""The line against the simulated slide's truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.bundle import bundle, sitefile
from edge.bundle.apl import AplTable, Share
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import Classifier
from edge.files.pictures import decode
from edge.line import marrow
from edge.line.likeness import LEAST_CELLS, UNLIKE
from edge.line.pipeline import Line
from edge.line.rules import Rules
from edge.optics.scale import Scales
from edge.types import Frame, Reading
from tests.conftest import CLASSES, graph

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
    about = classifier.manifest
    rates = sitefile.read(sitefile.DEMO).rates(about.operation)
    scale = Scales(asked="auto", nominal=0.1, camera=camera).for_slide()
    line = Line(classifier, scale, rules=Rules.of(about, rates))
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
    screened: tuple[dict[str, Any], list[Reading]], classifier: Classifier
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
    right = [truth["cells"][i]["class"] in classifier.manifest.leukocytes for i in counted]
    assert np.mean(right) >= 0.95


def test_a_call_of_a_blast_is_counted_however_high_the_confidence_asked_for() -> None:
    classifier = Classifier(bundle.load())
    asked = replace(classifier.manifest.thresholds, positive=0.2, confidence=1.0)
    classifier.manifest = replace(classifier.manifest, thresholds=asked)
    camera = SimulatedCamera(1)
    line = Line(classifier, Scales(asked="auto", nominal=0.1, camera=camera).for_slide())
    camera.open()
    readings = [line.read(camera.read()) for _ in range(10)]
    camera.close()
    classifier.close()
    tally = readings[-1].tally
    assert tally.positives == tally.leukocytes > 0  # all else is left undecided
    assert tally.uncertain > 0
    for reading in readings:
        blasts = np.isin(reading.classes, classifier.manifest.positive_indices)
        np.testing.assert_array_equal(reading.uncertain, ~blasts)


def test_the_finding_follows_the_truth(screened: tuple[dict[str, Any], list[Reading]]) -> None:
    truth, readings = screened
    finding = readings[-1].finding
    assert finding.corrected_interval is not None
    low, high = finding.corrected_interval
    assert low <= truth["blast_fraction"] <= high
    if truth["blast_fraction"]:
        assert finding.kind == "refer"
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


def test_what_a_camera_has_to_say_is_told_once(classifier: Classifier) -> None:
    camera = SimulatedCamera(0)
    line = Line(classifier, Scales(asked=0.1, nominal=0.1, camera=camera).for_slide())
    camera.open()
    said = [None, "sends 640×480", "sends 640×480", None, "sends 640×480"]
    frames = [replace(frame, note=note) for note in said if (frame := camera.read())]
    camera.close()
    assert [line.read(frame).note for frame in frames] == [None, "sends 640×480", None, None, "sends 640×480"]


def test_a_slide_unlike_those_trained_on_is_told_once(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    far_off = {"nucleus_red": (5.0, 6.0)}
    monkeypatch.setattr(classifier, "manifest", replace(classifier.manifest, familiar=far_off))
    camera = SimulatedCamera(0)
    line = Line(classifier, Scales(asked=0.1, nominal=0.1, camera=camera).for_slide())
    camera.open()
    readings = [line.read(camera.read()) for _ in range(25)]
    camera.close()
    (told,) = [reading for reading in readings if reading.note == UNLIKE]
    before = readings[readings.index(told) - 1].tally.leukocytes
    assert before < LEAST_CELLS <= told.tally.leukocytes


def fields(seed: int, count: int) -> list[Frame]:
    """The first fields of a simulated slide."""
    camera = SimulatedCamera(seed)
    camera.open()
    frames = [frame for _ in range(count) if (frame := camera.read())]
    camera.close()
    return frames


@dataclass
class Eyepiece:
    name: str = "eyepiece"
    serial: str = ""
    live: bool = False


@pytest.mark.parametrize(
    ("channels", "problem"), [((1, 1, 1), "no colour"), ((2, 1, 0), "red and blue are exchanged")]
)
def test_fields_of_false_colours_are_turned_down_and_it_is_told_once(
    classifier: Classifier, channels: tuple[int, int, int], problem: str
) -> None:
    line = Line(classifier, Scales(asked=0.1, nominal=0.1, camera=Eyepiece()).for_slide())
    changed = [
        replace(frame, pixels=np.ascontiguousarray(frame.pixels[..., channels])) for frame in fields(1, 5)
    ]
    readings = [line.read(frame) for frame in changed]
    assert [reading.problems for reading in readings] == [(problem,)] * 5
    assert [reading.note is not None and problem in reading.note for reading in readings] == [True] + [
        False
    ] * 4
    assert (readings[-1].tally.trouble, readings[-1].finding.kind) == (problem, "not-readable")
    assert problem in readings[-1].finding.reason
    assert "colour" in readings[-1].finding.advice


def blank(number: int) -> Frame:
    """Stained dots far smaller than red cells in an otherwise clear field, unlike those of other numbers."""
    rng = np.random.default_rng(number)
    pixels = np.full((480, 640, 3), 225, np.uint8)
    for x, y in rng.integers(40, 440, (12, 2)).tolist():
        cv2.circle(pixels, (x, y), 5, (120, 70, 160), -1)
    pixels[:, : 20 + 25 * (number % 20)] -= 12
    noisy = np.clip(pixels + rng.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)
    return Frame(noisy, number, "field", datetime.now(UTC), float(number))


def test_without_a_scale_nothing_is_counted_and_the_slide_is_not_readable(classifier: Classifier) -> None:
    live = Line(classifier, Scales(asked="auto", nominal=0.1, camera=Eyepiece(live=True)).for_slide())
    readings = [live.read(blank(n)) for n in range(24)]
    assert [reading.problems for reading in readings[:19]] == [()] * 19
    assert {reading.problems for reading in readings[20:]} == {("scale unknown",)}
    assert readings[-1].finding.kind == "not-readable"
    assert "--um-per-px" in readings[-1].finding.advice
    assert not any(reading.counted.any() for reading in readings)
    of_files = Line(classifier, Scales(asked="auto", nominal=0.1, camera=Eyepiece()).for_slide())
    taken = [reading for n in range(3) for reading in of_files.take(blank(n))]
    assert taken == []
    waited = list(of_files.rest())
    assert [reading.problems for reading in waited] == [("scale unknown",)] * 3
    assert waited[-1].finding.kind == "not-readable"


def test_a_picture_of_one_cell_needs_no_scale(classifier: Classifier) -> None:
    scale = Scales(asked="auto", nominal=0.1, camera=Eyepiece(), independent=True).for_slide()
    reading = Line(classifier, scale, single_cell=True).read(blank(0))
    assert reading.problems == ()
    assert len(reading.cells) == 1


def test_another_objective_loses_no_cell_and_counts_none_by_the_wrong_scale(classifier: Classifier) -> None:
    def counted(frames: list[Frame]) -> Reading:
        line = Line(classifier, Scales(asked="auto", nominal=0.1, camera=Eyepiece()).for_slide())
        readings = [reading for frame in frames for reading in line.take(frame)]
        return [*readings, *line.rest()][-1]

    near = fields(1, 8)
    far = [
        replace(frame, pixels=np.asarray(cv2.resize(frame.pixels, None, fx=0.5, fy=0.5), np.uint8))
        for frame in fields(2, 8)
    ]
    both = counted([*near, *far]).tally
    alone = [counted(near).tally, counted(far).tally]
    assert both.leukocytes == sum(tally.leukocytes for tally in alone)
    assert both.positives == sum(tally.positives for tally in alone)


def test_a_picture_that_is_too_small_is_no_field(classifier: Classifier) -> None:
    line = Line(classifier, Scales(asked=0.1, nominal=0.1, camera=Eyepiece()).for_slide())
    (problem,) = line.read(replace(blank(0), pixels=blank(0).pixels[:40, :64])).problems
    assert problem.startswith("too small: 64 × 40 pixels")


def _erythroblasts_only() -> bytes:
    """A graph that calls every crop an erythroblast, and tells the crop's mean colour as features."""
    model = onnx.load_from_string(graph())
    (weights,) = (one for one in model.graph.initializer if one.name == "weights")
    values = np.zeros((3, len(CLASSES)), np.float32)
    values[:, CLASSES.index("erythroblast")] = 9
    weights.CopyFrom(onnx.numpy_helper.from_array(values, "weights"))
    model.graph.node.append(helper.make_node("Identity", ["unit"], ["features"]))
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3]))
    content: bytes = model.SerializeToString()
    return content


def test_features_reach_the_tally_and_many_erythroblasts_are_told_once(
    make_bundle: Callable[..., Path],
) -> None:
    share = Share(0.1, 0.0, 0.2, 9)
    table = AplTable(("erythroblast",), (0.0,) * 9, 0.25, 0.1, 3, share, share, "test")
    opened = bundle.load(make_bundle(graph=_erythroblasts_only(), apl=table.as_json()), allow_unsigned=True)
    classifier = Classifier(opened)
    scale = Scales(asked=0.1, nominal=0.1, camera=SimulatedCamera(1)).for_slide()
    line = Line(classifier, scale, single_cell=True)
    pixels = np.full((240, 240, 3), 235, np.uint8)
    cv2.circle(pixels, (120, 120), 40, (120, 70, 160), -1)
    frames = [Frame(pixels, i, "x", datetime.now(UTC), float(i)) for i in range(60)]
    readings = [line.read(frame) for frame in frames]
    classifier.close()
    assert readings[1].tally.apl is None
    told = readings[-1].tally.apl
    assert told is not None
    assert (told.score, told.alert, told.false_alarms) == (0.25, True, 0.2)
    assert readings[-1].finding.apl is None  # nothing positive
    notes = [reading.note for reading in readings]
    assert notes.count(marrow.MANY_ERYTHROBLASTS) == 1
    assert notes.index(marrow.MANY_ERYTHROBLASTS) == 49


def _coded(pixels: np.ndarray, reduction: int) -> Frame:
    """A field as a camera sends it, decoded."""
    settings = (cv2.IMWRITE_JPEG_QUALITY, 90)
    data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1].tobytes()
    return Frame.of(decode(data, reduction), 0, "field", datetime.now(UTC), 0.0)


def test_half_the_pixels_show_the_same_cells(classifier: Classifier) -> None:
    camera = SimulatedCamera(1)
    camera.open()
    scales = Scales(asked=0.1, nominal=0.1, camera=camera)
    apart: list[int] = []
    for _ in range(8):
        pixels = camera.read().pixels
        whole, half = (Line(classifier, scales.for_slide()).read(_coded(pixels, n)) for n in (1, 2))
        assert (whole.frame.reduction, half.frame.reduction) == (1, 2)
        assert (half.um_per_px, half.cells.width, half.cells.height) == (0.1, 1440, 900)
        assert half.cells.found.labels.shape == whole.cells.found.labels.shape
        assert half.problems == whole.problems
        assert half.sharpness == pytest.approx(whole.sharpness, abs=0.02)
        assert half.brightness == pytest.approx(whole.brightness, abs=0.02)
        assert len(half.cells) == len(whole.cells)
        for i in np.flatnonzero(~whole.cells.cut):
            away = np.abs(half.cells.centres_px - whole.cells.centres_px[i]).max(axis=1)
            j = int(away.argmin())
            assert away[j] < 6
            assert half.classes[j] == whole.classes[i]
            np.testing.assert_allclose(half.probabilities[j], whole.probabilities[i], atol=0.1)
            apart.append(int(np.abs(half.cells.boxes_px[j] - whole.cells.boxes_px[i]).max()))
    assert len(apart) > 20
    assert np.median(apart) <= 2
    # where cytoplasm is as pale as glass an outline gives way: also when a frame moves by a pixel
    assert np.mean(np.array(apart) <= 5) > 0.85


def test_a_frame_that_was_reduced_too_far_is_read_whole(classifier: Classifier) -> None:
    camera = SimulatedCamera(1)
    camera.open()
    pixels = camera.read().pixels
    scales = Scales(asked=0.2, nominal=0.2, camera=camera)
    whole, half = (Line(classifier, scales.for_slide()).read(_coded(pixels, n)) for n in (1, 2))
    assert half.frame.reduction == 1
    np.testing.assert_array_equal(half.cells.boxes_px, whole.cells.boxes_px)


def test_pictures_of_one_cell_are_not_reduced(classifier: Classifier) -> None:
    scales = Scales(asked=0.1, nominal=0.1, camera=SimulatedCamera(1))
    assert Line(classifier, scales.for_slide()).reduction == 2
    single = Line(classifier, scales.for_slide(), single_cell=True)
    assert single.reduction == 1
    pixels = np.full((200, 200, 3), 230, np.uint8)
    cv2.circle(pixels, (100, 100), 60, (120, 60, 150), -1)
    assert single.read(_coded(pixels, 2)).frame.reduction == 1
