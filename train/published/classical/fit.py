"""The task of naming cells without a network: learned in one go, with the folder and figures of every run."""

from __future__ import annotations

import numpy as np

from edge.types import F32
from train.data.windows import middle
from train.fitting.finish import conclude
from train.fitting.gather import gathered
from train.fitting.provenance import census, write_metrics
from train.fitting.task import Run
from train.fitting.validation import typed
from train.published.classical import Settings, method
from train.published.classical.modelfile import save
from train.recipes.recipe import Recipe

MODEL = "model.npz"


class ClassicalTask:
    """A recipe's method as `train.fitting.task.Task`."""

    def __init__(self, recipe: Recipe, run: Run) -> None:
        self.recipe, self.run = recipe, run

    def gather(self) -> None:
        """Cut the windows, or find them cut."""
        self.windows = gathered(self.recipe, self.run)

    def learn(self) -> None:
        """Learn from the training windows, choose the operating point on the others, and write all of it.

        Raises
        ------
        ClassicalError : a class without training cells, or with those of one group only.
        """
        self.run.process.of_leader(self._learn)

    def _learn(self) -> None:
        recipe, out = self.recipe, self.run.out
        training = typed(self.windows.of("train"), recipe, tuple(recipe.shares))
        size = recipe.model_input.size_px
        self.run.notice(f"{recipe.method}: learning from {len(training)} cells")
        crops = np.ascontiguousarray(middle(training.pixels, size))
        model = method(recipe.method).fit(
            crops, training.labels, training.groups, settings_of(recipe), seed=recipe.training.seed
        )
        cells = self.windows.of("validation")
        validation = typed(cells, recipe)
        said = model.probabilities(np.ascontiguousarray(middle(validation.pixels, size)))
        write_metrics(conclude(logits_of(said), recipe, cells, census(self.windows), out), out)
        save(model, out / MODEL)


def settings_of(recipe: Recipe) -> Settings:
    """What a method needs of a recipe."""
    given = recipe.training
    return Settings(
        classes=recipe.classes,
        pitch_um=recipe.input.pitch_um,
        architecture=recipe.architecture,
        augmentation=recipe.augmentation,
        epochs=given.epochs,
        batch=given.batch,
        learning_rate=given.learning_rate,
    )


def logits_of(probabilities: F32) -> F32:
    """(n, C) what a softmax makes these probabilities of."""
    return np.log(np.maximum(probabilities, 1e-6)).astype(np.float32)
