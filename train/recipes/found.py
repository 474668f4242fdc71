"""What a new recipe is to be made of: own pictures, their classes, scale and parts, and known data sets."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from train.data.classes import admitted
from train.data.dataset import DataError, Notice, Split
from train.data.own import Own, splitfile
from train.data.own.layouts import OF_FIELDS
from train.data.own.listed import PARTS, files_in, several
from train.data.own.names import LEFT_OUT, Names
from train.data.own.parts import Looked, assigned, look, only_one
from train.data.own.source import measured_scale, split_path, surveyed
from train.data.own.survey import Survey
from train.data.own.table import table_in
from train.data.registry import DATASETS, dataset
from train.data.sets.fields import RED_CELL
from train.recipes.recipe import Recipe
from train.recipes.sections import RecipeError

_OF_LAYOUTS = {"images", "labels", "annotations", "jpegimages"}


@dataclass(frozen=True)
class Asked:
    """What the command line says; see `edge-train new-recipe --help`."""

    base: str
    data: Path
    inside: str = ""
    out: Path | None = None
    name: str = ""
    positive: tuple[str, ...] = ()
    about: Own = field(default_factory=Own)
    random: bool = False
    overwrite: bool = False

    @classmethod
    def of(cls, given: argparse.Namespace) -> Asked:
        """The arguments of the command."""
        about = Own(
            path=given.own, layout=given.layout, um_per_px=given.um_per_px or 0.0,
            classes=dict(given.class_of), group=given.group_by or "", laboratory=given.laboratory,
        )  # fmt: skip
        return cls(
            given.base, given.data, given.own, given.out, given.name, tuple(given.positive), about,
            given.split == "random", given.overwrite,
        )  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What there is.

    Attributes
    ----------
    name : of the data set of own pictures. about : its section in the recipe.
    survey : what lies there, without what cannot be read. looked : what opening them told.
    parts : patient -> part; empty where the split is by picture.
    classes : of the recipe; those of the base where they are the program's.
    shares : known data sets beside it -> their share in the base.
    scale_from : where the scale is from, in words.
    """

    name: str
    about: Own
    survey: Survey
    looked: Looked
    parts: dict[str, Split]
    classes: tuple[str, ...]
    shares: dict[str, float]
    scale_from: str

    def cells(self, part: Split) -> Counter[str]:
        """Label -> cells of a part, by what is listed."""
        counts: Counter[str] = Counter()
        for group, labels in self.survey.groups.items():
            if self.parts.get(group) == part:
                counts.update(labels)
        return counts


@dataclass(frozen=True)
class Place:
    """Where own pictures lie, what their data set is called, and where the recipe goes."""

    about: Own
    root: Path
    name: str
    out: Path

    @property
    def beside(self) -> Path:
        """Where the split file goes that has no place in the pictures' folder."""
        return self.out.resolve().with_suffix(".split.csv")


def place_of(asked: Asked) -> Place:
    """Where everything is; DataError where nothing is there."""
    about = replace(asked.about, path=asked.inside or guessed(asked.data))
    inside = Path(about.path)
    root = asked.data / (inside.parent if inside.suffix.lower() == ".csv" else inside)
    name = _name(inside.stem or asked.data.resolve().name)
    return Place(about, root, name, asked.out or Path(f"{name}.toml"))


def find(asked: Asked, place: Place, base: Recipe, notice: Notice) -> Found:
    """Look at own pictures, each once.

    Raises
    ------
    DataError, RecipeError : nothing to train on, or something that nobody but the user knows; says which.
    """
    about, root = place.about, place.root
    found = surveyed(root, about, base.classes, notice, anything=True)
    if len(found.groups) == 1 and not asked.random:
        raise DataError(only_one(found))  # before every picture is opened
    looked = look(found)
    for line in looked.broken[:5]:
        notice(line)
    found = replace(found, entries=tuple(e for e in found.entries if e.listed.path not in looked.paths))
    if not any(entry.known for entry in found.entries):
        raise DataError(f"{root}: not one of its pictures can be read")
    classes = _classes(found, base, asked)
    about, scale_from = _scaled(found, replace(about, layout=found.layout), notice)
    about = replace(about, classes=_table(found, about))
    if not split_path(root, about).is_file() and place.beside.is_file():
        about = replace(about, split=str(place.beside))
    file = split_path(root, about)
    kept = splitfile.read(file) if file.is_file() and not asked.random else {}
    parts = {} if asked.random else {**kept, **assigned(found, kept, looked)}
    shares = _shares(asked.data, root, base) if classes == base.classes else {}
    return Found(place.name, about, found, looked, parts, classes, shares, scale_from)


