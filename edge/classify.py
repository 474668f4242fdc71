"""Crops → calibrated probabilities, a class at the bundle's operating point, and abstention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.bundle import Bundle, BundleError, Manifest
from edge.runtimes import Runtime, open_runtime
from edge.types import F32, I32, U8, Bools

_LARGEST_BATCH = 64  # cells in one graph run: bounds the memory of a field full of them


@dataclass(frozen=True, eq=False)
class Calls:
    """What the classifier says of n cells.

    Attributes
    ----------
    probabilities : (n, C) float32, rows sum to 1.
    classes : (n,) int32, decided at the operating point.
    uncertain : (n,) bool, the classifier abstains.
    certain : (n,) bool, a positive call beyond doubt.
    """

    probabilities: F32
    classes: I32
    uncertain: Bools
    certain: Bools


class Classifier:
    """The bundle's classifier on a runtime.

    Parameters
    ----------
    bundle : what to run. runtime : kind of runtime ('auto', 'ort'). threads : for one graph run.

    Raises
    ------
    BundleError : the graph does not take or give what the manifest says.
    """

    def __init__(self, bundle: Bundle, *, runtime: str = "auto", threads: int = 1) -> None:
        self.manifest: Manifest = bundle.manifest
        self._runtime: Runtime = open_runtime(runtime, bundle.graph(), precision="fp32", threads=threads)
        size = self.manifest.size_px
        takes = dict(self._runtime.inputs)
        if takes != {"crops": (None, size, size, 3)} or "probabilities" not in self._runtime.outputs:
            raise BundleError(
                f"bundle {bundle.path}: its graph takes {takes}, not crops of {size} px as its manifest says"
            )
        given = self.probabilities(np.zeros((1, size, size, 3), np.uint8))
        if given.shape[1] != len(self.manifest.classes):
            raise BundleError(
                f"bundle {bundle.path}: its graph gives {given.shape[1]} classes, "
                f"its manifest names {len(self.manifest.classes)}"
            )

    @property
    def runtime(self) -> str:
        """Name of the runtime and precision, e.g. 'ort-fp32'."""
        return self._runtime.name

    def probabilities(self, crops: U8) -> F32:
        """(n, size, size, 3) uint8 RGB specimen crops → (n, C) float32 calibrated probabilities."""
        if not len(crops):
            return np.zeros((0, len(self.manifest.classes)), np.float32)
        batches = (crops[i : i + _LARGEST_BATCH] for i in range(0, len(crops), _LARGEST_BATCH))
        return np.concatenate([self._runtime.run({"crops": batch})["probabilities"] for batch in batches])

    def __call__(self, crops: U8) -> Calls:
        """Probabilities and decisions for (n, size, size, 3) uint8 RGB crops."""
        return decide(self.probabilities(crops), self.manifest)

    def close(self) -> None:
        """Let go of the runtime."""
        self._runtime.close()


def decide(probabilities: F32, manifest: Manifest) -> Calls:
    """Apply the operating point.

    A cell is positive when the positive classes together reach `thresholds.positive`, however the rest is
    shared out; otherwise it is the likeliest of the other classes. Either way the call is uncertain when
    what speaks for it stays below `thresholds.confidence`.
    """
    limits = manifest.thresholds
    positive = list(manifest.positive_indices)
    of_positive = probabilities[:, positive]
    p_positive = of_positive.sum(axis=1)
    others = probabilities.copy()
    others[:, positive] = -1.0
    is_positive = p_positive >= limits.positive
    best_positive = np.asarray(positive)[of_positive.argmax(axis=1)] if len(probabilities) else 0
    classes = np.where(is_positive, best_positive, others.argmax(axis=1)).astype(np.int32)
    confidence = np.where(is_positive, p_positive, others.max(axis=1, initial=-1.0))
    return Calls(
        probabilities=probabilities,
        classes=classes.reshape(len(probabilities)),
        uncertain=confidence < limits.confidence,
        certain=p_positive >= limits.certain,
    )
