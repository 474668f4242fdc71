"""`edge-run`: builds the objects of the line and gives its Readings to the screen or to a printer."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge import command
from edge.machine.allocator import give_back_pictures, give_back_rest
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from edge.cameras import Camera
    from edge.line.options import ScreeningOptions
    from edge.line.screening import Screening
    from edge.machine.profile import Profile
    from edge.records.store import Store, Unrecorded
    from edge.records.summary import Summary
    from edge.types import Sink

EXAMPLES = """\
examples:
  edge-run --camera demo                                  a simulated slide, on the screen
  edge-run --camera 0                                     the first camera
  edge-run --camera fields/ --headless --json out.jsonl   a folder of pictures, to JSON lines
  edge-run --camera cells/ --single-cell --independent --headless --json -

Without a screen, `kill -USR1` starts a new slide and `kill -TERM` ends the last one.
For research use only. It does not replace a haematologist.
"""


_OF_LATE_DAYS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (0 done, 1 could not, 2 wrong usage)."""
    parser = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown and all(map(os.path.exists, unknown)):
        parser.error("--camera takes one path; put a pattern in quotes, as in --camera 'fields/*.jpg'")
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}")
    if conflict := _conflict(arguments):
        parser.error(conflict)
    give_back_pictures()
    return command.run("edge-run", lambda: _run(arguments))


def _parser() -> command.Parser:
    parser = command.Parser(
        prog="edge-run",
        description="Screen a stained blood smear for blasts: camera → cells → classes → finding.",
        example=EXAMPLES,
    )
    add = parser.add_argument
    add("--camera", required=True, metavar="SPEC",
        help="N, /dev/videoN, usb:N, picamera:N, csi:N, rtsp:// or http:// address, a video file, "
        "a folder or glob of images, demo[:SEED]")  # fmt: skip
    command.add_model(parser)
    add("--um-per-px", type=command.scale, default="auto", metavar="auto or NUMBER",
        help="micrometres per pixel on the slide (default: auto, measured from red cells)")  # fmt: skip
    add("--single-cell", action="store_true", help="each image is one leukocyte, in its middle")
    add("--independent", action="store_true", help="each frame is a slide of its own, one finding each")
    add(
        "--specimen",
        choices=("blood", "marrow"),
        default="blood",
        help="what the slides are smears of (default: blood); of marrow a model for blood only counts",
    )
    add("--site", type=Path, metavar="PATH",
        help="this laboratory's threshold and correction, as edge-device adapt --out writes them "
        "(default: of a live camera the device's own)")  # fmt: skip
    add("--truth", type=Path, metavar="PATH", help="with demo: write what the drawn slide holds, as JSON")
    add("--slide", metavar="ID", help="identifier of the slide (default: a generated one)")
    add("--go-on", action="store_true", help="go on with that slide, which was cut off")
    add("--patient", metavar="ID", help="identifier of its patient, for the records (optional)")
    add("--headless", action="store_true", help="no terminal screen")
    add("--json", metavar="PATH or -", help="write JSON lines")
    add("--labels", type=Path, metavar="DIR", help="write cells and nuclei of each frame as label images")
    records = parser.add_mutually_exclusive_group()
    records.add_argument("--records", type=Path, metavar="PATH",
                         help="record store (default: in the user's data folder)")  # fmt: skip
    records.add_argument("--no-records", action="store_true", help="keep no records")
    add("--keep-fields", choices=("none", "suspicious", "all"), default="none",
        help="keep whole pictures of counted fields in the records: of those with a suspicious cell, or of "
        "all (default: none); 640×480 pixels take 0.03 MB, 1440×900 0.2 MB")  # fmt: skip
    add("--wait", action="store_true", help="wait for a camera that is not there yet, instead of giving up")
    add("--max-frames", type=command.whole(1), metavar="N", help="stop after N frames")
    add("--max-seconds", type=_seconds, metavar="S", help="stop after S seconds")
    return parser


def _seconds(text: str) -> float:
    value = command.number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} seconds is no time; give a positive number")
    return value


def _conflict(arguments: argparse.Namespace) -> str | None:
    """What cannot be had together, or not in this place; None where nothing is in the way."""
    if arguments.go_on and arguments.slide is None:
        return "--go-on: which slide is to go on? Name it with --slide"
    if arguments.go_on and arguments.independent:
        return "--go-on: with --independent each picture is a slide of its own; leave one of them away"
    if arguments.go_on and arguments.no_records:
        return "--go-on: a slide goes on from its records; leave --no-records away"
    if arguments.keep_fields != "none" and arguments.no_records:
        return "--keep-fields: the pictures are kept in the records; leave --no-records away"
    files = {"--json": arguments.json, "--truth": arguments.truth, "--records": arguments.records}
    taken: dict[str, str] = {}
    for flag, path in files.items():
        if path not in (None, "", "-") and (other := taken.setdefault(os.path.realpath(path), flag)) != flag:
            return f"{other} and {flag} are both {path}; give each a file of its own"
    if arguments.headless:
        return None
    # Textual reads keys from standard input and draws on standard error
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stderr__ and sys.__stderr__.isatty()):
        return "no terminal to draw the screen on; add --headless"
    if os.environ.get("TERM") == "dumb":
        return "this terminal (TERM=dumb) cannot show the screen; add --headless"
    if arguments.json == "-" and sys.stdout.isatty():
        return "--json -: the screen is on the same terminal; add --headless, or give a file"
    return None


