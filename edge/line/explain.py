"""Why a cell was called what it was: what of its crop decided, how its nucleus measures, what it is like.

What decided is found by covering: a disc in the colour of the glass hides one place of the crop after the
other, and where the probability falls most lay what it rested on (Zeiler and Fergus, ECCV 2014). The device's
own classifier is asked, so whatever it runs on, it is that network which is explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from edge.bundle.references import Reference
from edge.cells import segment
from edge.cells.classify import Classifier
from edge.cells.segment import Segmenter
from edge.optics.specimen import BACKGROUND, Specimen
from edge.types import F32, U8, Bools, LeukoscopeError

NUCLEUS, CYTOPLASM, CELL = "the nucleus", "the cytoplasm", "nucleus and cytoplasm together"
MIDDLE, AROUND, BESIDE = "what lies in the middle", "what lies round the middle", "what lies beside the cell"
SPREAD = "no one part: it is spread out"

_ACROSS = 11
"""Places covered, across and down. A disc is twice as wide as they lie apart, 4.4 µm in a crop of 24 µm: a
lobe of a nucleus. Narrower ones point better at the cell and change less."""

_MAINLY, _NEARLY_ALL = 0.5, 0.75  # of what the probability lost
_LEAST_FALL = 0.02  # of the probability: less than that decided nothing

_KULPA = np.pi * (1 + np.sqrt(2)) / 8
"""Length of a smooth outline by that of its chain of pixels, on average over directions (Kulpa, Computer
Graphics and Image Processing 6:434, 1977)."""

_LIKEST = 3
_UNLIKELY = 1e-3  # a probability below which classes are ruled out alike
_WEIGHT = 0.5
"""Of size and shape beside the probabilities. With none the likest cells are of the class that the network
says, right or wrong; with twice as much they are less often of the right class where it is right."""
_NO_NUCLEUS = (np.log(5.0), np.log(5.0), 0.0, 0.0)  # smaller than any, so that only its like is near


class ExplainError(LeukoscopeError):
    """A model whose answers cannot be explained, or a class that it does not know. Says which."""


@dataclass(frozen=True, eq=False)
class Why:
    """Why a cell was called what it was.

    Attributes
    ----------
    heat : (S, S) float32, 0 to 1: how much of the probability rested on each place, by the most that any did.
    fall : by how much covering that place lowered the probability, 0 to 1.
    decided : the same in words: one of those at the head of this module.
    nucleus_um2 : area of the nucleus. nucleus_share : by that of the cell, 0 to 1. roundness : 4πA/P² of the
        nucleus, 1 for a disc, less for lobes and dents (Cox, Journal of Paleontology 1:179, 1927). None where
        no leukocyte is found in the middle of the crop.
    likest : the reference cells that it is most like, the likest first; none where the bundle brings none.
    """

    heat: F32
    fall: float
    decided: str
    nucleus_um2: float | None
    nucleus_share: float | None
    roundness: float | None
    likest: tuple[Reference, ...]


@dataclass(frozen=True, eq=False)
class _Parts:
    """The cell in the middle of a crop, or what stands for it, (S, S) bool each; and `Why`'s measures."""

    nucleus: Bools
    cell: Bools
    measures: tuple[float, float, float] | None
    cell_um2: float


