"""The line against the simulated slide's truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.bundle import bundle, operation
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import Classifier
from edge.line.pipeline import Line
from edge.line.rules import Rules
from edge.optics.scale import Scales
from edge.types import Reading

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
    site = operation.of_site(operation.DEMO_FILE, about.network, about.operation)
    scale = Scales(asked="auto", nominal=0.1, camera=camera).for_slide()
    line = Line(classifier, scale, rules=Rules.of(about, site))
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
