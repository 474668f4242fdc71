"""`fcm-svm`: fuzzy C-means finds nucleus and cytoplasm, a support vector machine names the cell.

Median and Wiener filtering are steps of the recipe's input, like those of every other model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from edge.types import F32, U8
from train.published.classical import Arrays, Settings, Texts, truth_of
from train.published.classical.cells import check, table
from train.published.classical.colour import colour
from train.published.classical.regions import Regions, fuzzy
from train.published.classical.shape import shape
from train.published.classical.svm import Svm
from train.published.classical.texture import texture


def features(crop: U8, pitch_um: float) -> dict[str, float]:
    """Shape, texture and colour of the cell in the middle of (S, S, 3) uint8 RGB."""
    regions = Regions.of(crop, pitch_um, fuzzy)
    return shape(regions, pitch_um) | texture(crop, regions, pitch_um) | colour(crop, regions)


@dataclass(frozen=True, eq=False)
class FcmSvm:
    """A `Classical` of any two classes or more."""

    settings: Settings
    size_px: int
    svm: Svm

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of its answers."""
        return self.settings.classes

    @property
    def parameters(self) -> int:
        """Numbers in the support vectors, their weights and the rest of the machine."""
        return sum(array.size for array in self.svm.arrays().values())

    @classmethod
    def fit(
        cls, crops: U8, labels: Texts, groups: Texts, settings: Settings, *, seed: int, progress: bool = True
    ) -> Self:
        """See `Classical.fit`."""
        truth = truth_of(labels, groups, settings.classes)
        rows = table(crops, lambda crop: features(crop, settings.pitch_um), progress=progress)
        svm = Svm.fit(rows, truth, groups, settings.classes, seed)
        return cls(settings, crops.shape[1], svm)

    def probabilities(self, crops: U8) -> F32:
        """See `Classical.probabilities`."""
        check(crops, self.size_px)
        if not len(crops):
            return np.zeros((0, len(self.classes)), np.float32)
        return self.svm.probabilities(table(crops, lambda crop: features(crop, self.settings.pitch_um)))

    def arrays(self) -> Arrays:
        """See `Classical.arrays`."""
        return self.svm.arrays()

    @classmethod
    def of(cls, settings: Settings, size_px: int, arrays: Arrays) -> Self:
        """See `Classical.of`."""
        return cls(settings, size_px, Svm(**arrays))
