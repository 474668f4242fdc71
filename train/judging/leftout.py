"""Runs that left a laboratory out, and what each says of the cells that it never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from edge.bundle.bundle import Bundle
from edge.bundle.manifest import Manifest
from edge.bundle.model_input import ModelInput
from edge.types import F32, U8, Bools, LeukoscopeError
from train.data.bar import followed
from train.data.classes import NO_BLAST
from train.data.dataset import DataSet, Notice
from train.data.fingerprint import digest
from train.data.registry import dataset
from train.data.windows import Texts, cached, middle
from train.fitting.fit import settings_of
from train.fitting.provenance import SETTINGS, flat
from train.judging.contestants import of_bundle
from train.judging.runs import of_run
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe, RecipeError

_BATCH = 128
_FREE = ("name", "title", "training.epochs")
"""What may differ between the bundle's recipe and a run's: fewer epochs are told, not refused."""


class LeftOutError(LeukoscopeError):
    """Runs that do not tell how a bundle does elsewhere. Says which and what to do."""


@dataclass(frozen=True)
class LeftOut:
    """A run that left data sets out: its folder, its recipe, their names, and how it was limited."""

    path: Path
    recipe: Recipe
    names: tuple[str, ...]
    limit: int


@dataclass(frozen=True, eq=False)
class Unseen:
    """What a run says of the cells of a data set that it did not learn from, test parts excepted.

    Attributes
    ----------
    labels, groups : (n,) str; see `train.data.dataset.Spot`. probabilities : (n, C) float32, calibrated.
    features : (n, F) float32, what its last layer reads of them; None where nobody asked.
    """

    source: DataSet
    labels: Texts
    groups: Texts
    probabilities: F32
    features: F32 | None = None

    def sides(self, positive: Sequence[str], leukocytes: Sequence[str]) -> tuple[Bools, Bools]:
        """(n,) bool each: its blasts, and its other leukocytes; neither where a label leaves that open."""
        blasts = np.isin(self.labels, positive)
        return blasts, np.isin(self.labels, [*leukocytes, NO_BLAST]) & ~blasts


def runs_in(folder: Path, notice: Notice) -> list[LeftOut]:
    """The runs in a folder that left something out, by name; others are told and passed over.

    Raises
    ------
    LeftOutError : there is none, or two left out the same.
    """
    found: list[LeftOut] = []
    for path in sorted(each.parent for each in folder.glob(f"*/{SETTINGS}")):
        try:
            recipe, settings = settings_of(path)
        except (ValueError, KeyError, TypeError) as error:
            raise LeftOutError(f"{path}: {SETTINGS} cannot be read ({error}); train it again") from None
        if names := tuple(settings.get("left_out", ())):
            found.append(LeftOut(path, recipe, names, int(settings.get("limit", 0))))
        else:
            notice(f"{path}: left nothing out, passed over")
    if not found:
        what = "holds no run that left a laboratory out" if folder.is_dir() else "is no folder"
        raise LeftOutError(
            f"--leftout {folder}: {what}; make them with edge-train fit --leave-out NAME --out {folder}/NAME"
        )
    by: dict[str, Path] = {}
    for run in found:
        for name in run.names:
            if name in by:
                raise LeftOutError(
                    f"{run.path}: leaves out {name}, as {by[name]} does; move one of them away"
                )
            by[name] = run.path
    return found


def check(runs: Sequence[LeftOut], about: Manifest) -> None:
    """Refuse runs that do not tell what a bundle does elsewhere.

    Raises
    ------
    LeftOutError : one was trained in another way than the bundle, or knows the laboratory that it left out
        from another data set.
    """
    try:
        recipe = recipes.parse(about.everything["training"]["recipe"])
    except (KeyError, RecipeError):
        raise LeftOutError(
            f"bundle {about.name}: does not say how it was trained; give one of edge-export bundle"
        ) from None
    for run in runs:
        _check_recipe(run, recipe)
        learned = {run.recipe.source(name).laboratory: name for name in run.recipe.shares}
        for name in run.names:
            if same := learned.get(run.recipe.source(name).laboratory):
                raise LeftOutError(
                    f"{run.path}: leaves out {name} and learned {same}, of the same laboratory; "
                    f"train it with --leave-out {name},{same}"
                )


def _check_recipe(run: LeftOut, recipe: Recipe) -> None:
    try:
        wanted = flat(asdict(recipes.without(recipe, run.names)))
    except RecipeError:
        raise LeftOutError(
            f"{run.path}: leaves out {', '.join(run.names)}, which bundle {recipe.name} did not learn from; "
            "give runs of the bundle's recipe"
        ) from None
    given = flat(asdict(run.recipe))
    for key in {**wanted, **given}:
        if key not in _FREE and wanted.get(key) != given.get(key):
            raise LeftOutError(
                f"{run.path}: is of another recipe than bundle {recipe.name} ({key} {given.get(key)}, there "
                f"{wanted.get(key)}); give runs of the bundle's recipe"
            )


def asked(
    run: LeftOut,
    data: Path,
    cache: Path,
    notice: Notice,
    others: Sequence[str] = (),
    *,
    features: bool = False,
) -> Iterator[Unseen]:
    """What a finished run says of each data set that it left out, and of others that it did not learn from.

    What it says is kept in `cache`, beside the windows, until the weights or the cells change; so are the
    `features`, where they are asked for and the run is of a network.

    Raises
    ------
    FitError : not finished. ContestantError : its files are damaged. DataError : a data set is absent.
    """
    threads = torch.get_num_threads()
    model = of_run(run.path)
    torch.set_num_threads(threads)  # judging runs takes one, and torch keeps that for the process
    for name in (*run.names, *others):
        windows = cached(run.recipe.source(name), data, run.recipe.window, notice, 0, cache)
        crops = middle(windows.pixels, model.model_input.size_px)
        key = f"{name}-{digest([model.sha256, model.version, crops])}"
        told = _kept(model.answer, crops, cache / f"answers-{key}.npy", f"{run.path.name}: {name}")
        read = None
        if features and model.features is not None:
            read = _kept(model.features, crops, cache / f"features-{key}.npy", f"{run.path.name}: {name}")
        yield Unseen(run.recipe.source(name), windows.labels, windows.groups, told, read)


def blasts(
    opened: Bundle, names: Sequence[str], window: ModelInput, data: Path, cache: Path, notice: Notice
) -> Iterator[Unseen]:
    """What a bundle itself says of the blasts of data sets that it never learned from, test parts excepted.

    It knows blasts of every kind, which a run without the only laboratory of a kind does not. What is no
    blast is left out: such data sets may be labelled by their fields, whose other cells are anything.

    Parameters
    ----------
    window : what to cut; see `train.recipes.recipe.Recipe.window`.

    Raises
    ------
    LeftOutError : it learned from one of them. DataError : a data set is absent.
    """
    if not names:
        return
    model = of_bundle(opened)
    for name in names:
        if name in model.learned_on:
            raise LeftOutError(f"--blasts {name}: bundle {model.name} learned from it; leave it away")
        windows = cached(dataset(name), data, window, notice, 0, cache)
        windows = windows.pick(np.isin(windows.labels, model.positive))
        answers = model.answer(middle(windows.pixels, model.model_input.size_px))
        yield Unseen(dataset(name), windows.labels, windows.groups, answers)
    model.close()


def _kept(ask: Callable[[U8], F32], crops: U8, path: Path, told: str) -> F32:
    """(n, ...) what is said of crops, from the cache or for it."""
    if path.is_file():
        return np.asarray(np.load(path), np.float32)
    starts = followed(range(0, len(crops), _BATCH), told, "batch")
    answers = np.concatenate([ask(crops[start : start + _BATCH]) for start in starts])
    partial = path.with_suffix(".part.npy")
    np.save(partial, answers)
    partial.replace(path)
    return answers
