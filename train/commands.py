"""What each command of edge-train does with its arguments. PyTorch is imported by those that need it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import command
from edge.command import CHECK_FAILED, DONE

if TYPE_CHECKING:
    from train.data.dataset import DataSet
    from train.judging.contestants import FieldDetector
    from train.judging.fields import Found
    from train.recipes.recipe import Recipe


def _notice(message: str) -> None:
    command.say("edge-train", message)


def datasets(arguments: argparse.Namespace) -> int:
    """List the data sets and the layouts of own ones, or check them."""
    from train.data import listing
    from train.data.own import LAYOUTS, PREFIX
    from train.data.registry import DATASETS, named

    if arguments.check:
        return _check(arguments)
    if arguments.recipe:
        arguments.wrong("--recipe: only with --check")
    names = _split(arguments.dataset)
    chosen = names or [name for name in DATASETS if name != PREFIX]
    entries = [listing.entry(found, arguments.data) for found in map(named, chosen)]
    own = [] if names and PREFIX not in {name.partition(":")[0] for name in names} else listing.own_lines()
    lines = chain(listing.lines(entries, arguments.data), own)
    _tell(arguments, {"datasets": entries, "own_layouts": dict(LAYOUTS)}, lines)
    return DONE


def _check(arguments: argparse.Namespace) -> int:
    from train.data import check
    from train.data.own import PREFIX
    from train.data.registry import DATASETS
    from train.judging.sources import sources
    from train.recipes import recipe

    if arguments.data is None:
        arguments.wrong("--check: needs --data DIR")
    names = _split(arguments.dataset)
    known = [recipe.load(arguments.recipe)] if arguments.recipe else []
    every = [name for found in known for name in found.shares] or [n for n in DATASETS if n != PREFIX]
    chosen = sources(names or every, known)
    found = check.check([s for s in chosen if names or s.folder is not None], arguments.data)
    _tell(arguments, found.as_json(), check.report(found))
    return DONE if found.passed else CHECK_FAILED


def new_recipe(arguments: argparse.Namespace) -> int:
    """Write a recipe for own pictures, and their split."""
    from train.recipes import new
    from train.recipes.found import Asked

    command.put("\n".join(new.write(Asked.of(arguments), _notice)))
    return DONE


def _split(texts: Sequence[str] | None) -> list[str]:
    """Names given one by one or with commas, each once."""
    given = (name.strip() for text in texts or () for name in text.split(","))
    return list(dict.fromkeys(name for name in given if name))


def recipes(arguments: argparse.Namespace) -> int:
    """List the recipes that ship, by group."""
    from train.recipes import recipe

    for title in recipe.GROUPS:
        command.put(f"{title}:")
        for name in recipe.group(title):
            found = recipe.load(name)
            published = f" (published: {found.published})" if found.published else ""
            command.put(f"  {name}: {found.title}{published}")
    return DONE


def fit(arguments: argparse.Namespace) -> int:
    """Train a recipe."""
    from dataclasses import replace

    from train.fitting import distributed, fit
    from train.recipes import recipe

    whole = recipe.changed(recipe.load(arguments.recipe), arguments.set, arguments.split)
    left_out = _split(arguments.leave_out)
    chosen = recipe.without(whole, left_out)
    if arguments.epochs:
        chosen = replace(chosen, training=replace(chosen.training, epochs=arguments.epochs))
    run = fit.fit(
        chosen,
        arguments.data,
        arguments.out,
        device=arguments.device,
        precision=arguments.precision,
        limit=arguments.limit,
        cache=arguments.cache or arguments.out / "cache",
        checkpoint_s=60 * arguments.checkpoint_minutes,
        left_out=left_out,
        tensorboard=arguments.tensorboard,
        compiled=arguments.compile,
        notice=_notice,
    )
    if distributed.leading():
        _tell_left_out(whole, chosen, run)
        command.put(str(run))
    return DONE


def _tell_left_out(whole: Recipe, chosen: Recipe, run: Path) -> None:
    """Say where the run can be judged as elsewhere, and where its laboratory is not as unseen as it looks."""
    laboratories = {chosen.source(name).laboratory: name for name in chosen.shares}
    for name in (name for name in whole.shares if name not in chosen.shares):
        _notice(f"{name} was left out; edge-train compare {run} --dataset {name} judges the run there")
        if same := laboratories.get(whole.source(name).laboratory):
            _notice(f"{same} is of the same laboratory as {name}, and was learned; --leave-out {same} too")


def _sources(arguments: argparse.Namespace, judged: Sequence[Path | None]) -> list[DataSet]:
    """The data sets asked for, each once; `judged` may have a recipe that knows own ones, None is in use."""
    from train.data.own import PREFIX, Own
    from train.data.registry import DATASETS
    from train.judging.sources import recipes_of, sources

    names = _split(arguments.dataset)
    scale, classes, group = arguments.um_per_px, dict(arguments.class_of), arguments.group_by
    flags = {"--um-per-px": scale, "--class-of": classes, "--group-by": group}
    of_folder = any(name.partition(":")[0] == PREFIX for name in names)
    for flag in (flag for flag, value in flags.items() if value and not of_folder):
        arguments.wrong(f"{flag}: only for --dataset {PREFIX}")
    if not names:
        arguments.wrong("--dataset: names none")
    about = Own(um_per_px=scale or 0.0, classes=classes, group=group or "")
    plain = {name.partition("@")[0].partition(":")[0] for name in names}
    known = recipes_of(judged, large=arguments.large) if plain - DATASETS.keys() else []
    return sources(names, known, about)


def _tell(arguments: argparse.Namespace, found: dict[str, Any], lines: Iterable[str]) -> None:
    """Figures as JSON where they are asked for, and in words unless that is on standard output."""
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(found, indent=1) + "\n")
    if arguments.json != "-":
        command.put("\n".join(lines))


def evaluate(arguments: argparse.Namespace) -> int:
    """A bundle's figures."""
    from edge.bundle import bundle
    from train.fitting import provenance
    from train.judging import contestants, evaluate, evaluation_plots, report

    given = arguments.bundle
    if given and (detector := contestants.detector(given, large=arguments.large)) is not None:
        return _evaluate_detector(arguments, detector)
    sources = _sources(arguments, [given])
    model = (
        contestants.contestant(given, large=arguments.large)
        if given
        else contestants.of_bundle(bundle.load())
    )
    result = evaluate.evaluate(
        model, sources, arguments.data, split=arguments.split, limit=arguments.limit, notice=_notice
    )
    found = _found_in_fields(arguments, sources, model.path)
    origin = {"measured": datetime.now(UTC).date().isoformat(), "program": provenance.source()}
    told = origin | result.as_json() | {"fields": {each.dataset: each.as_json() for each in found}}
    lines = (line for each in found for line in ("", *each.lines()))
    _tell(arguments, told, chain(report.of_evaluation(result), lines))
    if arguments.pictures:
        for path in evaluation_plots.draw(result, arguments.pictures):
            _notice(f"wrote {path}")
    return DONE


