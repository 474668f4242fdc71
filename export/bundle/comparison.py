"""What a bundle brings to compare with: reference cells, and how slides of its training laboratories look.

A reference cell travels with the bundle, so it is of a data set whose licence lets it be passed on, or drawn.
Cells that are sharp and that the model knows for what they are stand for a class, and of those the ones that
lie apart in size and shape, the middlemost first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.bundle import Bundle
from edge.bundle.references import MEMBER
from edge.cells.classify import Classifier
from edge.files.pictures import decode
from edge.line.explain import Explainer
from edge.types import F32, U8
from export.bundle import card
from export.graph.graph import ExportError
from train.data.bar import followed
from train.data.dataset import Notice
from train.data.familiar import familiar
from train.data.registry import dataset
from train.data.windows import Windows, middle
from train.fitting.gather import gather
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe

MAY_BE_PASSED_ON = ("pbc", "simulated")
"""Data sets whose cells may travel in a bundle, real ones first: CC BY 4.0, and this program's own."""

PER_CLASS = 4
_QUALITY = 65  # of the WebP: 44 cells take 45 kB, as PNG they would take 650
_BLURRED = 0.3  # of a class's cells: the least sharp ones
_FAR_OUT = 0.3  # and of those left the least typical ones
_CANDIDATES = 40  # of a class that are looked at

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Additions:
    """What is added to a bundle: tables of its manifest, and members."""

    tables: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, bytes] = field(default_factory=dict)


def of_bundle(bundle: Bundle, data: Path, cache: Path, notice: Notice) -> Additions:
    """What is added to a bundle that exists, from the data sets it was trained on; its card tells it too.

    Raises
    ------
    ExportError : its manifest does not say how it was trained. DataError : a data set is absent.
    """
    try:
        recipe = recipes.parse(bundle.manifest.everything["training"]["recipe"])
    except (KeyError, TypeError, recipes.RecipeError) as error:
        raise ExportError(f"bundle {bundle.path}: does not say how it was trained ({error})") from None
    added = of_windows(bundle, recipe, gather(recipe, data, 0, cache, notice))
    if not added.members:
        return added
    told = card.with_references(bundle.members["MODEL_CARD.md"].decode(), added.tables["references"])
    return Additions(added.tables, {**added.members, "MODEL_CARD.md": told.encode()})


def of_windows(bundle: Bundle, recipe: Recipe, windows: Windows) -> Additions:
    """The same from the windows that the recipe trains on; nothing for a model that is not shown plain crops.

    Parameters
    ----------
    bundle : with an FP32 graph, by which the cells are chosen.
    """
    if recipe.task != "cell" or not recipe.model_input.plain:
        return Additions()
    ranges = familiar(windows, recipe.counted, recipe.input.pitch_um)
    chosen = _chosen(bundle, windows, recipe)
    tables: dict[str, Any] = {}
    if ranges:
        tables["familiar"] = {name: list(ends) for name, ends in ranges.items()}
    if not len(chosen):
        return Additions(tables)
    cells = windows.pick(chosen)
    rows = zip(cells.files.tolist(), cells.labels.tolist(), map(_short, cells.datasets.tolist()), strict=True)
    tables["references"] = {
        "picture": MEMBER,
        "sources": {_short(name): _source(name) for name in dict.fromkeys(cells.datasets.tolist())},
        "cells": [{"name": file, "class": label, "source": source} for file, label, source in rows],
    }
    return Additions(tables, {MEMBER: _webp(middle(cells.pixels, recipe.model_input.size_px))})


def _short(name: str) -> str:
    """What the screen calls a data set that cells are of."""
    return name if dataset(name).folder else "drawn"


def _source(name: str) -> dict[str, str]:
    source = dataset(name)
    if source.folder is None:
        return {"credit": "Drawn by this program.", "licence": source.licence}
    credit = f"{source.citation}. {source.home}. Cut out, light corrected, compressed."
    return {"credit": credit, "licence": source.licence}


def _chosen(bundle: Bundle, windows: Windows, recipe: Recipe) -> Indices:
    """The reference cells among the training windows, class by class."""
    classifier = Classifier(bundle)
    explainer = Explainer(classifier)
    out: list[int] = []
    for name in followed(recipe.classes, "reference cells", "class", leave=False):
        for source in MAY_BE_PASSED_ON:
            some = (windows.labels == name) & (windows.datasets == source) & (windows.splits == "train")
            at = np.flatnonzero(some)
            crops = np.ascontiguousarray(middle(windows.pixels[at], recipe.model_input.size_px))
            kept = _typical(crops, classifier, recipe.classes.index(name))
            if len(kept) >= PER_CLASS:
                traits = np.stack([explainer.traits(crop) for crop in crops[kept]])
                out += at[kept[_apart(traits)]].tolist()
                break
    classifier.close()
    return np.array(out, np.int64)


def _typical(crops: U8, classifier: Classifier, of_class: int) -> Indices:
    """The sharp ones that the model knows for what they are as the bundle shows them, the surest first."""
    if not len(crops):
        return np.zeros(0, np.int64)
    sharpness = np.array([cv2.Laplacian(crop[..., 1], cv2.CV_32F).var() for crop in crops])
    said = classifier.probabilities(np.stack([decode(_webp(crop[None])) for crop in crops]))
    good = (said.argmax(axis=1) == of_class) & (sharpness >= np.quantile(sharpness, _BLURRED))
    surest = np.argsort(-said[:, of_class], kind="stable")
    return np.asarray(surest[good[surest]][:_CANDIDATES], np.int64)


def _apart(traits: F32) -> Indices:
    """`PER_CLASS` of n cells that lie far from each other, the middlemost first."""
    spread = (traits - traits.mean(axis=0)) / (traits.std(axis=0) + 1e-6)
    odd = (spread**2).sum(axis=1)
    chosen = [int(odd.argmin())]
    while len(chosen) < PER_CLASS:
        away = np.min([((spread - spread[i]) ** 2).sum(axis=1) for i in chosen], axis=0)
        away[odd > np.quantile(odd, 1 - _FAR_OUT)] = -1.0
        away[chosen] = -2.0
        chosen.append(int(away.argmax()))
    return np.array(chosen, np.int64)


def _webp(crops: U8) -> bytes:
    row = cv2.cvtColor(np.concatenate(list(crops), axis=1), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".webp", row, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not done:
        raise ExportError(f"the picture of {len(crops)} reference cells cannot be written as WebP")
    return data.tobytes()
