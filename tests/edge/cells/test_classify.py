"""Decisions at the operating point, and graphs that do not keep the manifest's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge.bundle import bundle
from edge.bundle.bundle import BundleError, Manifest, Thresholds
from edge.cells.classify import Classifier, decide
from edge.types import F32, U8
from tests.conftest import CLASSES, graph, graph_with_features
from tests.edge.bundle.sites import HEALTHY, correction, site


@pytest.fixture
def about(make_bundle: Callable[..., Path]) -> Manifest:
    limits = {"positive": 0.3, "confidence": 0.4, "certain": 0.9}
    return bundle.load(make_bundle(thresholds=limits), allow_unsigned=True).manifest


def _row(**probabilities: float) -> list[float]:
    return [probabilities.get(name.replace("-", "_"), 0.0) for name in CLASSES]


def test_the_operating_point_decides_not_the_largest_probability(about: Manifest) -> None:
    rows = np.array(
        [
            _row(blast=0.45, lymphocyte=0.55),
            _row(blast=0.2, lymphocyte=0.8),
            _row(blast=0.35, lymphocyte=0.3, monocyte=0.35),
            _row(blast=0.95, artefact=0.05),
            _row(blast=0.25, lymphocyte=0.39, monocyte=0.36),
        ],
        np.float32,
    )
    calls = decide(rows, about)
    assert [CLASSES[i] for i in calls.classes] == ["blast", "lymphocyte", "blast", "blast", "lymphocyte"]
    assert calls.uncertain.tolist() == [False, False, False, False, True]  # no call of a blast ever is
    assert calls.certain.tolist() == [False, False, False, True, False]


_SHARES = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4).filter(any)
_LIMITS = st.floats(0, 1)


@dataclass(frozen=True)
class _Rules:
    thresholds: Thresholds
    positive_indices: tuple[int, ...]


@given(st.lists(_SHARES, min_size=1, max_size=20), st.builds(Thresholds, _LIMITS, _LIMITS, _LIMITS),
       st.sets(st.integers(0, 3), max_size=3))  # fmt: skip
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_whatever_the_thresholds_what_is_called_positive_is_counted(
    shares: list[list[float]], limits: Thresholds, positive: set[int]
) -> None:
    rows = np.array(shares, np.float32)
    rows /= rows.sum(axis=1, keepdims=True)
    calls = decide(rows, _Rules(limits, tuple(sorted(positive))))
    called = np.isin(calls.classes, sorted(positive))
    if positive:
        np.testing.assert_array_equal(called, rows[:, sorted(positive)].sum(axis=1) >= limits.positive)
    assert not calls.uncertain[called].any()
    assert called[calls.certain].all()


def test_no_cells(about: Manifest, make_bundle: Callable[..., Path]) -> None:
    classifier = Classifier(bundle.load(make_bundle(), allow_unsigned=True))
    calls = classifier(np.zeros((0, 96, 96, 3), np.uint8))
    assert calls.probabilities.shape == (0, len(CLASSES))
    assert calls.classes.shape == calls.uncertain.shape == (0,)


def test_many_cells_go_in_batches(make_bundle: Callable[..., Path]) -> None:
    classifier = Classifier(bundle.load(make_bundle(), allow_unsigned=True))
    crops = np.random.default_rng(0).integers(0, 256, (150, 96, 96, 3)).astype(np.uint8)
    together = classifier.probabilities(crops)
    np.testing.assert_allclose(together[140:], classifier.probabilities(crops[140:]), atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)


def test_it_knows_what_it_runs_on(make_bundle: Callable[..., Path]) -> None:
    opened = bundle.load(make_bundle(), allow_unsigned=True)
    classifier = Classifier(opened, variant="ort-fp32")
    classifier.warm_up()
    assert classifier.runtime == "ort-fp32"
    assert classifier.version.startswith("onnxruntime ")
    assert classifier.note is None
    with pytest.raises(BundleError, match="has no graph for ort-int8"):
        Classifier(opened, variant="ort-int8")


@pytest.mark.parametrize(("size", "classes"), [(64, len(CLASSES)), (96, 3)])
def test_a_graph_of_another_shape(make_bundle: Callable[..., Path], size: int, classes: int) -> None:
    path = make_bundle(graph=graph(classes=classes, size=size))
    with pytest.raises(BundleError, match=r"its graph for ort-fp32 (takes|gives)"):
        Classifier(bundle.load(path, allow_unsigned=True))


def _crops(n: int = 40) -> np.ndarray:
    """Of even colours, all different."""
    colours = np.random.default_rng(2).integers(0, 256, (n, 1, 1, 3))
    return np.broadcast_to(colours, (n, 96, 96, 3)).astype(np.uint8)


def test_a_site_decides_by_its_own_threshold_on_the_same_runtime(make_bundle: Callable[..., Path]) -> None:
    shipped = Classifier(bundle.load(make_bundle(), allow_unsigned=True))
    assert shipped.at(None) is shipped
    crops = _crops()
    blasts = shipped.probabilities(crops)[:, 0]
    threshold = float(np.median(blasts))
    here = shipped.at(site(healthy=replace(HEALTHY, threshold=threshold)))
    np.testing.assert_array_equal(here.probabilities(crops), shipped.probabilities(crops))
    np.testing.assert_array_equal(here(crops).classes == 0, blasts >= threshold)
    np.testing.assert_array_equal(shipped(crops).classes == 0, blasts >= 0.5)
    assert (here.runtime, here.manifest) == (shipped.runtime, shipped.manifest)


def test_a_site_corrects_what_the_network_says(make_bundle: Callable[..., Path]) -> None:
    path = make_bundle(
        members={"classifier.onnx": graph_with_features(), "int8.onnx": graph_with_features()},
        graphs={"classifier": {"ort-fp32": "classifier.onnx", "ort-int8": "int8.onnx"}},
        precisions={"ort-int8": {"usable": True, "why": ""}},
    )
    crops = _crops()
    for variant in ("ort-fp32", "ort-int8"):
        shipped = Classifier(bundle.load(path, allow_unsigned=True), variant=variant)
        as_shipped = shipped.probabilities(crops)
        fitted = correction()
        weights = fitted.weights.copy()
        weights[0, 0] = 5  # the redder, the more a blast
        here = shipped.at(site(healthy=None, correction=replace(fitted, weights=weights)))
        logs = np.log(np.maximum(as_shipped, 1e-12))
        logs[:, 0] += 5 * (crops[:, 0, 0, 0] / 255)
        wanted = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(here.probabilities(crops), wanted, atol=1e-4)
        assert here.thresholds == shipped.thresholds
        np.testing.assert_array_equal(shipped.probabilities(crops), as_shipped)
        assert here.probabilities(crops[:0]).shape == (0, len(CLASSES))
        shipped.close()


def test_a_correction_wants_the_features_that_it_was_made_of(make_bundle: Callable[..., Path]) -> None:
    without = Classifier(bundle.load(make_bundle(), allow_unsigned=True))
    with pytest.raises(BundleError, match="tells no features, so the site's correction cannot be used"):
        without.at(site(healthy=None, correction=correction()))
    shipped = Classifier(bundle.load(make_bundle(graph_with_features()), allow_unsigned=True))
    with pytest.raises(BundleError, match=r"11 classes and 3 features, the site's correction is of 11 and 4"):
        shipped.at(site(healthy=None, correction=correction(features=4)))


def test_features_come_with_the_calls_where_the_graph_tells_them(make_bundle: Callable[..., Path]) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (70, 96, 96, 3)).astype(np.uint8)
    plain = Classifier(bundle.load(make_bundle(), allow_unsigned=True))(crops)
    assert plain.features is None
    assert plain.of(np.arange(70) < 3).features is None
    model = onnx.load_from_string(graph())
    model.graph.node.append(helper.make_node("Identity", ["unit"], ["features"]))
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3]))
    telling = Classifier(bundle.load(make_bundle(graph=model.SerializeToString()), allow_unsigned=True))
    calls = telling(crops)
    assert calls.features is not None
    np.testing.assert_allclose(calls.features, crops.mean(axis=(1, 2)) / 255, atol=1e-4)
    np.testing.assert_array_equal(calls.probabilities, plain.probabilities)
    kept = calls.of(np.arange(70) < 3).features
    assert kept is not None
    assert kept.shape == (3, 3)
    assert telling(crops[:0]).features is None


@pytest.mark.parametrize(("least", "looks"), [({}, 1), ({"second_look": 0.0}, 4), ({"second_look": 1.0}, 1)])
def test_candidates_are_looked_at_as_the_manifest_says(
    make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, least: dict[str, float], looks: int
) -> None:
    classifier = Classifier(bundle.load(make_bundle(**least), allow_unsigned=True))
    size, batches = classifier.manifest.size_px, list[int]()
    run = classifier._runtime.run

    def watched(arrays: Mapping[str, U8]) -> dict[str, F32]:
        batches.append(len(arrays["crops"]))
        return run(arrays)

    monkeypatch.setattr(classifier._runtime, "run", watched)
    crops = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)
    assert classifier.probabilities(crops).shape == (3, len(classifier.manifest.classes))
    assert batches == [3] * looks