def guessed(data: Path) -> str:
    """Where in a data folder own pictures lie: a folder of it that is no known data set's, '' for itself.

    Raises
    ------
    DataError : nothing is there, or several folders are.
    """
    if not data.is_dir():
        raise DataError(f"--data {data}: no such folder")
    known = [found for found in map(dataset, DATASETS) if found.folder and found.there(data)]
    roots = {found.root(data).resolve() for found in known} - {data.resolve()}
    tops = [path for path in sorted(data.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    own = [path for path in tops if path.resolve() not in roots and next(files_in(path), None)]
    names, usual = Names(), _OF_LAYOUTS | PARTS.keys()
    loose = any(path.is_file() and _tells(path) for path in sorted(data.iterdir()))
    itself = loose or any(names.of(path.name) or path.name.lower() in usual for path in own)
    if not itself and len(own) == 1:
        return own[0].name
    if roots and (itself or own):
        raise DataError(
            f"--data {data}: own pictures lie beside {several(sorted(path.name for path in roots))}; put "
            "them into a folder of their own there, and name it with --own SUB"
        )
    if not itself and not own:
        raise DataError(
            f"--data {data}: no pictures of your own in it; edge-train datasets tells how they may lie"
        )
    return ""


def _tells(path: Path) -> bool:
    """Whether a file in the data folder belongs to own pictures that lie there."""
    if path.suffix.lower() == ".csv":
        return table_in(path.parent) == path
    return path.name in ("data.yaml", "data.yml", "classes.txt") or path.suffix.lower() == ".json"


def _name(told: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", told).strip("-_") or "own"
    return f"own-{name}" if name in DATASETS else name


def _classes(found: Survey, base: Recipe, asked: Asked) -> tuple[str, ...]:
    """The classes of the recipe: those of the base, or own ones where not one is among them."""
    labels = {label for entry in found.entries for label in entry.known}
    strange = sorted(label for label in labels if not _admits(label, base.classes))
    if not strange:
        return base.classes
    if len(strange) < len(labels):
        raise RecipeError(
            f"--class-of: {several(strange)} is no class of recipe {base.name}; choose of "
            f"{', '.join(base.classes)}"
        )
    if len(strange) < 2:
        raise RecipeError(f"{found.root}: holds {strange[0]} alone; two classes at least are needed")
    if not asked.positive:
        raise RecipeError(
            f"{found.root}: classes {', '.join(strange)} are not the program's; say with --positive CLASS "
            "which of them a finding is about, or with --class-of NAME=CLASS what they are"
        )
    return tuple(strange)


def _admits(label: str, classes: Iterable[str]) -> bool:
    try:
        return bool(admitted(label, tuple(classes)))
    except ValueError:
        return False


def _table(found: Survey, about: Own) -> dict[str, str]:
    """Every name of a class that is understood -> what it means."""
    means = {name: label for name, label in found.means.items() if label}
    fields = found.layout in OF_FIELDS
    return dict(about.classes) | {
        name: LEFT_OUT if label == RED_CELL and not fields else label for name, label in sorted(means.items())
    }


def _scaled(found: Survey, about: Own, notice: Notice) -> tuple[Own, str]:
    """The section with a scale, and who says so."""
    if about.um_per_px:
        return about, "as given by --um-per-px"
    if all(entry.listed.um_per_px for entry in found.entries):
        return about, "of each picture, by its table"
    told: list[str] = []
    scale = measured_scale(found.root, [entry.listed.path for entry in found.entries], told.append)
    words = told[-1].partition(", ")[2].partition(";")[0]
    return replace(about, um_per_px=round(scale, 4)), words


def _apart(one: Path, other: Path) -> bool:
    """Whether neither folder lies in the other."""
    one, other = one.resolve(), other.resolve()
    return not (one.is_relative_to(other) or other.is_relative_to(one))


def _shares(data: Path, root: Path, base: Recipe) -> dict[str, float]:
    """Of the base's data sets those that are there or need no files."""
    kept = {}
    for name, share in base.shares.items():
        if name.partition("@")[0] in base.own:
            continue
        found = dataset(name)
        if found.folder is None or (found.there(data) and _apart(found.root(data), root)):
            kept[name] = share
    return kept
