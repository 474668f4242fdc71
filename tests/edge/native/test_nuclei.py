"""The compiled core finds the same nuclei as NumPy and OpenCV, whatever a field shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.cells import nuclei
from edge.cells.nuclei import Nuclei
from edge.cells.stain import NUCLEAR, Cloud, Stain
from edge.native import core
from edge.optics.specimen import Specimen
from tests.edge.native import views

ODD = views.odd()
DICE = 0.998  # another processor may round the last bit of a stain otherwise
FEW = 4  # pixels, where there are few

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
    assert stained - 2 * same <= max((1 - DICE) * stained, FEW)
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


def patches(seed: int) -> Stain:
    """A small field of any size, stained here and there, that no colours were learned of."""
    rng = np.random.default_rng(seed)
    (height, width), step = rng.integers(1, 90, 2).tolist(), int(rng.integers(1, 7))
    stained = rng.random((height // step + 1, width // step + 1, 1)) < rng.uniform(0.1, 0.7)
    stained = stained.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    half = np.where(stained, views.NUCLEUS, views.GLASS) + rng.normal(
        0, rng.choice([0, 5, 30]), (height, width, 3)
    )
    candidate = rng.random((max(height // 2, 1), max(width // 2, 1))) < rng.choice([0.005, 0.05, 0.5])
    return Stain(
        half=np.clip(half, 0, 255).astype(np.uint8),
        pitch_um=float(rng.choice([0.3, 0.5, 0.7])),
        axis=NUCLEAR,
        level=float(rng.uniform(0.2, 0.9)),
        candidate=candidate,
        glass=Cloud.of(np.zeros((20, 3), np.float32), 0.012),
        red=None,
    )


def test_the_same_nuclei_of_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    found = 0
    for seed in range(100):
        stain = patches(seed)
        compiled = Nuclei.of(stain)
        with monkeypatch.context() as patched:
            patched.setattr(nuclei, "core", lambda: None)
            assert_same(compiled, Nuclei.of(stain))
        found += len(compiled.boxes)
    assert found > 30


def test_each_nucleus_lies_in_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, _ = both(ODD["300 cells"], monkeypatch)
    assert len(compiled.boxes) == compiled.labels.max() > 100
    for number, box in enumerate(compiled.boxes, 1):
        assert (
            np.count_nonzero(compiled.labels[box] == number)
            == np.count_nonzero(compiled.labels == number)
            > 0
        )


def test_a_picture_with_gaps_is_not_read() -> None:
    stain = Stain.of(ODD["odd sizes"])
    with pytest.raises(ValueError, match="the core wants uint8"):
        Nuclei.of(replace(stain, half=stain.half[:, ::2]))
