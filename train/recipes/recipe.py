"""Recipes: what to train on and how, one TOML file each, checked when they are read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from edge.bundle.model_input import ModelInput
from edge.files import stricttoml, textfile
from train.data.augment import Augmentation
from train.data.classes import CLASSES, LEUKOCYTES, POSITIVE, admitted
from train.data.dataset import DataError, DataSet
from train.data.own import Own, own
from train.data.own.names import LEFT_OUT
from train.data.registry import DATASETS, dataset
from train.data.sets.fields import RED_CELL
from train.network.backbones import LEAST_PX
from train.network.model import Architecture
from train.recipes.detection import Detection
from train.recipes.sections import SHOWN_UM, WATCHED, Input, Operation, RecipeError, Training

__all__ = [
    "Input", "Operation", "Recipe", "RecipeError", "Training", "changed", "load", "names", "parse", "without",
]  # fmt: skip


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on.

    Attributes
    ----------
    name, title : what it is called and what it is for.
    shares : data set -> share of the training crops drawn from it; they need not add up to 1.
    own : data set of somebody's own pictures that the shares name -> where they are and what they show.
    pictures : data set of the shares -> at most so many of its pictures, spread evenly; others give all.
    task : what the model does: names a cell, names a whole field, or finds the cells of a field.
    method : how: by a network, or by one of `train.published.classical.METHODS`.
    classes : what it names, in the order of its answers. leukocytes : those that are counted, none for all.
    positive : those of them that a referral is about.
    published : what was reported of the system that this rebuilds, and on what; for the record.
    """

    name: str
    title: str
    shares: Mapping[str, float]
    own: Mapping[str, Own] = field(default_factory=dict)
    pictures: Mapping[str, int] = field(default_factory=dict)
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
        self._check_own()
        self._check_shares()
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

    def _check_own(self) -> None:
        for name, about in self.own.items():
            if name in DATASETS:
                raise RecipeError(f"own.{name}: a data set of the program is called so; choose another name")
            if not _NAME.fullmatch(name):
                raise RecipeError(f"own.{name}: a name has letters, digits, '-' and '_' only; choose another")
            for called, label in about.classes.items():
                if label in ("", LEFT_OUT, RED_CELL):
                    continue
                try:
                    admitted(label, self.classes)
                except ValueError as error:
                    raise RecipeError(
                        f"own.{name}.classes.{called}: {error}, nor '-' to leave it out"
                    ) from None

    def _check_shares(self) -> None:
        for key, share in self.shares.items():
            try:
                self.source(key)
            except DataError as error:
                raise RecipeError(f"shares.{key}: {error}") from None
            if not isinstance(share, int | float) or not share > 0:
                raise RecipeError(f"shares.{key}: {share} is not a share above 0")
        for key, most in self.pictures.items():
            if key not in self.shares:
                raise RecipeError(f"pictures.{key}: is not among the shares")
            if most < 1:
                raise RecipeError(f"pictures.{key}: {most} is less than 1")

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

    def source(self, name: str) -> DataSet:
        """The data set that its shares call so; DataError where there is none."""
        about = self.own.get(name.partition("@")[0])
        return own(name, about, self.classes) if about else dataset(name)

    def most(self, name: str, limit: int) -> int:
        """At most so many pictures of a data set are taken, 0 for all; `limit` is that of the run."""
        own = self.pictures.get(name, 0)
        return min(own, limit) if own and limit else own or limit

    @property
    def sources(self) -> tuple[DataSet, ...]:
        """Its data sets, in the order of its shares."""
        return tuple(map(self.source, self.shares))

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
    def model_input(self) -> ModelInput:
        """What the device shows the model; of a detector, what the screen shows of a cell that it finds."""
        if self.task == "detector":
            return ModelInput(self.input.pitch_um, round(SHOWN_UM / self.input.pitch_um))
        return self.input.model_input(whole=self.task == "field")

    @property
    def window(self) -> ModelInput:
        """What training cuts: the same, or wider where it may move inside it."""
        model_input = self.model_input
        return (
            replace(model_input, cut_px=self.input.window_px)
            if model_input.plain and self.input.window_px
            else model_input
        )


GROUPS = {"the default model": "recipes", "published systems, rebuilt": "published/recipes"}
"""What a group of shipped recipes is called -> its folder of `train`."""


def group(title: str) -> list[str]:
    """The recipes of one of `GROUPS`."""
    folder = resources.files("train") / GROUPS[title]
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def names() -> list[str]:
    """The recipes that ship with the program, of all groups."""
    return sorted(name for title in GROUPS for name in group(title))


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
        try:
            text = textfile.read(path)
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or error
            raise RecipeError(f"recipe {name}: {told}") from None
    elif found := [folder for title, folder in GROUPS.items() if name in group(title)]:
        text = (resources.files("train") / found[0] / f"{name}.toml").read_text(encoding="utf-8")
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
    split : of its data sets, by another split; see `train.data.splits`.

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
        for key in ("shares", "pictures"):
            values[key] = {names[name]: value for name, value in values[key].items()}
        deciding = values["operation"]["datasets"]
        values["operation"]["datasets"] = [names[name] for name in deciding]
    return parse(values)


def without(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """A recipe that does without some of its data sets, so that it can be judged on them.

    The others take over their shares, and it is they that the operating point is chosen on and epochs are
    compared by. Name and title say what is missing.

    Parameters
    ----------
    names : of data sets; 'cnmc' stands for 'cnmc@2/5' too.

    Raises
    ------
    RecipeError : none of its data sets is called so, or nothing is left.
    """
    if not names:
        return recipe
    out = {key for key in recipe.shares if key in names or key.partition("@")[0] in names}
    for name in names:
        if not any(name in (key, key.partition("@")[0]) for key in out):
            there = ", ".join(recipe.shares)
            raise RecipeError(
                f"--leave-out {name}: recipe {recipe.name} has no such data set; it has {there}"
            )
    if len(out) == len(recipe.shares):
        raise RecipeError(
            f"--leave-out {', '.join(names)}: leaves recipe {recipe.name} nothing to learn from"
        )
    watch = tuple(w for w in recipe.training.watch if not any(w.startswith(f"{key}_") for key in out))
    if recipe.training.watch and not watch:
        raise RecipeError(f"--leave-out {names[0]}: training.watch names its figures alone; --set another")
    return replace(
        recipe,
        name=f"{recipe.name}-without-{'-'.join(names)}",
        title=f"{recipe.title}, without {', '.join(names)}",
        shares={key: share for key, share in recipe.shares.items() if key not in out},
        pictures={key: most for key, most in recipe.pictures.items() if key not in out},
        training=replace(recipe.training, watch=watch),
        operation=replace(
            recipe.operation, datasets=tuple(d for d in recipe.operation.datasets if d not in out)
        ),
    )


def parse(values: Mapping[str, Any]) -> Recipe:
    """A recipe from nested mappings, as TOML and the settings of a run give them."""
    try:
        found = stricttoml.build(Recipe, values)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    if not found.shares:
        raise RecipeError("shares: no data set named")
    return found
