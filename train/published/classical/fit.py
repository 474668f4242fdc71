"""A run of a method without a network: the folder and figures that `train.fitting.fit` leaves, in one go."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.types import F32
from train.data.dataset import Notice
from train.data.windows import Windows, middle
from train.fitting.finish import conclude
from train.fitting.provenance import write_json
from train.fitting.validation import typed
from train.published.classical import Settings, method
from train.published.classical.modelfile import save
from train.recipes.recipe import Recipe

MODEL = "model.npz"


def fit(recipe: Recipe, windows: Windows, out: Path, notice: Notice) -> None:
    """Learn from the training windows, choose the operating point on the others, and write all of it.

    Raises
    ------
    ClassicalError : a class without training cells, or with those of one group only.
    """
    training = typed(windows.of("train"), recipe, tuple(recipe.shares))
    size = recipe.model_input.size_px
    notice(f"{recipe.method}: learning from {len(training)} cells")
    crops = np.ascontiguousarray(middle(training.pixels, size))
    model = method(recipe.method).fit(
        crops, training.labels, training.groups, settings_of(recipe), seed=recipe.training.seed
    )
    validation = typed(windows.of("validation"), recipe)
    said = model.probabilities(np.ascontiguousarray(middle(validation.pixels, size)))
    write_json(out / "metrics.json", conclude(logits_of(said), recipe, windows, out))
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
