"""A bundle that names whole fields: what it says of itself, and screening with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge import cli
from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.cells.segment import segmenter, whole_field
from edge.line.pipeline import Line
from edge.optics.scale import Scales
from edge.optics.specimen import specimen
from edge.types import U8, Frame, Reading
from export.bundle import card, golden
from export.bundle.archive import pack
from export.bundle.manifest import manifest_of
from export.graph.precisions import Precisions
from tests.conftest import graph
from tests.train.layouts import aria
from train.data.pictures import load_picture
from train.data.registry import dataset
from train.recipes import recipe

CLASSES = ("benign", "early", "pre", "pro")
CHANGES = (
    "input.cut_px=64", "input.size_px=32",
    'input.steps=["white-balance", "median:3", "clahe:2", "resize:32"]',
)  # fmt: skip
METRICS: dict[str, Any] = {
    "operating_point": {
        "temperature": 1.0, "calibration_error": 0.02, "positive": 0.4, "confidence": 0.2, "certain": 0.9,
    },
    "validation": {"all": {"roc_area": 0.5}},
    "epochs": 1,
    "finished": "2026-01-31",
    "data": {"aria-fields": {key: {"cells": {}, "groups": []} for key in ("train", "validation")}},
    "test": [],
    "parity": {"limit": 1e-4, "largest_difference": 0.0, "cells": 1},
}  # fmt: skip
"""What a finished run says of itself."""


@pytest.fixture(scope="module")
def drawn(made_once: Callable[..., Path]) -> Path:
    """A data folder with drawn fields of every class."""
    return made_once("aria", aria)


@pytest.fixture(scope="module")
def path(made_once: Callable[..., Path]) -> Path:
    """A bundle of fields, as the recipe's runs become one, but for its graph: the field's mean colour."""
    return made_once("fields", _build) / "fields.bundle"


def _build(folder: Path) -> None:
    chosen = recipe.changed(recipe.load("aria-cnn"), CHANGES)
    graphs = {"classifier.onnx": graph(len(CLASSES), chosen.model_input.size_px)}
    about = manifest_of(chosen, METRICS, Precisions({"ort-fp32": graphs["classifier.onnx"]}, {}))
    draft = bundle.opened(Path("draft"), pack(about, graphs), allow_unsigned=True)
    cases = golden.expected(golden.draw_fields(chosen.model_input, whole_field), draft, graphs)
    described = card.model_card(about, [dataset(name) for name in chosen.shares], METRICS, [])
    whole = graphs | cases | {"MODEL_CARD.md": described.encode()}
    (folder / "fields.bundle").write_bytes(pack(about, whole))


@pytest.fixture(scope="module")
def opened(path: Path) -> Bundle:
    return bundle.load(path, allow_unsigned=True)


@pytest.fixture
def pictures(drawn: Path, tmp_path: Path) -> Path:
    """A folder of three fields of different sizes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    files = sorted((drawn / "aria_all" / "Original" / "Pre").iterdir())
    for number, (file, size) in enumerate(zip(files, ((160, 160), (240, 160), (320, 320)), strict=False)):
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(load_picture(file)[..., ::-1], size))
    return folder


def _frame(pixels: U8, index: int = 0) -> Frame:
    return Frame(pixels, index, f"{index}.png", datetime(2026, 1, 2, tzinfo=UTC), float(index))


@pytest.fixture
def line(opened: Bundle) -> Iterator[Line]:
    classifier = Classifier(opened)
    camera = type("Folder", (), {"name": "folder", "serial": None, "um_per_px": None, "live": False})()
    scale = Scales(asked=0.4, nominal=0.1, camera=camera).for_slide()
    yield Line(classifier, scale, find=segmenter(opened), mapped=False)
    classifier.close()


def test_the_manifest_says_that_it_names_fields(opened: Bundle) -> None:
    about = opened.manifest
    assert (about.task, about.unit, about.sign) == ("field", "field", "positive field")
    assert (about.classes, about.leukocytes, about.positive) == (CLASSES, CLASSES, CLASSES[1:])
    assert about.model_input.whole
    assert about.model_input.steps == ("white-balance", "median:3", "clahe:2", "resize:32")
    assert (about.model_input.cut_px, about.size_px) == (64, 32)
    card = opened.members["MODEL_CARD.md"].decode()
    assert "whole fields scaled to 64 × 64 px" in card
    assert "A field is called early or pre or pro" in card


