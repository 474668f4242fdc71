"""Which precision this machine can trust: the bundle's golden cases, run here before the first slide.

A bundle brings drawn pictures, the cells in them, and what each of its graphs must say of those cells. They
go through preprocessing, segmentation and the classifier as a camera's frames do. A precision that finds
something else, or is no faster than FP32, is passed over. The outcome is kept beside the records, so that the
work is done once for each bundle, machine, and version of what computes.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2

from edge import __version__
from edge.bundle.bundle import Bundle, BundleError
from edge.bundle.manifest import VARIANTS
from edge.cells.classify import Classifier
from edge.machine.processor import called, instructions
from edge.machine.profile import RuntimeSettings
from edge.runtimes import KINDS, GraphError, Tell, why_not
from edge.selftest.golden import Golden
from edge.selftest.outcome import Outcome, Trial, keep, kept
from edge.selftest.speed import Speed, measured
from edge.types import LeukoscopeError

PRECISIONS = ("int8", "fp16", "fp32")
"""In the order in which they are tried: the fastest first."""

_FASTER = 1.15
"""Times as fast as FP32 that a precision must be: below it, noise decides, and FP32 is the exact one."""


class SelftestError(LeukoscopeError):
    """Not even FP32 finds the golden cases again on this machine: no model runs."""


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

    if (before := kept(folder, key)) is not None:
        with suppress(BundleError, GraphError):
            classifier = opened(before.variant)
            if classifier.version == before.version:
                if before.note:
                    tell(before.note)
                classifier.note = before.note or None
                return classifier
            classifier.close()
    classifier, outcome = _chosen(bundle, variants, opened, tell)
    keep(folder, key, outcome)
    return classifier


def last(bundle: Bundle, settings: RuntimeSettings, *, folder: Path) -> Outcome | None:
    """What came of the last self-test with these settings, None where none was made on this machine.

    Raises
    ------
    GraphError : the runtime asked for does not work here.
    """
    _, key = _plan(bundle, settings)
    return kept(folder, key)


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
    """The first of the candidates that passes and is fast enough, and what was found on the way."""
    try:
        golden = Golden(bundle)
        reasons = golden.unlike()
    except (ValueError, GraphError) as error:
        raise _failed(bundle, str(error)) from None
    if reasons:
        raise _failed(bundle, reasons[0])
    wrong: list[str] = []
    trials: dict[str, Trial] = {}
    for variant in variants:
        classifier, reasons = tried(variant, golden, opened)
        if classifier is None:
            why = f"does not pass its self-test on this machine ({reasons[0]})"
            trials[variant] = Trial(variant, why=why)
            wrong.append(f"{variant} {why}: not used")
            tell(wrong[-1])
            continue
        speed, compared = _against_fp32(classifier, golden, opened)
        trials |= {trial.variant: trial for trial in compared if trial.variant not in trials}
        if speed >= _FASTER or variant.endswith("-fp32"):
            trials[variant] = replace(trials.get(variant) or _trial(classifier, golden), why="")
            classifier.note = "; ".join(wrong) or None
            return classifier, Outcome(
                variant, classifier.version, "; ".join(wrong), speed, instructions(), tuple(trials.values())
            )
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


def _against_fp32(
    classifier: Classifier, golden: Golden, opened: Callable[[str], Classifier]
) -> tuple[float, list[Trial]]:
    """How many times as fast as FP32 on the same runtime it is, and what was measured of the two.

    Raises
    ------
    GraphError : it cannot run what is timed.
    """
    plain = f"{classifier.runtime.split('-')[0]}-fp32"
    if classifier.runtime == plain:
        return 1.0, []
    try:
        reference = opened(plain)
    except (BundleError, GraphError):  # there is no FP32 to be slower than
        return 1e6, []
    try:
        own, other = measured((classifier, reference))
        if isinstance(own, GraphError):
            raise own
        if isinstance(other, GraphError):
            return 1e6, [_trial(classifier, golden, own)]
        times = own.against(other)
        is_faster = f"{classifier.runtime} is {times:.2f} times as fast"
        return times, [
            _trial(classifier, golden, own, f"{times:.2f} times as fast as FP32"),
            _trial(reference, golden, other, is_faster),
        ]
    finally:
        reference.close()


def _trial(classifier: Classifier, golden: Golden, speed: Speed | None = None, why: str = "") -> Trial:
    few_ms, many_ms = (speed.few_ms, speed.many_ms) if speed is not None else (None, None)
    largest, mean = golden.change(classifier)
    return Trial(classifier.runtime, few_ms, many_ms, largest, mean, why)


def _key(bundle: Bundle, tried: str, threads: int) -> str:
    """Everything but the runtimes' versions that the outcome depends on."""
    parts = (
        bundle.sha256, tried, f"{threads} threads", f"leukoscope {__version__}",
        f"opencv {cv2.__version__}", platform.machine(), called(), instructions(),
    )  # fmt: skip
    return ", ".join(parts)