class Explainer:
    """Explains calls of a classifier, a fraction of a second each; while it does, nobody else may ask that.

    Parameters
    ----------
    classifier : of a bundle that names single cells.
    references : what its bundle brings (`edge.bundle.bundle.Bundle.references`).
    find : how its cells are found; see `edge.cells.segment.segmenter`.

    Raises
    ------
    ExplainError : the model names whole fields, or finds the cells itself.
    """

    def __init__(
        self,
        classifier: Classifier,
        references: Sequence[Reference] = (),
        find: Segmenter = segment.segment,
    ) -> None:
        about = classifier.manifest
        if about.task != "cell":
            does = "names whole fields" if about.task == "field" else "finds cells and names them in one"
            raise ExplainError(f"bundle {about.name}: {does}, so what decided for one cell cannot be shown")
        self._about, self._find = about, find
        self._probabilities = classifier.probabilities
        self._discs = _discs(about.size_px)
        self._references = tuple(references)

    def of(self, crop: U8, named: str) -> Why:
        """Why the cell in a crop was called so, or what speaks for calling it so.

        Parameters
        ----------
        crop : (S, S, 3) uint8 RGB, what the classifier saw. named : one of the bundle's classes. Positive
            ones are explained together, as they are called together.

        Raises
        ------
        ExplainError : the bundle has no such class, or is shown crops of another size.
        """
        classes, positive = self._about.classes, self._about.positive
        if named not in classes:
            raise ExplainError(f"class {named!r}: the model has none of that name, only {', '.join(classes)}")
        if crop.shape != (*self._discs.shape[1:], 3):
            size = self._about.size_px
            raise ExplainError(f"a crop of {crop.shape}: the model is shown {size} px, take its own")
        glass = _glass(crop)
        covered = np.repeat(crop[None], len(self._discs), axis=0)
        covered[self._discs] = glass
        answers = self._probabilities(np.concatenate([crop[None], covered]))
        asked = [classes.index(name) for name in (positive if named in positive else (named,))]
        probability = answers[:, asked].sum(axis=1)
        falls = np.maximum(probability[0] - probability[1:], 0).astype(np.float32)
        parts = self._parts(crop)
        ink = np.abs(crop.astype(np.float32) - glass).sum(axis=2)
        return Why(
            heat=_heat(falls, crop.shape[0]),
            fall=float(falls.max()),
            decided=_decided(falls, self._discs, ink, parts),
            nucleus_um2=parts.measures and parts.measures[0],
            nucleus_share=parts.measures and parts.measures[1],
            roundness=parts.measures and parts.measures[2],
            likest=self._likest(_traits(answers[0], parts)),
        )

    def traits(self, crop: U8) -> F32:
        """What cells are compared by, (C + 4,) float32: the less two differ, the more alike the cells."""
        return _traits(self._probabilities(crop[None])[0], self._parts(crop))

    def _parts(self, crop: U8) -> _Parts:
        pitch_um = self._about.model_input.shown_pitch_um
        white = np.full(3, BACKGROUND, np.float32)
        view = Specimen(crop, pitch_um, 1.0, white, 1.0)
        found = self._find(view)
        one = segment.single(view, lambda _: found)
        cell, cell_um2 = one.labels == 1, float(one.area_um2[0])
        nucleus = cell & one.nuclei
        measures = None
        if segment.middle(found.labels, pitch_um):
            nucleus_um2 = float(one.nucleus_area_um2[0])
            measures = nucleus_um2, nucleus_um2 / cell_um2, _roundness(nucleus)
        return _Parts(nucleus, cell, measures, cell_um2)

    @cached_property
    def _known(self) -> list[F32]:
        """Traits of the reference cells, worked out when the first cell is explained."""
        return [self.traits(reference.crop) for reference in self._references]

    def _likest(self, traits: F32) -> tuple[Reference, ...]:
        away = [float(((known - traits) ** 2).sum()) for known in self._known]
        return tuple(self._references[i] for i in np.argsort(away, kind="stable")[:_LIKEST])


def _discs(size: int) -> Bools:
    """(`_ACROSS`², size, size) bool: the places that are covered, one after the other."""
    apart = size / _ACROSS
    middles = (np.arange(_ACROSS) + 0.5) * apart
    away2 = (np.arange(size) + 0.5 - middles[:, None]) ** 2
    discs: Bools = away2[:, None, :, None] + away2[None, :, None, :] <= apart**2
    return discs.reshape(-1, size, size)


def _glass(crop: U8) -> U8:
    """(3,) uint8, the colour of a crop's brightest tenth."""
    flat = crop.reshape(-1, 3)
    light = flat.sum(axis=1, dtype=np.int32)
    brightest = flat[light >= np.partition(light, len(light) * 9 // 10)[len(light) * 9 // 10]]
    return np.asarray(np.median(brightest, axis=0), np.uint8)


def _heat(falls: F32, size: int) -> F32:
    grid = falls.reshape(_ACROSS, _ACROSS) / np.float32(max(float(falls.max()), 1e-6))
    return np.clip(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def _decided(falls: F32, discs: Bools, ink: F32, parts: _Parts) -> str:
    """What decided, in words: each fall is shared out by what the disc hid, glass hiding nothing."""
    if falls.max() < _LEAST_FALL:
        return SPREAD
    regions = (parts.nucleus, parts.cell & ~parts.nucleus, ~parts.cell)
    of_regions = np.stack([(ink * region).ravel() for region in regions], axis=1)
    hidden = discs.reshape(len(discs), -1).astype(np.float32) @ of_regions
    shares = falls @ (hidden / np.maximum(hidden.sum(axis=1, keepdims=True), 1e-6)) / falls.sum()
    nucleus, cytoplasm, beside = shares.tolist()
    if parts.measures is None:
        return AROUND if beside >= _MAINLY else MIDDLE
    if beside >= _MAINLY:
        return BESIDE
    if max(nucleus, cytoplasm) >= _MAINLY:
        return NUCLEUS if nucleus > cytoplasm else CYTOPLASM
    return CELL if nucleus + cytoplasm >= _NEARLY_ALL else SPREAD


def _roundness(nucleus: Bools) -> float:
    """4πA/P², of all its parts together."""
    mask = nucleus.view(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    area = sum(cv2.contourArea(outline) for outline in outlines)
    length = sum(cv2.arcLength(outline, True) for outline in outlines) * _KULPA
    return min(float(4 * np.pi * area / length**2), 1.0) if length else 0.0


def _traits(probabilities: F32, parts: _Parts) -> F32:
    """What cells are compared by: the logarithms of their probabilities, size and shape.

    Colours are left out: they tell laboratories apart before they tell cells.
    """
    likely = np.log(probabilities + np.float32(_UNLIKELY)) / np.sqrt(40)
    looks = _NO_NUCLEUS
    if parts.measures is not None:
        nucleus_um2, share, roundness = parts.measures
        looks = np.log(max(nucleus_um2, 1.0)), np.log(parts.cell_um2), 2 * share, 2 * roundness
    return np.concatenate([likely, _WEIGHT * np.array(looks)]).astype(np.float32)
