"""edge-train: data sets, fitting, evaluation. PyTorch is imported only by the commands that need it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge import command
from edge.command import DONE

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from train.evaluate import Evaluation


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-train`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return command.run(
        "edge-train",
        lambda: int(arguments.run(arguments)),
        extras="train",
        interrupted="stopped; the same command goes on from the last finished epoch",
    )


def _parser() -> command.Parser:
    parser = command.Parser(
        prog="edge-train",
        description="Train and evaluate the cell classifier. For research use only.",
        example="example: edge-train fit --recipe leukocytes --data ../data --out runs/leukocytes",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command.add(commands, "datasets", "which data sets it reads", "edge-train datasets", _datasets)
    command.add(commands, "recipes", "which recipes there are", "edge-train recipes", _recipes)

    example = "edge-train fit --recipe leukocytes --data ../data --out runs/leukocytes"
    fit = command.add(commands, "fit", "train a recipe, or go on after an interruption", example, _fit)
    fit.add_argument("--recipe", required=True, metavar="NAME", help="a shipped recipe, or a .toml file")
    fit.add_argument("--data", required=True, type=Path, metavar="DIR", help="folder with the data sets")
    fit.add_argument("--out", required=True, type=Path, metavar="RUN_DIR", help="folder for the run")
    fit.add_argument("--device", default="cpu", help="PyTorch device (default: cpu)")
    fit.add_argument("--epochs", type=_count, metavar="N", help="instead of the recipe's")
    fit.add_argument(
        "--limit", type=_count, default=0, metavar="N", help="at most N pictures of each data set"
    )
    fit.add_argument("--cache", type=Path, metavar="DIR", help="keep cut cells here (default: RUN_DIR/cache)")

    example = "edge-train evaluate --dataset deepapl --data ../data --json deepapl.json --pictures figures"
    evaluate = command.add(commands, "evaluate", "a bundle's figures on a data set", example, _evaluate)
    evaluate.add_argument("--bundle", type=Path, help="default: the one in use on this machine")
    evaluate.add_argument("--dataset", required=True, metavar="NAME", help="see edge-train datasets")
    evaluate.add_argument(
        "--data", type=Path, default=Path("."), metavar="DIR", help="folder with the data sets"
    )
    evaluate.add_argument(
        "--split", default="test", choices=("train", "validation", "test", "all"), help="part (default: test)"
    )
    evaluate.add_argument("--limit", type=_count, default=0, metavar="N", help="at most N pictures")
    evaluate.add_argument("--json", metavar="OUT", help="write the figures as JSON; - for standard output")
    evaluate.add_argument(
        "--pictures", type=Path, metavar="DIR", help="write curves and confusion matrix as PNG"
    )
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _notice(message: str) -> None:
    print(f"edge-train: {message}", file=sys.stderr, flush=True)


def _datasets(arguments: argparse.Namespace) -> int:
    from train.datasets import DATASETS, dataset

    for name in DATASETS:
        found = dataset(name)
        print(f"{name}: {found.title}")
        for field in ("layout", "split", "licence", "home", "citation"):
            print(f"  {field:<9} {getattr(found, field)}")
    return DONE


def _recipes(arguments: argparse.Namespace) -> int:
    from train import recipe

    for name in recipe.names():
        print(f"{name}: {recipe.load(name).title}")
    return DONE


def _fit(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from train import fit, recipe

    chosen = recipe.load(arguments.recipe)
    if arguments.epochs:
        chosen = replace(chosen, training=replace(chosen.training, epochs=arguments.epochs))
    run = fit.fit(
        chosen,
        arguments.data,
        arguments.out,
        device=arguments.device,
        limit=arguments.limit,
        cache=arguments.cache or arguments.out / "cache",
        notice=_notice,
    )
    print(run)
    return DONE


def _evaluate(arguments: argparse.Namespace) -> int:
    from edge import bundle
    from train import evaluate
    from train.datasets import dataset

    source = dataset(arguments.dataset)
    opened = bundle.load(arguments.bundle, allow_unsigned=True)
    result = evaluate.evaluate(
        opened, source, arguments.data, split=arguments.split, limit=arguments.limit, notice=_notice
    )
    if arguments.json:
        text = json.dumps(result.as_json(), indent=1) + "\n"
        if arguments.json == "-":
            sys.stdout.write(text)
        else:
            Path(arguments.json).write_text(text)
    if arguments.json != "-":
        _print(result, opened)
    if arguments.pictures:
        for path in evaluate.draw(result, opened, arguments.pictures):
            _notice(f"wrote {path}")
    return DONE


def _print(result: Evaluation, opened: Bundle) -> None:
    names = opened.manifest.classes
    print(
        f"{opened.manifest.name} {opened.manifest.version} on {result.dataset}, {result.split}: "
        f"{sum(result.cells.values())} cells in {result.groups} groups ({result.groups_are})"
    )
    print(
        f"intervals: 95%, bootstrap by {result.groups_are}; positive: {', '.join(opened.manifest.positive)}"
    )
    print(f"the classifier abstains on {result.abstained:.1%}; the second column leaves those out")
    for name, figure in result.figures.items():
        line = f"  {name.replace('_', ' '):<18} {figure.value:6.3f} ({figure.low:.3f} to {figure.high:.3f})"
        sure = result.decided.get(name)
        if sure is not None:
            line += f"   {sure.value:6.3f} ({sure.low:.3f} to {sure.high:.3f})"
        print(line)
    print("confusion, a row for what the cell is:")
    width = max(len(n) for n in names)
    print(" " * width + "".join(f" {n[:7]:>7}" for n in names))
    for name, row in zip(names, result.table.tolist(), strict=True):
        if sum(row):
            print(f"{name:<{width}}" + "".join(f" {count:>7}" for count in row))


if __name__ == "__main__":
    sys.exit(main())
