"""Cells that a local reader named → the last layer, fitted to this laboratory.

A softmax regression on the network's features that starts from the answers as they ship and is drawn towards
them: the most probable weights under a normal prior about zero. How strongly, the cells themselves decide,
each left out in turn. Only classes that were shown take part; see `edge.bundle.site.Correction`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle.site import Correction
from edge.types import F32, F64, I32, LeukoscopeError

LEAST_CELLS, LEAST_CLASSES = 20, 2
STRENGTHS = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
"""Precisions of the prior that are tried, the strongest first, for features of unit length on average."""

_ONE_BY_ONE = 100  # cells up to which each is left out by itself
_PARTS = 10  # else
_LEAST_GROUPS = 5  # of files that belong together, to leave out one of them at a time
_STEPS, _CLOSE = 400, 1e-4
_NUMBER = re.compile(r"[\W_]*\d+$")
_FLOOR = 1e-12  # of a probability, as `Correction` has it


class LabelledError(LeukoscopeError):
    """The cells cannot be learned from. Says why and what to do."""


@dataclass(frozen=True, eq=False)
class Named:
    """Cells that somebody named.

    Attributes
    ----------
    probabilities : (n, C) float32, as the model ships. features : (n, F) float32. labels : (n,) int32.
    groups : (n,) str, what belongs together: a slide, a person; all the same where nobody knows.
    """

    probabilities: F32
    features: F32
    labels: I32
    groups: NDArray[np.str_]

    def of(self, keep: NDArray[np.intp]) -> Named:
        """Some of the cells."""
        return Named(self.probabilities[keep], self.features[keep], self.labels[keep], self.groups[keep])

    def counts(self, classes: Sequence[str]) -> dict[str, int]:
        """Class → cells, of those that were shown."""
        found = Counter(self.labels.tolist())
        return {classes[i]: found[i] for i in sorted(found)}


def check(cells: Named, classes: Sequence[str]) -> None:
    """Raise LabelledError for too few cells or classes; it says what is missing."""
    counts = cells.counts(classes)
    told = ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"
    n = len(cells.labels)
    if n < LEAST_CELLS:
        raise LabelledError(f"{n} named cells ({told}): {LEAST_CELLS - n} more are needed; name 20 to 100")
    if len(counts) < LEAST_CLASSES:
        raise LabelledError(f"{n} named cells, all {told.split(' ', 1)[1]}: name cells of another class too")


def prefix(name: str) -> str:
    """What a file's name has in common with others of its series: `p3_017.png` → `p3`."""
    stem = name.rpartition("/")[2].rpartition(".")[0] or name
    return _NUMBER.sub("", stem)


def parts(cells: Named) -> list[NDArray[np.intp]]:
    """The cells to leave out together: groups, where they are many and hold several classes, else one by one.

    Of more than a hundred cells a tenth at a time.
    """
    names, group = np.unique(cells.groups, return_inverse=True)
    mixed = any(len(np.unique(cells.labels[group == i])) > 1 for i in range(len(names)))
    if not (mixed and len(names) >= _LEAST_GROUPS):
        group = np.arange(len(cells.labels))
    count = int(group.max()) + 1
    if count > _ONE_BY_ONE or (count > _PARTS and len(cells.labels) > _ONE_BY_ONE):
        group = np.random.default_rng(0).permutation(count)[group] % _PARTS
    return [np.flatnonzero(group == i) for i in np.unique(group)]


def fit(cells: Named, strength: float) -> tuple[F32, F32]:
    """(C, F) weights and (C,) bias of the correction; all zero where there is one class alone.

    Parameters
    ----------
    strength : precision of the prior, for features of unit length on average.
    """
    classes, width = cells.probabilities.shape[1], cells.features.shape[1]
    weights, bias = np.zeros((classes, width), np.float32), np.zeros(classes, np.float32)
    seen = np.unique(cells.labels)
    if len(seen) < LEAST_CLASSES:
        return weights, bias
    x = cells.features.astype(np.float64)
    middle = x.mean(axis=0)
    scale = float(np.sqrt(((x - middle) ** 2).sum(axis=1).mean())) or 1.0
    x = np.append((x - middle) / scale, np.ones((len(x), 1)), axis=1)  # the last column is the bias
    u, size, v = np.linalg.svd(x, full_matrices=False)
    start = np.log(np.maximum(cells.probabilities[:, seen].astype(np.float64), _FLOOR))
    truth = (cells.labels[:, None] == seen).astype(np.float64)
    found = v.T @ _ascended(u * size, size, start, truth, strength)
    weights[seen] = (found[:-1] / scale).T
    bias[seen] = found[-1] - middle @ found[:-1] / scale
    return weights, bias


def _ascended(z: F64, size: F64, start: F64, truth: F64, strength: float) -> F64:
    """(r, K) where the penalised likelihood is largest.

    Parameters
    ----------
    z : (n, r) orthogonal columns of these lengths, `size`. start : (n, K) logits as they ship.

    Notes
    -----
    The Hessian of a softmax is at most half of the features' products, whatever the weights (Böhning, Ann
    Inst Stat Math 1992;44:197), which in these columns is diagonal: so no step goes too far, and none needs
    an inverse. Sped up by momentum that is dropped when it leads uphill no more (Nesterov 1983; O'Donoghue
    and Candès, Found Comput Math 2015;15:715).
    """
    most = (size**2 / 2 + strength)[:, None]
    at = ahead = np.zeros((z.shape[1], start.shape[1]))
    momentum = 1.0
    for _ in range(_STEPS):
        logits = start + z @ ahead
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        uphill = z.T @ (truth - raised / raised.sum(axis=1, keepdims=True)) - strength * ahead
        new = ahead + uphill / most
        if np.abs(z @ (new - ahead)).max() < _CLOSE:
            return np.asarray(new)
        if (uphill * (new - at)).sum() < 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - at)
        at, momentum = new, following
    return np.asarray(at)


def left_out(cells: Named, strength: float) -> F32:
    """(n, C) what each cell is said to be by a fit that it had no part in."""
    answers = cells.probabilities.copy()
    everything = np.arange(len(cells.labels))
    for part in parts(cells):
        correction = Correction(*fit(cells.of(np.setdiff1d(everything, part)), strength), {}, "", {})
        answers[part] = correction(cells.probabilities[part], cells.features[part])
    return answers


def chosen(cells: Named, show: Callable[[int], None] = lambda _done: None) -> tuple[float, F32]:
    """How strongly to draw towards what ships, and (n, C) what is then said of cells left out.

    The strongest under which cells left out are as likely as under the best of `STRENGTHS`, within one
    standard error of the difference (Breiman, Friedman, Olshen, Stone 1984, section 3.4.3): where the site
    tells little, little changes. `show` is told how many were tried.
    """
    tried = []
    for i, strength in enumerate(STRENGTHS):
        show(i)
        tried.append(left_out(cells, strength))
    logs = np.array([_log_likelihoods(answers, cells.labels) for answers in tried])
    behind = logs[logs.mean(axis=1).argmax()] - logs
    as_good = behind.mean(axis=1) <= behind.std(axis=1) / np.sqrt(len(cells.labels))
    first = int(as_good.argmax())
    return STRENGTHS[first], tried[first]


def likelihood(answers: F32, labels: I32) -> float:
    """Mean log probability of what the cells are."""
    return float(_log_likelihoods(answers, labels).mean())


def _log_likelihoods(answers: F32, labels: I32) -> F64:
    told = answers[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(np.log(np.maximum(told, _FLOOR)))
