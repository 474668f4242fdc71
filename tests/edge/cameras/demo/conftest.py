"""Here the drawing itself is looked at."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _drawn_once() -> None:
    """Every camera draws its own slide, so that two of them show that they draw the same."""
