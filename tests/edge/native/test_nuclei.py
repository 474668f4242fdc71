"""The compiled core finds the same nuclei as NumPy and OpenCV, whatever a field shows."""

from __future__ import annotations

import numpy as np
import pytest

from edge.cells import nuclei
from edge.cells.nuclei import Nuclei
from edge.cells.stain import Stain
from edge.native import core
from edge.optics.specimen import Specimen
from tests.edge.native import views

ODD = views.odd()
DICE = 0.998  # another processor may round the last bit of a stain otherwise

pytestmark = pytest.mark.skipif(core() is None, reason="the compiled core was not built, or is not wanted")


def both(view: Specimen, monkeypatch: pytest.MonkeyPatch) -> tuple[Nuclei, Nuclei]:
    """The nuclei of a field by the core, and without it."""
    stain = Stain.of(view)
    compiled = Nuclei.of(stain)
    with monkeypatch.context() as patched:
        patched.setattr(nuclei, "core", lambda: None)
        return compiled, Nuclei.of(stain)


def assert_same(compiled: Nuclei, pure: Nuclei) -> None:
    assert compiled.labels.shape == pure.labels.shape
    assert (compiled.labels.dtype, compiled.rise.dtype) == (pure.labels.dtype, pure.rise.dtype)
    assert (compiled.middles.dtype, compiled.middles.shape) == (pure.middles.dtype, pure.middles.shape)
    same = np.count_nonzero((compiled.labels == pure.labels) & (pure.labels > 0))
    stained = np.count_nonzero(compiled.labels) + np.count_nonzero(pure.labels)
    assert 2 * same >= DICE * stained
    assert np.abs(compiled.middles - pure.middles).max(initial=0) < 0.5
    assert np.mean(np.abs(compiled.rise.astype(np.int16) - pure.rise) > 1) < 1 - DICE


@pytest.mark.parametrize("name", ODD)
def test_the_same_nuclei_whatever_a_field_shows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same(*both(ODD[name], monkeypatch))


def test_the_same_nuclei_of_drawn_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    for view in views.drawn():
        compiled, pure = both(view, monkeypatch)
        assert_same(compiled, pure)
        assert len(compiled.boxes) == len(pure.boxes) >= 3
        for (y, x), (v, u) in zip(compiled.boxes, pure.boxes, strict=True):
            assert (
                np.abs(
                    np.subtract((y.start, y.stop, x.start, x.stop), (v.start, v.stop, u.start, u.stop))
                ).max()
                <= 1
            )


def test_each_nucleus_lies_in_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, _ = both(ODD["300 cells"], monkeypatch)
    assert len(compiled.boxes) == compiled.labels.max() > 100
    for number, box in enumerate(compiled.boxes, 1):
        assert (
            np.count_nonzero(compiled.labels[box] == number)
            == np.count_nonzero(compiled.labels == number)
            > 0
        )


def test_a_mask_of_another_kind_is_not_read() -> None:
    stain = Stain.of(ODD["odd sizes"])
    wrong = Stain(
        stain.half[:, ::2], stain.pitch_um, stain.axis.astype(np.float64), stain.level,  # type: ignore[arg-type]
        stain.candidate, stain.glass, stain.red,
    )  # fmt: skip
    with pytest.raises(ValueError, match="float32"):
        Nuclei.of(wrong)
