"""What a bundle says of itself: `manifest.json`, read strictly, every field's type and range checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.bundle import caveats
from edge.bundle.apl import AplTable
from edge.bundle.archive import is_member_name
from edge.bundle.model_input import ModelInput
from edge.bundle.operation import ErrorRates
from edge.bundle.references import References
from edge.files import strictjson
from edge.files.strictjson import Table, shown

FORMAT = 2
"""Version of the bundle's layout. A bundle of any other format is refused, never guessed at."""

TASKS = {"cell": "classifier", "field": "classifier", "detector": "detector"}
"""What a model does -> what the manifest calls its graph: it names a cell in the middle of a crop, names a
whole field, or finds and names the cells of a field."""

VARIANTS = ("ort-fp32", "ort-int8", "trt-fp32", "trt-fp16", "trt-int8")
"""Runtime and precision, as the records show them."""

INTERPOLATION = "box-linear"
"""How `edge.optics.specimen.resample` shrinks: whole boxes averaged, the rest interpolated."""

SCALE = "red-cells"
"""What the scale of training pictures was measured from; `edge.optics.scale` measures it the same way."""

SPECIMENS = ("blood", "marrow")
"""What a slide may be a smear of."""

_SHA256 = re.compile("[0-9a-f]{64}")

_CELLS_FOUND_HERE = "brings a network that finds cells, which is not used: cells are found the classical way"


@dataclass(frozen=True)
class Thresholds:
    """The operating point, chosen on validation patients.

    Attributes
    ----------
    positive : a cell is positive, and counted so, when the positive classes together reach this probability.
    confidence : any other cell is uncertain when its likeliest class stays below this probability; of a
        detector, the least confidence of a find.
    certain : a positive cell is beyond doubt from this probability on.
    """

    positive: float
    confidence: float
    certain: float


@dataclass(frozen=True)
class FindingRule:
    """When a slide is referred, and when scanning may stop. See `edge.line.finding`.

    A manifest gives the first four; what it leaves out of the others is as here.

    Attributes
    ----------
    refer_fraction : blasts among leukocytes above which a slide is referred.
    interval_level : confidence level of the intervals.
    rejected_fraction : share of rejected frames above which a slide is not readable.
    source : where these figures come from.
    alpha : chance at most that a slide is called positive by evidence, or negative, and is not.
    missed_fraction : the lowest share of blasts that must not be missed.
    least_cells, least_cells_with_candidates : no negative before so many leukocytes; the second where any
        was called positive.
    least_positives : no positive by the machine's word from fewer positive cells.
    confirmed_cells : blasts confirmed by people that are enough to have the film read.
    confirmed_fraction : share of confirmed blasts from which a slide is referred.
    reader_sensitivity, reader_specificity : of a person who is shown a cell.
    """

    refer_fraction: float
    interval_level: float
    rejected_fraction: float
    source: str
    alpha: float = 0.01
    missed_fraction: float = 0.05
    least_cells: int = 200
    least_cells_with_candidates: int = 400
    least_positives: int = 3
    confirmed_cells: int = 2
    confirmed_fraction: float = 0.2
    reader_sensitivity: float = 0.95
    reader_specificity: float = 0.999

    @classmethod
    def of(cls, table: Table) -> FindingRule:
        """What such an object of JSON says; ValueError names the field that is wrong."""
        given: dict[str, Any] = {
            name: table.number(name, 0.0001, 0.9999) for name in _SHARES if name in table
        }
        given |= {name: table.whole(name, 1, 100_000) for name in _COUNTS if name in table}
        for name in ("refer_fraction", "interval_level", "rejected_fraction"):
            given[name] = table.number(name, 0.001, 0.9999)
        return cls(**given, source=table.text("source", longest=2000))


