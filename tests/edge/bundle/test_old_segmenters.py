"""Bundles once could bring a network that finds cells: they work, without it, and say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.segment import segment, segmenter
from edge.machine.profile import RuntimeSettings
from edge.selftest.selftest import choose
from tests.conftest import golden, graph

BRINGS = "brings a network that finds cells, which is not used: cells are found the classical way"


@pytest.fixture
def opened(make_bundle: Callable[..., Path]) -> Bundle:
    """A bundle of that time; its segmenter is nothing that could run."""
    classifier = {"classifier.onnx": graph()}
    members = {**classifier, **golden(classifier), "segmenter.onnx": b"a graph of that time"}
    graphs = {"classifier": {"ort-fp32": "classifier.onnx"}, "segmenter": {"ort-fp32": "segmenter.onnx"}}
    path = make_bundle(members=members, graphs=graphs, caveats=["exported even so: it knows little"])
    return bundle.load(path, allow_unsigned=True)


def test_it_passes_its_self_test_without(opened: Bundle) -> None:
    assert segmenter(opened) is segment
    choose(opened, RuntimeSettings("ort", "fp32", 1), folder=None, tell=pytest.fail).close()


def test_it_says_so_beside_its_other_caveats(opened: Bundle) -> None:
    assert opened.caveats == ("exported even so: it knows little", BRINGS)
