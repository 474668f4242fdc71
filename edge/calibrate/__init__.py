"""`edge-device calibrate`: exposure and white balance, flat field, µm per pixel, saved for this camera.

The JSON of `--json` is one object. Fields may be added to it; those listed here stay: `kind` "calibration",
`camera`, `serial`, `width`, `height`, `um_per_px`, `uncertainty` (relative standard error or null), `method`
('red-cells', 'micrometer', 'given', or 'nominal' where the scale was not measured), `measured_at` (ISO 8601,
UTC), `clock_set`, `light` ({`exposure_ms`, `gain`, `white`} or null), `glass` ([R, G, B] grey levels or
null), `fall` (how much less light the darkest part of the field gets, 0 to 1, or null), `lit` (corners of
the part of the picture that is lit, [x, y] in shares of its size, none where all of it is; or null), `done`
(steps of this run), `left_out` ({step: why}) and `saved` (path of the file, or null).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from edge import command
from edge.files.text import printable
from edge.types import LeukoscopeError

if TYPE_CHECKING:  # other subcommands need no pictures
    from edge.calibrate.steps import Session
    from edge.cameras import Camera
    from edge.optics.calibrations import Calibration, CalibrationStore

STEPS = ("light", "flat", "scale")
PICTURES = 20

_say = partial(command.say, "edge-device")

EXAMPLE = """edge-device calibrate --camera 0
         edge-device calibrate --camera 0 --only scale --micrometer 10
         edge-device calibrate --camera 0 --only light,flat --yes
         edge-device calibrate --list"""


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `calibrate` to the subcommands of `edge-device`."""
    summary = "set a camera's light and measure its flat field and its µm per pixel, step by step"
    parser = command.add(commands, "calibrate", summary, EXAMPLE, run)
    parser.set_defaults(misused=parser.error)
    add = parser.add_argument
    add("--camera", metavar="SPEC", help="as for edge-run: N, /dev/videoN, a folder of images, demo")
    add("--only", type=_steps, metavar="STEPS",
        help="some of light,flat,scale (default: all, and what cannot be done is left out)")  # fmt: skip
    ruler = parser.add_mutually_exclusive_group()
    apart = partial(_number, low=0.1, high=10000, what="distance of a micrometer's lines")
    ruler.add_argument("--micrometer", type=apart, metavar="UM",
                       help="measure the scale on a stage micrometer with lines UM µm apart")  # fmt: skip
    ruler.add_argument("--um-per-px", type=partial(_number, low=0.01, high=10, what="scale of a microscope"),
                       metavar="X", help="state the scale instead of measuring it")  # fmt: skip
    add("--frames", type=command.whole(1, 200), default=PICTURES, metavar="N",
        help=f"pictures of the empty field (default {PICTURES})")  # fmt: skip
    add("--yes", action="store_true", help="ask nothing: take what lies under the objective")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="show what is saved, and measure nothing")
    other.add_argument("--undo", action="store_true", help="go back to this camera's calibration before")
    add("--json", metavar="PATH or -", help="write the outcome as JSON, to standard output for -")
    add("--profile", metavar="NAME or PATH", help="device profile (default: the one that fits this machine)")


def _steps(text: str) -> tuple[str, ...]:
    asked = text.split(",")
    for name in asked:
        if name not in STEPS:
            raise argparse.ArgumentTypeError(f"{name!r} is no step; choose from {', '.join(STEPS)}")
    return tuple(name for name in STEPS if name in asked)


