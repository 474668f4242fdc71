"""What each command of edge-train does with its arguments. PyTorch is imported by those that need it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import CHECK_FAILED, DONE

if TYPE_CHECKING:
    from train.data.sets import DataSet
    from train.judging.contestants import FieldDetector


def _notice(message: str) -> None:
    print(f"edge-train: {message}", file=sys.stderr, flush=True)


def datasets(arguments: argparse.Namespace) -> int:
    """List the data sets, or check them."""
    from train.data.sets import DATASETS, dataset, folder

    if arguments.check:
        return _check(arguments)
    names = _split(arguments.dataset) or [name for name in DATASETS if name != folder.PREFIX]
    lines, listed = [], []
    for found in map(dataset, names):
        fields = ("title", "layout", "split", "groups", "laboratory", "licence", "home", "citation")
        entry = {"name": found.name} | {field: getattr(found, field) for field in fields}
        there = ""
        if arguments.data is not None and found.folder is not None:
            entry["found"] = found.there(arguments.data)
            there = "" if entry["found"] else f" (not in {arguments.data})"
        listed.append(entry)
        lines.append(f"{found.name}: {found.title}{there}")
        lines += [f"  {field:<10} {entry[field]}" for field in fields[1:]]
    _tell(arguments, {"datasets": listed}, lines)
    return DONE


def _check(arguments: argparse.Namespace) -> int:
    from train.data import check
    from train.data.sets import DATASETS, dataset, folder

    if arguments.data is None:
        arguments.wrong("--check: needs --data DIR")
    names = _split(arguments.dataset)
    chosen = [folder.named(name) for name in names] if names else [dataset(name) for name in DATASETS]
    sources = [source for source in chosen if names or source.folder is not None]
    found = check.check(sources, arguments.data)
    _tell(arguments, found.as_json(), check.report(found))
    return DONE if found.passed else CHECK_FAILED


def _split(texts: Sequence[str] | None) -> list[str]:
    """Names given one by one or with commas, each once."""
    given = (name.strip() for text in texts or () for name in text.split(","))
    return list(dict.fromkeys(name for name in given if name))


def recipes(arguments: argparse.Namespace) -> int:
    """List the recipes that ship."""
    from train.recipes import recipe

    for name in recipe.names():
        found = recipe.load(name)
        published = f" (published: {found.published})" if found.published else ""
        print(f"{name}: {found.title}{published}")
    return DONE


def fit(arguments: argparse.Namespace) -> int:
    """Train a recipe."""
    from dataclasses import replace

    from train.fitting import distributed, fit
    from train.recipes import recipe

    chosen = recipe.changed(recipe.load(arguments.recipe), arguments.set, arguments.split)
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
        notice=_notice,
    )
    if distributed.leading():
        print(run)
    return DONE


def _sources(arguments: argparse.Namespace) -> list[DataSet]:
    """The data sets asked for, each once."""
    from train.data.sets import folder

    names = _split(arguments.dataset)
    flags = {
        "--um-per-px": arguments.um_per_px,
        "--class-of": arguments.class_of,
        "--group-by": arguments.group_by,
    }
    if not any(name.partition(":")[0] == folder.PREFIX for name in names):
        for flag, value in flags.items():
            if value:
                arguments.wrong(f"{flag}: only for --dataset {folder.PREFIX}")
    if not names:
        arguments.wrong("--dataset: names none")
    options = folder.FolderOptions(arguments.um_per_px, dict(arguments.class_of), arguments.group_by)
    return [folder.named(name, options) for name in names]


def _tell(arguments: argparse.Namespace, found: dict[str, Any], lines: Iterable[str]) -> None:
    """Figures as JSON where they are asked for, and in words unless that is on standard output."""
    if arguments.json:
        text = json.dumps(found, indent=1) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
            return
        Path(arguments.json).write_text(text)
    for line in lines:
        print(line)


def evaluate(arguments: argparse.Namespace) -> int:
    """A bundle's figures."""
    from edge.bundle import bundle
    from train.judging import contestants, evaluate, evaluation_plots, report

    given = arguments.bundle
    if given and (detector := contestants.detector(given)) is not None:
        return _evaluate_detector(arguments, detector)
    sources = _sources(arguments)
    model = contestants.contestant(given) if given else contestants.of_bundle(bundle.load())
    result = evaluate.evaluate(
        model, sources, arguments.data, split=arguments.split, limit=arguments.limit, notice=_notice
    )
    _tell(arguments, result.as_json(), report.of_evaluation(result))
    if arguments.pictures:
        for path in evaluation_plots.draw(result, arguments.pictures):
            _notice(f"wrote {path}")
    return DONE


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


def segment(arguments: argparse.Namespace) -> int:
    """Train the learned segmenter."""
    from dataclasses import replace

    from train.segmentation.fit import fit
    from train.segmentation.settings import Settings

    settings = Settings(limit=arguments.limit).without(arguments.without)
    changes = {name: getattr(arguments, name) for name in ("epochs", "steps") if getattr(arguments, name)}
    settings = replace(settings, **changes)
    print(fit(settings, arguments.data, arguments.out, cache=arguments.cache, notice=_notice))
    return DONE


def compare(arguments: argparse.Namespace) -> int:
    """Runs and bundles side by side."""
    from train.judging import compare, report

    found = compare.compare(
        arguments.contestants,
        _sources(arguments),
        arguments.data,
        split=arguments.split,
        limit=arguments.limit,
        notice=_notice,
    )
    _tell(arguments, found.as_json(), report.of_comparison(found))
    return DONE
