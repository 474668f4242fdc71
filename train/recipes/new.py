"""A new recipe for own pictures: written with its split, and told in a few lines."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge.files import atomic
from train.data.dataset import SPLITS, Notice
from train.data.own import splitfile
from train.data.own.listed import several
from train.data.own.source import split_path
from train.recipes import recipe as recipes
from train.recipes.found import Asked, Found, Place, find, place_of
from train.recipes.sections import RecipeError
from train.recipes.text import name_in, text


def write(asked: Asked, notice: Notice) -> list[str]:
    """Write the recipe and the split file; gives what to tell the user.

    Raises
    ------
    RecipeError : the recipe is there already, or would not be one. DataError : nothing to train on.
    """
    base = recipes.load(asked.base)
    if base.task == "detector" or base.method != "network":
        raise RecipeError(f"--from {asked.base}: names no cells by a network; choose another, as leukocytes")
    place = place_of(asked)
    _refuse(place.out, asked)
    found = find(asked, place, base, notice)
    name = asked.name or name_in(place.out.stem)
    recipes.parse(tomllib.loads(text(found, base, name, asked)))  # before anything is written
    if found.parts:
        found = _write_split(found, place)
    atomic.write(place.out, text(found, base, name, asked).encode(), 0o644)
    positive = asked.positive or base.positive
    return list(_told(found, positive, place.out, asked))


def _refuse(out: Path, asked: Asked) -> None:
    if out.suffix != ".toml":
        raise RecipeError(f"--out {out}: a recipe's name ends in .toml")
    if out.exists() and not asked.overwrite:
        raise RecipeError(f"--out {out}: is there already; give another, or --overwrite")


def _write_split(found: Found, place: Place) -> Found:
    """Write which patients train, validate and test; beside the recipe where their folder takes nothing."""
    pictures = Counter(entry.group for entry in found.survey.entries)
    root = found.survey.root
    try:
        splitfile.write(split_path(root, found.about), found.parts, pictures, found.survey.groups)
    except OSError:
        about = replace(found.about, split=str(place.beside))
        splitfile.write(split_path(root, about), found.parts, pictures, found.survey.groups)
        return replace(found, about=about)
    return found


def _told(found: Found, positive: tuple[str, ...], out: Path, asked: Asked) -> Iterator[str]:
    """What was found and written, and what to do next."""
    survey, about = found.survey, found.about
    yield f"{survey.root}: {len(survey.entries)} pictures ({survey.layout})"
    what = "pictures" if survey.alone else "patients"
    groups = survey.groups
    for part in SPLITS if found.parts else ():
        cells = found.cells(part)
        counts = ", ".join(f"{label} {n}" for label, n in sorted(cells.items())) or "none"
        here = sum(found.parts[group] == part for group in groups)
        yield f"  {part:<10} {cells.total()} cells of {here} {what}: {counts}"
    if not found.parts:
        yield "  split      by picture: it LEAKS, and its figures do not count"
    scale = f"{about.um_per_px:g} µm per pixel, " if about.um_per_px else ""
    yield f"  scale      {scale}{found.scale_from}"
    if beside := ", ".join(found.shares):
        yield f"  beside it  {beside}"
    if unknown := [f"{name} ({survey.called[name]})" for name, label in survey.means.items() if not label]:
        yield f"  left out   of no known class: {several(unknown)}; see [own.{found.name}.classes] in {out}"
    if found.looked.broken:
        yield f"  left out   {len(found.looked.broken)} pictures that cannot be read"
    if found.looked.together:
        pairs = several([" and ".join(pair) for pair in found.looked.together])
        yield f"  one part   for what shows the same: {pairs}"
    if found.looked.too_many:
        yield (
            f"  attention  {found.looked.too_many} pairs of {what} have pictures that look alike, too many "
            "to keep together; edge-train datasets --check names them"
        )
    yield from _lacking(found, positive)
    if found.parts:
        yield f"wrote {split_path(survey.root, about)}: which {what} train, validate and test"
    yield f"wrote {out}; next: edge-train fit --recipe {out} --data {asked.data} --out runs/{out.stem}"


def _lacking(found: Found, positive: tuple[str, ...]) -> Iterator[str]:
    """What will be missed while it is trained."""
    if not found.parts:
        return
    training, validation, test = (found.cells(part) for part in SPLITS)
    if not any(training[label] for label in positive):
        yield f"  attention  no {', '.join(positive)} to train on among these pictures"
    if not any(validation[label] for label in positive) or set(validation) <= set(positive):
        yield (
            f"  attention  to choose a threshold, validation needs {', '.join(positive)} and other cells; "
            "add patients"
        )
    if not test:
        yield "  attention  too few patients to keep some for testing; judge it with --split validation"
