"""The compiled core learns the same colours of a field as NumPy and OpenCV."""

from __future__ import annotations

import numpy as np
import pytest

from edge.cells import stain
from edge.cells.stain import Cloud, Stain
from edge.native import core
from edge.optics.specimen import Specimen
from tests.edge.native import views

ODD = views.odd()

pytestmark = pytest.mark.skipif(core() is None, reason="the compiled core was not built, or is not wanted")


def both(view: Specimen, monkeypatch: pytest.MonkeyPatch) -> tuple[Stain, Stain]:
    """The colours of a field by the core, and without it."""
    compiled = Stain.of(view)
    with monkeypatch.context() as patched:
        patched.setattr(stain, "core", lambda: None)
        return compiled, Stain.of(view)


def assert_same_cloud(compiled: Cloud | None, pure: Cloud | None) -> None:
    assert (compiled is None) == (pure is None)
    if compiled is not None and pure is not None:
        assert compiled.mean.dtype == compiled.whitening.dtype == np.float32
        np.testing.assert_allclose(compiled.mean, pure.mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(compiled.whitening, pure.whitening, rtol=1e-3, atol=1e-2)


def assert_same(compiled: Stain, pure: Stain) -> None:
    assert compiled.axis.dtype == np.float32
    np.testing.assert_allclose(compiled.axis, pure.axis, rtol=1e-4, atol=1e-4)
    assert compiled.level == pytest.approx(pure.level, rel=1e-4)
    assert compiled.candidate.dtype == np.bool_
    assert compiled.candidate.shape == pure.candidate.shape
    assert np.mean(compiled.candidate != pure.candidate) < 1e-3
    assert_same_cloud(compiled.glass, pure.glass)
    assert_same_cloud(compiled.red, pure.red)


@pytest.mark.parametrize("name", ODD)
def test_the_same_colours_whatever_a_field_shows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same(*both(ODD[name], monkeypatch))


def test_the_same_colours_of_drawn_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    for view in views.drawn():
        compiled, pure = both(view, monkeypatch)
        assert_same(compiled, pure)
        assert compiled.candidate.any()
        assert compiled.red is not None
