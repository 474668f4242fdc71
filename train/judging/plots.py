"""Plots of an evaluation as PNG: ranking, reliability, abstention, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edge.types import F32, Bools
from train.judging.estimates import Bin, Undecided
from train.statistics.bootstrap import Figure
from train.statistics.metrics import precision_recall, roc
from train.statistics.plots import ALARM, INK, PALE, sheet

_COLOURS = (INK, "#d98c2b", "#3a8f6b", "#8d5aa5", "#b3261e", "#5a9bd4", "#7a6a53", "#c46fa0")


def ranking(
    curves: Mapping[str, tuple[F32, Bools, Figure, Figure]], threshold: float, title: str, path: Path
) -> None:
    """ROC and precision-recall curves with the operating point.

    Parameters
    ----------
    curves : name -> (n,) scores, (n,) bool truth, ROC and PR area.
    threshold : of the scores, at the operating point.
    """
    with sheet(path, 1, 2, (11.5, 5.4)) as (figure, ((left, right),)):
        figure.suptitle(title)
        left.plot([0, 1], [0, 1], ":", color="grey", lw=1)
        for colour, (name, (scores, truth, roc_area, pr_area)) in zip(
            _cycled(len(curves)), curves.items(), strict=True
        ):
            called = scores >= threshold
            hits, ppv = called[truth].mean(), truth[called].mean() if called.any() else np.nan
            left.plot(*roc(scores, truth), color=colour, label=f"{name}: {roc_area}")
            left.plot(called[~truth].mean(), hits, "o", color=colour, mec="white", ms=9)
            right.plot(*precision_recall(scores, truth), color=colour, label=f"{name}: {pr_area}")
            right.plot(hits, ppv, "o", color=colour, mec="white", ms=9)
            right.axhline(float(truth.mean()), ls=":", color=colour, lw=1)
        left.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1), ylim=(0, 1.01), title="ROC")
        right.set(
            xlabel="sensitivity", ylabel="PPV", xlim=(0, 1.01), ylim=(0, 1.02), title="precision-recall"
        )
        left.legend(loc="lower right", title="area (95%); dot: operating point", fontsize=9)
        right.legend(loc="lower left", title="average precision (95%); dots: prevalence", fontsize=9)


def reliability(kinds: Mapping[str, tuple[Sequence[Bin], Figure]], title: str, path: Path) -> None:
    """How often a call is right against how sure the classifier was, and how many cells are how sure.

    Parameters
    ----------
    kinds : what is judged ('likeliest class') -> bins and calibration error, a column each.
    """
    ratios = {"height_ratios": [3, 1]}
    with sheet(path, 2, len(kinds), (5.4 * len(kinds), 6.4), sharex=True, gridspec_kw=ratios) as (
        figure,
        axes,
    ):
        figure.suptitle(title)
        for (above, below), (name, (bins, error)) in zip(axes.T, kinds.items(), strict=True):
            x = [b.confidence for b in bins]
            above.plot([0, 1], [0, 1], ":", color="grey", lw=1)
            above.vlines(x, *zip(*(b.right.ends for b in bins), strict=True), color=PALE, lw=3)
            above.plot(x, [b.right.value for b in bins], "-", color=PALE, lw=1)
            sizes = [min(4 + 4 * b.cells, 120) for b in bins]  # a bin of few cells says little
            above.scatter(x, [b.right.value for b in bins], sizes, color=INK, ec="white", zorder=3)
            above.set(ylabel="share right", ylim=(-0.02, 1.02), title=f"{name}\ncalibration error {error}")
            widths = [b.high - b.low for b in bins]
            below.bar(
                [b.low for b in bins], [b.cells for b in bins], widths, align="edge", color=PALE, ec=INK
            )
            below.set(xlabel="probability", ylabel="cells", yscale="log", xlim=(0, 1))


def abstention(curve: Sequence[Undecided], at: tuple[float, float], title: str, path: Path) -> None:
    """Accuracy, sensitivity and specificity of the cells that are decided, over the share left undecided.

    Parameters
    ----------
    at : the operating point: share left undecided, and its confidence threshold.
    """
    shares = [100 * point.undecided for point in curve]
    with sheet(path, 1, 1, (7.5, 5)) as (_, ((axes,),)):
        for colour, name in zip(
            (INK, ALARM, "#3a8f6b"), ("accuracy", "sensitivity", "specificity"), strict=True
        ):
            figures = [getattr(point, name) for point in curve]
            if all(np.isnan(f.value) for f in figures):
                continue
            low, high = zip(*(f.ends for f in figures), strict=True)
            axes.fill_between(shares, low, high, color=colour, alpha=0.12, lw=0)
            axes.plot(shares, [f.value for f in figures], "o-", color=colour, ms=3, label=name)
        axes.axvline(100 * at[0], ls="--", color="grey", lw=1)
        axes.annotate(
            f"operating point\n{at[0]:.1%} undecided\n(confidence < {at[1]:.3g})", (100 * at[0], 0),
            xycoords=axes.get_xaxis_transform(), xytext=(6, 6), textcoords="offset points", fontsize=9,
            color="0.3",
        )  # fmt: skip
        axes.set(
            xlabel="cells left undecided, %", ylabel="of the cells decided", title=title, ylim=(None, 1.01)
        )
        axes.legend(loc="lower right")
        axes.grid(alpha=0.25)


def intervals(
    rows: Mapping[str, Mapping[str, Figure]], panels: Mapping[str, str], title: str, path: Path
) -> None:
    """Figures with their intervals, a row each and a panel a figure.

    Parameters
    ----------
    rows : row ('monocyte (132)') -> figure by name. panels : name of a figure -> what to call it.
    """
    size = (1.8 + 2.6 * len(panels), 1.4 + 0.34 * len(rows))
    with sheet(path, 1, len(panels), size, sharey=True) as (figure, (axes,)):
        figure.suptitle(title)
        for panel, (name, label) in zip(axes, panels.items(), strict=True):
            drawn = {i: r[name] for i, r in enumerate(rows.values()) if not np.isnan(r[name].value)}
            left, right = _extent(list(drawn.values()))
            for height, value in drawn.items():
                low, high = value.ends
                panel.plot([low, high], [height, height], color=PALE, lw=5, solid_capstyle="butt")
                panel.plot(value.value, height, "o", color=INK, ms=5)
                side = -1 if value.value > (left + right) / 2 else 1
                end = low if side < 0 else high
                panel.annotate(
                    f"{value.value:.3f}", (end, height), xytext=(5 * side, 0), textcoords="offset points",
                    ha="right" if side < 0 else "left", va="center", fontsize=8, color="0.3",
                )  # fmt: skip
            panel.set(xlim=(left, right), title=label)
            panel.set_yticks(range(len(rows)), list(rows))
            panel.set_ylim(len(rows) - 0.5, -0.5)
            panel.grid(axis="x", alpha=0.25)


def _extent(figures: Sequence[Figure]) -> tuple[float, float]:
    """An axis that shows shares well: all of it, its upper half, or where small ones lie."""
    if not figures:
        return 0.0, 1.02
    low, high = min(f.ends[0] for f in figures), max(f.ends[1] for f in figures)
    if high < 0.35:
        return 0.0, max(1.6 * high, 0.05)
    return (0.5, 1.01) if low > 0.7 else (0.0, 1.02)


def _cycled(count: int) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(count)]
