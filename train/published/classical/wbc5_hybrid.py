"""`wbc5-hybrid`: the five types of normal blood, some by their granules, the others by a network's features.

K-means finds nucleus and cytoplasm. A support vector machine tells eosinophils and basophils from the others
by granularity and colour of the cytoplasm; among neutrophils, monocytes and lymphocytes a random forest
decides, on what a convolutional network sees in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from edge.types import F32, U8
from train.published.classical import Arrays, Classical, ClassicalError, Settings, Texts, truth_of
from train.published.classical.cells import table
from train.published.classical.forest import Forest
from train.published.classical.granules import granules
from train.published.classical.pooled import Pooled
from train.published.classical.regions import Regions, hard
from train.published.classical.svm import Svm

GRANULAR = ("eosinophil", "basophil")
OTHERS = ("neutrophil", "monocyte", "lymphocyte")
_OTHER = "other"


def features(crop: U8, pitch_um: float) -> dict[str, float]:
    """Granularity and colours of the cell in the middle of (S, S, 3) uint8 RGB."""
    return granules(crop, Regions.of(crop, pitch_um, hard), pitch_um)


@dataclass(frozen=True, eq=False)
class Wbc5Hybrid(Classical):
    """Of the five types, in any order."""

    svm: Svm
    pooled: Pooled
    forest: Forest

    @classmethod
    def fit(cls, crops: U8, labels: Texts, groups: Texts, settings: Settings, *, seed: int) -> Self:
        """See `Classical.fit`; ClassicalError too where the classes are not the five types."""
        _check(settings.classes)
        truth_of(labels, groups, settings.classes)
        rows = table(crops, lambda crop: features(crop, settings.pitch_um), bar=True)
        first = (*GRANULAR, _OTHER)
        coarse = np.where(np.isin(labels, GRANULAR), labels, _OTHER)
        svm = Svm.fit(rows, truth_of(coarse, groups, first), groups, first, seed)
        rest = np.isin(labels, OTHERS)
        fine = truth_of(labels[rest], groups[rest], OTHERS)
        pooled = Pooled.fit(crops[rest], fine, len(OTHERS), settings, seed=seed)
        forest = Forest.fit(pooled.features(crops[rest]), fine, seed)
        return cls(settings, crops.shape[1], svm, pooled, forest)

    def _answers(self, crops: U8) -> F32:
        coarse = self.svm.probabilities(table(crops, lambda crop: features(crop, self.settings.pitch_um)))
        fine = self.forest.probabilities(self.pooled.features(crops))
        joint = np.concatenate([coarse[:, :-1], coarse[:, -1:] * fine], axis=1)
        return joint[:, [(*GRANULAR, *OTHERS).index(name) for name in self.classes]]

    def arrays(self) -> Arrays:
        """See `Classical.arrays`."""
        parts = {part: held.arrays() for part, held in self._parts.items()}
        return {f"{part}/{name}": array for part, held in parts.items() for name, array in held.items()}

    @property
    def _parts(self) -> Mapping[str, Svm | Pooled | Forest]:
        return {"svm": self.svm, "pooled": self.pooled, "forest": self.forest}

    @classmethod
    def of(cls, settings: Settings, size_px: int, arrays: Arrays) -> Self:
        """See `Classical.of`."""

        def part(name: str) -> Arrays:
            start = f"{name}/"
            return {key.removeprefix(start): a for key, a in arrays.items() if key.startswith(start)}

        svm, forest = Svm(**part("svm")), Forest(**part("forest"))
        return cls(settings, size_px, svm, Pooled.of(settings, part("pooled")), forest)


def _check(classes: tuple[str, ...]) -> None:
    wanted = {*GRANULAR, *OTHERS}
    missing, foreign = sorted(wanted - set(classes)), sorted(set(classes) - wanted)
    if missing:
        raise ClassicalError(f"classes: {', '.join(missing)} missing; wbc5-hybrid names all five types")
    if foreign:
        raise ClassicalError(
            f"classes: {', '.join(foreign)} given, but wbc5-hybrid names the five types only"
        )
