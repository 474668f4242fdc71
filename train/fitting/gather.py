"""The windows that a recipe is trained on, test parts excepted, and whether they are enough."""

from __future__ import annotations

from pathlib import Path

from train.data.crew import Crew
from train.data.dataset import Notice
from train.data.windows import Windows, cached
from train.fitting.provenance import write_data
from train.fitting.sampling import understood
from train.fitting.task import FitError, Run
from train.fitting.validation import typed
from train.recipes.recipe import Recipe


def gather(recipe: Recipe, data: Path, limit: int, cache: Path, notice: Notice) -> Windows:
    """Windows of every data set of a recipe, test parts excepted; see `train.data.windows.cached`."""
    parts = []
    with Crew() as crew:
        for name in recipe.shares:
            most = recipe.most(name, limit)
            part = cached(recipe.source(name), data, recipe.window, notice, most, cache, crew)
            parts.append(understood(part, recipe, notice))
    return Windows.join(parts)


def gathered(recipe: Recipe, run: Run) -> Windows:
    """The same for a run that begins, on every process, and written down in its folder.

    Raises
    ------
    FitError : too little is left to train on. DataError : a data set is absent or unreadable.
    SettingsError : the run was started on other files.
    """
    windows = run.process.in_turn(lambda: gather(recipe, run.data, run.limit, run.cache, run.notice))
    _check(recipe, windows, run)
    if run.process.leads:
        write_data(recipe, run.data, run.limit, windows, run.out)
    return windows


def _check(recipe: Recipe, windows: Windows, run: Run) -> None:
    """Refuse what cannot end well before it takes hours."""
    data, training = run.data, windows.of("train")
    if not len(training):
        raise FitError(f"data {data}: no cell falls into the training part; raise --limit")
    there = set(training.labels.tolist()) & set(recipe.classes)
    for name in recipe.classes:
        if name not in there:
            run.notice(f"class {name}: no training cell is labelled so in {data}")
    if recipe.positive and not there & set(recipe.positive):
        raise FitError(f"data {data}: no training cell of {', '.join(recipe.positive)}; nothing to learn")
    if len(there) < 2:
        raise FitError(f"data {data}: training cells of one class only, {', '.join(there) or 'none'}")
    if not len(typed(windows.of("validation"), recipe)):
        raise FitError(f"data {data}: no validation cell to choose the operating point on; raise --limit")
