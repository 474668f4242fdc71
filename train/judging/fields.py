"""Leukocytes found in fields with boxes, by the device's own line.

Each field goes through the line as a slide of its own, its scale from its red cells; what the classifier
calls artefact is left out, and so is everything in a field that the quality checks reject. A find counts when
the centre of one found cell lies in a labelled box, one to one. What the field's edge cuts, labelled or
found, is neither asked for nor counted false.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.bundle import Bundle
from edge.line.engine import open_engine
from edge.line.pipeline import Line
from edge.machine.profile import load_profile
from edge.optics.scale import Scales
from edge.types import F32, I32, U8, Bools, CellsInFrame, Frame
from train.data.bar import followed
from train.data.dataset import DataError, DataSet, Notice, spread
from train.data.pictures import load_picture
from train.data.sets.fields import COMPLETE, FIELDS, Field, leukocytes
from train.judging import fieldpictures
from train.statistics.bootstrap import Figure, draw, plain
from train.statistics.metrics import ratio

ARTEFACT = "artefact"
_EDGE_PX = 2

Find = Callable[[U8, str], tuple[CellsInFrame, Bools]]
"""(H, W, 3) uint8 RGB of a field and its name -> its cells, and which of them count as leukocytes."""


@dataclass(frozen=True)
class Score:
    """What came of one field: labelled cells asked for, those found, and finds beyond them."""

    asked: int
    found: int
    beyond: int


@dataclass(frozen=True)
class Found:
    """What came of the fields of a data set.

    Attributes
    ----------
    part : of the data set. fields : how many. asked, found, beyond : of all fields; see `Score`.
    complete : whether every leukocyte is labelled; elsewhere precision and F1 are lower bounds.
    drawn_by : what the bootstrap draws.
    figures : recall, precision, f1, and beyond_per_field.
    """

    dataset: str
    part: str
    fields: int
    asked: int
    found: int
    beyond: int
    complete: bool
    drawn_by: str
    figures: Mapping[str, Figure]

    def as_json(self) -> dict[str, Any]:
        """For a file; a figure that does not exist is null."""
        return {name: plain(value) for name, value in vars(self).items() if name != "dataset"}

    def lines(self) -> Iterator[str]:
        """The same in words."""
        yield (
            f"{self.dataset}, {self.part}: {self.fields} fields through the line, "
            f"{self.asked} leukocytes asked for"
        )
        if not self.complete:
            yield "  not every leukocyte is labelled there: precision and F1 are lower bounds"
        for name, figure in self.figures.items():
            yield f"  {name.replace('_', ' '):<18}{figure}"


class WholeLine:
    """Fields through the line, each a slide of its own.

    Parameters
    ----------
    nominal : µm per pixel of fields without red cells. tell : takes a line about what computes.
    um_per_px : of all fields, or "auto" to measure each by its red cells.
    """

    live = False
    name, serial = "fields", ""

    def __init__(self, bundle: Bundle, nominal: float, tell: Notice, um_per_px: float | str = "auto") -> None:
        profile = load_profile()
        exact = replace(profile.runtime, kind="ort", precision="fp32")  # the same on every machine
        self._engine = open_engine(replace(profile, runtime=exact), bundle, None, tell)
        self._scales = Scales(asked=um_per_px, nominal=nominal, camera=self, independent=True)

    def __call__(self, pixels: U8, name: str) -> tuple[CellsInFrame, Bools]:
        line = Line(self._engine.classifier, self._scales.for_slide(), find=self._engine.find, mapped=False)
        reading = line.read(Frame(pixels, 0, name, datetime.now(UTC), time.monotonic()))
        classes = self._engine.bundle.manifest.classes
        cells = np.array([name != ARTEFACT for name in classes], np.bool_)
        return reading.cells, np.asarray(cells[reading.classes], np.bool_)

    def close(self) -> None:
        """Let go of the runtimes."""
        self._engine.close()


def evaluate(
    bundle: Bundle,
    sources: Sequence[DataSet],
    data: Path,
    *,
    split: str = "test",
    limit: int = 0,
    notice: Notice,
    pictures: Path | None = None,
) -> list[Found]:
    """How a bundle finds leukocytes in data sets that are fields with boxes: those of `FIELDS`.

    Parameters
    ----------
    split : part of the data sets, or "all". limit : at most so many fields of each; 0 takes all.
    pictures : folder for pictures of the fields with an error, in a folder for each data set.

    Raises
    ------
    DataError
        A data set has no field in that part.
    """
    results = []
    for source in sources:
        listed = [f for f in FIELDS[source.name](source.root(data), notice) if split in (f.split, "all")]
        if not listed:
            raise DataError(f"data set {source.name}: no field in part {split!r} of {data}")
        line = WholeLine(bundle, listed[0].um_per_px, notice)
        show = partial(fieldpictures.write, pictures / source.name, False) if pictures else None
        try:
            results.append(judge(line, source, spread(listed, limit), split, notice, show))
        finally:
            line.close()
    return results


Show = Callable[[Field, U8, CellsInFrame, Bools, Bools], object]


def judge(
    find: Find,
    source: DataSet,
    listed: Sequence[Field],
    part: str,
    notice: Notice,
    show: Show | None = None,
) -> Found:
    """Put fields to whatever finds cells.

    Parameters
    ----------
    show : is given each field, its pixels and cells, which labels were found, and which finds are true.

    Raises
    ------
    DataError : no field can be read.
    """
    groups, scores = [], []
    bar = followed(listed, source.name, "field", leave=False)
    for field in bar:
        try:
            pixels = load_picture(field.path)
        except DataError as error:
            notice(str(error))
            continue
        cells, kept = find(pixels, field.path.name)
        result, found, true = score(leukocytes(field), pixels.shape[:2], cells, kept)
        groups.append(field.group)
        scores.append(result)
        if show is not None:
            show(field, pixels, cells, found, true)
    if not scores:
        raise DataError(f"data set {source.name}: no readable field in part {part!r}")
    table = np.array([(s.asked, s.found, s.beyond, 1) for s in scores], float)
    asked, true_, beyond, fields = draw(groups).sums(table).T
    figures = {
        "recall": ratio(true_, asked),
        "precision": ratio(true_, true_ + beyond),
        "f1": ratio(2 * true_, true_ + beyond + asked),
        "beyond_per_field": beyond / fields,
    }
    return Found(
        dataset=source.name,
        part=part,
        fields=len(scores),
        asked=int(asked[0]),
        found=int(true_[0]),
        beyond=int(beyond[0]),
        complete=source.name in COMPLETE,
        drawn_by=source.groups,
        figures={name: Figure.of(values) for name, values in figures.items()},
    )


def score(
    boxes: F32, size: tuple[int, int], cells: CellsInFrame, kept: Bools | None = None
) -> tuple[Score, Bools, Bools]:
    """Match finds (those `kept`) to labels one to one; what is not kept is neither true nor false.

    Parameters
    ----------
    boxes : (n, 4) xyxy in pixels. size : height and width of the field.

    Returns
    -------
    The score, which labels were found (or are cut), and which finds are true (or do not count).
    """
    left_out = np.zeros(len(cells), np.bool_) if kept is None else ~kept
    labelled_cut = _at_edge(boxes, size)
    inside = _inside(boxes, cells.centres_px) & ~left_out
    found = np.zeros(len(boxes), np.bool_)
    true = np.zeros(len(cells), np.bool_)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    for i in np.argsort(labelled_cut, kind="stable"):
        candidates = np.flatnonzero(inside[i] & ~true)
        if len(candidates):
            distance = np.linalg.norm(cells.centres_px[candidates] - middle[i], axis=1)
            found[i] = True
            true[candidates[np.argmin(distance)]] = True
    false = np.asarray(~true & ~left_out & ~cells.cut & ~_at_edge(cells.boxes_px, size), np.bool_)
    result = Score(int((~labelled_cut).sum()), int((found & ~labelled_cut).sum()), int(false.sum()))
    return result, found | labelled_cut, ~false


def _inside(boxes: F32, centres: F32) -> Bools:
    x, y = centres[None, :, 0], centres[None, :, 1]
    x0, y0, x1, y1 = (boxes[:, i, None] for i in range(4))
    inside: Bools = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    return inside


def _at_edge(boxes: F32 | I32, size: tuple[int, int]) -> Bools:
    low, high = boxes[:, :2] <= _EDGE_PX, boxes[:, 2:] >= np.array(size[::-1]) - _EDGE_PX
    return np.asarray(np.concatenate([low, high], axis=1).any(axis=1), np.bool_)
