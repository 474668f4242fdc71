"""Plots of figures as PNG: the sheet they are drawn on, curves of a run, confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEW = 6  # epochs, whose points are drawn beside the lines
INK, ALARM, PALE = "#24425c", "#b3261e", "#9fb4c7"


@contextmanager
def sheet(path: Path, rows: int, columns: int, size: tuple[float, float], **settings: Any) -> Iterator[Any]:
    """A figure and its axes, a (rows, columns) array, saved when all is drawn."""
    from matplotlib.figure import Figure  # half a second that most commands can do without

    figure = Figure(figsize=size, layout="constrained")
    yield figure, figure.subplots(rows, columns, squeeze=False, **settings)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Loss and validation figures over the epochs."""
    with sheet(path, 1, 2, (10, 4)) as (_, ((left, right),)):
        epochs = range(1, len(history) + 1)
        dot = "o" if len(history) < _FEW else ""  # one epoch is a point, no line
        left.plot(epochs, [h["loss"] for h in history], color=INK, marker=dot)
        left.set(xlabel="epoch", ylabel="training loss")
        for name in (key for key in history[-1] if key != "loss"):
            values = [h.get(name, float("nan")) for h in history]
            right.plot(epochs, values, label=name.replace("_", " "), marker=dot)
        right.set(xlabel="epoch", ylabel="validation")
        for axes in (left, right):
            axes.xaxis.get_major_locator().set_params(integer=True)
        if len(history[-1]) > 1:
            right.legend(fontsize=8)


def confusion_matrix(table: NDArray[np.int64], names: Sequence[str], path: Path, title: str = "") -> None:
    """Counts, shaded by the share of the row; classes that no cell is of have no row."""
    present = np.flatnonzero(table.sum(axis=1))
    seen = table[present]
    shares = seen / seen.sum(axis=1, keepdims=True)
    labels = [f"{names[i]} ({table[i].sum()})" for i in present.tolist()]
    with sheet(path, 1, 1, (8.5, 2.2 + 0.45 * len(present))) as (_, ((axes,),)):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(present)), labels)
        axes.set(xlabel="called", ylabel="is (cells)", title=title)
        for row, column in zip(*np.nonzero(seen), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(seen[row, column]), ha="center", va="center", color=colour, fontsize=9)
