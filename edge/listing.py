"""`edge-device cameras`: what is attached, and which `--camera` picks it.

The JSON of `--json` is a list of objects, in the order of `--camera N`: `index`, `kind` ('uvc', 'picamera'
or 'csi'), `name`, `spec` (what `--camera` takes for exactly this one), `serial`, `formats`
([{`pixels`, `width`, `height`, `fps`}], the best rate of each size; `fps` 0 where it is not known) and
`problem` (null for one that is free). Fields may be added to it; those listed here stay.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from edge import command
from edge.files.text import printable

if TYPE_CHECKING:  # other subcommands need no cameras
    from edge.cameras.attached import Attached, Format

EXAMPLE = "edge-device cameras"
SHOWN = 3
"""Formats in the table; `--json` has all."""

NONE_ATTACHED = """\
no camera is attached.
  USB: plug it in, or try another cable or port; the system sees it when `lsusb` lists it.
  Raspberry Pi: the ribbon cable's contacts face the board's connector; start again after plugging it in.
  Jetson: choose the camera with `sudo /opt/nvidia/jetson-io/jetson-io.py`, then start again.
  Without any: edge-run --camera demo"""


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `cameras` to the subcommands of `edge-device`."""
    summary = "list the cameras attached, and which --camera picks each"
    parser = command.add(commands, "cameras", summary, EXAMPLE, run)
    parser.add_argument(
        "--json", metavar="PATH or -", help="write the list as JSON, to standard output for -"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the list; FAILED if it is empty."""
    from edge.cameras.attached import attached

    cameras = attached()
    if arguments.json is not None:
        text = (
            json.dumps([{"index": i, **asdict(camera)} for i, camera in enumerate(cameras)], indent=2) + "\n"
        )
        command.write("--json", arguments.json, text)
    if arguments.json != "-":
        command.put("\n".join(map(printable, table(cameras))) if cameras else NONE_ATTACHED)
    return command.DONE if cameras else command.FAILED


def table(cameras: Sequence[Attached]) -> Iterable[str]:
    """Lines for a terminal: a row for each camera, below it what is wrong and its name that lasts."""
    heads = ("--camera", "kind", "name", "serial", "best formats", "state")
    rows = [heads, *(_row(i, camera) for i, camera in enumerate(cameras))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for i, row in enumerate(rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if i and (problem := cameras[i - 1].problem):
            yield f"{'':{widths[0]}}  {problem}"
        if i:
            spec = cameras[i - 1].spec
            lasts = "until it is unplugged" if re.fullmatch(r"/dev/video\d+", spec) else "always"
            yield f"{'':{widths[0]}}  this one, {lasts}: --camera {spec}"


def best(formats: Iterable[Format]) -> list[Format]:
    """The largest size first, of each the fastest format."""
    fastest: dict[tuple[int, int], Format] = {}
    for each in formats:
        size = (each.width, each.height)
        fastest[size] = max(fastest.get(size, each), each, key=lambda f: f.fps)
    return sorted(fastest.values(), key=lambda f: f.width * f.height, reverse=True)


def _row(index: int, camera: Attached) -> tuple[str, ...]:
    formats = best(camera.formats)
    shown = ", ".join(map(str, formats[:SHOWN])) + (", ..." if len(formats) > SHOWN else "")
    state = "free" if camera.problem is None else "not free"
    return str(index), camera.kind, camera.name, camera.serial or "-", shown or "-", state