_COUNTS = ("least_cells", "least_cells_with_candidates", "least_positives", "confirmed_cells")
_SHARES = ("alpha", "missed_fraction", "confirmed_fraction", "reader_sensitivity", "reader_specificity")


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    Attributes
    ----------
    task : one of `TASKS`.
    classes : names in the order of the graph's output.
    leukocytes : those of them that are counted: the denominator of the differential, or all kinds of field.
    positive : those of the counted ones that a referral is about (blasts); a detector may know none.
    model_input : what the model is shown; see `edge.bundle.model_input.ModelInput`. Of a detector: what a
    cell is shown as.
    um_per_px : scale of pictures like those it learned from, for files that show no red cell to measure it
        by; None where it makes no difference.
    graphs : variant ('ort-int8') -> member name of the model's graph.
    second_look : from what probability of the positive classes on a cell is looked at in four poses; see
        `edge.cells.secondlook`. None for never.
    usable : variants that may be used: FP32, and those that passed the gate of the export.
    operation : what the model errs elsewhere; None where nobody left a laboratory out to see.
    familiar : feature of a slide -> lowest and highest that the model's training laboratories show; see
        `edge.line.likeness`.
    specimens : what it is made for, of `SPECIMENS`; empty where nobody says.
    apl : how its features tell APL from other leukemias; None where it says nothing of that.
    references : cells to hold others against, None without any; `edge.bundle.bundle.Bundle.references`.
    caveats : what must stay in sight of a model that is used all the same, a short text each.
    fp32 : sha256 of the graph in full precision without its metadata; of its file where nobody says.
    files : member -> sha256.
    everything : the manifest as it stands in the file, for what is shown but not acted on.
    """

    name: str
    version: str
    classes: tuple[str, ...]
    leukocytes: tuple[str, ...]
    positive: tuple[str, ...]
    task: str
    model_input: ModelInput
    um_per_px: float | None
    graphs: Mapping[str, str]
    usable: frozenset[str]
    thresholds: Thresholds
    second_look: float | None
    finding: FindingRule
    operation: ErrorRates | None
    familiar: Mapping[str, tuple[float, float]]
    specimens: tuple[str, ...]
    apl: AplTable | None
    references: References | None
    caveats: tuple[str, ...]
    fp32: str
    files: Mapping[str, str]
    everything: Mapping[str, Any]

    @property
    def pitch_um(self) -> float:
        return self.model_input.pitch_um

    @property
    def size_px(self) -> int:
        return self.model_input.size_px

    @property
    def network(self) -> str:
        """What a site's figures are about: the graph in full precision, and from where on it says blast."""
        return f"{self.fp32}@{self.thresholds.positive:g}"

    @property
    def unit(self) -> str:
        """What is counted."""
        return "field" if self.task == "field" else "leukocyte"

    @property
    def sign(self) -> str:
        """What one of the positive classes is called; empty where there is none."""
        if not self.positive:
            return ""
        if self.positive == ("blast",):
            return "blast"
        return f"positive {self.unit}"

    @property
    def positive_indices(self) -> tuple[int, ...]:
        return tuple(self.classes.index(name) for name in self.positive)


def read(content: bytes) -> Manifest:
    """The manifest that these bytes of JSON hold.

    Raises
    ------
    ValueError : not JSON, another format, a field is missing, of the wrong type or out of range. Names the
        field, its value and what it must be.
    """
    top = strictjson.read(content)
    if "format" in top and (found := top.whole("format", 0)) != FORMAT:
        raise ValueError(
            f"format {found} is newer than this program reads ({FORMAT}); update the program"
            if found > FORMAT
            else f"format {found} is older than this program reads ({FORMAT}); get the bundle made anew"
        )
    top.only("format", FORMAT)
    task = top.text("task")
    if task not in TASKS:
        raise ValueError(f"task is {shown(task)}; it must be one of {', '.join(TASKS)}")
    classes = top.names("classes")
    leukocytes = top.names("leukocytes", among=classes)
    positive = top.names("positive", among=leukocytes, empty=task == "detector")
    if set(positive) == set(classes):
        raise ValueError("positive names every class; a cell must be able to be something else")
    given = top.table("input")
    model_input = _look(given, whole=task == "field")
    files = {name: _sha256(name, value) for name, value in top.table("files").values.items()}
    graphs = _graphs(top.table("graphs"), TASKS[task], files)
    for key in ("calibration", "training", "metrics"):
        if key in top:
            top.table(key)
    if "licence" in top:
        top.text("licence")
    return Manifest(
        name=top.text("name"),
        version=top.text("version"),
        classes=classes,
        leukocytes=leukocytes,
        positive=positive,
        task=task,
        model_input=model_input,
        um_per_px=given.number("um_per_px", 0.01, 10) if "um_per_px" in given else None,
        graphs=graphs,
        usable=_usable(top.table("precisions"), graphs),
        thresholds=_thresholds(top.table("thresholds")),
        second_look=top.number("second_look", 0, 1) if "second_look" in top else None,
        finding=FindingRule.of(top.table("finding")),
        operation=ErrorRates.of(top.table("operation")) if "operation" in top else None,
        familiar=_familiar(top.table("familiar")) if "familiar" in top else {},
        specimens=top.names("specimen", among=SPECIMENS) if "specimen" in top else (),
        apl=AplTable.of(top.table("apl"), classes) if "apl" in top else None,
        references=References.of(top.table("references"), classes, files) if "references" in top else None,
        caveats=_caveats(top),
        fp32=_digest("network", top.text("network")) if "network" in top else files[graphs["ort-fp32"]],
        files=files,
        everything=top.values,
    )


