"""Where a stained cell's nucleus and cytoplasm lie, by clusters of its colours.

What is stained is parted from clear glass by Otsu's threshold; its colours fall into three clusters, the
nucleus being the one with most nuclear stain; a watershed parts the cell from what touches it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from skfuzzy.cluster import cmeans
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from edge.cells.stain import density, disc
from edge.types import F32, I32, U8, Bools
from train.published.classical import Floats

CLUSTERS = 3
"""Nucleus, cytoplasm, and what is paler: red cells, or the cytoplasm's own pale part."""

Clustering = Callable[[Floats, I32], Floats]
"""((n, 3) colours, (n,) a first guess at each one's cluster) -> (CLUSTERS, 3) centres."""

_SAMPLE = 900  # pixels that the clusters are found from: more moves their centres by less than a grey level
_FUZZINESS, _CHANGE, _PASSES = 2.0, 0.005, 100  # Bezdek's usual settings
_ALIKE = 30.0  # in 8-bit CIELAB: clusters nearer than this are shades of one thing
_FAINT = 0.03  # optical density below which there is nothing but the camera's noise
_STAIN = np.array([4 / 3, 4 / 3, -5 / 3], np.float32)  # R + G - 2 B tells nuclei, their mean dark from pale
_SPECK_UM, _GAP_UM = 1.0, 0.8  # smaller than these are no nucleus, and no gap in one
_TOGETHER_UM = 2.0  # lobes of one nucleus lie no farther apart
_MIDDLE_UM = 4.0  # distance from the crop's middle at which a nucleus counts for 1 / e
_REACH_UM = 7.0  # from its nucleus to a cell's edge: the widest monocytes
_BRIDGE_UM = 2.0  # thinner links between cells are cut
_OTHER_UM = 3.0  # bodies whose thickest part lies farther from the nucleus than this are other cells,
_OTHER_RADIUS_UM = 2.0  # if they are this thick


