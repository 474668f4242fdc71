from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.references import Reference
from edge.cells.classify import Classifier
from edge.line import explain
from edge.line.explain import Explainer, ExplainError
from edge.types import U8
from tests.conftest import drawn_field

SIZE = 96
GLASS = 240


@pytest.fixture(scope="module")
def classifier() -> Iterator[Classifier]:
    opened = Classifier(bundle.load(bundle.shipped_path()), variant="ort-int8", threads=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def cells(classifier: Classifier) -> tuple[U8, list[str]]:
    """Drawn cells, and what the shipped model calls them."""
    crops = drawn_field()[3]
    return crops, [classifier.manifest.classes[i] for i in classifier(crops).classes]


def cell(nucleus: float = 20.0, cytoplasm: float = 28.0, at: tuple[float, float] = (48.0, 48.0)) -> U8:
    """A round cell with a round nucleus of these radii in pixels, on glass."""
    y, x = np.mgrid[:SIZE, :SIZE]
    away = np.hypot(y - at[1], x - at[0])
    out = np.full((SIZE, SIZE, 3), GLASS, np.uint8)
    out[away < cytoplasm] = (190, 190, 220)
    out[away < nucleus] = (90, 50, 150)
    return out


def test_what_decided_lies_in_the_cell(classifier: Classifier, cells: tuple[U8, list[str]]) -> None:
    explainer = Explainer(classifier)
    for crop, named in zip(*cells, strict=True):
        why = explainer.of(crop, named)
        assert why.heat.shape == (SIZE, SIZE)
        assert why.heat.dtype == np.float32
        assert why.heat.min() >= 0
        assert why.heat.max() == pytest.approx(1, abs=0.05)
        assert 0 < why.fall <= 1
        middle = why.heat[24:72, 24:72].sum() / why.heat.sum()
        assert middle > 0.5, "a quarter of the crop holds the cell and most of what decided"
        assert why.decided in (explain.NUCLEUS, explain.CYTOPLASM, explain.CELL, explain.SPREAD)


@pytest.mark.parametrize("nucleus", [14.0, 20.0, 26.0])
def test_a_round_nucleus_is_measured(classifier: Classifier, nucleus: float) -> None:
    why = Explainer(classifier).of(cell(nucleus, 32.0), "lymphocyte")
    assert why.nucleus_um2 == pytest.approx(np.pi * nucleus**2 / 16, rel=0.1)
    assert why.nucleus_share == pytest.approx((nucleus / 32) ** 2, rel=0.2)
    assert why.roundness is not None
    assert why.roundness > 0.93


def test_lobes_are_less_round(classifier: Classifier) -> None:
    lobes = cell(10.0, 30.0)
    y, x = np.mgrid[:SIZE, :SIZE]
    for at in ((34, 40), (60, 40), (48, 62)):
        lobes[np.hypot(y - at[1], x - at[0]) < 9] = (90, 50, 150)
    why = Explainer(classifier).of(lobes, "neutrophil")
    assert why.roundness is not None
    assert why.roundness < 0.7


def test_where_no_cell_is_nothing_is_measured(classifier: Classifier) -> None:
    why = Explainer(classifier).of(np.full((SIZE, SIZE, 3), GLASS, np.uint8), "artefact")
    assert (why.nucleus_um2, why.nucleus_share, why.roundness) == (None, None, None)
    assert why.decided == explain.SPREAD
    assert not why.heat.any()
    assert why.likest == ()


def test_what_lies_beside_the_cell_is_told() -> None:
    falls = np.zeros(explain._ACROSS**2, np.float32)
    falls[0] = 0.3  # the upper left corner
    parts = explain._Parts(np.eye(SIZE) > 0, np.eye(SIZE) > 0, (1.0, 1.0, 1.0), 1.0)
    ink = np.ones((SIZE, SIZE), np.float32)
    assert explain._decided(falls, explain._discs(SIZE), ink, parts) == explain.BESIDE


def test_the_likest_reference_is_the_cell_itself(classifier: Classifier, cells: tuple[U8, list[str]]) -> None:
    crops, named = cells
    references = [
        Reference(str(i), name, "drawn", "by this program", "Apache-2.0", crop)
        for i, (crop, name) in enumerate(zip(crops, named, strict=True))
    ]
    explainer = Explainer(classifier, references)
    for i, (crop, name) in enumerate(zip(crops, named, strict=True)):
        likest = explainer.of(crop, name).likest
        assert likest[0].name == str(i)
        assert len(likest) == min(3, len(crops))


def test_positive_classes_are_explained_together(make_bundle: Callable[..., Path]) -> None:
    path = make_bundle(positive=["blast", "monocyte"])
    opened = Classifier(bundle.load(path, allow_unsigned=True))
    explainer = Explainer(opened)
    crop = cell()
    assert np.array_equal(explainer.of(crop, "blast").heat, explainer.of(crop, "monocyte").heat)


@pytest.mark.parametrize(
    ("crop", "named", "words"),
    [
        (cell(), "hairy-cell", "'hairy-cell'"),
        (cell(), "", "''"),
        (np.zeros((32, 32, 3), np.uint8), "blast", "96 px"),
        (np.zeros((0, 0, 3), np.uint8), "blast", "96 px"),
    ],
)
def test_what_cannot_be_explained_is_told(classifier: Classifier, crop: U8, named: str, words: str) -> None:
    with pytest.raises(ExplainError, match=words) as told:
        Explainer(classifier).of(crop, named)
    assert "\n" not in str(told.value)


def test_a_model_of_fields_says_that_it_cannot(make_bundle: Callable[..., Path]) -> None:
    about = {
        "task": "field",
        "input": {
            "pitch_um": 0.25, "size_px": 96, "interpolation": "box-linear", "scale": "red-cells", "steps": [],
        },
    }  # fmt: skip
    opened = Classifier(bundle.load(make_bundle(**about), allow_unsigned=True))
    with pytest.raises(ExplainError, match="whole fields"):
        Explainer(opened)
