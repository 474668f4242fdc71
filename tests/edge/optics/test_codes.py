"""Codes are read from labels as a camera shows them, and nowhere else."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from edge.cameras.demo.camera import SimulatedCamera
from edge.optics import codes
from edge.types import LeukoscopeError
from tests.edge.optics.printed import code, held

KINDS = {
    "QRCode": "S-2024-0042",
    "MicroQRCode": "S-20240042",
    "DataMatrix": "S-2024-0042",
    "Code128": "S-2024-0042",
    "Code39": "S-2024-0042",
    "Code93": "S-2024-0042",
    "Codabar": "A20240042B",
    "ITF": "202400042042",
    "EAN13": "4006381333931",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_code_on_labels_is_read(kind: str) -> None:
    assert codes.read(held(code(KINDS[kind], kind, scale=3))) == [KINDS[kind]]


@pytest.mark.parametrize("kind", ["QRCode", "DataMatrix", "Code128"])
@pytest.mark.parametrize(
    ("scale", "spoilt"),
    [
        pytest.param(2, {}, id="small"),
        pytest.param(4, {"angle": 17}, id="turned"),
        pytest.param(4, {"angle": 90}, id="on-end"),
        pytest.param(4, {"angle": 180}, id="upside-down"),
        pytest.param(4, {"blur": 2}, id="blurred"),
        pytest.param(4, {"light": 0.06}, id="dark"),
        pytest.param(4, {"light": 0.1, "noise": 4}, id="dark-and-noisy"),
    ],
)
def test_a_label_held_badly_is_read(kind: str, scale: int, spoilt: dict[str, float]) -> None:
    assert codes.read(held(code(KINDS[kind], kind, scale), **spoilt)) == [KINDS[kind]]


def test_white_on_black_is_read() -> None:
    assert codes.read(held(255 - code("S-1"))) == ["S-1"]


def test_two_codes_come_from_the_top_down_and_the_same_twice_once() -> None:
    one, other = code("P-7", scale=3), code("S-1", scale=5)
    assert codes.read(held(one, other, other)) == ["S-1", "P-7"]  # the larger begins higher


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "\x1b[2J\x07\r\n\x00", "عينة ٤٢", "X" * 4000, "https://x.org/y"],
    ids=["script", "control", "right-to-left", "long", "address"],
)
def test_what_is_in_a_code_comes_as_it_is(text: str) -> None:
    """Whether it is an identifier is asked later."""
    drawn = cv2.cvtColor(code(text), cv2.COLOR_GRAY2RGB)
    assert codes.read(np.asarray(drawn, np.uint8)) == [text]


def test_bytes_that_are_no_text_are_survived() -> None:
    drawn = cv2.cvtColor(code(bytes(range(128, 256))), cv2.COLOR_GRAY2RGB)
    (text,) = codes.read(np.asarray(drawn, np.uint8))
    assert text


@pytest.mark.parametrize("shape", [(0, 0, 3), (1, 1, 3), (3, 500, 3), (1080, 1920, 3)])
def test_no_code_is_no_text(shape: tuple[int, int, int]) -> None:
    for level in (0, 130, 255):
        assert codes.read(np.full(shape, level, np.uint8)) == []


def test_cells_are_no_code() -> None:
    camera = SimulatedCamera(1)
    camera.open()
    for _ in range(3):
        assert codes.read(camera.read().pixels) == []
    camera.close()


def test_without_the_library_a_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(LeukoscopeError, match=r"^codes: .*pip install zxing-cpp$"):
        codes.read(np.zeros((8, 8, 3), np.uint8))
