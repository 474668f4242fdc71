from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.bundle import Bundle, BundleError
from edge.types import U8
from tests.conftest import usual_graph

Make = Callable[..., Path]
CELLS = [
    {"name": "demo:0/1", "class": "blast", "source": "drawn"},
    {"name": "BNE_1.jpg", "class": "neutrophil", "source": "pbc"},
]
SOURCES = {
    "drawn": {"credit": "Drawn by this program.", "licence": "Apache-2.0"},
    "pbc": {"credit": "Acevedo et al.", "licence": "CC BY 4.0"},
}


def webp(pixels: U8) -> bytes:
    return cv2.imencode(".webp", pixels[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 90])[1].tobytes()


ROW = np.concatenate(
    [np.full((96, 96, 3), (200, 60, 60), np.uint8), np.full((96, 96, 3), 220, np.uint8)], axis=1
)


def opened(make_bundle: Make, shown: bytes | None = None, **changes: Any) -> Bundle:
    members = {"classifier.onnx": usual_graph(), "references.webp": webp(ROW) if shown is None else shown}
    table = {"picture": "references.webp", "sources": SOURCES, "cells": CELLS} | changes
    return bundle.load(make_bundle(members=members, references=table), allow_unsigned=True)


def test_reference_cells_are_read(make_bundle: Make) -> None:
    blast, neutrophil = opened(make_bundle).references()
    assert (blast.named, blast.source, blast.credit) == ("blast", "drawn", "Drawn by this program.")
    assert (neutrophil.name, neutrophil.licence) == ("BNE_1.jpg", "CC BY 4.0")
    assert blast.crop.shape == (96, 96, 3)
    assert np.abs(np.median(blast.crop, axis=(0, 1)) - (200, 60, 60)).max() < 12, "red comes first"
    assert np.abs(np.median(neutrophil.crop, axis=(0, 1)) - 220).max() < 12


def test_a_bundle_without_any_has_none(make_bundle: Make) -> None:
    assert bundle.load(make_bundle(), allow_unsigned=True).references() == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"picture": "other.webp"}, "references.picture is 'other.webp', which files does not list"),
        ({"cells": [CELLS[0] | {"class": "hairy-cell"}]}, "class 'hairy-cell' is not one of the manifest's"),
        ({"cells": [CELLS[0] | {"source": "nobody"}]}, "references.sources.nobody is missing"),
        ({"cells": []}, "a list of 1 to"),
        ({"sources": {"drawn": {"credit": "x"}, "pbc": {}}}, "licence is missing"),
    ],
)
def test_a_table_that_is_wrong_is_refused(make_bundle: Make, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        opened(make_bundle, **changes)


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        b"RIFF",
        webp(ROW)[:-20],
        webp(ROW[:, :96]),
        cv2.imencode(".png", ROW)[1].tobytes(),
        webp(ROW)[:26] + b"\xff\x3f\xff\x3f" + webp(ROW)[30:],
    ],
)  # fmt: skip
def test_a_picture_that_is_something_else_is_told(make_bundle: Make, picture: bytes) -> None:
    with pytest.raises(BundleError, match=r"references\.webp") as told:
        opened(make_bundle, picture).references()
    assert "\n" not in str(told.value)
