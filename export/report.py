"""What export prints and writes down for whoever exports: one line a precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from export.bundle.bundle import Built


def of_bundle(built: Built) -> Iterator[str]:
    """A line for each precision: what it loses, whether it may be used, how fast it is here."""
    times = built.milliseconds
    for variant, found in built.precisions.figures.items():
        verdict = "usable" if found["usable"] else "not usable"
        if "sensitivity" not in found:
            yield f"{variant}: {verdict}, {found['why']}"
            continue
        line = (
            f"{variant}: {verdict}, {found['why']}; on {found['cells']} cells sensitivity "
            f"{found['sensitivity_change']:+.4f}, ROC area {found['roc_area_change']:+.4f}, worst recall "
            f"{found['worst_recall_change']:+.4f} ({found['worst_recall_class']}), in floating point: "
            f"{', '.join(found['float_layers']) or 'no layer'}"
        )
        if variant in times:
            line += f", {times['ort-fp32'] / times[variant]:.2f} x as fast as FP32 here"
        yield line


def as_json(built: Built) -> dict[str, Any]:
    """Everything that was measured, speeds of this machine included."""
    return {
        "precisions": dict(built.precisions.figures),
        "measured": dict(built.precisions.measured),
        "milliseconds_per_cell": dict(built.milliseconds),
        "bytes": {variant: len(graph) for variant, graph in built.precisions.graphs.items()},
        "bundle_bytes": len(built.content),
    }
