"""Cells named without a network, or with one for some types only: the published systems of features and
machine learning, as recipes' `method`s.

A method is one file that makes a `Classical`, and one line in `METHODS`. They run on the workstation: what is
fitted is kept in one file of plain arrays (`train.published.classical.modelfile`), and answers as a network
does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge.types import F32, I32, U8, LeukoscopeError
from train.data.augment import Augmentation
from train.fitting.task import at
from train.network.model import Architecture

Texts = NDArray[np.str_]
Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]


class ClassicalError(LeukoscopeError):
    """Cells that a method cannot learn from, or a model's file that cannot be read. Says which and why."""


@dataclass(frozen=True)
class Settings:
    """What a method is fitted with.

    Attributes
    ----------
    classes : what it names, in the order of its answers.
    pitch_um : of the crops, µm per pixel.
    architecture, augmentation : of the network that a method learns features with, where it does.
    epochs, batch, learning_rate : how that network is trained: times that it sees every cell, cells a step,
        and the highest rate of AdamW, which falls to nothing in half a cosine.
    """

    classes: tuple[str, ...]
    pitch_um: float
    architecture: Architecture = field(default_factory=Architecture)
    augmentation: Augmentation = field(default_factory=Augmentation)
    epochs: int = 20
    batch: int = 32
    learning_rate: float = 2e-3


@dataclass(frozen=True, eq=False)
class Classical(ABC):
    """A fitted method: what it was fitted with, and the size of the crops that it wants."""

    settings: Settings
    size_px: int

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of its answers."""
        return self.settings.classes

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        return sum(array.size for array in self.arrays().values())

    @classmethod
    @abstractmethod
    def fit(cls, crops: U8, labels: Texts, groups: Texts, settings: Settings, *, seed: int) -> Self:
        """Learn from labelled cells; the same cells and seed give the same model.

        Parameters
        ----------
        crops : (n, S, S, 3) uint8 RGB, the cell in the middle.
        labels : (n,), of `settings.classes`. groups : (n,), whatever must not be divided.

        Raises
        ------
        ClassicalError : a class without cells, or cells of too few groups; names it.
        """

    def probabilities(self, crops: U8) -> F32:
        """(n, size_px, size_px, 3) uint8 RGB -> (n, C) float32 that sum to 1, in the order of `classes`."""
        if crops.dtype != np.uint8 or crops.shape[1:] != (self.size_px, self.size_px, 3):
            raise ClassicalError(
                f"crops: {'×'.join(map(str, crops.shape[1:]))} {crops.dtype}, but the model was fitted on "
                f"{self.size_px}×{self.size_px}×3 uint8; cut them as its recipe says"
            )
        return self._answers(crops) if len(crops) else np.zeros((0, len(self.classes)), np.float32)

    @abstractmethod
    def _answers(self, crops: U8) -> F32:
        """The probabilities of one crop or more."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """All that was learned."""

    @classmethod
    @abstractmethod
    def of(cls, settings: Settings, size_px: int, arrays: Arrays) -> Self:
        """The same again from what `arrays` gave; KeyError or ValueError where it does not fit."""


METHODS: Mapping[str, str] = {
    "fcm-svm": "train.published.classical.fcm_svm:FcmSvm",
    "wbc5-hybrid": "train.published.classical.wbc5_hybrid:Wbc5Hybrid",
}
"""Name -> 'module:class' of a `Classical`."""


def method(name: str) -> type[Classical]:
    """The method of that name.

    Raises
    ------
    ClassicalError : there is none, or what it needs is not installed.
    """
    if name not in METHODS:
        raise ClassicalError(f"method {name!r}: unknown; choose one of {', '.join(METHODS)}")
    try:
        found: type[Classical] = at(METHODS[name])
    except ModuleNotFoundError as error:
        raise ClassicalError(
            f"method {name}: needs {error.name}, which is not installed; "
            "run pip install 'leukoscope[published]'"
        ) from None
    return found


def truth_of(labels: Texts, groups: Texts, classes: tuple[str, ...]) -> I32:
    """(n,) int32, each cell's class by its place among `classes`.

    Raises
    ------
    ClassicalError
        A label that is no class, a class with cells of fewer than two groups: one to learn from, another to
        learn from it how sure the answers are.
    """
    for label in sorted(set(labels.tolist()) - set(classes)):
        raise ClassicalError(f"label {label!r}: not one of {', '.join(classes)}; leave these cells out")
    for name in classes:
        of_class = sorted(set(groups[labels == name].tolist()))
        if not of_class:
            raise ClassicalError(f"class {name}: no training cell; add some or take it out of the classes")
        if len(of_class) < 2:
            raise ClassicalError(
                f"class {name}: all its training cells are of {of_class[0]!r}; two groups are needed at least"
            )
    places = {name: place for place, name in enumerate(classes)}
    return np.array([places[label] for label in labels.tolist()], np.int32)
