"""Golden cases that this machine does not find again, or that are not valid: each says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.machine.profile import RuntimeSettings
from edge.selftest.golden import Golden
from edge.selftest.selftest import SelftestError, choose
from tests.conftest import drawn_field, graph
from tests.conftest import golden as cases

Make = Callable[..., Path]
Two = Callable[..., Bundle]


@pytest.fixture
def lines() -> list[str]:
    return []


def _choose(model: Bundle, lines: list[str]) -> str:
    classifier = choose(model, RuntimeSettings("ort", "auto", 1), folder=None, tell=lines.append)
    classifier.close()
    return classifier.runtime


def _golden(change: Callable[[dict[str, Any]], object]) -> bytes:
    about = json.loads(cases({"classifier.onnx": graph(), "int8.onnx": graph()})["golden.json"])
    change(about)
    return json.dumps(about).encode()


def _png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


def test_another_picture(two_precisions: Two) -> None:
    picture = drawn_field()[0]
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    moved = {"golden/0.png": _png(np.roll(pixels, 30, axis=1))}
    wrong = Golden(two_precisions(moved)).unlike()
    assert "golden/0.png: the crops differ by more than 2 grey levels" in wrong
    assert any("cells not found in their place" in line for line in wrong)


def test_a_cell_that_is_not_found(two_precisions: Two) -> None:
    def move(about: dict[str, Any]) -> None:
        about["cells"] = about["cases"][0]["cells"][0]["centre_px"][0] = 5.0

    wrong = Golden(two_precisions({"golden.json": _golden(move)})).unlike()
    assert any("1 of" in line and "not found" in line for line in wrong)


def test_another_class(two_precisions: Two, lines: list[str]) -> None:
    def rename(about: dict[str, Any]) -> None:
        about["cases"][0]["cells"][0]["class"] = "smudge-cell"

    with pytest.raises(SelftestError, match="a smudge-cell is called"):
        _choose(two_precisions({"golden.json": _golden(rename)}), lines)


def test_a_graph_that_nothing_is_known_of(two_precisions: Two, lines: list[str]) -> None:
    def forget(about: dict[str, Any]) -> None:
        for cell in about["cases"][0]["cells"]:
            del cell["probabilities"]["int8.onnx"]

    assert _choose(two_precisions({"golden.json": _golden(forget)}), lines) == "ort-fp32"
    assert "nothing is known of what int8.onnx must say" in lines[0]


def _set(value: object, *path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(about: Any) -> None:
        for key in path[:-1]:
            about = about[key]
        about[path[-1]] = value

    return change


CELL = ("cases", 0, "cells", 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set([], "cases"), "cases is a list of 0"),
        (_set([1], "cases"), "cases[0] is 1; it must be an object"),
        (_set("x", "tolerance", "crop"), "tolerance.crop is 'x'"),
        (_set(5, "tolerance", "probability", "ort"), "tolerance.probability.ort is 5; it must be a number"),
        (_set("gone.png", "cases", 0, "picture"), "'gone.png' is missing"),
        (_set("golden.json", "cases", 0, "picture"), "golden.json is not a PNG"),
        (_set("golden/0.png", "cases", 0, "crops"), "not 1 crops of 96 px"),
        (_set(1e9, "cases", 0, "um_per_px"), "um_per_px is 1000000000.0"),
        (_set([], "cases", 0, "cells"), "cells is a list of 0"),
        (_set("cat", *CELL, "class"), "class 'cat' is not one of the manifest's"),
        (_set([1], *CELL, "centre_px"), "centre_px is a list of 1; it must be a list of 2 numbers"),
        (_set([1e12, 0], *CELL, "centre_px"), "centre_px[0] is 1000000000000.0"),
        (_set([0.5], *CELL, "probabilities", "int8.onnx"), "it must be a list of 11 numbers"),
        (_set(1, *CELL, "probabilities"), "probabilities is 1; it must be an object"),
    ],
)  # fmt: skip
def test_golden_cases_that_are_not_valid(
    two_precisions: Two, change: Callable[[dict[str, Any]], None], words: str, lines: list[str]
) -> None:
    def alone(about: dict[str, Any]) -> None:
        change(about)
        if "crops of" in words:
            about["cases"][0]["cells"] = about["cases"][0]["cells"][:1]

    with pytest.raises(SelftestError) as refused:
        _choose(two_precisions({"golden.json": _golden(alone)}), lines)
    assert words in str(refused.value)
    assert "golden.json: " in str(refused.value)


def test_no_golden_cases(make_bundle: Make, lines: list[str]) -> None:
    with pytest.raises(SelftestError, match=r"golden\.json is missing"):
        _choose(bundle.load(make_bundle(graph=graph()), allow_unsigned=True), lines)


def test_a_picture_that_would_fill_the_memory(two_precisions: Two, lines: list[str]) -> None:
    huge = bytearray(_png(np.zeros((8, 8, 3), np.uint8)))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    for content in (bytes(huge), bytes(huge[:20]), b""):
        with pytest.raises(SelftestError, match="is not a PNG of 4096 px at most"):
            _choose(two_precisions({"golden/0.png": content}), lines)
    broken = _png(np.zeros((8, 8, 3), np.uint8))[:40]
    with pytest.raises(SelftestError, match="cut short or damaged"):
        _choose(two_precisions({"golden/0.png": broken}), lines)
