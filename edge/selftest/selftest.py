"""Which precision this machine can trust: the bundle's golden cases, run here before the first slide.

A bundle brings drawn pictures, the cells in them, and what each of its graphs must say of those cells. They
go through preprocessing, segmentation and the classifier as a camera's frames do. A precision that finds
something else, or is no faster than FP32, is passed over. The outcome is kept beside the records, so that the
work is done once for each bundle, machine, and version of what computes.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import cv2
import numpy as np

from edge import __version__
from edge.bundle.bundle import Bundle, BundleError
from edge.bundle.manifest import VARIANTS
from edge.cells.classify import Classifier
from edge.files import atomic, strictjson
from edge.files.kernel import value
from edge.machine.profile import RuntimeSettings, device_model
from edge.runtimes import KINDS, GraphError, Tell, why_not
from edge.selftest.golden import Golden
from edge.types import LeukoscopeError

FILE = "selftest.json"

PRECISIONS = ("int8", "fp16", "fp32")
"""In the order in which they are tried: the fastest first."""

_FASTER = 1.05
"""Times as fast as FP32 that a precision must be: below it, noise decides, and FP32 is the exact one."""

_TIMED_CELLS = 8  # in one run: a field of a good smear
_TIMED_RUNS = 7
_KEPT = 20  # outcomes in the file


class SelftestError(LeukoscopeError):
    """Not even FP32 finds the golden cases again on this machine: no model runs."""


@dataclass(frozen=True)
class Outcome:
    """What came of the self-test.

    Attributes
    ----------
    variant : what to run. version : of the library it was tested with.
    note : what failed before it, empty where nothing did.
    speed : cells a second against FP32 of the same runtime; 1 for FP32 itself.
    """

    variant: str
    version: str
    note: str
    speed: float


def choose(bundle: Bundle, settings: RuntimeSettings, *, folder: Path | None, tell: Tell) -> Classifier:
    """The bundle's classifier in the fastest precision that answers rightly on this machine.

    Parameters
    ----------
    settings : the profile's; a precision other than 'auto' is the one to try before FP32.
    folder : where the outcome is kept and engines are cached; None keeps nothing. One that cannot be written
        costs time at the next start, no more.
    tell : takes a line for every precision that is passed over, and about long work such as building an
        engine.

    Raises
    ------
    GraphError : the runtime asked for does not work here.
    SelftestError : not even FP32 answers rightly.
    """
    variants, key = _plan(bundle, settings)

    def opened(variant: str) -> Classifier:
        cache = folder / "engines" if folder is not None else None
        return Classifier(bundle, variant=variant, threads=settings.threads, cache=cache, tell=tell)

    if (kept := _kept(folder, key)) is not None:
        with suppress(BundleError, GraphError):
            classifier = opened(kept.variant)
            if classifier.version == kept.version:
                if kept.note:
                    tell(kept.note)
                classifier.note = kept.note or None
                return classifier
            classifier.close()
    classifier, outcome = _chosen(bundle, variants, opened, tell)
    _keep(folder, key, outcome)
    return classifier


def last(bundle: Bundle, settings: RuntimeSettings, *, folder: Path) -> Outcome | None:
    """What came of the last self-test with these settings, None where none was made on this machine.

    Raises
    ------
    GraphError : the runtime asked for does not work here.
    """
    _, key = _plan(bundle, settings)
    return _kept(folder, key)


def _plan(bundle: Bundle, settings: RuntimeSettings) -> tuple[list[str], str]:
    """What to try, in order, and what the outcome is kept under."""
    kinds = _kinds(settings.kind)
    variants = candidates(bundle, kinds, settings.precision)
    tried = "+".join(kinds if settings.precision == "auto" else variants)
    return variants, _key(bundle, tried, settings.threads)


def _kinds(runtime: str) -> tuple[str, ...]:
    """The kinds of runtime to try, in order."""
    if runtime != "auto":
        if reason := why_not(runtime):
            raise GraphError(reason)
        return (runtime,)
    working = tuple(kind for kind in ("trt", "ort") if kind in KINDS and why_not(kind) is None)
    if not working:
        raise GraphError(why_not("ort") or "no runtime works here")
    return working


def _chosen(
    bundle: Bundle, variants: list[str], opened: Callable[[str], Classifier], tell: Tell
) -> tuple[Classifier, Outcome]:
    """The first of the candidates that passes, and what was found on the way."""
    try:
        golden = Golden(bundle)
        reasons = golden.unlike()
    except (ValueError, GraphError) as error:
        raise _failed(bundle, str(error)) from None
    if reasons:
        raise _failed(bundle, reasons[0])
    wrong: list[str] = []
    for variant in variants:
        classifier, reasons = tried(variant, golden, opened)
        if classifier is None:
            wrong.append(f"{variant} does not pass its self-test on this machine ({reasons[0]}): not used")
            tell(wrong[-1])
            continue
        speed = _speed(bundle, classifier, opened)
        if speed >= _FASTER or variant.endswith("-fp32"):
            classifier.note = "; ".join(wrong) or None
            return classifier, Outcome(variant, classifier.version, "; ".join(wrong), speed)
        tell(f"{variant} is {speed:.2f} times as fast as FP32 on this machine: not used")
        classifier.close()
    raise _failed(bundle, wrong[-1] if wrong else "has no graph that this machine could run")


def tried(
    variant: str, golden: Golden, opened: Callable[[str], Classifier]
) -> tuple[Classifier | None, list[str]]:
    """The classifier in this variant if it runs and finds the golden cases again, else None and why not."""
    try:
        classifier = opened(variant)
    except (BundleError, GraphError) as error:
        return None, [str(error)]
    try:
        classifier.warm_up()  # the golden cases alone are batches of a few cells
        reasons = golden.differences(classifier)
    except GraphError as error:
        reasons = [str(error)]
    if not reasons:
        return classifier, []
    classifier.close()
    return None, reasons


def _failed(bundle: Bundle, reason: str) -> SelftestError:
    return SelftestError(
        f"self-test of bundle {bundle.path}: {reason}; nothing is screened with it. Install it again, or "
        "another with edge-device update"
    )


def candidates(bundle: Bundle, kinds: tuple[str, ...], precision: str = "auto") -> list[str]:
    """Variants of the bundle that may be used, the fastest first; TensorRT before ONNX Runtime."""
    wanted = PRECISIONS if precision == "auto" else dict.fromkeys((precision, "fp32"))
    ordered = (f"{kind}-{precision}" for kind in kinds for precision in wanted)
    return [v for v in ordered if v in VARIANTS and v in bundle.manifest.usable]


def _speed(bundle: Bundle, classifier: Classifier, opened: Callable[[str], Classifier]) -> float:
    """How many times as fast it is as FP32 on the same runtime, the two taking turns.

    By the processor's time where that computes: on a busy machine the clock tells of others, and what came of
    it is kept.
    """
    kind = classifier.runtime.split("-")[0]
    plain, now = f"{kind}-fp32", process_time if kind == "ort" else perf_counter
    if classifier.runtime == plain or plain not in bundle.manifest.graphs:
        return 1.0
    try:
        reference = opened(plain)
    except (BundleError, GraphError):
        return 1e6  # there is no FP32 to be slower than
    size = bundle.manifest.size_px
    crops = np.random.default_rng(0).integers(0, 256, (_TIMED_CELLS, size, size, 3), np.uint8)
    times: dict[Classifier, list[float]] = {classifier: [], reference: []}
    try:
        for _ in range(_TIMED_RUNS):
            for each, taken in times.items():
                started = now()
                each.probabilities(crops)
                taken.append(now() - started)
    except GraphError:
        if len(times[classifier]) == len(times[reference]):  # it is the classifier's turn, the first
            raise
        return 1e6
    finally:
        reference.close()
    return min(times[reference]) / min(times[classifier])


def _key(bundle: Bundle, tried: str, threads: int) -> str:
    """Everything but the runtimes' versions that the outcome depends on."""
    parts = (
        bundle.sha256, tried, f"{threads} threads", f"leukoscope {__version__}",
        f"opencv {cv2.__version__}", platform.machine(), _processor(),
    )  # fmt: skip
    return ", ".join(parts)