def _found_in_fields(arguments: argparse.Namespace, sources: Sequence[DataSet], path: Path) -> list[Found]:
    """How the line finds leukocytes where data sets are fields with boxes."""
    from edge.bundle import bundle
    from train.data.sets.fields import FIELDS
    from train.judging import fields

    asked = [source for source in sources if source.name in FIELDS]
    if asked and path.is_dir():
        _notice(f"{path}: a run has no line to find cells in fields; make a bundle of it to see how it does")
    if not asked or path.is_dir():
        return []
    opened = bundle.load(path, allow_unsigned=True)
    if opened.manifest.task != "cell":
        return []
    return fields.evaluate(
        opened,
        asked,
        arguments.data,
        split=arguments.split,
        limit=arguments.limit,
        notice=_notice,
        pictures=arguments.pictures,
    )


def _evaluate_detector(arguments: argparse.Namespace, detector: FieldDetector) -> int:
    """A detector's figures, on fields with boxes."""
    from train.published.detection import evaluate

    if arguments.split == "all":
        arguments.wrong("--split all: a detector is judged on one part; choose train, validation or test")
    result = evaluate.evaluate(
        detector.find,
        detector.classes,
        detector.pitch_um,
        _split(arguments.dataset),
        arguments.data,
        split=arguments.split,
        limit=arguments.limit,
        notice=_notice,
    )
    _tell(arguments, result.as_json(), result.lines())
    return DONE


