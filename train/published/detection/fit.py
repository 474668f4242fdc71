"""The task of finding the cells of fields: boxes → patches → maps, judged by average precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.cells.detector import Detector
from train.data.augment import varied
from train.data.dataset import Split
from train.fitting.fit import settings_of
from train.fitting.loop import finished, train
from train.fitting.task import Batch, NetworkTask, Plan, Run
from train.published.detection.boxes import Scene, scenes
from train.published.detection.evaluate import average_precisions, best_threshold, found_in, judged
from train.published.detection.matching import match
from train.published.detection.network import Answers, DetectionNetwork, loss_of
from train.published.detection.patches import batch
from train.published.detection.settings import CLASSES, DetectionError
from train.recipes.recipe import Recipe
from train.statistics.bootstrap import Draws

WATCHED = "mean_average_precision"
"""The validation figure that says which epoch is kept."""


class DetectorTask(NetworkTask):
    """A recipe's detector.

    Raises
    ------
    DetectionError : the recipe's classes have no boxes. FitError : there are several processes.
    """

    def __init__(self, recipe: Recipe, run: Run) -> None:
        if unknown := [name for name in recipe.classes if name not in CLASSES]:
            raise DetectionError(f"classes: {unknown[0]!r} has no boxes; choose of {', '.join(CLASSES)}")
        run.alone("a detector")
        self.recipe, self.run = recipe, run
        self.plan = Plan.of(recipe.training, clip=2.0, by_step=True)

    def gather(self) -> None:
        """Read the fields.

        Raises
        ------
        DetectionError : a data set has no boxes, or too little is left to train on.
        """
        names, data = tuple(self.recipe.shares), self.run.data
        self.training = {name: self._fields(name, "train") for name in names}
        self.validation = [scene for name in names for scene in self._fields(name, "validation")]
        if empty := [name for name, listed in self.training.items() if not listed]:
            raise DetectionError(f"data set {empty[0]}: no training field in {data}; raise --limit")
        if not self.validation:
            raise DetectionError(
                f"data {data}: no validation field; name a data set that has some in the shares"
            )

    def _fields(self, name: str, split: Split) -> Sequence[Scene]:
        recipe, run = self.recipe, self.run
        return scenes(name, run.data, split, recipe.classes, recipe.input.pitch_um, run.notice, run.limit)

    def learn(self) -> None:
        """Train it."""
        train(self, self.run)

    def network(self) -> nn.Module:
        """As the recipe has it."""
        return DetectionNetwork(self.recipe.detection, len(self.recipe.classes))

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Patches under other dyes, light and focus; see `train.fitting.task.NetworkTask`."""
        settings = self.recipe.detection
        for step in range(first, self.plan.steps):
            rng = np.random.default_rng([self.plan.seed, epoch, step])
            shown = batch(self._drawn(rng), settings, rng)
            pixels = varied(shown.pixels, settings, rng).contiguous(memory_format=torch.channels_last)
            yield Batch.of(pixels, shown)

    def _drawn(self, rng: np.random.Generator) -> list[Scene]:
        shares = np.array(list(self.recipe.shares.values()), float)
        chosen = rng.choice(len(shares), self.recipe.training.batch, p=shares / shares.sum()).tolist()
        listed = [self.training[name] for name in self.recipe.shares]
        return [listed[i][int(rng.integers(len(listed[i])))] for i in chosen]

    def loss(self, answers: Tensor, wanted: Mapping[str, Tensor]) -> Tensor:
        """See `train.published.detection.network.loss_of`."""
        return loss_of(answers, wanted)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Average precision of the classes and its mean."""
        classes, fields = self.recipe.classes, self.validation
        matches = match(found_in(self._detector(network), fields), fields, len(classes), edge=False)
        alone = Draws(np.ones((1, len(fields))), np.arange(len(fields)))
        areas = {name: float(average_precisions(matches, alone, i)[0]) for i, name in enumerate(classes)}
        return {WATCHED: float(np.nanmean(list(areas.values()))), **areas}

    def watched(self, found: Mapping[str, float]) -> float:
        """The mean average precision."""
        return found[WATCHED]

    def finish(self, network: nn.Module, found: Mapping[str, float]) -> dict[str, Any]:
        """Choose the threshold on the validation fields."""
        classes, fields = self.recipe.classes, self.validation
        finds = found_in(self._detector(network), fields)
        threshold = best_threshold(match(finds, fields, len(classes), edge=False), len(classes))
        figures = judged(finds, fields, classes, threshold, tuple(self.recipe.shares), "validation")
        return {
            "operating_point": {"threshold": threshold},
            "validation": figures.as_json(),
            "data": {
                name: {"train": len(listed), "validation": sum(scene.source == name for scene in fields)}
                for name, listed in self.training.items()
            },
            "parameters": sum(p.numel() for p in network.parameters()),
        }

    def _detector(self, network: nn.Module) -> Detector:
        network.eval()
        return Detector(Answers(network, self.recipe.detection.cells, self.run.process.device), 0.0)


def load(run: Path) -> tuple[DetectionNetwork, Recipe, dict[str, Any]]:
    """The network of a finished run, its recipe and its metrics.

    Raises
    ------
    DetectionError : the run is not finished.
    """
    again = DetectionError(f"run {run}: not finished; run edge-train fit again to go on")
    weights, metrics = finished(run, again)
    recipe, _ = settings_of(run)
    network = DetectionNetwork(recipe.detection, len(recipe.classes))
    network.load_state_dict(weights)
    return network.eval(), recipe, metrics


def detector_of(run: Path) -> tuple[Detector, Recipe]:
    """A finished run as the device's detector, computed by PyTorch, and its recipe."""
    network, recipe, metrics = load(run)
    return Detector(Answers(network, recipe.detection.cells), metrics["operating_point"]["threshold"]), recipe
