"""Runs and bundles alike: what can be judged on labelled cells, and what each costs.

A bundle answers through the device's runtime, a run of `edge-train fit` through PyTorch, both on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np

from edge import bundle, onnxfile
from edge.bundle import Bundle, Thresholds
from edge.classify import Calls, Classifier, decide
from edge.types import F32, U8, LeukoscopeError
from train.datasets import DataSet, Notice


class ContestantError(LeukoscopeError):
    """A path that holds no run and no bundle, or one that cannot be judged. Says which and what to do."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """A model with its operating point.

    Attributes
    ----------
    path : of the bundle's file or the run's folder.
    runtime : what computes: 'ort-fp32' or 'torch-fp32'.
    classes : in the order of its answers. positive_indices : of those that a finding is about.
    pitch_um, size_px : of the crops that it wants.
    parameters : numbers that a run learned, or that a bundle's FP32 graph holds (some more: short cuts are
        written out).
    model_bytes : of the FP32 graph, or of the run's weights. file_bytes : of the whole bundle, or the same.
    learned_on, tuned_on : names of the data sets whose training part it was fitted on, and whose validation
        part its thresholds were chosen on.
    answer : (n, size_px, size_px, 3) uint8 RGB crops → (n, C) float32 calibrated probabilities.
    close : lets go of the runtime.
    """

    path: Path
    runtime: str
    classes: tuple[str, ...]
    positive_indices: tuple[int, ...]
    thresholds: Thresholds
    pitch_um: float
    size_px: int
    parameters: int
    model_bytes: int
    file_bytes: int
    learned_on: frozenset[str]
    tuned_on: frozenset[str]
    answer: Callable[[U8], F32]
    close: Callable[[], None]

    def probabilities(self, crops: U8) -> F32:
        """(n, size_px, size_px, 3) uint8 RGB specimen crops → (n, C) float32 calibrated probabilities."""
        return self.answer(crops)

    def calls(self, probabilities: F32) -> Calls:
        """The decisions at its operating point, as on the device."""
        return decide(probabilities, self)


def contestant(path: Path) -> Contestant:
    """Open a run's folder or a bundle's file.

    Raises
    ------
    ContestantError : there is nothing, or it cannot be read. BundleError : the bundle is damaged.
    FitError : the run is not finished.
    """
    if path.is_dir():
        return of_run(path)
    if not path.exists():
        raise ContestantError(
            f"{path}: no such run or bundle; give a folder of edge-train fit or a .bundle file"
        )
    return of_bundle(bundle.load(path, allow_unsigned=True))


def of_bundle(opened: Bundle) -> Contestant:
    """A bundle, in FP32 on ONNX Runtime."""
    manifest, graph = opened.manifest, opened.graph()
    classifier = Classifier(opened)
    recipe = manifest.everything.get("training", {}).get("recipe", {})
    return Contestant(
        path=opened.path,
        runtime="ort-fp32",
        classes=manifest.classes,
        positive_indices=manifest.positive_indices,
        thresholds=manifest.thresholds,
        pitch_um=manifest.pitch_um,
        size_px=manifest.size_px,
        parameters=onnxfile.weights(graph),
        model_bytes=len(graph),
        file_bytes=opened.path.stat().st_size,
        learned_on=frozenset(recipe.get("shares", {})),
        tuned_on=frozenset(recipe.get("operation", {}).get("datasets", ())),
        answer=classifier.probabilities,
        close=classifier.close,
    )


def of_run(run: Path) -> Contestant:
    """A finished run, in FP32 by PyTorch on one thread.

    Raises
    ------
    FitError : not a run's folder, or not finished.
    ContestantError : it names other classes than this program, or its files are damaged.
    """
    import torch

    from train.classes import CLASSES, POSITIVE
    from train.fit import load_network, settings_of
    from train.model import DeviceGraph

    try:
        recipe, settings = settings_of(run)
        if tuple(settings.get("classes", CLASSES)) != CLASSES:
            raise ContestantError(f"run {run}: names other classes than this program does; fit it again")
        network, metrics = load_network(run)
        point = metrics["operating_point"]
        thresholds = Thresholds(**{name: point[name] for name in ("positive", "confidence", "certain")})
        graph = DeviceGraph(network, point["temperature"]).eval()
    except (RuntimeError, ValueError, KeyError, UnpicklingError) as error:  # torch raises whatever it likes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ContestantError(f"run {run}: its files cannot be read ({reason}); fit it again") from None
    torch.set_num_threads(1)

    def answer(crops: U8) -> F32:
        with torch.inference_mode():
            return np.asarray(graph(torch.from_numpy(np.ascontiguousarray(crops))).numpy(), np.float32)

    size = (run / "model.pt").stat().st_size
    return Contestant(
        path=run,
        runtime="torch-fp32",
        classes=CLASSES,
        positive_indices=tuple(CLASSES.index(name) for name in POSITIVE),
        thresholds=thresholds,
        pitch_um=recipe.input.pitch_um,
        size_px=recipe.input.size_px,
        parameters=sum(p.numel() for p in network.parameters()),
        model_bytes=size,
        file_bytes=size,
        learned_on=frozenset(recipe.shares),
        tuned_on=frozenset(recipe.operation.datasets),
        answer=answer,
        close=lambda: None,
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