@dataclass(frozen=True, eq=False)
class Regions:
    """Nucleus and whole cell in the middle of a crop, (S, S) bool each; the nucleus lies inside the cell."""

    nucleus: Bools
    cell: Bools

    @property
    def cytoplasm(self) -> Bools:
        """(S, S) bool, the cell without its nucleus."""
        return self.cell & ~self.nucleus

    @classmethod
    def of(cls, crop: U8, pitch_um: float, clustering: Clustering) -> Regions:
        """Those of (S, S, 3) uint8 RGB; a small disc in the middle where nothing is stained."""
        solid = stained(crop, pitch_um)
        nucleus = _nucleus(_dark(crop, solid, clustering), pitch_um)
        if not nucleus.any():
            spot = np.zeros(solid.shape, np.uint8)
            cv2.circle(spot, (len(spot) // 2, len(spot) // 2), max(round(1 / pitch_um), 2), 1, -1)
            return cls(spot > 0, spot > 0)
        return cls(nucleus, _cell(nucleus, solid | nucleus, pitch_um))


def fuzzy(colours: Floats, guess: I32) -> Floats:
    """Fuzzy C-means (Bezdek 1981), from memberships that lean to the guess, so that nothing is drawn."""
    shares = np.full((CLUSTERS, len(colours)), 0.05)
    shares[guess, np.arange(len(colours))] = 1
    found = cmeans(colours.T, CLUSTERS, _FUZZINESS, _CHANGE, _PASSES, init=shares / shares.sum(0))
    return np.asarray(found[0], np.float64)


def hard(colours: Floats, guess: I32) -> Floats:
    """K-means (Lloyd 1982), from the guess, so that nothing is drawn."""
    until = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, _PASSES, 0.1)
    points, start = colours.astype(np.float32), guess.astype(np.int32)[:, None].copy()
    centres = cv2.kmeans(points, CLUSTERS, start, until, 1, cv2.KMEANS_USE_INITIAL_LABELS)[2]
    return np.asarray(centres, np.float64)


def stained(crop: U8, pitch_um: float) -> Bools:
    """(S, S) bool, what is not clear glass: Otsu's threshold (IEEE SMC 1979) of the log of optical density.

    Of the logarithm, because stains differ by factors: without it the threshold falls between nucleus and
    cytoplasm. Before any equalization: the threshold of an equalized histogram is about its median.
    """
    log = np.log(np.maximum(density(crop).mean(axis=2), 0) + np.float32(_FAINT))
    low, high = float(log.min()), float(log.max())
    grey = ((log - low) * np.float32(255 / max(high - low, 1e-6))).astype(np.uint8)
    above = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    opened = cv2.morphologyEx(above, cv2.MORPH_OPEN, disc(_GAP_UM, pitch_um))
    return np.asarray((opened > 0) & (log > np.log(2 * _FAINT)))


def _dark(crop: U8, solid: Bools, clustering: Clustering) -> Bools:
    """(S, S) bool, what of the stained pixels is of the clusters that nuclear stain makes."""
    dark = np.zeros(solid.shape, np.bool_)
    if np.count_nonzero(solid) < 10 * CLUSTERS:
        return dark
    colours = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)[solid].astype(np.float64)
    stain = density(crop)[solid] @ _STAIN
    some = np.linspace(0, len(colours) - 1, min(_SAMPLE, len(colours))).astype(np.intp)
    rank = stain[some].argsort(kind="stable").argsort(kind="stable")
    centres = clustering(colours[some], (rank * CLUSTERS // len(some)).astype(np.int32))
    nearest = ((colours[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    means = [stain[nearest == i].mean() if (nearest == i).any() else -np.inf for i in range(CLUSTERS)]
    apart = np.linalg.norm(centres - centres[int(np.argmax(means))], axis=1)
    dark[solid] = apart[nearest] < _ALIKE
    return dark


def _nucleus(dark: Bools, pitch_um: float) -> Bools:
    """The dark body nearest to the middle, largest first, with the other lobes of the same nucleus."""
    opened = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, disc(_SPECK_UM, pitch_um))
    closed = np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, disc(_GAP_UM, pitch_um)), np.uint8)
    count, bodies, stats, middles = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return np.zeros(dark.shape, np.bool_)
    away_um = np.hypot(*(middles[1:] - np.array(dark.shape[::-1]) / 2).T) * pitch_um
    main = 1 + (stats[1:, cv2.CC_STAT_AREA] * np.exp(-((away_um / _MIDDLE_UM) ** 2))).argmax()
    _, groups = cv2.connectedComponents(cv2.dilate(closed, disc(_TOGETHER_UM, pitch_um)))
    return np.asarray((closed > 0) & (groups == groups[bodies == main][0]))


def _cell(nucleus: Bools, solid: Bools, pitch_um: float) -> Bools:
    """The stained body round a nucleus, cut from its neighbours where it is thin, holes filled."""
    core, thread = nucleus.astype(np.uint8), disc(_BRIDGE_UM, pitch_um)
    body = np.asarray(cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_OPEN, thread), np.uint8) | core
    outside_um = cv2.distanceTransform(1 - core, cv2.DIST_L2, 5) * pitch_um
    own = _apart(body, core, outside_um, pitch_um) & (outside_um < _REACH_UM)
    cut = np.asarray(cv2.morphologyEx(own.astype(np.uint8), cv2.MORPH_OPEN, thread), np.uint8) | core
    _, pieces = cv2.connectedComponents(cut)
    linked = np.isin(pieces, np.unique(pieces[nucleus])).astype(np.uint8)
    outlines = cv2.findContours(linked, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(linked, outlines, -1, 1, -1)
    return np.asarray(linked > 0)


def _apart(body: U8, core: U8, outside_um: F32, pitch_um: float) -> Bools:
    """What of a body belongs to the nucleus and not to another cell's thickest part, by a watershed.

    Beyond the crop's edge the body is taken to go on.
    """
    framed = cv2.copyMakeBorder(body, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    tops = peak_local_max(
        depth,
        min_distance=max(round(1.5 / pitch_um), 1),
        threshold_abs=_OTHER_RADIUS_UM / pitch_um,
        exclude_border=False,
    )
    markers = core.astype(np.int32)
    others = [(y, x) for y, x in tops.tolist() if outside_um[y, x] > _OTHER_UM]
    for number, place in enumerate(others, start=2):
        markers[place] = number
    return np.asarray(watershed(-depth, markers, mask=body > 0) == 1)
