"""A recipe for own pictures as a file that people read and change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from train.recipes.found import Asked, Found
from train.recipes.recipe import Recipe
from train.recipes.sections import Training

OWN_SHARE = 0.7
_CROPS, _LEAST, _MOST = 20, 1500, 12000  # an epoch: crops a training cell, within these
_TIMES, _EPOCHS = 80, 4  # crops a cell in the whole training, in so many epochs at least
_BARE = re.compile(r"[A-Za-z0-9_-]+")

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
    yield f"name = {_value(name)}"
    yield f"title = {_value(f'{base.title}; with own pictures ({found.name})')}"
    own = found.classes != base.classes
    if own or base.classes != Recipe.classes:
        yield f"classes = {_value(found.classes)}"
    if base.leukocytes and not own:
        yield f"leukocytes = {_value(base.leukocytes)}"
    positive = asked.positive or base.positive
    if positive != Recipe.positive:
        yield "# what a finding is about"
        yield f"positive = {_value(positive)}"
    if base.task != "cell":
        yield f"task = {_value(base.task)}"


def _shares(found: Found, asked: Asked) -> Iterator[str]:
    yield from (
        "",
        "[shares]",
        "# data set -> its share of what is shown in training; they need not add up to 1",
    )
    total = sum(found.shares.values())
    yield f"{_key(_called(found, asked))} = {OWN_SHARE if total else 1.0}"
    for name, share in found.shares.items():
        yield f"{_key(name)} = {max(round((1 - OWN_SHARE) * share / total, 3), 0.001)}"


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
    for key, words in told.items():
        yield f"{key} = {_value(getattr(about, key))}  # {words}"
    yield from (
        "",
        f"[own.{found.name}.classes]",
        "# what they are called there -> class of this recipe; '-' leaves it out",
    )
    for name, label in about.classes.items():
        count = f"  # {survey.called[name]}" if name in survey.called else ""
        yield f"{_key(name)} = {_value(label)}{count}"
    for name, label in survey.means.items():
        if not label and name not in about.classes:
            yield f'# {_key(name)} = ""  # {survey.called[name]} not known; name a class to take them in'


def _section(name: str, base: Recipe) -> Iterator[str]:
    changed = _changed(getattr(base, name))
    if changed:
        yield from ("", f"[{name}]", f"# {_SECTIONS[name]}, as {base.name} has it")
        yield from (f"{key} = {_value(value)}" for key, value in changed.items())


def _training(found: Found, base: Recipe) -> Iterator[str]:
    cells = found.cells("train").total() or len(found.survey.entries)
    samples, epochs = sized(cells, base.training)
    watch = tuple(w for w in base.training.watch if w in ("roc_area", "balanced_accuracy"))
    settings = replace(base.training, epochs=epochs, samples=samples, watch=watch)
    changed: dict[str, Any] = {"epochs": epochs, "samples": samples} | _changed(settings)
    yield from ("", "[training]")
    yield f"# for {cells} training cells: {samples} crops an epoch. One core takes a minute for some 4,000;"
    yield "# more epochs may help where there are many cells, and learn few by heart"
    yield from (f"{key} = {_value(value)}" for key, value in changed.items())


def sized(cells: int, base: Training) -> tuple[int, int]:
    """Crops an epoch and epochs for so many training cells, no more than the base has."""
    samples = min(max(_CROPS * cells, _LEAST), _MOST, max(base.samples, _LEAST))
    return samples, min(max(round(_TIMES * cells / samples), _EPOCHS), max(base.epochs, _EPOCHS))


def _operation(found: Found, base: Recipe, asked: Asked) -> Iterator[str]:
    settings = replace(base.operation, datasets=(_called(found, asked),), positive=0.0)
    yield from ("", "[operation]")
    yield "# the threshold is chosen on validation cells of the own pictures: of their other cells this share"
    yield "# (specificity) stays below it"
    yield from (
        f"{key} = {_value(v)}"
        for key, v in ({"specificity": settings.specificity} | _changed(settings)).items()
    )


def _changed(section: Any) -> dict[str, Any]:
    """What differs from what is usual."""
    usual = type(section)()
    values = {field.name: getattr(section, field.name) for field in fields(section)}
    return {name: value for name, value in values.items() if value != getattr(usual, name)}


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    """As TOML has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)
