"""Recipes: what to train on and how, one TOML file each, checked when they are read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from edge import stricttoml
from edge.types import LeukoscopeError
from train.augment import Augmentation
from train.datasets import DATASETS
from train.model import Architecture

WATCHED = ("roc_area", "balanced_accuracy")
"""Validation figures of a data set: blasts against the rest, and the mean recall of its classes."""


class RecipeError(LeukoscopeError):
    """A recipe that does not exist or does not make sense. Names the key and its value."""


@dataclass(frozen=True)
class Input:
    """What a crop is.

    Attributes
    ----------
    pitch_um : size of a specimen pixel, µm.
    size_px : width and height of the crop that the network sees, specimen pixels.
    window_px : width and height of the window that it is cut from while training.
    steps : names of the preprocessing steps (see `edge.preprocess.STEPS`).
    """

    pitch_um: float = 0.25
    size_px: int = 96
    window_px: int = 136
    steps: tuple[str, ...] = ("white-balance",)

    def __post_init__(self) -> None:
        if not self.pitch_um > 0:
            raise RecipeError(f"input.pitch_um: {self.pitch_um} is not a size")
        if not 32 <= self.size_px <= self.window_px:
            raise RecipeError(
                f"input.size_px: {self.size_px} is not between 32 and window_px {self.window_px}"
            )


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
    datasets : whose validation cells decide.
    specificity : share of cells that are no blasts and must not be called blasts; the mean over `datasets`.
    abstain : share of cells that the classifier may leave undecided.
    certain_false : share of cells that are no blasts and may be called blasts beyond doubt, counted alike.
    """

    datasets: tuple[str, ...] = ("deepapl", "pbc")
    specificity: float = 0.97
    abstain: float = 0.05
    certain_false: float = 0.002

    def __post_init__(self) -> None:
        for name in ("specificity", "abstain", "certain_false"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"operation.{name}: {getattr(self, name)} is not within 0 to 1")


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on.

    Attributes
    ----------
    name, title : what it is called and what it is for.
    shares : data set -> share of the training crops drawn from it; they need not add up to 1.
    """

    name: str
    title: str
    shares: Mapping[str, float]
    input: Input = field(default_factory=Input)
    architecture: Architecture = field(default_factory=Architecture)
    augmentation: Augmentation = field(default_factory=Augmentation)
    training: Training = field(default_factory=Training)
    operation: Operation = field(default_factory=Operation)

    def __post_init__(self) -> None:
        for key, share in self.shares.items():
            if key not in DATASETS:
                raise RecipeError(f"shares.{key}: no such data set; choose of {', '.join(DATASETS)}")
            if not isinstance(share, int | float) or not share > 0:
                raise RecipeError(f"shares.{key}: {share} is not a share above 0")
        if not self.shares:
            raise RecipeError("shares: no data set named")
        for name in self.operation.datasets:
            if name not in self.shares:
                raise RecipeError(f"operation.datasets: {name} is not among the shares")
        figures = {*WATCHED, *(f"{name}_{figure}" for name in self.shares for figure in WATCHED)}
        for name in self.training.watch:
            if name not in figures:
                raise RecipeError(f"training.watch: {name} is a figure of no data set among the shares")


def names() -> list[str]:
    """The recipes that ship with the program."""
    return sorted(p.name.removesuffix(".toml") for p in _folder().iterdir() if p.name.endswith(".toml"))


def load(name: str) -> Recipe:
    """A shipped recipe by its name, or any by its path.

    Raises
    ------
    RecipeError
        Unknown recipe, not TOML, an unknown key or a value that does not fit; the message names it.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise RecipeError(f"recipe {name}: no such file")
        text = path.read_text(encoding="utf-8")
    elif name in names():
        text = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise RecipeError(
            f"recipe {name!r}: unknown; choose one of {', '.join(names())} or give a .toml file"
        )
    try:
        return parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name}: not valid TOML ({error})") from None
    except RecipeError as error:
        raise RecipeError(f"recipe {name}: {error}") from None


def parse(values: Mapping[str, Any]) -> Recipe:
    """A recipe from nested mappings, as TOML and the settings of a run give them."""
    try:
        return stricttoml.build(Recipe, values)
    except ValueError as error:
        raise RecipeError(str(error)) from None


def _folder() -> Any:
    return resources.files("train") / "recipes"
