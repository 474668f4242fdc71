"""A recipe for own pictures as a file that people read and change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from train.data.registry import dataset
from train.recipes.found import Asked, Found
from train.recipes.recipe import Recipe
from train.recipes.sections import Training
from train.recipes.toml import differing, key, value

OWN_SHARE = 0.7
_DRAWN = 4, 400  # drawn pictures for a training cell, and the fewest of a set
_CROPS, _LEAST, _MOST = 20, 1500, 12000  # an epoch: crops a training cell, within these
_TIMES, _EPOCHS = 80, 4  # crops a cell in the whole training, in so many epochs at least

_SECTIONS = {
    "input": "what the network sees of a cell",
    "architecture": "the network",
    "augmentation": "how crops are varied, as if from other laboratories",
}


def name_in(stem: str) -> str:
    """A recipe's name from a file's."""
    return re.sub(r"[^\w-]+", "-", stem).strip("-") or "own"


def text(found: Found, base: Recipe, name: str, asked: Asked) -> str:
    """The whole file."""
    return "\n".join(
        [
            *_head(found, base, name, asked),
            *_shares(found, asked),
            *_pictures(found),
            *_own(found),
            *(line for section in _SECTIONS for line in _section(section, base)),
            *_training(found, base),
            *_operation(found, base, asked),
            "",
        ]
    )


def _head(found: Found, base: Recipe, name: str, asked: Asked) -> Iterator[str]:
    yield f"# Recipe for own pictures, after {base.name}, by edge-train new-recipe; read it, change it."
    yield "# More about it: docs/own-data.md; all keys: train/recipes/sections.py"
    yield f"name = {value(name)}"
    yield f"title = {value(f'{base.title}; with own pictures ({found.name})')}"
    own = found.classes != base.classes
    if own or base.classes != Recipe.classes:
        yield f"classes = {value(found.classes)}"
    if base.leukocytes and not own:
        yield f"leukocytes = {value(base.leukocytes)}"
    positive = asked.positive or base.positive
    if positive != Recipe.positive:
        yield "# what a finding is about"
        yield f"positive = {value(positive)}"
    if base.task != "cell":
        yield f"task = {value(base.task)}"


def _shares(found: Found, asked: Asked) -> Iterator[str]:
    yield from (
        "",
        "[shares]",
        "# data set -> its share of what is shown in training; they need not add up to 1",
    )
    total = sum(found.shares.values())
    yield f"{key(_called(found, asked))} = {OWN_SHARE if total else 1.0}"
    for name, share in found.shares.items():
        yield f"{key(name)} = {max(round((1 - OWN_SHARE) * share / total, 3), 0.001)}"


def _pictures(found: Found) -> Iterator[str]:
    """How many pictures are drawn: as many as these cells call for, for each takes time."""
    drawn = [name for name in found.shares if dataset(name).folder is None]
    if drawn:
        yield from ("", "[pictures]", "# at most so many; these are drawn, and drawing takes time")
    a_cell, fewest = _DRAWN
    most = max(a_cell * found.cells("train").total(), fewest)
    yield from (f"{key(name)} = {most}" for name in drawn)


def _called(found: Found, asked: Asked) -> str:
    return f"{found.name}@random" if asked.random else found.name


def _own(found: Found) -> Iterator[str]:
    about, survey = found.about, found.survey
    told = {
        "path": "inside --data; empty is --data itself",
        "layout": "folders, table, coco, yolo, voc or masks; edge-train datasets tells them apart",
        "um_per_px": f"size of a pixel in µm, {found.scale_from}; 0 measures it by red cells",
        "group": "regular expression for the patient in a picture's path; empty takes folders or the table",
        "laboratory": "whose stain and microscope; pictures of one laboratory should say the same",
        "split": "which patients train, validate and test",
    }
    yield from ("", f"[own.{found.name}]")
    for name, words in told.items():
        yield f"{name} = {value(getattr(about, name))}  # {words}"
    yield from (
        "",
        f"[own.{found.name}.classes]",
        "# what they are called there -> class of this recipe; '-' leaves it out",
    )
    for name, label in about.classes.items():
        count = f"  # {survey.called[name]}" if name in survey.called else ""
        yield f"{key(name)} = {value(label)}{count}"
    for name, label in survey.means.items():
        if not label and name not in about.classes:
            yield f'# {key(name)} = ""  # {survey.called[name]} not known; name a class to take them in'


def _section(name: str, base: Recipe) -> Iterator[str]:
    changed = dict(differing(getattr(base, name)))
    if changed:
        yield from ("", f"[{name}]", f"# {_SECTIONS[name]}, as {base.name} has it")
        yield from (f"{name} = {value(given)}" for name, given in changed.items())


def _training(found: Found, base: Recipe) -> Iterator[str]:
    cells = found.cells("train").total() or len(found.survey.entries)
    samples, epochs = sized(cells, base.training)
    watch = tuple(w for w in base.training.watch if w in ("roc_area", "balanced_accuracy"))
    settings = replace(base.training, epochs=epochs, samples=samples, watch=watch)
    changed: dict[str, Any] = {"epochs": epochs, "samples": samples} | dict(differing(settings))
    yield from ("", "[training]")
    yield f"# for {cells} training cells: {samples} crops an epoch. One core takes a minute for some 4,000;"
    yield "# more epochs may help where there are many cells, and learn few by heart"
    yield from (f"{name} = {value(given)}" for name, given in changed.items())


def sized(cells: int, base: Training) -> tuple[int, int]:
    """Crops an epoch and epochs for so many training cells, no more than the base has."""
    samples = min(max(_CROPS * cells, _LEAST), _MOST, max(base.samples, _LEAST))
    return samples, min(max(round(_TIMES * cells / samples), _EPOCHS), max(base.epochs, _EPOCHS))


def _operation(found: Found, base: Recipe, asked: Asked) -> Iterator[str]:
    settings = replace(base.operation, datasets=(_called(found, asked),), positive=0.0)
    yield from ("", "[operation]")
    yield "# the threshold is chosen on validation cells of the own pictures: of their other cells this share"
    yield "# (specificity) stays below it"
    changed: dict[str, Any] = {"specificity": settings.specificity} | dict(differing(settings))
    yield from (f"{name} = {value(given)}" for name, given in changed.items())
