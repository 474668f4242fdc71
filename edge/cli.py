"""`edge-run`: builds the objects of the line and gives its Readings to the screen or to a printer."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edge import __version__
from edge.allocator import give_back_pictures
from edge.types import LeukoscopeError, Reading

if TYPE_CHECKING:  # the heavy imports wait until the arguments are known to be good
    from edge.cameras import Camera
    from edge.pipeline import Screening, Sink
    from edge.records.store import Store, Unrecorded

EXAMPLES = """\
examples:
  edge-run --camera demo                                  a simulated slide, on the screen
  edge-run --camera 0                                     the first camera
  edge-run --camera fields/ --headless --json out.jsonl   a folder of pictures, to JSON lines
  edge-run --camera cells/ --single-cell --independent --headless --json -

For research use only. It does not replace a haematologist.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (0 done, 1 could not, 2 wrong usage)."""
    arguments = _parser().parse_args(argv)
    give_back_pictures()
    try:
        with ExitStack() as held:
            return _run(arguments, held)
    except LeukoscopeError as error:
        print(f"edge-run: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains while it shuts down
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-run",
        description="Screen a stained blood smear for blasts: camera → cells → classes → finding.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"leukoscope {__version__}")
    add("--camera", required=True, metavar="SPEC",
        help="N, /dev/videoN, usb:N, a video file, a folder or glob of images, demo[:SEED]")  # fmt: skip
    add("--bundle", type=Path, metavar="PATH", help="model bundle (default: the one shipped)")
    add("--allow-unsigned", action="store_true", help="run a bundle that nobody vouches for, and mark it so")
    add("--profile", metavar="NAME or PATH", help="device profile (default: the one that fits this machine)")
    add("--runtime", choices=("auto", "ort", "trt"), help="what runs the networks (default: auto)")
    add("--um-per-px", type=_scale, default="auto", metavar="auto or NUMBER",
        help="micrometres per pixel on the slide (default: auto, measured from red cells)")  # fmt: skip
    add("--single-cell", action="store_true", help="each image is one leukocyte, in its middle")
    add("--independent", action="store_true", help="each frame is a slide of its own, one finding each")
    add("--truth", type=Path, metavar="PATH", help="with demo: write what the drawn slide holds, as JSON")
    add("--slide", metavar="ID", help="identifier of the slide (default: a generated one)")
    add("--headless", action="store_true", help="no terminal screen")
    add("--json", metavar="PATH or -", help="write JSON lines")
    add("--labels", type=Path, metavar="DIR", help="write cells and nuclei of each frame as label images")
    records = parser.add_mutually_exclusive_group()
    records.add_argument("--records", type=Path, metavar="PATH", help="default: in the user's data folder")
    records.add_argument("--no-records", action="store_true", help="keep no records")
    add("--max-frames", type=_at_least_one, metavar="N", help="stop after N frames")
    add("--max-seconds", type=_seconds, metavar="S", help="stop after S seconds")
    return parser


def _scale(text: str) -> float | str:
    if text == "auto":
        return text
    value = _number(text)
    if not 0.01 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{text} is no scale of a microscope; give auto or 0.01 to 10 (µm)")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} seconds is no time; give a positive number")
    return value


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _run(arguments: argparse.Namespace, held: ExitStack) -> int:
    screening, camera = _screening(arguments, held)
    if arguments.truth is not None:
        _write_truth(arguments.truth, camera)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda *_: screening.stop())
    last = _headless(screening, arguments) if arguments.headless else _screen(screening)
    if last is not None and arguments.json != "-":
        print(f"slide {screening.slide}: {last.finding.kind}. {last.finding.reason}")
    return 0


def _screening(arguments: argparse.Namespace, held: ExitStack) -> tuple[Screening, Camera]:
    """Everything that the arguments ask for, opened; what must be closed again is in `held`."""
    from edge.cameras.selection import camera_for
    from edge.config import load_profile

    profile = load_profile(arguments.profile)
    pace = None if arguments.headless else float(profile.display.fps)
    camera = camera_for(arguments.camera, profile.camera, pace)
    if arguments.truth is not None and not hasattr(camera, "truth"):
        raise LeukoscopeError(f"--truth {arguments.truth}: only --camera demo knows the truth; leave it out")

    import cv2

    from edge import bundle, optics
    from edge.classify import Classifier
    from edge.config import data_folder
    from edge.pipeline import Order, Screening

    cv2.setNumThreads(profile.images.threads)
    model = bundle.load(arguments.bundle, allow_unsigned=arguments.allow_unsigned)
    runtime = arguments.runtime or profile.runtime.kind
    classifier = Classifier(model, runtime=runtime, threads=profile.runtime.threads)
    held.callback(classifier.close)
    store = _store(arguments)
    held.callback(store.close)
    order = Order(
        slide=arguments.slide,
        single_cell=arguments.single_cell,
        independent=arguments.independent,
        max_frames=arguments.max_frames,
        max_seconds=arguments.max_seconds,
    )
    scales = optics.Scales(
        asked=arguments.um_per_px,
        nominal=camera.um_per_px or profile.camera.nominal_um_per_px,
        camera=camera,
        independent=arguments.independent,
        folder=data_folder(),
    )
    return Screening(
        camera=camera, bundle=model, classifier=classifier, scales=scales, store=store,
        profile=profile.name, order=order, sinks=_sinks(arguments, held),
    ), camera  # fmt: skip


def _store(arguments: argparse.Namespace) -> Store | Unrecorded:
    from edge.config import data_folder
    from edge.records.store import Store, Unrecorded

    return Unrecorded() if arguments.no_records else Store(arguments.records or data_folder() / "records.db")


def _sinks(arguments: argparse.Namespace, held: ExitStack) -> list[Sink]:
    from edge.records.jsonl import JsonLines
    from edge.records.labels import LabelImages

    sinks: list[Sink] = []
    if arguments.json:
        lines = JsonLines(arguments.json)
        held.callback(lines.close)
        sinks.append(lines)
    if arguments.labels:
        sinks.append(LabelImages(arguments.labels))
    return sinks


def _write_truth(path: Path, camera: Camera) -> None:
    truth = camera.truth()  # type: ignore[attr-defined]
    try:
        path.write_text(json.dumps(truth) + "\n", encoding="utf-8")
    except OSError as error:
        raise LeukoscopeError(f"--truth {path}: cannot be written ({error.strerror})") from None


def _screen(screening: Screening) -> Reading | None:
    from edge.tui.app import ScreeningApp

    return ScreeningApp(screening).run()


def _headless(screening: Screening, arguments: argparse.Namespace) -> Reading | None:
    """Run to the end; a line of progress on a terminal, none in a pipe."""
    watched = sys.stderr.isatty()
    last = None
    for last in screening.readings():
        if last.note:
            print(f"edge-run: {last.note}", file=sys.stderr)
        if watched:
            tally = last.tally
            of = f" of {arguments.max_frames}" if arguments.max_frames else ""
            print(
                f"\rframe {tally.frames}{of}, {tally.leukocytes} leukocytes, {tally.positives} blasts, "
                f"{tally.rejected} rejected, {last.ms['total']:.0f} ms \x1b[K",
                end="", file=sys.stderr, flush=True,
            )  # fmt: skip
    if watched and last is not None:
        print(file=sys.stderr)
    return last


if __name__ == "__main__":
    sys.exit(main())
