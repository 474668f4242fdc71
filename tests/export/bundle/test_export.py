from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.runtimes import GraphError
from export.bundle.archive import pack
from export.bundle.bundle import build
from export.cli import main
from export.graph.folded import Folded
from export.graph.graph import OPSET, ExportError, by_torch, parity, to_onnx
from tests.conftest import graph_for_black
from train.fitting.fit import load_network


def _altered(path: Path, out: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A copy with members changed and every hash made right again."""
    with zipfile.ZipFile(path) as archive:
        members = {name: change(name, archive.read(name)) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    out.write_bytes(pack(manifest, members))
    return out


@pytest.mark.usefixtures("drawn_anew")
def test_the_same_run_gives_the_same_bytes(run: Path, built: Path) -> None:
    assert build(run).content == built.read_bytes()


def test_the_device_opens_what_was_built(built: Path) -> None:
    opened = bundle.load(built, allow_unsigned=True)
    assert opened.manifest.version == "2026.01.31"
    assert opened.manifest.thresholds.positive == 0.4
    assert {"MODEL_CARD.md", "LICENSE", "golden.json", "classifier.onnx"} <= set(opened.members)
    card = opened.members["MODEL_CARD.md"].decode()
    for named in ("deepapl", "pbc", "CC BY 4.0", "by patient", "research use"):
        assert named in card
    assert "counted as blast, from a probability of 0.4 on" in card
    assert "abstains on 2.0%, which are left out:\n\n- sensitivity: 0.750\n\nOf all cells" in card
    assert opened.manifest.everything["metrics"]["validation"]["counted"]["sensitivity"] == 0.75


@pytest.mark.parametrize("name", ["leukocytes", "cnmc-cnn"])
def test_what_ships_tells_figures_of_the_cells_it_counts(name: str) -> None:
    opened = bundle.load(Path(name))
    about, card = opened.manifest.everything["metrics"], opened.members["MODEL_CARD.md"].decode()
    counted = about["validation"]["counted"]
    assert f"- sensitivity: {counted['sensitivity']:.3f}" in card
    assert "and counted as blast, from" in card
    for found in about["test"]:
        assert 0 <= found["abstained"] < 0.05
        assert f"- accuracy: {found['figures']['accuracy']['value']:.3f}" in card


def test_figures_of_an_evaluation_go_into_the_card(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    figure = {"value": 0.875, "low": 0.75, "high": 0.925}
    found = {
        "dataset": "deepapl", "split": "test", "interval": "95%, bootstrap by patient", "groups": 14,
        "cells": {"blast": 3}, "abstained": 0.04, "figures": {"roc_area": figure},
    }  # fmt: skip
    (copy / "evaluation-deepapl.json").write_text(json.dumps(found))
    (copy / "notes.md").write_text("## Elsewhere\n\nNever tried.\n")
    out = tmp_path / "x.bundle"
    out.write_bytes(build(copy).content)
    opened = bundle.load(out, allow_unsigned=True)
    card = opened.members["MODEL_CARD.md"].decode()
    assert "roc area: 0.875 (0.750 to 0.925)" in card
    assert "Never tried." in card
    assert opened.manifest.everything["metrics"]["test"][0]["figures"]["roc_area"] == figure


def test_the_graph_computes_what_the_network_does(run: Path, built: Path) -> None:
    network, _ = load_network(run)
    opened = bundle.load(built, allow_unsigned=True)
    crops = np.random.default_rng(1).integers(0, 256, (5, 96, 96, 3), np.uint8)
    with torch.inference_mode():
        logits = network(torch.from_numpy(crops).permute(0, 3, 1, 2).float()) / 1.3
        wanted = torch.softmax(logits, dim=1).numpy()
    classifier = Classifier(opened)
    given = classifier.probabilities(crops)
    classifier.close()
    np.testing.assert_allclose(given, wanted, atol=1e-4)
    assert wanted.max(axis=1).min() > 0.15


def test_a_graph_that_computes_something_else_is_refused(run: Path) -> None:
    network, _ = load_network(run)
    graph = to_onnx(Folded(network, 1.3), 96)
    crops = np.random.default_rng(1).integers(0, 256, (2, 96, 96, 3), np.uint8)
    assert parity(by_torch(network, 1.3), graph, crops) < 1e-5
    with pytest.raises(ExportError, match="differs"):
        parity(by_torch(network, 2.0), graph, crops)


def test_the_graph_tells_nothing_of_the_exporting_machine(built: Path) -> None:
    graph = bundle.load(built, allow_unsigned=True).members["classifier.onnx"]
    model = onnx.load_from_string(graph)
    assert [o.version for o in model.opset_import if not o.domain] == [OPSET]
    about = {prop.key: prop.value for prop in model.metadata_props}
    assert about["name"] == "untrained"
    assert json.loads(about["classes"])[0] == "blast"
    assert json.loads(about["thresholds"]) == {"positive": 0.4, "confidence": 0.2, "certain": 0.9}
    assert about["program"].startswith("leukoscope ")
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert {"crops.cast", "stem.0", "stem.0.relu", "head", "head.softmax"} <= set(names)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert str(Path(__file__).parents[2]).encode() not in graph
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_golden_cases_hold_cells(built: Path) -> None:
    cases = json.loads(bundle.load(built, allow_unsigned=True).members["golden.json"])["cases"]
    assert len(cases) == 2
    for case in cases:
        assert case["cells"]
        for cell in case["cells"]:
            assert set(cell["probabilities"]) == {"classifier.onnx", "classifier-fp16.onnx"}
            for row in cell["probabilities"].values():
                assert sum(row) == pytest.approx(1, abs=1e-3)


def test_verify_accepts_a_good_bundle(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(built)]) == 0
    out = capsys.readouterr().out
    assert "golden cases: found again" in out
    assert "nobody vouches" in out


def test_verify_tells_other_weights(
    run: Path, built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, _ = load_network(run)
    with torch.no_grad():
        network.head.weight.mul_(-1)
    graph = to_onnx(Folded(network, 1.3), 96)
    wrong = _altered(built, tmp_path / "w.bundle", lambda n, c: graph if n == "classifier.onnx" else c)
    assert main(["verify", str(wrong)]) == 3
    assert "a probability differs" in capsys.readouterr().err


def test_verify_tells_a_network_that_is_another(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(built) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members.pop("manifest.json"))
    opened = bundle.load(built, allow_unsigned=True)
    assert opened.manifest.network == f"{about['network']}@0.4"
    assert about["files"]["classifier.onnx"] != about["network"]
    wrong = tmp_path / "n.bundle"
    wrong.write_bytes(pack(about | {"network": "0" * 64}, members))
    assert main(["verify", str(wrong)]) == 3
    assert "network in its manifest is of another graph" in capsys.readouterr().err
    wrong.write_bytes(pack(about | {"network": "0"}, members))
    assert main(["verify", str(wrong)]) == 1
    assert "network is '0'; it must be a sha256 of 64" in capsys.readouterr().err


def test_verify_tells_another_picture(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(built) as archive:
        other = archive.read("golden/1.png")
    wrong = _altered(built, tmp_path / "p.bundle", lambda n, c: other if n == "golden/0.png" else c)
    assert main(["verify", str(wrong)]) == 3
    assert "golden/0.png: the crops differ" in capsys.readouterr().err


def test_verify_tells_a_graph_that_loads_and_fails_when_it_runs(
    two_precisions: Callable[..., Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each precision that fails, and the others are tried all the same."""
    for members, failing in (
        (["int8.onnx"], ["ort-int8"]),
        (["int8.onnx", "classifier.onnx"], ["ort-int8", "ort-fp32"]),
    ):
        path = two_precisions(dict.fromkeys(members, graph_for_black())).path
        assert main(["verify", str(path)]) == 3
        lines = capsys.readouterr().err.strip().splitlines()
        told = [f"edge-export: {path}: {variant}: runtime ort: the graph failed" for variant in failing]
        assert [line.split(" (")[0] for line in lines] == told


@pytest.mark.parametrize("where", ["edge.selftest.golden.segmenter", "edge.selftest.golden.Golden.unlike"])
def test_verify_tells_a_segmenter_that_fails_when_it_runs(
    built: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: object) -> None:
        raise GraphError("runtime ort: the graph failed (no)")

    monkeypatch.setattr(where, fail)
    assert main(["verify", str(built)]) == 3
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line == f"edge-export: {built}: runtime ort: the graph failed (no)"


def test_verify_tells_a_damaged_bundle(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "d.bundle"
    damaged.write_bytes(built.read_bytes()[:-500])
    assert main(["verify", str(damaged)]) == 1
    assert main(["verify", str(tmp_path / "gone.bundle")]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert "damaged" in lines[0]
    assert "no such file" in lines[1]


def test_an_unfinished_run_is_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(run / "settings.json", tmp_path)
    out = tmp_path / "x.bundle"
    assert main(["bundle", "--run", str(tmp_path), "--out", str(out)]) == 1
    assert "not finished" in capsys.readouterr().err
    assert not out.exists()


def test_the_command_writes_the_bundle(run: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "x.bundle"
    assert main(["bundle", "--run", str(run), "--out", str(out)]) == 0
    assert out.read_bytes() == built.read_bytes()


def test_a_large_bundle_is_written_only_where_it_is_asked_for(
    run: Path,
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("edge.bundle.archive.LARGEST", 4096)
    out = tmp_path / "x.bundle"
    build_it = ["bundle", "--run", str(run), "--out", str(out)]
    assert main(build_it) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "the bundle: its members have 0." in line
    assert "are allowed; --large writes it all the same, and opens it" in line
    assert not out.exists()
    assert main([*build_it, "--large"]) == 0
    assert out.read_bytes() == built.read_bytes()
    assert main(["verify", str(out)]) == 1
    assert "--large opens it" in capsys.readouterr().err
    assert main(["verify", str(out), "--large"]) == 0


def test_packing_does_not_depend_on_order() -> None:
    members = {"b": b"2", "a": b"1"}
    content = pack({"format": 1}, members)
    assert content == pack({"format": 1}, dict(reversed(members.items())))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["a", "b", "manifest.json"]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("arguments", [[], ["bundle"], ["verify"], ["melt"]])
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
