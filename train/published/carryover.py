"""A teacher for few people's cells: a regression on what carries over from one person to the next.

Labels of a few people teach a network those people. A cell's size, how much of each colour it absorbs, and
how fine its texture is carry over, and a logistic regression on these five numbers has no room for anybody's
looks. A network that learns from the regression's answers to the crops it is shown, rather than from the bare
labels (distillation: Hinton et al., arXiv:1503.02531, 2015), keeps to these. train/README.md has figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edge.optics.specimen import BACKGROUND
from edge.types import LeukoscopeError
from train.data.windows import Windows, middle
from train.fitting.sampling import evened
from train.fitting.validation import truth_of, typed
from train.recipes.recipe import Recipe
from train.statistics.metrics import Floats

_GLASS = 222  # grey level from which all channels are clear glass
_RIM_UM = 0.75  # of a cell: where it was cut out, half glass
_RING_UM = 0.48  # radius of the ring of neighbours that a pixel is compared with
_LEAST_PX = 50  # of a cell, below which there is none to measure
_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
_BATCH = 128


@dataclass(frozen=True, eq=False)
class Carryover:
    """The regression.

    Attributes
    ----------
    pitch_um : of the crops. weights : (5, C) float32, by feature and class. bias : (C,) float32.
    """

    pitch_um: float
    weights: Tensor
    bias: Tensor

    @classmethod
    def of(cls, windows: Windows, recipe: Recipe) -> Carryover:
        """Fitted to the training windows, every class and in it every group weighing the same.

        Raises
        ------
        LeukoscopeError : scikit-learn is not installed.
        """
        try:
            from sklearn.linear_model import LogisticRegression
        except ModuleNotFoundError as error:
            raise LeukoscopeError(
                f"training.teacher: needs {error.name}, which is not installed; "
                "run pip install 'leukoscope[published]'"
            ) from None
        cells = typed(windows, recipe, tuple(recipe.shares))
        pitch, truth = recipe.input.pitch_um, truth_of(cells, recipe.classes)
        crops = torch.from_numpy(np.ascontiguousarray(middle(cells.pixels, recipe.model_input.size_px)))
        parts = [features(part.permute(0, 3, 1, 2).float(), pitch) for part in torch.split(crops, _BATCH)]
        table = torch.cat(parts).double().numpy()
        weight = evened(cells.groups, 1.0)
        for kind in np.unique(truth):
            weight[truth == kind] *= len(truth) / weight[truth == kind].sum() / len(recipe.classes)
        mean, spread = table.mean(axis=0), table.std(axis=0) + 1e-9
        fitted = LogisticRegression(C=1.0, max_iter=2000)
        fitted.fit((table - mean) / spread, truth, sample_weight=weight)
        slopes, offsets = np.zeros((len(recipe.classes), table.shape[1])), np.full(len(recipe.classes), -30.0)
        slopes[fitted.classes_], offsets[fitted.classes_] = _both(fitted.coef_, fitted.intercept_)
        slopes = slopes / spread
        offsets = offsets - slopes @ mean
        return cls(pitch, torch.from_numpy(slopes.T).float(), torch.from_numpy(offsets).float())

    def __call__(self, crops: Tensor) -> Tensor:
        """(n, 3, S, S) float32 grey levels → (n, C) float32 probabilities."""
        return torch.softmax(features(crops, self.pitch_um) @ self.weights + self.bias, dim=1)


def _both(slopes: Floats, offsets: Floats) -> tuple[Floats, Floats]:
    """A row for each class; of two classes the regression gives one."""
    if len(slopes) > 1:
        return slopes, offsets
    return np.stack([-slopes[0], slopes[0]]) / 2, np.stack([-offsets[0], offsets[0]]) / 2


def features(crops: Tensor, pitch_um: float) -> Tensor:
    """(n, 3, S, S) float32 grey levels of cells on clear glass → (n, 5) float32.

    The log of the cell's area in µm², the mean optical density of red, green and blue within it, and the
    share of its pixels that lie on an edge: whose ring of eight neighbours changes side just twice (a uniform
    local binary pattern: Ojala et al., IEEE PAMI 2002).
    """
    cell = _opened((crops.amin(1, keepdim=True) < _GLASS).float())
    inner = _without_rim(cell, max(1, round(_RIM_UM / pitch_um)))
    area = cell.sum((1, 2, 3)).clamp(min=_LEAST_PX) * pitch_um**2
    density = torch.log(BACKGROUND / crops.clamp(1, 255))
    count = inner.sum((2, 3)).clamp(min=1)
    means = (density * inner).sum((2, 3)) / count
    edges = (_on_edge(density.mean(1), pitch_um) * inner[:, 0]).sum((1, 2))[:, None] / count
    return torch.cat([torch.log(area)[:, None], means, edges], 1)


def _opened(mask: Tensor) -> Tensor:
    eroded = -functional.max_pool2d(-mask, 3, 1, 1)
    return functional.max_pool2d(eroded, 3, 1, 1)


def _without_rim(cell: Tensor, rim: int) -> Tensor:
    """The cell less its rim; all of a cell that is nothing else."""
    inner = -functional.max_pool2d(-functional.pad(cell, (rim,) * 4), 2 * rim + 1, 1)
    return torch.where(inner.sum((2, 3), keepdim=True) > _LEAST_PX, inner, cell)


def _on_edge(density: Tensor, pitch_um: float) -> Tensor:
    """(n, S, S) 1 where the ring of neighbours changes side twice, else 0."""
    radius = max(2, round(_RING_UM / pitch_um))
    darker = [torch.roll(density, (radius * y, radius * x), (1, 2)) > density for y, x in _RING]
    changes = torch.stack([darker[i] ^ darker[i - 1] for i in range(len(_RING))]).sum(0)
    return (changes == 2).float()
