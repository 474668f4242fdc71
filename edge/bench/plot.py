"""The bench's figures as a picture: stages, time against cells, cells per second by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.types import LeukoscopeError

_FRAME_MS = 1000 / 30
"""Between two pictures of a camera with 30 frames per second."""


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Draw `figures` into a picture file. Raises LeukoscopeError when it cannot be written."""
    from matplotlib.figure import Figure  # nothing else of the device needs it

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    stack, crowd, batch = figure.subplots(1, 3)
    _stages(stack, figures["lines"])
    _crowd(crowd, figures["cells"])
    _batches(batch, figures["classifier"])
    machine, runtime = figures["machine"], figures["runtime"]
    told = [f"{machine['cores']} cores", machine["instructions"]]
    figure.suptitle(
        f"{machine['name']}, {', '.join(filter(None, told))}: "
        f"{runtime['variant']}, {runtime['threads']} threads",
        fontsize=11,
    )
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise LeukoscopeError(f"--plot {path}: cannot be written ({error}); give a .png file") from None


def _stages(axes: Any, lines: Sequence[Mapping[str, Any]]) -> None:
    rows = np.arange(len(lines))
    left = np.zeros(len(lines))
    for name in lines[0]["stages"]:
        ms = np.array([line["stages"][name]["median_ms"] for line in lines])
        axes.barh(rows, ms, left=left, height=0.5, label=name)
        left += ms
    for row, line in enumerate(lines):
        axes.plot([line["p95_ms"]] * 2, [row - 0.25, row + 0.25], color="black")
        axes.text(line["p95_ms"], row + 0.28, "95%", ha="center", fontsize=8)
    told = [f"{line['field']}\n{line['cells_per_field']} cells\n{line['median_ms']:.1f} ms" for line in lines]
    axes.set_yticks(rows, told)
    axes.set(
        title="a field, by stage (medians)",
        xlabel="ms",
        xlim=(0, 1.1 * max(left.max(), *(line["p95_ms"] for line in lines))),
        ylim=(-2.4, len(lines) - 0.4),
    )
    axes.legend(loc="lower center", ncols=2, frameon=False)


def _crowd(axes: Any, cells: Mapping[str, Any]) -> None:
    x = np.array([field["cells"] for field in cells["fields"]])
    y = np.array([field["ms"] for field in cells["fields"]])
    ends = np.array([0, x.max()])
    axes.scatter(x, y, s=18)
    axes.plot(ends, cells["base_ms"] + cells["ms_per_cell"] * ends, linewidth=1)
    axes.axhline(_FRAME_MS, color="grey", linewidth=0.8, linestyle=":")
    axes.text(x.max(), _FRAME_MS, "30 fields/s", color="grey", ha="right", va="bottom")
    axes.set(
        title=f"a further cell: {cells['ms_per_cell']:.2f} ms",
        xlabel="cells in a field", ylabel="ms a field", ylim=(0, 1.1 * max(y.max(), _FRAME_MS)),
    )  # fmt: skip


def _batches(axes: Any, rows: Any) -> None:
    n = [row["batch"] for row in rows]
    axes.plot(n, [row["cells_per_s"] for row in rows], marker="o")
    axes.set_xscale("log", base=2)
    axes.set_xticks(n, [str(batch) for batch in n])
    axes.set(title="classifier", xlabel="cells at once", ylabel="cells/s")
    axes.set_ylim(bottom=0)
