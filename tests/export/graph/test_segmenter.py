"""A segmenter goes into a bundle, computes there what it did in training, and is what the device uses."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.bundle import bundle
from edge.cells.fcn import Learned
from edge.cells.segment import segment, segmenter, single
from edge.optics.specimen import specimen
from edge.selftest.golden import Golden
from edge.types import Cells
from export.bundle.bundle import Options, build
from export.graph import segmenter as exporting
from export.graph.graph import ExportError
from train.segmentation.network import SegmentationNetwork
from train.segmentation.settings import Settings

SETTINGS = Settings(widths=(4, 8, 8))


def _save(folder: Path, settings: Settings) -> Path:
    torch.manual_seed(3)
    network = SegmentationNetwork(settings.widths, settings.fine)
    with torch.no_grad():
        network.head.weight.mul_(4)
        network.head.bias[:3] = 1.5  # cells wherever it looks
    network.train()
    network(torch.rand(4, 3, 64, 64) * 255)  # normalisation that has seen something
    (folder / "settings.json").write_text(json.dumps(asdict(settings)))
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "metrics.json").write_text(json.dumps({"epochs": 1, "validation": {}}))
    return folder


@pytest.fixture(scope="module")
def learned_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("segmenter"), SETTINGS)


@pytest.fixture(scope="module")
def exported(learned_run: Path) -> exporting.Segmenter:
    return exporting.read(learned_run, 0.25)


@pytest.fixture(scope="module")
def find(exported: exporting.Segmenter) -> Learned:
    return exported.find


def test_the_graph_is_the_same_every_time(learned_run: Path, exported: exporting.Segmenter) -> None:
    assert exporting.read(learned_run, 0.25).members == exported.members
    assert b"/train/" not in exported.members[exporting.MEMBER]


def test_fields_of_any_size_are_answered(find: Learned) -> None:
    for size in [(64, 96), (65, 97), (7, 9), (1, 1), (30, 30), (64, 96)]:
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        assert find(specimen(pixels, 0.25, 0.25)).labels.shape == size


def test_another_graph_is_found_out(exported: exporting.Segmenter) -> None:
    graph = exported.members[exporting.MEMBER]
    other = SegmentationNetwork(SETTINGS.widths).eval()
    with pytest.raises(ExportError, match="differs from the network"):
        exporting.parity(other, graph, np.full((64, 64, 3), 100, np.uint8))


def test_another_pitch_is_refused(tmp_path: Path) -> None:
    run = _save(tmp_path, replace(SETTINGS, pitch_um=0.5))
    with pytest.raises(ExportError, match=r"trained at 0\.5 µm, the classifier at 0\.25"):
        exporting.read(run, 0.25)


def test_a_bundle_with_a_segmenter_is_used(
    run: Path, learned_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what an untrained network finds is no golden case: the classical way stands in for it
    monkeypatch.setattr(Learned, "__call__", lambda self, view: segment(view))
    path = tmp_path / "with.bundle"
    path.write_bytes(build(run, Options(segmenter=learned_run)).content)
    opened = bundle.load(path, allow_unsigned=True)
    assert opened.manifest.segmenters == {"ort-fp32": exporting.MEMBER}
    assert isinstance(segmenter(opened), Learned)
    assert Golden(opened).unlike() == []
    monkeypatch.setattr(Learned, "__call__", lambda self, view: Cells.none(*view.pixels.shape[:2]))
    assert any("not found in their place" in line for line in Golden(opened).unlike())


def test_a_bundle_without_one_leaves_it_to_the_classical_way(built: Path) -> None:
    opened = bundle.load(built, allow_unsigned=True)
    assert not opened.manifest.segmenters
    assert segmenter(opened) is segment


def test_a_single_cell_is_always_one(find: Learned) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    assert len(single(specimen(pixels, 0.1, 0.25), find)) == 1
