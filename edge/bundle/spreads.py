"""Counts of slides → a `Spread`: where the next slide's rate lies, of a Beta distribution or of a site."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edge.bundle.operation import Spread
from edge.types import F64

_ENDS = (0.025, 0.975)
_POINTS = 8001  # of the distribution's logits: its ends come out to four digits
_TAIL = 12.0  # widths of the logits to either side: what is left out weighs less than 1e-5


def of_beta(a: float, b: float) -> Spread:
    """Mean of a Beta distribution, and between what lie 95% of it; `a` and `b` above 0."""
    low, high = beta_quantiles(a, b, _ENDS)
    mean = a / (a + b)
    # of a Beta nearly all at 0, the mean lies beyond: what is told must hold it
    return Spread(mean, min(float(low), mean), max(float(high), mean))


def beta_quantiles(a: float, b: float, levels: Sequence[float]) -> F64:
    """Quantiles of a Beta distribution.

    Its density over logits, x^a (1 - x)^b, is smooth and has one peak whatever `a` and `b` are, and so is
    summed up by the trapezoidal rule.
    """
    peak, width = math.log(a / b), math.sqrt(1 / a + 1 / b)
    logits = np.linspace(peak - _TAIL * (width + 1 / a), peak + _TAIL * (width + 1 / b), _POINTS)
    logs = -a * np.logaddexp(0, -logits) - b * np.logaddexp(0, logits)
    density = np.exp(logs - logs.max())
    below = np.append(0.0, np.cumsum(density[1:] + density[:-1]))
    at = np.interp(levels, below / below[-1], logits)
    return np.asarray(np.exp(-np.logaddexp(0, -at)), np.float64)


def of_healthy_slides(slides: Sequence[tuple[int, int]], between: float) -> Spread:
    """How often false blasts come on the next slide of a site, after so many healthy slides of it.

    Parameters
    ----------
    slides : of each, cells called blasts, and leukocytes counted; one leukocyte at least in all.
    between : how alike false blasts of one slide are, 0 to 1: the share of their variance that lies between
        the slides of a laboratory (intraclass correlation).

    Notes
    -----
    A cell of a slide with n of them tells 1 / (1 + (n - 1) `between`) as much as one alone (the weights of
    Kleinman, J Am Stat Assoc 1973;68:46-54; the design effect of Kish). Of that many cells, Jeffreys'
    posterior of the site's mean rate (Brown, Cai, DasGupta, Stat Sci 2001;16:101-133), widened by what the
    next slide differs from it, Var(rate) = Var(mean) + `between` · E[mean (1 - mean)]: the Beta distribution
    with that mean and variance. So one slide says little of the next, however many cells it has.
    """
    false, cells = np.asarray(slides, np.float64).T
    if not 0 <= between < 1 or (false > cells).any() or not cells.sum():
        raise ValueError(
            f"{between:g} between slides, {false.sum():g} false of {cells.sum():g}: no such rate"
        )
    worth = 1 / (1 + np.maximum(cells - 1, 0) * between)
    a, b = 0.5 + float(worth @ false), 0.5 + float(worth @ (cells - false))
    mean = a / (a + b)
    one_cell = mean * (1 - mean)
    of_mean = one_cell / (a + b + 1)
    precision = one_cell / (of_mean + between * (one_cell - of_mean)) - 1
    return of_beta(mean * precision, (1 - mean) * precision)