def _look(table: Table, *, whole: bool) -> ModelInput:
    pitch, size = table.number("pitch_um", 0.01, 10), table.whole("size_px", 8, 1024)
    cut = table.whole("cut_px", 8, 1024) if "cut_px" in table else size
    if not whole:
        crop = table.number("crop_um", 0.1, 10_000)
        if abs(crop - pitch * cut) > 0.01 * crop:
            raise ValueError(f"input.crop_um is {crop:g}; {cut} px at {pitch:g} µm make {pitch * cut:g}")
    table.only("interpolation", INTERPOLATION)
    table.only("scale", SCALE)
    try:
        model_input = ModelInput(pitch, cut, table.names("steps", empty=True), whole)
    except ValueError as error:
        raise ValueError(f"input.steps: {error}") from None
    if model_input.size_px != size:
        raise ValueError(f"input.size_px is {size}; the steps make {model_input.size_px} px of {cut}")
    return model_input


def _graphs(table: Table, of: str, files: Mapping[str, str]) -> dict[str, str]:
    listed = table.table(of)
    graphs = {variant: listed.text(variant) for variant in listed.keys_among(VARIANTS)}
    if "ort-fp32" not in graphs:
        raise ValueError(f"graphs.{of} has no ort-fp32 graph")
    for variant, member in graphs.items():
        if member not in files:
            raise ValueError(f"graphs.{of}.{variant} is {shown(member)}, which files does not list")
    return graphs


def _usable(table: Table, graphs: Mapping[str, str]) -> frozenset[str]:
    """Variants that passed the gate, and FP32, which is what the gate compares with."""
    passed = set()
    for variant in table.keys_among(VARIANTS):
        figures = table.table(variant)
        figures.text("why", empty=True)
        for key in ("sensitivity_change", "roc_area_change", "worst_recall_change"):
            if key in figures:
                figures.number(key, -1, 1)
        if figures.flag("usable"):
            passed.add(variant)
    if stray := sorted(passed - set(graphs)):
        raise ValueError(f"precisions.{stray[0]}.usable is true, but graphs has no such graph")
    return frozenset(passed | {variant for variant in graphs if variant.endswith("-fp32")})


def _thresholds(table: Table) -> Thresholds:
    return Thresholds(**{name: table.number(name, 0, 1) for name in ("positive", "confidence", "certain")})


def _familiar(table: Table) -> dict[str, tuple[float, float]]:
    ranges = {}
    for name in table.values:
        low, high = table.numbers(name, 2, -1e6, 1e6)
        if low >= high:
            raise ValueError(f"familiar.{name} is from {low:g} to {high:g}; the lower end must come first")
        ranges[name] = low, high
    return ranges


def _caveats(table: Table) -> tuple[str, ...]:
    """Those that the manifest tells, and one of old bundles, which could bring a network that found cells."""
    told = caveats.read(table) if "caveats" in table else ()
    return (*told, _CELLS_FOUND_HERE) if "segmenter" in table.table("graphs") else told


def _sha256(member: str, value: Any) -> str:
    if not is_member_name(member):
        raise ValueError(f"files names {shown(member)}, which is no name of a member")
    return _digest(f"files.{member}", value)


def _digest(key: str, value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(f"{key} is {shown(value)}; it must be a sha256 of 64 hexadecimal digits")
    return value