def compare(arguments: argparse.Namespace) -> int:
    """Runs and bundles side by side."""
    from train.judging import compare, report

    found = compare.compare(
        arguments.contestants,
        _sources(arguments, arguments.contestants),
        arguments.data,
        split=arguments.split,
        limit=arguments.limit,
        large=arguments.large,
        notice=_notice,
    )
    _tell(arguments, found.as_json(), report.of_comparison(found))
    return DONE


def apl(arguments: argparse.Namespace) -> int:
    """Whether a bundle tells APL from other leukemias."""
    from edge.bundle import bundle
    from train.judging import apl as judging

    opened = bundle.load(arguments.bundle, allow_unsigned=True, large=arguments.large)
    known = judging.patients(opened, arguments.data, arguments.cache, _notice, ("train", "validation"))
    found = judging.alert(known, opened.manifest)
    _tell(arguments, found.as_json(), found.lines())
    return DONE


def operation(arguments: argparse.Namespace) -> int:
    """How often a bundle errs elsewhere."""
    from edge.bundle import bundle
    from train.judging import leftout, threshold
    from train.judging import operation as judging

    opened = bundle.load(arguments.bundle, allow_unsigned=True, large=arguments.large)
    about = opened.manifest
    runs = leftout.runs_in(arguments.leftout, _notice)
    leftout.check(runs, about)
    cache = arguments.cache or arguments.leftout / "cache"
    answers = [cells for run in runs for cells in leftout.asked(run, arguments.data, cache, _notice)]
    window = runs[0].recipe.window
    answers += leftout.blasts(opened, arguments.blasts, window, arguments.data, cache, _notice)
    found = judging.operation(
        judging.laboratories(answers, about),
        about.finding,
        judging.source_of(runs, about, arguments.blasts),
    )
    lines = [*found.lines(), *threshold.lines(threshold.healthy(answers, about), about)]
    _tell(arguments, found.as_json(), lines)
    return DONE


def sweep(arguments: argparse.Namespace) -> int:
    """Settings of a recipe, tried side by side."""
    from dataclasses import replace

    from train.recipes import recipe
    from train.tuning import plan, results, space
    from train.tuning.sweep import sweep as run

    chosen = recipe.load(arguments.recipe)
    if arguments.epochs:
        chosen = replace(chosen, training=replace(chosen.training, epochs=arguments.epochs))
    asked = plan.Plan(
        recipe=chosen,
        space=space.load(arguments.space, chosen),
        data=arguments.data,
        out=arguments.out,
        samples=arguments.samples or 0,
        at_once=arguments.at_once,
        limit=arguments.limit,
        device=arguments.device,
        metric=arguments.metric,
        stop_early=arguments.stop_early,
    )
    found = run(asked, _notice)
    command.put("\n".join(results.lines(found, asked)))
    return DONE


def import_records(arguments: argparse.Namespace) -> int:
    """A data set of confirmed cells, and where machine and people differ."""
    from train.confirmed import records

    found = records.import_records(
        arguments.stores, arguments.out, keep_names=arguments.keep_names, notice=_notice
    )
    _tell(arguments, found, records.lines(found, arguments.out))
    return DONE