def _run(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # before the line runs there is nothing to end properly
    from edge import headless
    from edge.machine.systemd import ServiceNotifier

    notifier = ServiceNotifier()
    with ExitStack() as held:
        held.callback(notifier.close)
        screening, camera, summary = _screening(arguments, held, notifier)
        give_back_rest()
        if arguments.truth is not None:
            truth = camera.truth()  # type: ignore[attr-defined]
            command.write("--truth", arguments.truth, json.dumps(truth) + "\n")
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), lambda *_: screening.stop())
        signal.signal(signal.SIGUSR1, lambda *_: screening.new_slide())
        try:
            if arguments.headless:
                headless.run(screening, None if arguments.go_on else arguments.max_frames)
            else:
                _screen(screening)
        except LeukoscopeError as error:
            notifier.failed(str(error))
            raise
        finally:
            if summary.line and arguments.json != "-":
                command.put(summary.line)
    return command.DONE


def _screening(
    arguments: argparse.Namespace, held: ExitStack, notifier: Sink
) -> tuple[Screening, Camera, Summary]:
    """Everything that the arguments ask for, opened; what must be closed again is in `held`."""
    from edge.cameras.livefeed import feed_for
    from edge.cameras.selection import namesake
    from edge.line.opening import scales_of, site_of, with_saved_light
    from edge.machine.profile import load_profile

    options, notices = _options(arguments), []

    def notice(line: str | None) -> None:
        if line is not None:
            command.say("edge-run", line)
            notices.append(line)

    notice(namesake(arguments.camera))
    profile = load_profile(arguments.profile)
    camera = _camera(arguments, profile)
    again = partial(_camera, arguments, profile)
    feed = feed_for(camera, again, prepare=with_saved_light, patient=arguments.wait)
    if camera.live:  # one that is away or busy is told at once, and the rest is made while it settles
        held.enter_context(feed)

    from edge.bundle import bundle
    from edge.line.engine import open_engine
    from edge.line.screening import Screening
    from edge.machine import heat
    from edge.records.summary import Summary

    model = bundle.load(arguments.bundle, allow_unsigned=arguments.allow_unsigned, large=arguments.large)
    site, unfit = site_of(arguments.site, camera, model)
    notice(unfit)
    store = _store(arguments)
    held.callback(store.close)
    notice(_left_open(store, options.slide))
    if not arguments.headless:
        options = replace(options, note="; ".join(notices) or None)
    scales = scales_of(
        arguments.um_per_px, camera, model.manifest, profile, independent=arguments.independent
    )
    summary = Summary()
    sinks: list[Sink] = [*_sinks(arguments, camera, held), summary, notifier]
    # last, for an engine may take minutes to build
    engine = open_engine(profile, model, arguments.runtime, partial(command.say, "edge-run"))
    held.callback(engine.close)
    screening = Screening(
        camera=camera, bundle=model, classifier=engine.classifier, scales=scales, store=store,
        profile=profile.name, options=options, sinks=sinks, feed=feed,
        throttle=heat.ThermalThrottle(profile.thermal),
        find=engine.find, site=site,
    )  # fmt: skip
    return screening, camera, summary


def _options(arguments: argparse.Namespace) -> ScreeningOptions:
    """What the arguments ask of a screening."""
    from edge.line.options import ScreeningOptions
    from edge.records.identifiers import checked

    slide, patient = (
        None if given is None else checked(given, what)
        for what, given in (("slide", arguments.slide), ("patient", arguments.patient))
    )
    return ScreeningOptions(
        slide=slide,
        go_on=arguments.go_on,
        patient=patient,
        single_cell=arguments.single_cell,
        independent=arguments.independent,
        specimen=arguments.specimen,
        max_frames=arguments.max_frames,
        max_seconds=arguments.max_seconds,
    )


def _camera(arguments: argparse.Namespace, profile: Profile) -> Camera:
    """The camera that `--camera` means."""
    from edge.cameras.selection import camera_for

    pace = None if arguments.headless else float(profile.display.fps)
    camera = camera_for(arguments.camera, profile.camera, pace)
    if arguments.truth is not None and not hasattr(camera, "truth"):
        raise LeukoscopeError(f"--truth {arguments.truth}: only --camera demo knows the truth; leave it out")
    return camera


def _store(arguments: argparse.Namespace) -> Store | Unrecorded:
    from edge.machine.profile import data_folder
    from edge.records.store import Store, Unrecorded

    pictures = not arguments.headless or arguments.labels is not None  # that somebody shows, or writes
    if arguments.no_records:
        return Unrecorded(pictures=pictures)
    path = arguments.records or data_folder() / "records.db"
    return Store(path, keep_fields=arguments.keep_fields, pictures=pictures)


def _left_open(store: Store | Unrecorded, slide: str | None) -> str | None:
    """What to tell of a slide that was cut off of late; nothing of the one that is asked for."""
    from edge.records.identifiers import goes_on

    found = store.cut_off(_OF_LATE_DAYS)
    if found is None or found["id"] == slide:
        return None
    return f"slide {found['id']} was cut off on {found['at'][:10]}; {goes_on(found['id'])}"


def _sinks(arguments: argparse.Namespace, camera: Camera, held: ExitStack) -> list[Sink]:
    from edge.headless import CameraTeller
    from edge.records.jsonl import JsonLines
    from edge.records.labels import LabelImages

    sinks: list[Sink] = []
    if arguments.json:
        lines = JsonLines(arguments.json)
        held.callback(lines.close)
        sinks.append(lines)
    if arguments.labels:
        sinks.append(LabelImages(arguments.labels, getattr(camera, "holds", lambda _path: False)))
    if arguments.headless:
        sinks.append(CameraTeller())
    return sinks


def _screen(screening: Screening) -> None:
    from edge.tui.app import ScreeningApp
    from edge.tui.terminal import colours, own_terminal

    with own_terminal():
        app = ScreeningApp(screening, colours())
        app.run()
    if app.failure is not None:
        raise app.failure


if __name__ == "__main__":
    sys.exit(main())
