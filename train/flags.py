"""Flags of the commands of edge-train that judge models."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge import command
from train import commands as run


def add_judging(commands: command.Commands[command.Parser]) -> None:
    """Add `evaluate`, `compare`, `operation` and `apl` to the subcommands of `edge-train`."""
    _add_evaluate(commands)
    _add_compare(commands)
    _add_operation(commands)
    _add_apl(commands)


def _add_evaluate(commands: command.Commands[command.Parser]) -> None:
    example = (
        "edge-train evaluate --dataset deepapl --data ../data --json deepapl.json --pictures figures\n"
        "leukocytes found in fields with boxes, too: edge-train evaluate --dataset bccd,chula --data ../data"
    )
    evaluate = command.add(commands, "evaluate", "a bundle's figures on data sets", example, run.evaluate)
    evaluate.add_argument("--bundle", type=Path, help="default: the one in use on this machine")
    _add_cells(evaluate)
    evaluate.add_argument(
        "--pictures", type=Path, metavar="DIR", help="write curves, matrices and mistakes as PNG"
    )


def _add_compare(commands: command.Commands[command.Parser]) -> None:
    example = "edge-train compare runs/new leukocytes.bundle --dataset deepapl,pbc --data ../data"
    compare = command.add(commands, "compare", "runs and bundles side by side", example, run.compare)
    compare.add_argument(
        "contestants",
        nargs="+",
        type=Path,
        metavar="RUN_OR_BUNDLE",
        help="folders of edge-train fit, bundle files; NAME.bundle:ort-int8 judges that graph of a bundle "
        "(default: ort-fp32); differences are to the first",
    )
    _add_cells(compare)


def _add_operation(commands: command.Commands[command.Parser]) -> None:
    summary = "how often a bundle errs in laboratories that it did not learn from, for its manifest"
    example = (
        "edge-train operation --leftout runs/leftout --data ../data --json operation.json\n"
        "then: edge-export amend leukocytes.bundle --operation operation.json --out new.bundle"
    )
    operation = command.add(commands, "operation", summary, example, run.operation)
    add = operation.add_argument
    add(
        "--leftout",
        required=True,
        type=Path,
        metavar="RUNS",
        help="folder with runs of the bundle's recipe that left laboratories out: edge-train fit --leave-out "
        "NAME --out RUNS/NAME, or python benchmarks/leftout.py --out RUNS",
    )
    add("--data", type=Path, default=Path("."), metavar="DIR", help="folder with the data sets (default: .)")
    add("--cache", type=Path, metavar="DIR", help="of cut cells (default: RUNS/cache)")
    add("--bundle", type=Path, help="default: the one in use on this machine")
    add("--blasts", nargs="+", default=[], metavar="NAME", help="data sets that the bundle never learned "
        "from: how many of their blasts it calls itself")  # fmt: skip
    command.add_large(operation)
    add("--json", metavar="OUT", help="write the table as JSON; - for standard output")


def _add_apl(commands: command.Commands[command.Parser]) -> None:
    summary = "whether a bundle tells acute promyelocytic leukemia from others by a patient's cells"
    example = (
        "edge-train apl --bundle leukocytes.bundle --data ../data --json apl.json\n"
        "then: edge-export amend leukocytes.bundle --apl apl.json --out new.bundle"
    )
    apl = command.add(commands, "apl", summary, example, run.apl)
    add = apl.add_argument
    add("--bundle", type=Path, help="default: the one in use on this machine")
    add("--data", type=Path, default=Path("."), metavar="DIR", help="folder with deepapl (default: .)")
    add("--cache", type=Path, metavar="DIR", help="of cut cells (default: none is kept)")
    command.add_large(apl)
    add("--json", metavar="OUT", help="write the table as JSON; - for standard output")


def _add_cells(parser: command.Parser) -> None:
    """What `evaluate` and `compare` share: which cells, and where the figures go."""
    add = parser.add_argument
    add(
        "--dataset",
        required=True,
        action="append",
        metavar="NAME[,NAME]",
        help="see edge-train datasets; an own one of the recipe; 'folder' reads --data itself, 'folder:SUB' "
        "its folder SUB: pictures of one cell each in folders named after classes, or another layout",
    )
    add("--data", type=Path, default=Path("."), metavar="DIR", help="folder with the data sets")
    parts = ("train", "validation", "test", "all")
    add("--split", default="test", choices=parts, help="part (default: test)")
    add("--limit", type=command.whole(1), default=0, metavar="N", help="at most N pictures of each data set")
    add("--json", metavar="OUT", help="write the figures as JSON; - for standard output")
    folders = parser.add_argument_group("of --dataset folder")
    folders.add_argument(
        "--um-per-px", type=float, metavar="NUMBER", help="size of a pixel (default: from red cells)"
    )
    folders.add_argument(
        "--class-of",
        action="append",
        type=pair,
        default=[],
        metavar="NAME=CLASS",
        help="what folders called NAME hold, as in promyelocyte=blast",
    )
    folders.add_argument(
        "--group-by",
        metavar="REGEX",
        help="its first group, found in a picture's path, names the patient (default: the other folders)",
    )
    command.add_large(parser)
    parser.set_defaults(wrong=parser.error)


def pair(text: str) -> tuple[str, str]:
    """An argument's `type`: NAME=CLASS."""
    name, equals, label = text.rpartition("=")
    if not (name and equals and label):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=CLASS")
    return name, label
