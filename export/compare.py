"""Two bundles on the same held-out cells, each through the device's own code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier, decide
from edge.types import F32, I32, U8
from export.graph.graph import ExportError
from export.progress import bar
from train.data.dataset import DataError, Notice, Picture
from train.data.registry import dataset
from train.data.windows import cut
from train.judging import speed
from train.statistics.metrics import calibration_error, confusion, decisions, roc_area, two_sided


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes
    ----------
    bundle, variant : what ran. bytes : size of the bundle's file.
    milliseconds : a cell, the two taking turns, on one thread.
    figures : accuracy, sensitivity, specificity, ROC area, calibration error.
    """

    bundle: str
    variant: str
    bytes: int
    milliseconds: float
    figures: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """Both sides, and how far they agree.

    Attributes
    ----------
    cells, data : what they were asked. agreement : share of cells that both call the same.
    largest_difference, mean_difference : of a probability.
    """

    sides: tuple[Side, Side]
    cells: int
    data: str
    agreement: float
    largest_difference: float
    mean_difference: float

    def as_json(self) -> dict[str, Any]:
        """For a file; NaN as null."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            if isinstance(value, list | tuple):
                return [plain(v) for v in value]
            return (None if np.isnan(value) else round(value, 5)) if isinstance(value, float) else value

        found = plain(asdict(self))
        assert isinstance(found, dict)
        return found


def compare(
    bundles: tuple[Bundle, Bundle],
    data: Path,
    variants: tuple[str, str],
    notice: Notice,
    *,
    datasets: tuple[str, ...] = (),
    limit: int = 0,
) -> Comparison:
    """Ask both about the validation cells of data sets.

    Parameters
    ----------
    datasets : names; none takes those that the first bundle's operating point was chosen on.
    limit : at most so many pictures of each; 0 takes all.

    Raises
    ------
    ExportError : the two do not name the same classes. DataError : nothing readable.
    """
    classes = bundles[0].manifest.classes
    if bundles[1].manifest.classes != classes:
        raise ExportError(
            f"bundle {bundles[1].path}: names other classes than {bundles[0].path}; not comparable"
        )
    names = datasets or _datasets(bundles[0])
    first, second, truth = _cells(bundles, names, data, notice, limit)
    answers, times = _asked(bundles, variants, (first, second))
    sides = [
        Side(str(b.path), v, b.path.stat().st_size, ms, _figures(b, answer, truth))
        for b, v, ms, answer in zip(bundles, variants, times, answers, strict=True)
    ]
    called = [decide(answer, b.manifest).classes for b, answer in zip(bundles, answers, strict=True)]
    apart = np.abs(answers[0] - answers[1])
    return Comparison(
        sides=(sides[0], sides[1]),
        cells=len(truth),
        data=f"validation part of {', '.join(names)}",
        agreement=float((called[0] == called[1]).mean()),
        largest_difference=float(apart.max()),
        mean_difference=float(apart.mean()),
    )


def _asked(
    bundles: tuple[Bundle, Bundle], variants: tuple[str, str], crops: tuple[U8, U8]
) -> tuple[list[F32], list[float]]:
    """What both answer, and milliseconds a cell."""
    classifiers = [Classifier(b, variant=v) for b, v in zip(bundles, variants, strict=True)]
    answers = [c.probabilities(some) for c, some in zip(classifiers, crops, strict=True)]
    times = speed.per_cell(classifiers, crops)
    for classifier in classifiers:
        classifier.close()
    return answers, times


def _datasets(bundle: Bundle) -> tuple[str, ...]:
    """The data sets that a bundle's thresholds were chosen on, as its manifest tells."""
    try:
        recipe = bundle.manifest.everything["training"]["recipe"]
        return tuple(recipe["operation"]["datasets"] or recipe["shares"])
    except (KeyError, TypeError):
        raise ExportError(
            f"bundle {bundle.path}: does not tell what its thresholds were chosen on; name it with --dataset"
        ) from None


def _cells(
    bundles: tuple[Bundle, Bundle], names: tuple[str, ...], data: Path, notice: Notice, limit: int
) -> tuple[U8, U8, I32]:
    """The same cells as each bundle wants to see them, and the index of their class."""
    classes = bundles[0].manifest.classes
    looks = [b.manifest.model_input for b in bundles]
    crops: tuple[list[U8], list[U8]] = ([], [])
    truth: list[int] = []
    for name in names:
        source = dataset(name)
        pictures = [p for p in source.read(source.root(data), notice) if _wanted(p, classes)]
        if 0 < limit < len(pictures):
            pictures = [pictures[round(i)] for i in np.linspace(0, len(pictures) - 1, limit)]
        for picture in bar(pictures, name, "picture"):
            wanted = [i for i, spot in enumerate(picture.spots) if spot.label in classes]
            try:
                one = cut(picture, looks[0])[wanted]
                other = one if looks[0] == looks[1] else cut(picture, looks[1])[wanted]
            except DataError as error:
                notice(str(error))
                continue
            crops[0].append(one)
            crops[1].append(other)
            truth += [classes.index(picture.spots[i].label) for i in wanted]
    if not truth:
        raise DataError(f"data {data}: no readable validation cell of {', '.join(names)}")
    return np.concatenate(crops[0]), np.concatenate(crops[1]), np.asarray(truth, np.int32)


def _wanted(picture: Picture, classes: tuple[str, ...]) -> bool:
    return any(spot.split == "validation" and spot.label in classes for spot in picture.spots)


def _figures(bundle: Bundle, answer: F32, truth: I32) -> dict[str, float]:
    manifest = bundle.manifest
    columns = list(manifest.positive_indices)
    called = decide(answer, manifest).classes
    positive = np.isin(truth, columns)
    sides = two_sided(np.isin(called, columns), positive)
    return {
        "accuracy": decisions(confusion(truth, called, len(manifest.classes)))["accuracy"],
        "sensitivity": sides["sensitivity"],
        "specificity": sides["specificity"],
        "roc_area": roc_area(answer[:, columns].sum(axis=1), positive),
        "calibration_error": calibration_error(answer, truth),
    }
