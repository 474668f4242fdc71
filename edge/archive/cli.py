"""`edge-archive`: screens an archive of slides on one machine or many, and says how far that is."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge import command
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # `--help` waits for neither Ray nor the line
    from edge.archive.done import Done
    from edge.archive.order import Order
    from edge.archive.place import Place
    from edge.archive.planning.plan import Plan
    from edge.archive.run import Progress
    from edge.bundle.bundle import Bundle

PROG = "edge-archive"

EXAMPLES = """\
examples:
  edge-archive run archive/ --out screened                    a folder a slide, on this machine's processors
  edge-archive run slides.csv --out screened --um-per-px 0.1  a manifest: path, slide, and um_per_px if known
  edge-archive run s3://lab/2024 --out s3://lab/screened --address ray://head:10001
  edge-archive status screened                                how far it is, what was bad, what was found

Running it again goes on where it was stopped. For research use only. It does not replace a haematologist.
"""

_RUN = "edge-archive run archive/ --out screened"
_STATUS = "edge-archive status screened"


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-archive`; returns its exit status (0 done, 1 could not do it, 2 wrong usage)."""
    arguments = _parser().parse_args(argv)
    return command.run(
        PROG,
        lambda: int(arguments.run(arguments)),
        extras="archive",
        interrupted="stopped; run it again to go on",
    )


