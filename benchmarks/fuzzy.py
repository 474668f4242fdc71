"""Leukocytes by fuzzy C-means and a support vector machine: the classical pipeline for stained smears.

Colours of the field (saturation and the green channel) are shared out among clusters; the darkest, most
saturated cluster is nuclei; each nucleus and the colours about it give features; a support vector machine
with a radial kernel names the cell. The machine is trained on noise: time is measured here, not skill.
"""

from __future__ import annotations

import cv2
import numpy as np
import skfuzzy
from numpy.typing import NDArray
from sklearn.svm import SVC

CLUSTERS = 4  # background, red cells, cytoplasm, nuclei
FUZZINESS, CHANGE, MOST_PASSES = 2.0, 0.005, 100  # Bezdek's usual settings
FEATURES, CLASSES, TRAINED_ON = 30, 11, 1000
LEAST_PX = 200
WINDOW_PX = 96

U8 = NDArray[np.uint8]
Reals = NDArray[np.float64]


class FuzzySvm:
    """The pipeline on fields (H, W, 3) uint8 RGB."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._machine = SVC(kernel="rbf").fit(
            rng.normal(size=(TRAINED_ON, FEATURES)), rng.integers(0, CLASSES, TRAINED_ON)
        )

    def __call__(self, field: U8) -> int:
        """Segment and name the field's cells; how many there were."""
        saturation = cv2.cvtColor(field, cv2.COLOR_RGB2HSV)[..., 1]
        points = np.stack([saturation.ravel(), 255 - field[..., 1].ravel()]).astype(np.float64)
        centres, shares = skfuzzy.cluster.cmeans(points, CLUSTERS, FUZZINESS, CHANGE, MOST_PASSES, seed=0)[:2]
        nuclei = (shares.argmax(0) == centres.sum(1).argmax()).reshape(saturation.shape)
        opened = cv2.morphologyEx(nuclei.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        found, labels, stats, middles = cv2.connectedComponentsWithStats(opened)
        cells = [i for i in range(1, found) if stats[i, cv2.CC_STAT_AREA] >= LEAST_PX]
        if cells:
            rows = [_features(field, labels == i, middles[i]) for i in cells]
            self._machine.predict(np.stack(rows))
        return len(cells)


def _features(field: U8, nucleus: NDArray[np.bool_], middle: Reals) -> Reals:
    """Shape of the nucleus, and the colours within it and about it: (FEATURES,) float64."""
    outline = cv2.findContours(nucleus.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    area, around = cv2.contourArea(outline), cv2.arcLength(outline, True)
    hull = cv2.contourArea(cv2.convexHull(outline))
    hu = cv2.HuMoments(cv2.moments(outline)).ravel()
    x, y = (int(v) for v in middle)
    half = WINDOW_PX // 2
    window = field[max(y - half, 0) : y + half, max(x - half, 0) : x + half]
    grey = cv2.cvtColor(window, cv2.COLOR_RGB2GRAY)
    texture = [float(f(cv2.Laplacian(grey, cv2.CV_64F))) for f in (np.mean, np.std)]
    histogram = np.histogram(grey, 6, (0, 255))[0] / grey.size
    within = field[nucleus]
    row = [area, around, area / max(hull, 1), around**2 / max(area, 1), *hu, *texture, *histogram]
    row += [*within.mean(0), *within.std(0), *window.mean((0, 1)), *window.std((0, 1))]
    return np.resize(np.array(row, np.float64), FEATURES)
