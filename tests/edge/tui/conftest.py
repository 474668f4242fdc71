"""How the screen is driven without a terminal."""

from __future__ import annotations

import pytest
from textual import _wait


@pytest.fixture(autouse=True)
def _looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a key Textual's pilot looks every 5 ms, not every 20, whether the program has come to rest.

    It has when less than a millisecond of computing lies between two looks, as Textual has it.
    """
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", 1 / 200, raising=False)
