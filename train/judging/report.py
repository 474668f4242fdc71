"""What `edge-train evaluate` and `edge-train compare` print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase

from train.judging.compare import SHOWN, Comparison, Side, Standing
from train.judging.evaluate import Evaluation, Part
from train.statistics.bootstrap import Figure

_BY_DATASET = ("roc_area", "sensitivity", "specificity", "accuracy_differential", "calibration_error")
_BY_CLASS = ("recall", "precision", "f1", "abstained", "roc_area")


def of_evaluation(found: Evaluation) -> Iterator[str]:
    """Lines: overall figures, by class, false calls, by data set, confusion matrix."""
    model, whole = found.model, found.whole
    positive = ", ".join(model.positive)
    yield (
        f"{model.name} {model.version} on {found.dataset}, {found.split}: "
        f"{sum(whole.cells.values())} cells in {whole.groups} groups"
    )
    yield f"intervals: 95%, bootstrap by {found.drawn_by}; positive: {positive}"
    yield (
        f"the classifier abstains on {whole.abstained:.1%}, which are not counted; the second column takes "
        "them in, as if they were called; areas and calibration are of all cells"
    )
    for name, figure in whole.figures.items():
        every = whole.every.get(name)
        yield f"  {_words(name):<30}{_shown(figure):<26}{_shown(every) if every else ''}".rstrip()
    yield ""
    yield from _classes(whole)
    yield ""
    yield from _false_calls(whole, positive)
    if len(found.parts) > 1:
        yield ""
        yield from _datasets(found.parts)
    yield ""
    yield from _confusion(whole, model.classes)


def _classes(part: Part) -> Iterator[str]:
    yield "by class:" + " " * 14 + "cells  " + "".join(f"{_words(name):<24}" for name in _BY_CLASS).rstrip()
    for name, figures in part.classes.items():
        row = "".join(f"{_shown(figures[key]):<24}" for key in _BY_CLASS)
        yield f"  {name:<21}{part.cells[name]:>5}  {row}".rstrip()


def _false_calls(part: Part, positive: str) -> Iterator[str]:
    yield f"other cells counted as {positive}:"
    for name, share in part.called_positive.items():
        yield f"  {name:<30}{_shown(share)}"


def _datasets(parts: Mapping[str, Part]) -> Iterator[str]:
    head = "".join(f"{_words(name):<24}" for name in _BY_DATASET).rstrip()
    yield "by data set:" + " " * 11 + "cells  abstained  " + head
    for name, part in parts.items():
        row = "".join(f"{_shown(part.figures[key]):<24}" for key in _BY_DATASET)
        yield f"  {name:<21}{sum(part.cells.values()):>5}  {part.abstained:>9.1%}  {row}".rstrip()


def _confusion(part: Part, names: Sequence[str]) -> Iterator[str]:
    yield "confusion of the cells counted, a row for what the cell is; last, those on which it abstains:"
    width = max(len(name) for name in names)
    yield " " * width + "".join(f" {name[:7]:>7}" for name in (*names, "abstains"))
    for name, row in zip(names, part.table.tolist(), strict=True):
        if name in part.cells:
            left = part.cells[name] - sum(row)
            yield f"{name:<{width}}" + "".join(f" {count:>7}" for count in (*row, left))


def of_comparison(found: Comparison) -> Iterator[str]:
    """Lines: a column a contestant, a row a figure, and below it the difference to the first."""
    letters = ascii_uppercase[: len(found.sides)] if len(found.sides) <= 26 else ""
    names = list(letters) or [str(i + 1) for i in range(len(found.sides))]
    for name, side in zip(names, found.sides, strict=True):
        yield f"{name}: {side.model.path}, {side.model.runtime}"
    sets = ", ".join(source.name for source in found.sources)
    yield (
        f"{found.cells} cells in {found.groups} groups of {sets}, {found.split}; 95% intervals by bootstrap; "
        "decisions are of the cells that each counts"
    )
    yield _row("", names)
    yield from _standings([side.whole for side in found.sides], names[0])
    if len(found.sides) > 1:
        agreements = [side.agreement for side in found.sides[1:]]
        yield _row(f"same class as {names[0]}", ["", *(f"{a.same_class:.4f}" for a in agreements)])
        spans = (f"{a.largest_difference:.4f} at most, {a.mean_difference:.5f}" for a in agreements)
        yield _row("  probabilities differ", ["", *spans])
    yield from _costs(found.sides)
    if len(found.sources) > 1:
        for source in found.sources:
            yield ""
            yield _row(source.name, names)
            yield from _standings([side.parts[source.name] for side in found.sides], names[0])


def _standings(standings: Sequence[Standing], first: str) -> Iterator[str]:
    for name in SHOWN:
        yield _row(_words(name), [_shown(s.figures[name]) for s in standings])
        if len(standings) > 1:
            yield _row(f"  minus {first}", ["", *(_shown(s.differences[name], "+") for s in standings[1:])])
    yield _row("abstained", [f"{s.abstained:.3f}" for s in standings])


def _costs(sides: Sequence[Side]) -> Iterator[str]:
    yield _row("parameters", [f"{side.model.parameters:,}" for side in sides])
    yield _row("ms a cell, one thread", [f"{side.milliseconds:.3f}" for side in sides])
    yield _row("MB, network", [f"{side.model.model_bytes / 1e6:.2f}" for side in sides])
    yield _row("MB, whole file", [f"{side.model.file_bytes / 1e6:.2f}" for side in sides])


def _row(name: str, values: Sequence[str]) -> str:
    return (f"{name:<24}" + "".join(f"{value:<27}" for value in values)).rstrip()


def _words(name: str) -> str:
    return name.replace("_", " ").replace("roc", "ROC").replace("pr area", "PR area").replace("f1", "F1")


def _shown(figure: Figure, sign: str = "") -> str:
    """A figure with its interval, in the width of a column."""
    if not sign:
        return str(figure)
    if figure.value != figure.value:
        return "-"
    return f"{figure.value:+.3f} ({figure.low:+.3f} to {figure.high:+.3f})"
