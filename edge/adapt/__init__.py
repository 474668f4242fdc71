"""`edge-device adapt`: where normal cells score in this laboratory, and the last layer fitted to it.

The JSON of `--json` is one object. Fields may be added to it; those listed here stay: `kind` "adapt", `what`
("healthy", "labelled" or "undo"), `written` (path of the file, null where nothing was written) and `refused`
(why not, a list of texts, empty where nothing speaks against it).

- healthy: `cells`, `called`, `threshold`, `false_blasts` ({`mean`, `low`, `high`}), `threshold_before`,
  `called_before`, `false_blasts_before`, `by_type` ({class: {`cells`, `highest_tenth`}}), `source`;
- labelled: `cells` ({class: cells}), `strength`, `before` and `after` (each {`accuracy`, `log_likelihood`,
  `blasts`, `called`, `others`, `false_blasts`}), `confusion_before`, `confusion_after` ({class: {called:
  cells}}), `golden` ({`changed`, `cells`}), `left_out` ({what: how many}), `source`;
- undo: `in_use` ({`threshold`, `corrected`, `made_at`} or null).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from edge import command

EXAMPLE = """edge-device adapt --healthy --camera 0
         edge-device adapt --healthy --camera fields/ --out site.json
         edge-device adapt --healthy --slide 2026-11-01T0912-k7m2qx5w4f --vouched-by AB
         edge-device adapt --labelled cells/          cells/neutrophil/*.png, cells/lymphocyte/*.png, ...
         edge-device adapt --from-records
         edge-device adapt --undo

exit status: 0 done, 1 could not do it, 2 wrong usage, 3 refused, with the figures; nothing was written"""


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `adapt` to the subcommands of `edge-device`."""
    summary = "teach the model how cells look in this laboratory: by a healthy slide, by cells with names"
    parser = command.add(commands, "adapt", summary, EXAMPLE, run)
    parser.set_defaults(misused=parser.error)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--healthy", action="store_true",
                      help="measure where the cells of one healthy person's slide score")  # fmt: skip
    what.add_argument("--labelled", type=Path, metavar="DIR",
                      help="learn from pictures of single cells, in a folder for each class")  # fmt: skip
    what.add_argument("--from-records", action="store_true",
                      help="learn from cells that people named in the review")  # fmt: skip
    what.add_argument("--undo", action="store_true", help="go back to the site before; again: and forth")
    add = parser.add_argument
    add("--camera", metavar="SPEC", help="with --healthy: where the slide is, as for edge-run")
    add("--slide", metavar="ID", help="with --healthy: a slide of the records")
    add(
        "--single-cell", action="store_true", help="with --camera: each image is one leukocyte, in its middle"
    )
    add("--vouched-by", metavar="INITIALS",
        help="with --healthy: who read the film as normal, though it looks otherwise")  # fmt: skip
    add("--um-per-px", type=command.scale, default="auto", metavar="auto or NUMBER",
        help="micrometres per pixel of the pictures (default: auto)")  # fmt: skip
    add("--site", type=Path, metavar="PATH", help="what is known of the site (default: the device's own)")
    add("--out", type=Path, metavar="SITE", help="write there, and leave the device's own as it is")
    add("--records", type=Path, metavar="PATH", help="record store (default: where edge-run writes)")
    add("--json", metavar="PATH or -", help="write the outcome as JSON, to standard output for -")
    command.add_model(parser)


def misuse(arguments: argparse.Namespace) -> str | None:
    """What cannot be had together; None where nothing is in the way."""
    given = {
        "--camera": arguments.camera, "--slide": arguments.slide, "--vouched-by": arguments.vouched_by,
        "--single-cell": arguments.single_cell,
    }  # fmt: skip
    if not arguments.healthy:
        stray = [flag for flag, value in given.items() if value]
        return f"{stray[0]} goes with --healthy" if stray else None
    if bool(arguments.camera) == bool(arguments.slide):
        return "--healthy needs one of --camera and --slide"
    if arguments.single_cell and arguments.slide:
        return "--single-cell goes with --camera"
    return None


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments ask for. Returns the exit status.

    Raises
    ------
    LeukoscopeError : it could not be done; nothing was written.
    """
    if (wrong := misuse(arguments)) is not None:
        arguments.misused(wrong)
    from edge.adapt import session

    return session.run(arguments)
