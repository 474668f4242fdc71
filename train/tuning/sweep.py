"""The door: a recipe and a space in; trials, their table and the best settings out."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.files import atomic
from train.data.bar import Bar
from train.data.dataset import Notice
from train.recipes.recipe import RecipeError
from train.tuning import schedule
from train.tuning.plan import Plan, SweepError
from train.tuning.results import ranked, write
from train.tuning.space import Settings, applied
from train.tuning.trials import Order, Outcome, outcome

STATE, _LOCK = "sweep.json", ".lock"
SAMPLES = 8
"""Trials, where anything is drawn by chance and nobody says how many."""


def sweep(plan: Plan, notice: Notice) -> list[Outcome]:
    """Run the trials of a sweep that are left, and write what came of all: `trials.csv` and `best.toml`.

    Every trial is a run in a folder of its own, with the recipe's seed. Test parts are not looked at.

    Returns
    -------
    The trials, the best first.

    Raises
    ------
    SweepError : the folder holds another sweep, or one that is under way; or no trial came to an end.
    ScheduleError : Ray Tune is not there, or does not start. DataError, FitError : as of a run.
    """
    schedule.check()
    plan.check()
    _check_folder(plan.out)
    plan.out.mkdir(parents=True, exist_ok=True)
    with _alone(plan.out):
        trials = _trials(plan, notice)
        order = _order(plan)
        before = {name: outcome(order, name, trials[name]).state for name in trials}
        left = [name for name, state in before.items() if state not in ("finished", "stopped")]
        if left:
            _gather(plan, [trials[name] for name in left], notice)
            over = [name for name in trials if name not in left] if plan.stop_early else []
            _run(plan, order, {name: trials[name] for name in (*over, *left)}, notice)
        found = ranked([outcome(order, name, trials[name]) for name in trials])
        write(plan, found)
    if found[0].state != "finished":
        why = next((f"; trial {one.name}: {one.why}" for one in found if one.why), "")
        raise SweepError(f"sweep {plan.out}: no trial came to an end{why}")
    return found


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise SweepError(f"--out {out}: is a file; name a folder")
    if out.is_dir() and not (out / STATE).is_file():
        other = [one.name for one in out.iterdir() if one.name != _LOCK]
        if other:
            raise SweepError(f"--out {out}: has {min(other)!r} in it; name a folder of its own")


def _order(plan: Plan) -> Order:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return Order(
        recipe=json.loads(json.dumps(asdict(plan.recipe))),
        metric=plan.compared_by(),
        data=plan.data.resolve(),
        out=plan.out.resolve(),
        limit=plan.limit,
        device=plan.device,
        threads=int(asked) if asked.isdecimal() else max((os.cpu_count() or 1) // plan.at_once, 1),
    )


def _trials(plan: Plan, notice: Notice) -> dict[str, Settings]:
    """Name -> settings of every trial, as they are written down; more are added where more are asked for.

    Raises
    ------
    SweepError : the folder holds a sweep of something else, or settings do not fit together.
    """
    about = {
        "recipe": asdict(plan.recipe),
        "space": plan.space.as_json(),
        "metric": plan.compared_by(),
        "limit": plan.limit,
        "device": plan.device,
    }
    about = json.loads(json.dumps(about))
    path = plan.out / STATE
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"trials": {}}
    if known["trials"]:
        _same(plan.out, known, about)
    settings: list[Settings] = list(known["trials"].values())
    drawn = list(
        plan.space.drawn(plan.samples or (SAMPLES if plan.space.by_chance else 1), plan.recipe.training.seed)
    )
    for one in drawn:
        try:
            applied(plan.recipe, one)
        except RecipeError as error:
            raise SweepError(f"trial {json.dumps(one)}: {error}; change the space") from None
    settings += [one for one in drawn if one not in settings]
    trials = {f"{number:03d}": one for number, one in enumerate(settings, start=1)}
    if len(settings) > len(drawn):
        notice(f"{plan.out}: {len(settings)} trials were drawn before, and all of them stay")
    atomic.write(path, (json.dumps(about | {"trials": trials}, indent=1) + "\n").encode(), 0o644)
    return trials


def _same(out: Path, known: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    from train.fitting.provenance import flat

    before = flat({key: value for key, value in known.items() if key != "trials"})
    after = flat(dict(now))
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            raise SweepError(
                f"sweep {out}: was started with other settings ({key} {before.get(key)}, now "
                f"{after.get(key)}); choose another --out or remove it"
            )


def _gather(plan: Plan, settings: Sequence[Settings], notice: Notice) -> None:
    """Cut the windows once for all trials, and refuse what cannot end well."""
    if plan.recipe.task == "detector":
        return
    import torch

    from train.fitting.distributed import Process
    from train.fitting.gather import gather, gathered
    from train.fitting.task import Run

    out = plan.out
    process = Process(torch.device("cpu"))
    gathered(plan.recipe, Run(plan.data, out, out / "cache", plan.limit, process, "fp32", notice))
    recipes = (applied(plan.recipe, one) for one in settings)
    others = {recipe.window: recipe for recipe in recipes if recipe.window != plan.recipe.window}
    for recipe in others.values():
        gather(recipe, plan.data, plan.limit, out / "cache", notice)


def _run(plan: Plan, order: Order, trials: Mapping[str, Settings], notice: Notice) -> None:
    import torch

    gpus = torch.cuda.device_count() if plan.device.startswith("cuda") else 0
    epochs = max(applied(plan.recipe, settings).training.epochs for settings in trials.values())
    with Bar(None, "trials", "trial", total=len(trials)) as bar:

        def told(name: str, epoch: int, figure: float | None) -> None:
            if epoch:
                bar.set_postfix_str(f"{name} epoch {epoch}: {figure:.4f}")
                return
            bar.update()
            one = outcome(order, name, trials[name])
            figure_told = "no figure" if one.figure is None else f"{one.figure:.4f}"
            with bar.above():
                notice(
                    f"trial {name}: {one.state}{one.why and f' ({one.why})'}, {figure_told}, "
                    f"{one.epochs} epochs, {one.minutes:.1f} min"
                )

        schedule.run(
            order,
            trials,
            at_once=plan.at_once,
            gpus=gpus,
            stop_early=plan.stop_early,
            epochs=epochs,
            told=told,
        )


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the sweep's folder."""
    with open(out / _LOCK, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SweepError(
                f"sweep {out}: another edge-train sweep is at it; wait for it, or end it"
            ) from None
        yield