def _parser() -> command.Parser:
    parser = command.Parser(
        prog=PROG, description="Screen an archive of slides with the line of the device.", example=EXAMPLES
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(command.add(commands, "run", "screen an archive, or go on with it", _RUN, _run))
    status = command.add(commands, "status", "how far an archive is, and what came of it", _STATUS, _status)
    status.add_argument("out", metavar="DIR", help="what `run` got as --out")
    status.add_argument("--json", metavar="PATH or -", help="write it as JSON, to standard output for -")
    return parser


def _add_run(parser: command.Parser) -> None:
    add = parser.add_argument
    add("input", metavar="INPUT",
        help="folder tree, manifest (Parquet or CSV), or an address of fsspec (s3://, gs://)")  # fmt: skip
    add("--out", required=True, metavar="DIR",
        help="where the output goes: a folder that all nodes share, or an address of fsspec")  # fmt: skip
    add("--address", default="auto", metavar="auto, local or ADDRESS",
        help="the Ray cluster that does it: local for this machine alone, auto for one that runs here, if "
        "any (default: auto)")  # fmt: skip
    add("--workers", type=command.whole(1), metavar="N", help="screen with at most so many processors")
    add("--bundle", type=Path, metavar="PATH", help="model bundle: a file, or leukocytes or cnmc-cnn, "
        "which ship (default: the one in use)")  # fmt: skip
    add("--allow-unsigned", action="store_true", help="run a bundle that nobody vouches for; the rows say so")
    command.add_large(parser)
    add("--precision", choices=("fp32", "int8"), default="fp32",
        help="of the networks; fp32 gives the same rows on every kind of processor (default)")  # fmt: skip
    add("--um-per-px", type=command.scale, default="auto", metavar="auto or NUMBER",
        help="µm per pixel where the input does not say (default: measured from red cells)")  # fmt: skip
    add("--single-cell", action="store_true", help="each picture is one leukocyte, in its middle")
    add("--independent", action="store_true", help="each picture is a slide of its own")
    add("--specimen", choices=("blood", "marrow"), default="blood", help="what the slides are smears of")
    add("--site", type=Path, metavar="PATH",
        help="this laboratory's threshold and correction, from edge-device adapt --out")  # fmt: skip
    add("--records", action="store_true", help="write record stores too, one a shard, for edge-slides")
    add("--shard-fields", type=command.whole(1, 1_000_000), metavar="N",
        help="pictures of a file of the output, about (default: 100000)")  # fmt: skip
    add("--task-fields", type=command.whole(1, 100_000), metavar="N",
        help="pictures that a worker takes at a time, about (default: 200)")  # fmt: skip
    add("--dashboard", action="store_true", help="Ray's page in a browser, where Ray is begun here")


def _run(arguments: argparse.Namespace) -> int:
    from edge.archive.overview import summary
    from edge.archive.place import Place
    from edge.archive.run import running

    signal.signal(signal.SIGTERM, _interrupted)
    place = Place(arguments.out)
    model, site = _model(arguments), _site(arguments)
    with running(place, arguments.address) as name:
        order = _order(arguments, place, model, site)
        plan = _plan(order, place)
        done = _screened(arguments, order, place, plan, name)
        summary.write(place)
    command.put(
        f"{done.slides:,} slides, {done.fields:,} fields, {done.cells:,} cells: {_found(done.findings)}"
    )
    if done.faults:
        bad = _counted(done.faults, "file")
        command.put(f"{bad} could not be read: {PROG} status {arguments.out}")
    command.put(f"summary: {place.path('summary.html')}")
    return command.DONE


def _screened(arguments: argparse.Namespace, order: Order, place: Place, plan: Plan, name: str) -> Done:
    """Have what is left screened by the cluster that was asked for; what came of all."""
    from edge.archive.cluster import CLIENT, connected
    from edge.archive.run import nothing_left, run, run_inside

    if nothing_left(place, plan):  # which waits for no cluster
        return run(order, place, plan, 0, name, lambda _now: None)
    screen = run_inside if arguments.address.startswith(CLIENT) else run
    with (
        connected(arguments.address, arguments.workers, dashboard=arguments.dashboard) as workers,
        command.Progress(plan.fields) as bar,
    ):
        bar.show(0, f"{workers} workers begin")
        return screen(order, place, plan, workers, name, lambda now: bar.show(now.done.fields, _words(now)))


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _model(arguments: argparse.Namespace) -> Bundle:
    from edge.bundle import bundle

    return bundle.load(arguments.bundle, allow_unsigned=arguments.allow_unsigned, large=arguments.large)


def _site(arguments: argparse.Namespace) -> bytes | None:
    """The site's file, None where none was asked for."""
    if arguments.site is None:
        return None
    try:
        return bytes(arguments.site.read_bytes())
    except OSError as error:
        raise LeukoscopeError(
            f"--site {arguments.site}: cannot be read ({error.strerror}); give another"
        ) from None


def _order(arguments: argparse.Namespace, place: Place, model: Bundle, site: bytes | None) -> Order:
    """What is asked for; with it the output was begun, or is now.

    Raises
    ------
    LeukoscopeError : the output was begun with something else, or is something else.
    """
    from edge.archive.order import MODEL, SITE, Order
    from edge.archive.place import ArchiveError

    before = Order.read(place)
    asked = _asked(arguments, model, site, before)
    if before is None:
        if strange := place.names("") - {".lock", "runs", MODEL, SITE}:
            raise ArchiveError(
                f"--out {arguments.out}: holds something else ({min(strange)}); give an empty or a new folder"
            )
        place.write(MODEL, model.path.read_bytes())
        if site is not None:
            place.write(SITE, site)
        asked.write(place)
    elif unlike := asked.unlike(before):
        told = "; ".join(f"{name} {was!r}, now {now!r}" for name, (now, was) in unlike.items())
        raise ArchiveError(
            f"--out {arguments.out}: was begun otherwise ({told}); ask for the same, or give another --out"
        )
    return asked


def _asked(arguments: argparse.Namespace, model: Bundle, site: bytes | None, before: Order | None) -> Order:
    """The order of the command line; sizes that it does not say are those of before."""
    import hashlib

    from edge import __version__
    from edge.archive.order import Order
    from edge.archive.place import Place

    sizes = before or Order("", "", "", "")
    return Order(
        source=Place(arguments.input).address,
        bundle=f"{model.manifest.name} {model.manifest.version}",
        bundle_sha256=model.sha256,
        trusted=model.trusted,
        caveats=model.caveats,
        version=__version__,
        precision=arguments.precision,
        um_per_px=None if arguments.um_per_px == "auto" else arguments.um_per_px,
        specimen=arguments.specimen,
        single_cell=arguments.single_cell,
        independent=arguments.independent,
        site=None if site is None else hashlib.sha256(site).hexdigest(),
        records=arguments.records,
        shard_fields=arguments.shard_fields or sizes.shard_fields,
        task_fields=arguments.task_fields or sizes.task_fields,
    )


def _plan(order: Order, place: Place) -> Plan:
    """What is to be screened: as it was listed when the output was begun, else listed now."""
    from edge.archive.planning.plan import Plan

    with command.Progress(1) as bar:
        return Plan.of(order, place, lambda n: bar.show(0, f"{n:,} pictures found"))


def _words(now: Progress) -> str:
    from edge.archive.overview.status import duration

    rate = f", {now.per_s:.3g}/s" if now.per_s else ""
    left = f", {duration(now.left_s)} left" if now.left_s else ""
    bad = f", {now.done.faults} bad" if now.done.faults else ""
    return f"{now.done.fields:,} of {now.fields:,} fields{rate}{left}{bad}"


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _found(findings: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {kind}" for kind, n in sorted(findings.items())) or "nothing"


def _status(arguments: argparse.Namespace) -> int:
    from edge.archive.overview import status
    from edge.archive.place import Place

    found = status.of(Place(arguments.out))
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(status.record(found)) + "\n")
    if arguments.json != "-":
        command.put("\n".join(status.lines(found)))
    return command.DONE


if __name__ == "__main__":
    sys.exit(main())
