"""Runs and bundles alike: what can be judged on labelled cells, and what each costs.

A bundle answers through the device's runtime, a run of `edge-train fit` through PyTorch, both on one thread.
A bundle has several graphs: `NAME.bundle:ort-int8` is the one of that runtime and precision, NAME.bundle
alone that of FP32.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import bundle, onnxfile
from edge.bundle.bundle import Bundle, Thresholds
from edge.bundle.model_input import ModelInput
from edge.cells.classify import Calls, Classifier, decide
from edge.cells.detector import Detector
from edge.types import F32, U8, LeukoscopeError
from train.data.dataset import DataSet, Notice

_FP32 = "ort-fp32"
_VARIANT = re.compile(r"(?:ort|trt)-\w+")


class ContestantError(LeukoscopeError):
    """A path that holds no run and no bundle, or one that cannot be judged. Says which and what to do."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """A model with its operating point.

    Attributes
    ----------
    path : of the bundle's file or the run's folder. name, version : as the manifest or the recipe has them.
    sha256 : of the bundle's file, or of the run's weights.
    runtime : what computes: 'ort-fp32' or another graph of a bundle, 'torch-fp32'.
    classes : in the order of its answers. positive : those that a finding is about.
    model_input : what it is shown of a cell or a field.
    parameters : numbers that a run learned, or that a bundle's FP32 graph holds (some more: short cuts are
        written out).
    model_bytes : of the graph that computes, or of the run's weights.
    file_bytes : of the whole bundle, or the same.
    learned_on, tuned_on : names of the data sets whose training part it was fitted on, and whose validation
        part its thresholds were chosen on.
    answer : (n, S, S, 3) uint8 RGB crops → (n, C) float32 calibrated probabilities.
    close : lets go of the runtime.
    features : (n, S, S, 3) uint8 RGB crops → (n, F) float32, what the last layer reads; None for none.
    """

    path: Path
    name: str
    version: str
    sha256: str
    runtime: str
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    thresholds: Thresholds
    model_input: ModelInput
    parameters: int
    model_bytes: int
    file_bytes: int
    learned_on: frozenset[str]
    tuned_on: frozenset[str]
    answer: Callable[[U8], F32]
    close: Callable[[], None]
    features: Callable[[U8], F32] | None = None

    @property
    def positive_indices(self) -> tuple[int, ...]:
        return tuple(self.classes.index(name) for name in self.positive)

    def probabilities(self, crops: U8) -> F32:
        """(n, S, S, 3) uint8 RGB crops → (n, C) float32 calibrated probabilities."""
        return self.answer(crops)

    def calls(self, probabilities: F32) -> Calls:
        """The decisions at its operating point, as on the device."""
        return decide(probabilities, self)


def contestant(path: Path, *, large: bool = False) -> Contestant:
    """Open a run's folder or a bundle's file, with the graph to judge behind it or none.

    `large` opens bundles of more than 64 MiB too.

    Raises
    ------
    ContestantError : there is nothing, or it cannot be read. BundleError : the bundle is damaged, or has no
        such graph. FitError : the run is not finished.
    """
    path, variant = asked(path)
    if path.is_dir():
        if variant:
            raise ContestantError(f"{path}:{variant}: a run has no graphs, a bundle of it does; leave it out")
        from train.judging.runs import of_run  # and with it PyTorch

        return of_run(path)
    if not path.exists():
        raise ContestantError(
            f"{path}: no such run or bundle; give a folder of edge-train fit or a .bundle file"
        )
    return of_bundle(bundle.load(path, allow_unsigned=True, large=large), variant or _FP32)


def asked(path: Path) -> tuple[Path, str]:
    """Where a run or bundle is, and the graph asked for behind a colon, '' for none."""
    place, _, variant = str(path).rpartition(":")
    if place and _VARIANT.fullmatch(variant) and not path.exists():
        return bundle.located(Path(place)), variant
    return bundle.located(path), ""


@dataclass(frozen=True, eq=False)
class FieldDetector:
    """A detector of a run or bundle. `classes` are those of its answers; `pitch_um` of what it is shown."""

    find: Detector
    classes: tuple[str, ...]
    pitch_um: float


def detector(path: Path, *, large: bool = False) -> FieldDetector | None:
    """The detector that a run's folder or a bundle's file holds, None where it names given cells instead.

    Raises
    ------
    BundleError, FitError, DetectionError : as for `contestant`.
    """
    path, variant = asked(path)
    if path.is_dir():
        from train.fitting.fit import settings_of

        if settings_of(path)[0].task != "detector":
            return None
        from train.published.detection.fit import detector_of

        found, recipe = detector_of(path)
        return FieldDetector(found, recipe.classes, recipe.input.pitch_um)
    if not path.exists():
        return None
    opened = bundle.load(path, allow_unsigned=True, large=large)
    manifest = opened.manifest
    if manifest.task != "detector":
        return None
    graph = Detector.of(opened.graph(variant or _FP32), manifest.thresholds.confidence)
    return FieldDetector(graph, manifest.classes, manifest.pitch_um)


def of_bundle(opened: Bundle, variant: str = _FP32) -> Contestant:
    """A bundle, by the runtime and in the precision of `variant`."""
    manifest, graph = opened.manifest, opened.graph(variant)
    classifier = Classifier(opened, variant=variant)
    recipe = manifest.everything.get("training", {}).get("recipe", {})
    if manifest.task == "detector":
        raise ContestantError(f"bundle {opened.path}: finds cells; there is no class of given cells to judge")
    return Contestant(
        path=opened.path,
        name=manifest.name,
        version=manifest.version,
        sha256=opened.sha256,
        runtime=variant,
        classes=manifest.classes,
        positive=manifest.positive,
        thresholds=manifest.thresholds,
        model_input=manifest.model_input,
        parameters=onnxfile.weights(opened.graph(_FP32)),  # whole numbers in another graph stand for the same
        model_bytes=len(graph),
        file_bytes=opened.path.stat().st_size,
        learned_on=frozenset(recipe.get("shares", {})),
        tuned_on=frozenset(recipe.get("operation", {}).get("datasets") or recipe.get("shares", {})),
        answer=classifier.probabilities,
        close=classifier.close,
    )


def warn(model: Contestant, sources: Sequence[DataSet], split: str, notice: Notice) -> None:
    """Tell where a model's figures flatter it: on cells that it learned, or chose its thresholds, on."""
    names = {source.name for source in sources}
    learned, tuned = sorted(names & model.learned_on), sorted(names & model.tuned_on)
    if split in ("train", "all") and learned:
        notice(f"{model.path}: was trained on cells of {', '.join(learned)}; its figures there flatter")
    elif split == "validation" and tuned:
        notice(
            f"{model.path}: chose its thresholds on these cells of {', '.join(tuned)}; its figures flatter"
        )
    for source in sorted({name.partition("@")[0] for name in names}):
        others = {name for name in model.learned_on - names if name.partition("@")[0] == source}
        if others:
            notice(
                f"{model.path}: learned {', '.join(sorted(others))}, another split of {source}; its figures "
                "flatter where it knows these cells"
            )