def _processor() -> str:
    """What the processor or the board is called."""
    return value(Path("/proc/cpuinfo"), "model name") or device_model() or platform.processor()


def _all_kept(folder: Path | None) -> dict[str, Any]:
    """What the file holds; nothing where there is none, or it is damaged."""
    if folder is None:
        return {}
    with suppress(OSError, ValueError):
        return strictjson.read((folder / FILE).read_bytes()).values
    return {}


def _kept(folder: Path | None, key: str) -> Outcome | None:
    with suppress(ValueError):
        table = strictjson.Table(_all_kept(folder).get(key))
        return Outcome(
            table.text("variant"), table.text("version"), table.text("note", empty=True, longest=2000),
            table.number("speed", 0, 1e6),
        )  # fmt: skip
    return None


def _keep(folder: Path | None, key: str, outcome: Outcome) -> None:
    """Write the outcome down; a screening does not wait for a disk that is full or read-only."""
    if folder is None:
        return
    others = {k: v for k, v in _all_kept(folder).items() if k != key}
    newest = dict(list(others.items())[1 - _KEPT :])
    tested = datetime.now(UTC).isoformat(timespec="seconds")
    newest[key] = {**asdict(outcome), "tested": tested}
    with suppress(OSError), atomic.as_owner(folder):
        atomic.make_folder(folder)
        atomic.write(folder / FILE, (json.dumps(newest, indent=1) + "\n").encode())
