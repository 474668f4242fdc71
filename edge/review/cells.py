"""The cells of a slide as a reviewer is shown them, and what their slide's finding reckons with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.bundle.manifest import FindingRule
from edge.line.rules import Rules
from edge.line.weighing import fixed_sample_interval
from edge.records.database import RecordsError
from edge.records.rows import SUSPICIOUS, Row, tally_of
from edge.types import F32

_NO_LEUKOCYTES = ("erythroblast", "platelet", "smudge-cell", "artefact", "red-cell")
_HEALTHY = ("healthy", "benign")


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell of a slide, in the view in which it was counted, or first seen.

    Attributes
    ----------
    id : identity on the slide.
    named : class by the machine.
    probabilities : (C,) float32. suspicion : of the positive classes together. doubt : 1 - the largest.
    suspicious : a person should look at it: called positive, or not far from it.
    uncertain, cut : the machine abstained; the field's edge cuts it.
    counted : it is in the machine's differential. settled : it is in its tally, of whatever class.
    source, frame, um_per_px : of the field that shows it. box_px : the whole cell in it, x0, y0, x1, y1.
    """

    id: int
    named: str
    probabilities: F32
    suspicion: float
    doubt: float
    suspicious: bool
    uncertain: bool
    counted: bool
    settled: bool
    cut: bool
    area_um2: float
    nucleus_area_um2: float
    source: str
    frame: int
    box_px: tuple[int, int, int, int]
    um_per_px: float


def cells_of(views: list[Row], rules: Rules) -> list[Cell]:
    """The cells that these rows of `edge.records.views.Views.views` show, in their order."""
    if not views:
        return []
    probabilities = np.stack([view["probabilities"] for view in views])
    columns = [rules.classes.index(name) for name in rules.positive]
    suspicions = probabilities[:, columns].sum(axis=1).tolist()
    doubts = (1 - probabilities.max(axis=1)).tolist()
    return [
        Cell(
            id=view["cell"],
            named=view["class"],
            probabilities=view["probabilities"],
            suspicion=suspicion,
            doubt=doubt,
            suspicious=view["class"] in rules.positive or suspicion >= SUSPICIOUS,
            uncertain=view["uncertain"],
            counted=view["counted"],
            settled=view["settled"],
            cut=view["cut"],
            area_um2=view["area_um2"],
            nucleus_area_um2=view["nucleus_area_um2"],
            source=view["source"],
            frame=view["frame"],
            box_px=(view["x0"], view["y0"], view["x1"], view["y1"]),
            um_per_px=view["um_per_px"],
        )
        for view, suspicion, doubt in zip(views, suspicions, doubts, strict=True)
    ]


def ranked(cells: Iterable[Cell], positives: Sequence[str]) -> list[Cell]:
    """In the order in which a person should look: called positive, the most suspicious, the most doubtful."""
    return sorted(cells, key=lambda cell: (cell.named not in positives, -cell.suspicion, -cell.doubt))


def rules_of(slide: Row) -> Rules:
    """What a slide's finding reckons with.

    Of slides written before that was kept only the classes are known: what their names mean, but not how
    often the model errs.

    Raises
    ------
    RecordsError : the records hold rules that this program does not understand.
    """
    try:
        if slide["rules"]:
            return Rules.of_record(slide["rules"])
    except ValueError as error:
        raise RecordsError(
            f"slide {slide['id']}: what its finding reckons with cannot be read ({error}); update the program"
        ) from None
    tally = slide["tally"] or {}
    classes = tuple(slide["classes"])
    leukocytes = tuple(name for name in classes if name not in _NO_LEUKOCYTES)
    blasts = tuple(name for name in leukocytes if "blast" in name)
    healthy = set(classes) & set(_HEALTHY)
    return Rules(
        classes=classes,
        leukocytes=leukocytes,
        positive=blasts or tuple(name for name in leukocytes if healthy and name not in healthy),
        unit=tally.get("unit", "leukocyte"),
        sign=tally.get("sign", "blast"),
        rule=FindingRule(
            refer_fraction=0.05, interval_level=0.95, rejected_fraction=0.5, source="kept with no slide then"
        ),
    )


def interval_at_end(slide: Row) -> tuple[float, float] | None:
    """The corrected fraction's interval of a slide that is screened no more, valid at one look; None without.

    See `edge.line.weighing.fixed_sample_interval`.
    """
    rules, tally = rules_of(slide), tally_of(slide["tally"])
    if rules.rates is None or slide["state"] == "under way" or tally is None or not tally.leukocytes:
        return None
    return fixed_sample_interval(tally, rules.rule, rules.rates)
