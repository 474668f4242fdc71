"""A detector's boxes against those of the shipped bundle, which finds cells and names them one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from away import SHIPPED, Ours

from edge.cells.detector import Finds
from edge.cells.segment import Segmenter
from train.data.classes import LEUKOCYTES
from train.data.dataset import Split
from train.judging.contestants import Contestant
from train.published.detection.boxes import Scene, scenes
from train.published.detection.evaluate import Evaluation, evaluate, judged
from train.published.detection.fit import detector_of
from train.published.detection.settings import LEUKOCYTE

HALF = 0.5
"""Of the probability: a cell is taken for a leukocyte where it more likely is one than not."""


def on_boxes(run: Path, name: str, split: Split, ours: Ours) -> tuple[Evaluation, Evaluation]:
    """A detector's figures on a data set, and those of the leukocytes that ours finds in the same fields."""
    detector, recipe = detector_of(run)
    pitch, data, limit, say = recipe.input.pitch_um, ours.data, ours.limit, ours.say
    theirs = evaluate(detector, recipe.classes, pitch, [name], data, split=split, limit=limit, notice=say)
    model, (find, _) = ours.model(SHIPPED), ours.line()
    listed = scenes(name, data, split, (LEUKOCYTE,), model.model_input.pitch_um, say, limit)
    found = [_found(model, find, scene) for scene in listed]
    return theirs, judged(found, listed, (LEUKOCYTE,), HALF, [name], split)


def _found(model: Contestant, find: Segmenter, scene: Scene) -> Finds:
    """Leukocytes of a field: segmented, cut and named; how likely one is there, the classifier says."""
    view = scene.view
    cells = find(view)
    said = model.probabilities(model.model_input.of(view, cells.centres, view.pixels))
    scores = said[:, np.isin(model.classes, LEUKOCYTES)].sum(axis=1).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return Finds(cells.boxes[order], scores[order], np.ones((len(order), 1), np.float32))
