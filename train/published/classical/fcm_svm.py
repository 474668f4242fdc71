"""`fcm-svm`: fuzzy C-means finds nucleus and cytoplasm, a support vector machine names the cell.

Median and Wiener filtering are steps of the recipe's input, like those of every other model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from edge.types import F32, U8
from train.published.classical import Arrays, Classical, Settings, Texts, truth_of
from train.published.classical.cells import table
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
class FcmSvm(Classical):
    """Of any two classes or more."""

    svm: Svm

    @classmethod
    def fit(cls, crops: U8, labels: Texts, groups: Texts, settings: Settings, *, seed: int) -> Self:
        """See `Classical.fit`."""
        truth = truth_of(labels, groups, settings.classes)
        rows = table(crops, lambda crop: features(crop, settings.pitch_um), bar=True)
        svm = Svm.fit(rows, truth, groups, settings.classes, seed)
        return cls(settings, crops.shape[1], svm)

    def _answers(self, crops: U8) -> F32:
        return self.svm.probabilities(table(crops, lambda crop: features(crop, self.settings.pitch_um)))

    def arrays(self) -> Arrays:
        """See `Classical.arrays`."""
        return self.svm.arrays()

    @classmethod
    def of(cls, settings: Settings, size_px: int, arrays: Arrays) -> Self:
        """See `Classical.of`."""
        return cls(settings, size_px, Svm(**arrays))
