"""A progress bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def bar(steps: Iterable[Any] | None, label: str, unit: str, total: int | None = None) -> Any:
    """`steps`, shown as they are taken; without steps, a bar to `update` by hand and to `close`."""
    return tqdm(steps, desc=label, unit=unit, total=total, leave=False, disable=not sys.stderr.isatty())
