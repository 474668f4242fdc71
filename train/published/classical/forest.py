"""A random forest (Breiman 2001): grown by scikit-learn, kept and asked as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from edge.types import F32, I32
from train.published.classical import Arrays, Floats

_TREES = 300
_LEAF = 2  # cells at least: leaves of one cell answer only yes or no
_END = -1  # what stands for no child


@dataclass(frozen=True, eq=False)
class Forest:
    """All trees' nodes in a row; T trees, N nodes, C classes.

    Attributes
    ----------
    roots : (T,) numbers of nodes.
    feature, threshold, left, right : (N,), go left where the feature is at most the threshold; -1 for a leaf.
    shares : (N, C) of the training cells that came to a node.
    """

    roots: I32
    feature: I32
    threshold: Floats
    left: I32
    right: I32
    shares: F32

    @classmethod
    def fit(cls, features: F32, truth: I32, seed: int) -> Self:
        """Learn from (n, F) features and (n,) classes, numbered from 0 without gaps."""
        grown = RandomForestClassifier(
            _TREES, min_samples_leaf=_LEAF, class_weight="balanced", random_state=seed
        ).fit(features, truth)
        trees = [estimator.tree_ for estimator in grown.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])

        def joined(name: str) -> I32:
            parts = [getattr(tree, name) for tree in trees]
            return np.concatenate(
                [np.where(p < 0, _END, p + r) for p, r in zip(parts, roots, strict=True)], dtype=np.int32
            )

        counts = np.concatenate([tree.value[:, 0] for tree in trees])
        return cls(
            roots=roots.astype(np.int32),
            feature=np.concatenate([tree.feature for tree in trees], dtype=np.int32),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=joined("children_left"),
            right=joined("children_right"),
            shares=np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float32),
        )

    def probabilities(self, features: F32) -> F32:
        """(n, F) -> (n, C) float32 that sum to 1: the mean of the trees."""
        rows = np.arange(len(features))[:, None]
        node = np.repeat(self.roots[None], len(features), axis=0)
        while (inner := self.left[node] != _END).any():
            below = features[rows, np.maximum(self.feature[node], 0)] <= self.threshold[node]
            node = np.where(inner, np.where(below, self.left[node], self.right[node]), node)
        return np.asarray(self.shares[node].mean(axis=1), np.float32)

    def arrays(self) -> Arrays:
        """What `Forest(**arrays)` takes."""
        return dict(vars(self))