def test_the_field_itself_is_the_one_thing_found(opened: Bundle) -> None:
    assert segmenter(opened) is whole_field
    pixels = np.full((90, 120, 3), 200, np.uint8)
    cells = whole_field(specimen(pixels, 0.5, 0.25)).in_frame(90, 120)
    assert len(cells) == 1
    assert cells.boxes_px.tolist() == [[0, 0, 120, 90]]
    assert cells.centres_px[0] == pytest.approx((60, 45), abs=1)
    assert cells.area_um2[0] == pytest.approx(60 * 45, rel=0.01)
    assert not cells.cut.any()
    assert not cells.found.nuclei.any()
    assert len(whole_field(specimen(pixels[:0], 0.5, 0.25)).in_frame(0, 120)) == 0


def test_the_line_counts_fields(line: Line, opened: Bundle, pictures: Path) -> None:
    readings: list[Reading] = []
    for index, file in enumerate(sorted(pictures.iterdir())):
        readings.append(line.read(_frame(load_picture(file), index)))
    for reading in readings:
        assert not reading.problems
        assert reading.cells.boxes_px.tolist() == [[0, 0, reading.frame.width, reading.frame.height]]
        assert reading.crops.shape == (1, 32, 32, 3)
        pixels = reading.frame.pixels
        shown = opened.manifest.model_input.of(specimen(pixels, 0.1, 0.4), reading.cells.centres_px, pixels)
        np.testing.assert_array_equal(reading.crops, shown)
        assert reading.probabilities.sum() == pytest.approx(1, abs=1e-5)
    tally = readings[-1].tally
    assert (tally.unit, tally.sign, tally.frames) == ("field", "positive field", 3)
    assert tally.leukocytes + tally.uncertain == 3
    assert tally.summary == f"{tally.leukocytes} fields, {tally.positives} positive fields"
    assert "field" in readings[-1].finding.reason


def test_the_same_field_gives_the_same_answer_as_in_training(line: Line, opened: Bundle, drawn: Path) -> None:
    """A drawn field by its data set's reader and by the camera's: one definition of the input."""
    from train.data.cut import cut
    from train.data.registry import dataset

    source = dataset("aria-fields")
    picture = next(iter(source.read(source.root(drawn), pytest.fail)))
    reading = line.read(_frame(picture.load()))
    np.testing.assert_array_equal(cut(picture, opened.manifest.model_input), reading.crops)


def _screened(path: Path, pictures: Path, tmp_path: Path, *flags: str) -> list[dict[str, Any]]:
    out = tmp_path / "out.jsonl"
    given = ["--camera", str(pictures), "--bundle", str(path), "--allow-unsigned", "--um-per-px", "0.4"]
    assert cli.main([*given, "--headless", "--json", str(out), *flags]) == 0
    return [json.loads(text) for text in out.read_text().splitlines()]


def test_edge_run_finds_for_each_field_by_itself(path: Path, pictures: Path, tmp_path: Path) -> None:
    lines = _screened(path, pictures, tmp_path, "--independent")
    assert [line["kind"] for line in lines] == [*["start", "reading", "finding"] * 3, "files"]
    starts, readings, findings = lines[:-1:3], lines[1::3], lines[2::3]
    assert all(start["bundle"]["classes"] == list(CLASSES) for start in starts)
    for reading, size in zip(readings, ((160, 160), (240, 160), (320, 320)), strict=True):
        (cell,) = reading["cells"]
        assert cell["box_px"] == [0, 0, *size]
        assert list(cell["probabilities"]) == list(CLASSES)
        assert cell["class"] in CLASSES
    for finding in findings:
        assert finding["frames"] == 1
        assert finding["cells_counted"] + sum(c["uncertain"] for c in readings[0]["cells"]) <= 2
        assert "field" in finding["reason"]
        assert not {"leukocyte", "leukocytes", "blasts"} & set(finding["reason"].split())


def test_edge_run_counts_the_fields_of_a_slide(
    path: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, *readings, finding, _ = _screened(path, pictures, tmp_path)
    assert start["kind"] == "start"
    assert [reading["kind"] for reading in readings] == ["reading"] * 3
    counted = sum(cell["counted"] for reading in readings for cell in reading["cells"])
    assert finding["cells_counted"] == counted
    assert "field" in finding["reason"]
    assert "field" in capsys.readouterr().out
