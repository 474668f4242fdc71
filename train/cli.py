"""edge-train: its commands and their flags; see `train.flags` and `train.commands`, too."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge import command
from train import commands as run
from train import flags


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-train`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return command.run(
        "edge-train",
        lambda: int(arguments.run(arguments)),
        extras="train",
        interrupted="stopped; the same command goes on from the last checkpoint",
    )


def _parser() -> command.Parser:
    parser = command.Parser(
        prog="edge-train",
        description="Train and evaluate the cell classifier. For research use only.",
        example="example: edge-train fit --recipe leukocytes --data ../data --out runs/leukocytes",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    _add_datasets(commands)
    command.add(commands, "recipes", "which recipes there are", "edge-train recipes", run.recipes)
    _add_new_recipe(commands)
    _add_fit(commands)
    flags.add_judging(commands)
    _add_sweep(commands)
    _add_import_records(commands)
    return parser


def _add_datasets(commands: command.Commands[command.Parser]) -> None:
    example = "edge-train datasets --data ../data --check --json datasets.json"
    datasets = command.add(
        commands, "datasets", "which data sets it reads, and what is wrong with them", example, run.datasets
    )
    add = datasets.add_argument
    add("--data", type=Path, metavar="DIR", help="folder with the data sets; says which are there")
    add(
        "--check",
        action="store_true",
        help="read every picture of --data: counts, odd files, pictures that show the same; status 3 where "
        "one part shows up in another (two minutes for 14,000 pictures)",
    )
    add("--dataset", action="append", metavar="NAME[,NAME]", help="only these (default: all that need files)")
    add("--recipe", metavar="NAME", help="with --check: the data sets of this recipe, own ones too")
    add("--json", metavar="OUT", help="write it as JSON; - for standard output")
    datasets.set_defaults(wrong=datasets.error)


def _add_new_recipe(commands: command.Commands[command.Parser]) -> None:
    summary = "write a recipe to train on own pictures, and which of their patients train, validate and test"
    example = (
        "edge-train new-recipe --data . --out mine.toml\n"
        "what is called otherwise: edge-train new-recipe --data . --class-of 'ALL blast'=blast\n"
        "then: edge-train fit --recipe mine.toml --data . --out runs/mine"
    )
    new = command.add(commands, "new-recipe", summary, example, run.new_recipe)
    add = new.add_argument
    add("--from", dest="base", default="leukocytes", metavar="NAME", help="the recipe that all else is "
        "taken from: a shipped one or a .toml file (default: leukocytes)")  # fmt: skip
    add("--data", required=True, type=Path, metavar="DIR", help="folder with the own pictures, or with their "
        "folder and known data sets")  # fmt: skip
    add(
        "--own",
        default="",
        metavar="SUB",
        help="the own pictures' folder or table in --data (default: found)",
    )
    add("--out", type=Path, metavar="FILE", help="the recipe (default: NAME.toml)")
    add(
        "--name",
        default="",
        metavar="NAME",
        help="of the recipe (default: as --out, or the pictures' folder)",
    )
    add("--layout", default="", choices=("folders", "table", "coco", "yolo", "voc", "masks"),
        help="how the pictures lie; see edge-train datasets (default: found)")  # fmt: skip
    add("--um-per-px", type=float, metavar="NUMBER", help="size of a pixel (default: from red cells)")
    add("--class-of", action="append", type=flags.pair, default=[], metavar="NAME=CLASS",
        help="what is called NAME is CLASS, as in promyelocyte=blast; - leaves it out")  # fmt: skip
    add("--positive", action="append", default=[], metavar="CLASS",
        help="what the finding is about, where the classes are not the program's")  # fmt: skip
    add("--group-by", metavar="REGEX", help="its first group, found in a picture's path, names the patient "
        "(default: the other folders)")  # fmt: skip
    add("--laboratory", default="", metavar="TEXT", help="whose stain and microscope the pictures show")
    add("--split", choices=("patients", "random"), default="patients",
        help="random: by picture, where there is one patient only; it LEAKS")  # fmt: skip
    add("--overwrite", action="store_true", help="a recipe that is there")
    new.set_defaults(wrong=new.error)


def _add_fit(commands: command.Commands[command.Parser]) -> None:
    example = (
        "edge-train fit --recipe leukocytes --data ../data --out runs/leukocytes\n"
        "without a laboratory, to judge on it: edge-train fit --leave-out pbc ... (the rest as above)\n"
        "on 2 GPUs: torchrun --nproc-per-node 2 -m train.cli fit --device cuda ... (the rest as above)"
    )
    fit = command.add(commands, "fit", "train a recipe, or go on after an interruption", example, run.fit)
    add = fit.add_argument
    add("--recipe", required=True, metavar="NAME", help="a shipped recipe, or a .toml file")
    add("--data", required=True, type=Path, metavar="DIR", help="folder with the data sets")
    add("--out", required=True, type=Path, metavar="RUN_DIR", help="folder for the run")
    add("--device", default="cpu", help="PyTorch device (default: cpu)")
    add(
        "--precision",
        default="auto",
        choices=("auto", "fp32"),
        help="mixed precision, BF16 or FP16 as the device can, or FP32 alone (default: auto)",
    )
    add("--epochs", type=command.whole(1), metavar="N", help="instead of the recipe's")
    add(
        "--limit",
        type=command.whole(1),
        default=0,
        metavar="N",
        help="a rehearsal: at most N pictures of each data set, and N crops an epoch",
    )
    add(
        "--split",
        default="",
        metavar="SCHEME",
        help="of the recipe's data sets: random (by picture: LEAKS), K/N (part K of N of the groups for "
        "testing), all (nothing for testing)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another setting than the recipe's, as in architecture.weights=resnet50.pth; may be repeated",
    )
    add(
        "--leave-out",
        action="append",
        metavar="NAME[,NAME]",
        help="train without this data set of the recipe, to judge on it afterwards; the others take over its "
        "share; may be repeated",
    )
    add("--cache", type=Path, metavar="DIR", help="keep cut cells here (default: RUN_DIR/cache)")
    add(
        "--checkpoint-minutes",
        type=_minutes,
        default=10.0,
        metavar="N",
        help="between checkpoints within an epoch (default: 10); there is one after every epoch too",
    )
    add("--tensorboard", action="store_true", help="write logs into RUN_DIR/tensorboard, too")
    add("--compile", action="store_true", help="send the network through torch.compile: a minute to begin, "
        "faster steps on a GPU; the result is not the same to the last bit")  # fmt: skip


def _add_sweep(commands: command.Commands[command.Parser]) -> None:
    summary = "try settings of a recipe side by side, or go on after an interruption"
    example = (
        "edge-train sweep leukocytes --space space.toml --data ../data --out runs/sweep --samples 20\n"
        'where space.toml holds lines such as "training.learning_rate" = {log = [3e-4, 3e-3]}'
    )
    sweep = command.add(commands, "sweep", summary, example, run.sweep)
    add = sweep.add_argument
    add("recipe", metavar="RECIPE", help="a shipped recipe, or a .toml file")
    add(
        "--space", required=True, type=Path, metavar="TOML",
        help="key of a recipe = {log = [a, b]}, {uniform = [a, b]}, {whole = [a, b]}, {choice = [...]}, or "
        "{grid = [...]} to try each",
    )  # fmt: skip
    add("--data", required=True, type=Path, metavar="DIR", help="folder with the data sets")
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder for the trials, the table and best.toml",
    )
    add("--samples", type=command.whole(1), metavar="N",
        help="draws, of each combination of grids (default: 8, or 1 where nothing is drawn)")  # fmt: skip
    add("--at-once", type=command.whole(1), default=1, metavar="N",
        help="trials side by side, which share processors or GPUs (default: 1)")  # fmt: skip
    add("--epochs", type=command.whole(1), metavar="N", help="instead of the recipe's")
    add("--limit", type=command.whole(1), default=0, metavar="N", help="at most N pictures of each data set")
    add("--metric", default="", metavar="KEY",
        help="validation figure to compare by, as roc_area or pbc_roc_area (default: what the recipe "
        "watches, or roc_area and balanced_accuracy)")  # fmt: skip
    add("--stop-early", action="store_true",
        help="stop trials that others leave behind (asynchronous successive halving)")  # fmt: skip
    add("--device", default="cpu", help="PyTorch device (default: cpu)")


def _add_import_records(commands: command.Commands[command.Parser]) -> None:
    summary = "make a data set of the cells that people confirmed on devices, and say where they differ"
    example = (
        "edge-train import-records /media/stick/records.db --out ../data/ours\n"
        "every later store is added: edge-train import-records box2.db box3.db --out ../data/ours"
    )
    records = command.add(commands, "import-records", summary, example, run.import_records)
    add = records.add_argument
    add(
        "stores", nargs="+", type=Path, metavar="STORE",
        help="record stores (edge-run --records), or folders of edge-slides backup; they are only read",
    )  # fmt: skip
    add(
        "--out", required=True, type=Path, metavar="DIR", help="folder of the data set, new or made so before"
    )
    add("--keep-names", action="store_true",
        help="call patients what the records call them (default: pseudonyms by DIR/salt.txt)")  # fmt: skip
    add("--json", metavar="OUT", help="write the report's figures as JSON; - for standard output")


def _minutes(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
