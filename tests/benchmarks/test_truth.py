"""Drawn fields know their cells."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def truth(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    import truth

    monkeypatch.delitem(sys.modules, "truth")
    return truth


def test_nuclei_are_dark_and_lie_in_cells(truth: ModuleType) -> None:
    for group, _, pixels, (labels, nuclei, known) in islice(truth.drawn("validation"), 4):
        assert group.startswith("demo:")
        assert labels.shape == nuclei.shape == known.shape == pixels.shape[:2]
        inside = labels > 0
        assert inside.any()
        assert not nuclei[~inside].any()
        if nuclei.any():  # nuclei absorb red light, what lies between cells hardly does
            assert pixels[nuclei][:, 0].mean() < pixels[~inside][:, 0].mean() - 15
