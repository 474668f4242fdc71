"""The bench's figures as a picture: stages, time against cells, cells per second by batch."""

from __future__ import annotations

from collections.abc import Mapping
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
    _stages(stack, figures["line"])
    _crowd(crowd, figures["cells"])
    _batches(batch, figures["classifier"])
    machine, runtime = figures["machine"], figures["runtime"]
    figure.suptitle(
        f"{machine['name']}, {machine['cores']} cores: {runtime['variant']}, {runtime['threads']} threads",
        fontsize=11,
    )
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise LeukoscopeError(f"--plot {path}: cannot be written ({error}); give a .png file") from None


def _stages(axes: Any, line: Mapping[str, Any]) -> None:
    left = 0.0
    for name, row in line["stages"].items():
        axes.barh([0], row["median_ms"], left=left, height=0.5, label=f"{name} {row['median_ms']:.1f}")
        left += row["median_ms"]
    axes.plot([line["p95_ms"]] * 2, [-0.25, 0.25], color="black")
    axes.text(line["p95_ms"], 0.3, "95%", ha="center")
    axes.set(
        title=f"a field with {line['cells_per_field']} cells: {line['median_ms']:.1f} ms (median)",
        xlabel="ms", yticks=[], xlim=(0, 1.1 * max(line["p95_ms"], left)), ylim=(-1.6, 0.6),
    )  # fmt: skip
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
