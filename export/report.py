"""What export prints and writes down for whoever exports: one line a precision, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from export.bundle.bundle import Built
from export.compare import Comparison


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


def of_comparison(found: Comparison) -> list[str]:
    """Two columns, a row a figure."""
    a, b = found.sides
    rows: list[Sequence[str]] = [("", "A", "B", "B - A")]
    for name in a.figures:
        change = b.figures[name] - a.figures[name]
        rows.append(
            (name.replace("_", " "), f"{a.figures[name]:.4f}", f"{b.figures[name]:.4f}", f"{change:+.4f}")
        )
    ratio = a.milliseconds / b.milliseconds
    rows.append(("ms a cell", f"{a.milliseconds:.3f}", f"{b.milliseconds:.3f}", f"{ratio:.2f} x as fast"))
    rows.append(("MB", f"{a.bytes / 1e6:.2f}", f"{b.bytes / 1e6:.2f}", f"{(b.bytes - a.bytes) / 1e6:+.2f}"))
    return [
        f"A: {a.bundle}, {a.variant}",
        f"B: {b.bundle}, {b.variant}",
        f"{found.cells} cells, {found.data}",
        *(f"{name:<18}{one:>10}{other:>10}  {change:>14}".rstrip() for name, one, other, change in rows),
        f"same class: {found.agreement:.2%}; probabilities differ by {found.largest_difference:.4f} at most, "
        f"{found.mean_difference:.5f} on average",
    ]
