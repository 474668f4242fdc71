"""Recipes: what to train on and how, one TOML file each, checked when they are read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from edge import stricttoml
from edge.preprocess import WHITE_BALANCE, Look
from edge.types import LeukoscopeError
from train.augment import Augmentation
from train.backbones import LEAST_PX
from train.classes import CLASSES, LEUKOCYTES, POSITIVE
from train.datasets import DataError, dataset
from train.detection.settings import Detection
from train.model import Architecture

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
    steps : the preprocessing steps; see `edge.preprocess.STEPS`.
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
            look = self.look()
        except ValueError as error:
            raise RecipeError(f"input.steps: {error}") from None
        if look.size_px != self.size_px:
            raise RecipeError(f"input.size_px: {self.size_px}, but the steps make {look.size_px} of it")
        if self.window_px and not look.plain:
            raise RecipeError(
                f"input.window_px: {self.window_px}, but with steps beside {WHITE_BALANCE} it must be 0"
            )

    def look(self, *, whole: bool = False) -> Look:
        """What the device shows the model; `whole` for one that names fields."""
        return Look(self.pitch_um, self.cut_px or self.size_px, self.steps, whole)


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
        `train.teacher`.
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
    specificity : share of cells that are no blasts and must not be called blasts; the mean over `datasets`.
    abstain : share of cells that the classifier may leave undecided.
    certain_false : share of cells that are no blasts and may be called blasts beyond doubt, counted alike.
    positive : the threshold itself, where it is not to be chosen by the specificity; 0 to choose it.
    temperature : what logits are divided by, where too few people's cells are there to choose it; 0 to choose
        it.
    """

    datasets: tuple[str, ...] = ()
    specificity: float = 0.97
    abstain: float = 0.05
    certain_false: float = 0.002
    positive: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        for name in ("specificity", "abstain", "certain_false", "positive"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"operation.{name}: {getattr(self, name)} is not within 0 to 1")
        if self.temperature and not 0.1 <= self.temperature <= 10:
            raise RecipeError(f"operation.temperature: {self.temperature} is not within 0.1 to 10, nor 0")


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on.

    Attributes
    ----------
    name, title : what it is called and what it is for.
    shares : data set -> share of the training crops drawn from it; they need not add up to 1.
    task : what the model does: names a cell, names a whole field, or finds the cells of a field.
    method : how: by a network, or by one of `train.classical.METHODS`.
    classes : what it names, in the order of its answers. leukocytes : those that are counted, none for all.
    positive : those of them that a referral is about.
    published : what was reported of the system that this rebuilds, and on what; for the record.
    """

    name: str
    title: str
    shares: Mapping[str, float]
    task: Literal["cell", "field", "detector"] = "cell"
    method: Literal["network", "fcm-svm", "wbc5-hybrid"] = "network"
    classes: tuple[str, ...] = CLASSES
    leukocytes: tuple[str, ...] = ()
    positive: tuple[str, ...] = POSITIVE
    published: str = ""
    input: Input = field(default_factory=Input)
    architecture: Architecture = field(default_factory=Architecture)
    augmentation: Augmentation = field(default_factory=Augmentation)
    detection: Detection = field(default_factory=Detection)
    training: Training = field(default_factory=Training)
    operation: Operation = field(default_factory=Operation)

    def __post_init__(self) -> None:
        for key, share in self.shares.items():
            try:
                dataset(key)
            except DataError as error:
                raise RecipeError(f"shares.{key}: {error}") from None
            if not isinstance(share, int | float) or not share > 0:
                raise RecipeError(f"shares.{key}: {share} is not a share above 0")
        if not self.shares:
            raise RecipeError("shares: no data set named")
        for name in self.operation.datasets:
            if name not in self.shares:
                raise RecipeError(f"operation.datasets: {name} is not among the shares")
        self._check_classes()
        least = LEAST_PX.get(self.architecture.backbone, 0)
        if self.input.size_px < least:
            raise RecipeError(
                f"input.size_px: {self.input.size_px} is too small for {self.architecture.backbone}, "
                f"which takes {least} px and more"
            )
        figures = {*WATCHED, *(f"{name}_{figure}" for name in self.shares for figure in WATCHED)}
        for name in self.training.watch:
            if name not in figures:
                raise RecipeError(f"training.watch: {name} is a figure of no data set among the shares")

    def _check_classes(self) -> None:
        if len(set(self.classes)) < max(len(self.classes), 2):
            raise RecipeError(f"classes: {', '.join(self.classes)}; two different ones at least are needed")
        for key, among in (("leukocytes", self.classes), ("positive", self.counted)):
            for name in getattr(self, key):
                if name not in among:
                    raise RecipeError(f"{key}: {name!r} is not one of {', '.join(among)}")
        if not self.positive and self.task != "detector":
            raise RecipeError("positive: names none; a finding needs to know what it is about")
        if self.method != "network" and self.task != "cell":
            raise RecipeError(f"method: {self.method} names cells; it cannot do task {self.task}")

    @property
    def counted(self) -> tuple[str, ...]:
        """The classes that are counted: the denominator of what is positive."""
        return self.leukocytes or (LEUKOCYTES if self.classes == CLASSES else self.classes)

    @property
    def deciding(self) -> tuple[str, ...]:
        """The data sets whose validation cells choose the operating point."""
        return self.operation.datasets or tuple(self.shares)

    @property
    def positive_indices(self) -> list[int]:
        return [self.classes.index(name) for name in self.positive]

    @property
    def look(self) -> Look:
        """What the device shows the model; of a detector, what the screen shows of a cell that it finds."""
        if self.task == "detector":
            return Look(self.input.pitch_um, round(SHOWN_UM / self.input.pitch_um))
        return self.input.look(whole=self.task == "field")

    @property
    def window(self) -> Look:
        """What training cuts: the same, or wider where it may move inside it."""
        look = self.look
        return replace(look, cut_px=self.input.window_px) if look.plain and self.input.window_px else look


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


def changed(recipe: Recipe, settings: Sequence[str] = (), split: str = "") -> Recipe:
    """A recipe with some of its settings changed from the command line.

    Parameters
    ----------
    settings : 'section.key=value' each, the value as TOML has it or a bare text.
    split : of its data sets, by another split; see `train.datasets.splits`.

    Raises
    ------
    RecipeError : no such key, or a value that does not fit.
    """
    values = asdict(recipe)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise RecipeError(f"--set {setting}: is not KEY=VALUE, as in training.epochs=3")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *sections, last = key.split(".")
        table = values
        for section in sections:
            table = table.get(section) if isinstance(table, dict) else None  # type: ignore[assignment]
        if not isinstance(table, dict):
            raise RecipeError(f"--set {setting}: there is no section {'.'.join(sections)}")
        table[last] = value
    if split:
        names = {name: f"{name.partition('@')[0]}@{split}" for name in values["shares"]}
        values["shares"] = {names[name]: share for name, share in values["shares"].items()}
        deciding = values["operation"]["datasets"]
        values["operation"]["datasets"] = [names[name] for name in deciding]
    return parse(values)


def parse(values: Mapping[str, Any]) -> Recipe:
    """A recipe from nested mappings, as TOML and the settings of a run give them."""
    try:
        return stricttoml.build(Recipe, values)
    except ValueError as error:
        raise RecipeError(str(error)) from None


def _folder() -> Any:
    return resources.files("train") / "recipes"
