"""What a slide's blasts look like together: the cells that the bundle's table for APL looks at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.bundle.apl import AplTable
from edge.types import F32, I32, Apl

_MOST = 400  # cells: more of them move no quartile by much, and would cost time at every field


class AplCells:
    """The features of one slide's counted blasts and immature granulocytes.

    Parameters
    ----------
    table : of the bundle; nothing is ever said without one.
    classes : of the bundle, in the order of the calls.
    """

    def __init__(self, table: AplTable | None, classes: tuple[str, ...]) -> None:
        self._table = table
        self._looked_at = frozenset(table.classes) if table is not None else frozenset[str]()
        self._index = [i for i, name in enumerate(classes) if name in self._looked_at]
        self._features: dict[int, F32] = {}  # by the cell's identity on the slide
        self._judged: tuple[int, ...] = ()
        self._said: Apl | None = None

    def see(self, ids: I32, classes: I32, features: F32 | None) -> None:
        """Take in cells that are counted now.

        Parameters
        ----------
        ids, classes : (n,) identities on the slide, and calls.
        features : (n, F) of the network; None where it tells none.
        """
        if self._table is None or features is None or features.shape[1:] != (self._table.features,):
            return
        for i in np.flatnonzero(np.isin(classes, self._index)).tolist():
            if len(self._features) < _MOST:
                self._features[int(ids[i])] = features[i]

    def say(self, word: Callable[[int], str | None]) -> Apl | None:
        """What they look like; `word` is the class that people give a cell, None where nobody did.

        A cell that people call something else is left out.
        """
        cells = tuple(cell for cell in self._features if word(cell) in (None, *self._looked_at))
        if cells and cells != self._judged and self._table is not None:
            self._judged = cells
            self._said = self._table.of_cells(np.stack([self._features[cell] for cell in cells]))
        return self._said if cells else None