def _number(text: str, low: float, high: float, what: str) -> float:
    value = command.number(text)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} is no {what}; give {low:g} to {high:g} (µm)")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments ask for. Returns the exit status.

    Raises
    ------
    LeukoscopeError : a step that was asked for, or all of them, could not be done; what was saved stays.
    """
    from edge.machine.profile import data_folder
    from edge.optics.calibrations import FILE, CalibrationStore

    store = CalibrationStore(data_folder() / FILE)
    if arguments.list:
        for one in store.all():
            command.put(printable(summary(one)))
        return command.DONE
    if arguments.camera is None:
        arguments.misused("--camera is missing; or give --list")
    watched = sys.stdin is not None and sys.stdin.isatty()
    if not (arguments.yes or arguments.undo or watched):
        arguments.misused("no terminal to ask on; add --yes, with what is to be measured under the objective")
    outcome = _with_camera(arguments, store)
    if arguments.json:
        command.write("--json", arguments.json, json.dumps(outcome, indent=2) + "\n")
    return command.DONE


def _with_camera(arguments: argparse.Namespace, store: CalibrationStore) -> dict[str, object]:
    from edge.calibrate.asking import AtOnce, Terminal
    from edge.calibrate.steps import Session
    from edge.cameras import Adjustable
    from edge.cameras.selection import camera_for
    from edge.machine.profile import load_profile

    settings = load_profile(arguments.profile).camera
    camera = camera_for(arguments.camera, settings)
    camera.open()
    try:
        if isinstance(camera, Adjustable) and (light := store.light(camera.name, camera.serial)):
            camera.fix_light(light)
        asker = AtOnce() if arguments.yes else Terminal()
        session = Session(camera, asker, settings.settle_s, arguments.frames)
        known = session.begin(
            camera.um_per_px or settings.nominal_um_per_px,
            lambda width, height: store.find(camera.name, camera.serial, width, height),
        )
        if arguments.undo:
            return _undone(known, store)
        measured, left_out = _measured(arguments, session, known)
    finally:
        camera.close()
    done = [step for step in _asked(arguments) if step not in left_out]
    if not done:
        raise LeukoscopeError(f"calibrate: nothing was measured ({'; '.join(left_out.values())})")
    saved = _saved(arguments, camera, measured, store)
    return as_json(measured) | {"done": done, "left_out": left_out, "saved": saved}


def _undone(known: Calibration, store: CalibrationStore) -> dict[str, object]:
    now = store.undo(known.camera, known.serial, known.width, known.height)
    _say(f"back to: {summary(now)}" if now else f"{known.camera}: no calibration is left")
    return (as_json(now) if now else {}) | {"done": ["undo"], "left_out": {}, "saved": str(store.path)}


def _asked(arguments: argparse.Namespace) -> tuple[str, ...]:
    return arguments.only or STEPS


def _measured(
    arguments: argparse.Namespace, session: Session, known: Calibration
) -> tuple[Calibration, dict[str, str]]:
    """The steps, one after another; those that could not be done, and why."""
    from edge.calibrate.asking import StoppedError
    from edge.calibrate.steps import SkippedError

    work: dict[str, Callable[[Calibration], Calibration]] = {
        "light": session.light,
        "flat": session.flat,
        "scale": session.red_cells,
    }
    if arguments.um_per_px is not None:
        work["scale"] = lambda known: session.given(known, arguments.um_per_px)
    elif arguments.micrometer is not None:
        work["scale"] = lambda known: session.ruled(known, arguments.micrometer)
    left_out: dict[str, str] = {}
    for step in _asked(arguments):
        try:
            known = work[step](known)
        except SkippedError:
            left_out[step] = f"{step}: skipped"
        except LeukoscopeError as error:
            if arguments.only or isinstance(error, StoppedError):
                raise
            left_out[step] = str(error)
            _say(f"left out: {error}")
    return known, left_out


def _saved(
    arguments: argparse.Namespace, camera: Camera, measured: Calibration, store: CalibrationStore
) -> str | None:
    """Save it if it is a microscope's, and say so. Returns where, None where it was not."""
    if not camera.live:
        scale = f"; to use its scale: --um-per-px {measured.um_per_px:.5f}" if measured.scale_measured else ""
        _say(f"{camera.name} is no microscope, so nothing is saved{scale}")
        return None
    store.save(measured)
    _say(f"saved in {store.path}: {summary(measured)}")
    _say(f"to go back: edge-device calibrate --camera {arguments.camera} --undo")
    return str(store.path)


def summary(one: Calibration) -> str:
    """A calibration in one line."""
    from edge.calibrate.steps import described

    name = f"{one.camera} ({one.serial})" if one.serial else one.camera
    error = "" if one.uncertainty is None else f" ± {one.uncertainty:.1%}"
    scale = f"{one.um_per_px:.4f} µm per pixel{error}, {one.method}" if one.scale_measured else "no scale"
    flat = "no flat field" if one.flat is None else f"flat field ({1 - one.flat[..., 1].min():.0%} fall)"
    light = described(one.light) if one.light else "light not fixed"
    at = max(one.measured_at, one.lit_at or "")[:10]
    unsure = "" if one.clock_set else " by a clock that was not set"
    return f"{name} at {one.width}×{one.height}: {scale}; {flat}; {light}; {at}{unsure}"


def as_json(one: Calibration) -> dict[str, object]:
    """A calibration as `--json` has it."""
    return {
        "kind": "calibration", "camera": one.camera, "serial": one.serial, "width": one.width,
        "height": one.height, "um_per_px": one.um_per_px, "uncertainty": one.uncertainty,
        "method": one.method, "measured_at": one.measured_at, "clock_set": one.clock_set,
        "light": asdict(one.light) if one.light else None, "glass": one.glass,
        "lit": None if one.lit is None else one.lit.round(5).tolist(),
        "fall": None if one.flat is None else round(1 - float(one.flat[..., 1].min()), 4),
    }  # fmt: skip
