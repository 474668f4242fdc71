"""What published systems and ours cost: parameters, milliseconds a cell or field, megabytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from asking import asked
from away import SHIPPED, Ours

from edge.bundle import bundle
from edge.cells.classify import Classifier
from edge.cells.detector import Detector
from edge.optics.specimen import Specimen
from edge.types import F32, U8, LeukoscopeError
from export.bundle.bundle import Options, build
from train.data.cut import cut
from train.data.dataset import Notice
from train.fitting.fit import settings_of
from train.judging import speed
from train.judging.contestants import Contestant, contestant
from train.judging.speed import CELLS, Classifies
from train.published.detection.boxes import scenes
from train.published.detection.settings import LEUKOCYTE

ON_FIELDS = f"{SHIPPED}, a field"
ROUNDS = 15


@dataclass(frozen=True)
class Cost:
    """What one system costs.

    Attributes
    ----------
    per : 'cell' or 'field'. size_px : side of what the model is shown, 0 where that is any field.
    parameters : numbers learned. bundle_mb : of the exported bundle, or of a classical model's file, MB of
        10^6 bytes.
    """

    per: str
    size_px: int
    parameters: int
    bundle_mb: float


@dataclass(frozen=True, eq=False)
class OnFields:
    """Whatever finds cells, as something to time: an answer a field."""

    find: Callable[[Specimen], object]
    views: tuple[Specimen, ...]

    def probabilities(self, crops: U8) -> F32:
        """Nothing worth knowing: it reads its own fields, as many as there are crops."""
        for view in self.views[: len(crops)]:
            self.find(view)
        return np.zeros((len(crops), 0), np.float32)


Timed = tuple[Cost, Classifies, U8]


def costs(runs: Mapping[str, Path], ours: Ours, rounds: int = ROUNDS) -> dict[str, dict[str, Any]]:
    """Name -> cost of finished runs and of the shipped bundle, all taking turns on one thread.

    Parameters
    ----------
    runs : their bundles are kept beside them.
    """
    with ExitStack() as held:
        found = {SHIPPED: _of_cells(bundle.load().path, ours.model(SHIPPED), "deepapl", ours)}
        found[ON_FIELDS] = _ours_on_fields(found[SHIPPED][0], ours)
        for name, run in runs.items():
            ours.say(f"costs: {name}")
            try:
                found[name] = _of_run(name, run, ours, held)
            except LeukoscopeError as error:  # a network that learned too little passes no export
                ours.say(f"{name}: without costs, {error}")
        models, crops = [timed[1] for timed in found.values()], [timed[2] for timed in found.values()]
        times = dict(zip(found, speed.per_cell(models, crops, rounds=rounds), strict=True))
    base = {"cell": times[SHIPPED], "field": times[ON_FIELDS]}
    return {
        name: {**vars(cost), "ms": times[name], "times_ours": times[name] / base[cost.per]}
        for name, (cost, _, _) in found.items()
    }


def _of_run(name: str, run: Path, ours: Ours, held: ExitStack) -> Timed:
    recipe, _ = settings_of(run)
    shown = next(iter(recipe.shares)).partition("@")[0]
    if recipe.method != "network":
        model = contestant(run)
        return _of_cells(run / "model.npz", model, shown, ours)
    path = _bundle(name, run, ours.say)
    if recipe.task == "detector":
        return _detector(path, run, ours, held)
    model, opened = contestant(run), bundle.load(path, allow_unsigned=True, large=True)
    classifier = held.enter_context(closing(Classifier(opened)))
    cost, _, crops = _of_cells(path, model, shown, ours)
    return cost, classifier, crops


def _bundle(name: str, run: Path, say: Notice) -> Path:
    """The run's bundle, built if it is not there."""
    path = run.parent / f"{name}.bundle"
    if not path.is_file():
        path.write_bytes(build(run, Options(large=True, even_so=True), notice=say).content)
    return path


def _of_cells(path: Path, model: Contestant, shown: str, ours: Ours) -> Timed:
    """A model on cells or fields of a data set, at its own look; `path` is of the file it comes in."""
    about = asked(shown, ours.data, ("train", "validation"), model.classes, ours.say, most=CELLS)
    crops = np.concatenate([cut(picture, model.model_input) for picture in about.pictures])
    unit = "field" if model.model_input.whole else "cell"
    return Cost(unit, model.model_input.size_px, model.parameters, path.stat().st_size / 1e6), model, crops


def _views(pitch_um: float, ours: Ours) -> tuple[Specimen, ...]:
    listed = scenes("bccd", ours.data, "validation", (LEUKOCYTE,), pitch_um, ours.say, CELLS)
    return tuple(scene.view for scene in listed)


def _fields(cost: Cost, find: Callable[[Specimen], object], views: tuple[Specimen, ...]) -> Timed:
    return cost, OnFields(find, views), np.zeros((len(views), 1, 1, 3), np.uint8)


def _detector(path: Path, run: Path, ours: Ours, held: ExitStack) -> Timed:
    opened = bundle.load(path, allow_unsigned=True)
    detector = Detector.of(opened.graph(), opened.manifest.thresholds.confidence)
    held.callback(detector.close)
    learned = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["parameters"]
    cost = Cost("field", 0, learned, path.stat().st_size / 1e6)
    return _fields(cost, detector.finds, _views(opened.manifest.pitch_um, ours))


def _ours_on_fields(cost: Cost, ours: Ours) -> Timed:
    """Cells found, cut and named in a field, by the shipped bundle."""
    model, (find, _) = ours.model(SHIPPED), ours.line()

    def read(view: Specimen) -> object:
        return model.probabilities(model.model_input.of(view, find(view).centres, view.pixels))

    return _fields(replace(cost, per="field", size_px=0), read, _views(model.model_input.pitch_um, ours))
