"""The sections of a recipe: what a model sees, how it is fitted, how its operating point is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.bundle.model_input import WHITE_BALANCE, ModelInput
from edge.types import LeukoscopeError

WATCHED = ("roc_area", "balanced_accuracy")
"""Validation figures of a data set: blasts against the rest, and the mean recall of its classes."""


SHOWN_UM = 20.0
"""Width of what the screen shows of a cell that a detector found."""


class RecipeError(LeukoscopeError):
    """A recipe that does not exist or does not make sense. Names the key and its value."""


@dataclass(frozen=True)
class Input:
    """What a model sees of a cell or a field.

    Attributes
    ----------
    pitch_um : size of a specimen pixel, µm.
    cut_px : width and height of what is cut round a cell, or that a whole field is scaled to; 0 for size_px.
    size_px : width and height of what the network sees after the steps.
    window_px : width and height of the window that a crop is cut from while training, so that what a turned
        or shifted one shows beside it is real; 0 for none. Only where no step but white-balance is done.
    steps : the preprocessing steps; see `edge.bundle.model_input.STEPS`.
    um_per_px : what the device takes the scale of picture files to be that show no red cell to measure it by;
        0 for the nominal one of its camera.
    """

    pitch_um: float = 0.25
    cut_px: int = 0
    size_px: int = 96
    window_px: int = 136
    steps: tuple[str, ...] = (WHITE_BALANCE,)
    um_per_px: float = 0.0

    def __post_init__(self) -> None:
        if not self.pitch_um > 0:
            raise RecipeError(f"input.pitch_um: {self.pitch_um} is not a size")
        if not 32 <= self.size_px <= (self.window_px or self.size_px):
            raise RecipeError(
                f"input.size_px: {self.size_px} is not between 32 and window_px {self.window_px}"
            )
        try:
            model_input = self.model_input()
        except ValueError as error:
            raise RecipeError(f"input.steps: {error}") from None
        if model_input.size_px != self.size_px:
            raise RecipeError(
                f"input.size_px: {self.size_px}, but the steps make {model_input.size_px} of it"
            )
        if self.window_px and not model_input.plain:
            raise RecipeError(
                f"input.window_px: {self.window_px}, but with steps beside {WHITE_BALANCE} it must be 0"
            )

    def model_input(self, *, whole: bool = False) -> ModelInput:
        """What the device shows the model; `whole` for one that names fields."""
        return ModelInput(self.pitch_um, self.cut_px or self.size_px, self.steps, whole)


@dataclass(frozen=True)
class Training:
    """How the network is fitted.

    Attributes
    ----------
    epochs : passes of `samples` crops.
    samples : crops drawn per epoch, with replacement.
    batch : crops per step.
    learning_rate : at its highest. warm_up : share of all steps until it gets there; then a cosine to 0.
    weight_decay : of AdamW, on everything but biases and normalisation.
    label_smoothing : probability given to the classes that a label does not admit.
    average_decay : of the running average of the weights, per step; the average is what is kept.
    class_balance : how far rare classes of a data set are evened out: 0 as they come, 1 all alike.
    group_balance : the same of the groups (patients, slides) of a class.
    most_positive : largest share of blasts in what is drawn of a data set that has other cells too, so that
        no laboratory's looks alone speak for them.
    patience : epochs without a better validation figure after which the run stops; 0 never stops early.
    watch : the validation figures that say which epoch is better and is kept. Each stands for its mean over
        the data sets that have it (`roc_area`, `balanced_accuracy`) or for one data set's alone
        (`pbc_roc_area`); several are averaged. None at all keeps the last epoch.
    teacher : what a network learns its answers from: the labels, or a regression that was fitted to them; see
        `train.published.carryover`.
    seed : of everything that is drawn at random.
    """

    epochs: int = 18
    samples: int = 9000
    batch: int = 64
    learning_rate: float = 2e-3
    warm_up: float = 0.05
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    average_decay: float = 0.996
    class_balance: float = 0.5
    group_balance: float = 0.0
    most_positive: float = 1.0
    patience: int = 0
    watch: tuple[str, ...] = WATCHED
    teacher: Literal["labels", "size-and-stain"] = "labels"
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "samples", "batch"):
            if getattr(self, name) < 1:
                raise RecipeError(f"training.{name}: {getattr(self, name)} is less than 1")
        shares = ("class_balance", "group_balance", "most_positive")
        for name in ("warm_up", "label_smoothing", "average_decay", *shares):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"training.{name}: {getattr(self, name)} is not within 0 to 1")
        if self.patience < 0:
            raise RecipeError(f"training.patience: {self.patience} is less than 0")
        if self.patience and not self.watch:
            raise RecipeError(f"training.patience: {self.patience}, but training.watch names no figure")


@dataclass(frozen=True)
class Operation:
    """How the operating point is chosen, on the validation part of `datasets`.

    Attributes
    ----------
    datasets : whose validation cells decide; none for all.
    specificity : share of cells that are no blasts and must not be called blasts, which is to be counted as
        blasts; the mean over `datasets`.
    abstain : share of the cells not called blasts that the classifier leaves undecided.
    certain_false : share of cells that are no blasts and may be called blasts beyond doubt, counted alike.
    positive : the threshold itself, where it is not to be chosen by the specificity; 0 to choose it.
    second_look : from what probability of the positive classes on a cell is looked at in four poses; see
        `edge.cells.secondlook`. 0 for never.
    temperature : what logits are divided by, where too few people's cells are there to choose it; 0 to choose
        it.
    """

    datasets: tuple[str, ...] = ()
    specificity: float = 0.97
    abstain: float = 0.05
    certain_false: float = 0.002
    positive: float = 0.0
    second_look: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        for name in ("specificity", "abstain", "certain_false", "positive", "second_look"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"operation.{name}: {getattr(self, name)} is not within 0 to 1")
        if self.temperature and not 0.1 <= self.temperature <= 10:
            raise RecipeError(f"operation.temperature: {self.temperature} is not within 0.1 to 10, nor 0")
