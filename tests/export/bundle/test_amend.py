"""A bundle with a table more opens on a device, and is its old self in everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import bundle
from edge.bundle.manifest import Manifest
from export.bundle.amend import amend
from export.bundle.manifest import FINDING
from export.cli import main
from export.graph import metadata
from export.graph.graph import ExportError

TABLE: dict[str, Any] = {
    "sensitivity": {"mean": 0.2, "low": 0.01, "high": 0.6},
    "false_blasts": {"mean": 0.02, "low": 0.001, "high": 0.09},
    "laboratories": [
        {
            "name": "deepapl", "unit": "patient", "units": 68, "blasts": 1517, "others": 3541,
            "sensitivity": 0.29, "false_blasts": 0.012,
        },
        {
            "name": "pbc", "unit": "laboratory", "units": 1, "blasts": 0, "others": 978,
            "sensitivity": None, "false_blasts": 0.014,
        },
    ],
    "source": "two laboratories, each left out of training once",
}  # fmt: skip


def _file(folder: Path, **changed: object) -> Path:
    path = folder / "operation.json"
    path.write_text(json.dumps(TABLE | changed))
    return path


def test_the_table_is_in_the_manifest_and_nothing_else_is_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folder" / "new.bundle"
    assert main(["amend", "leukocytes", "--operation", str(_file(tmp_path)), "--out", str(out)]) == 0
    old, new = bundle.load(Path("leukocytes")), bundle.load(out, allow_unsigned=True)
    assert new.sha256 in capsys.readouterr().out
    assert new.manifest.operation is not None
    assert new.manifest.operation.sensitivity.low == 0.01
    assert new.manifest.everything["finding"] == FINDING
    graphs = set(old.manifest.graphs.values())
    for name in graphs:
        assert metadata.network(new.members[name]) == metadata.network(old.members[name])
    assert new.manifest.network == old.manifest.network
    same = set(old.members) - {"manifest.json", "MODEL_CARD.md"} - graphs
    assert {name: new.members[name] for name in same} == {name: old.members[name] for name in same}
    assert not new.trusted


def test_the_model_card_tells_it_once(tmp_path: Path) -> None:
    one, other = tmp_path / "one.bundle", tmp_path / "other.bundle"
    amend(Path("cnmc-cnn"), one, {"operation": TABLE})
    amend(one, other, {"operation": {**TABLE, "source": "three laboratories"}})
    old, first, second = (
        bundle.load(path, allow_unsigned=True).members["MODEL_CARD.md"].decode()
        for path in (Path("cnmc-cnn"), one, other)
    )
    assert "| deepapl, 68 × patient | 1517 | 0.290 | 3541 | 0.012 |" in first
    assert "Sensitivity: 0.200 in the mean, 0.0100 to 0.600 on 95% of slides." in first
    assert first.index("## How often it errs elsewhere") < first.index("\n## Limits")
    assert [line for line in first.splitlines() if line not in old.splitlines()] != []
    assert [line for line in old.splitlines() if line not in first.splitlines()] == []
    assert second == first.replace(TABLE["source"], "three laboratories")


def test_the_same_changes_give_the_same_bytes_and_a_member_may_be_added(tmp_path: Path) -> None:
    one, other = tmp_path / "one.bundle", tmp_path / "other.bundle"
    members = {"references.json": b"{}"}
    amend(Path("leukocytes"), one, {"operation": TABLE}, members)
    amend(one, other, {"operation": TABLE})
    assert one.read_bytes() == other.read_bytes()
    assert bundle.load(other, allow_unsigned=True).members["references.json"] == b"{}"


def test_what_no_device_would_open_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"operation\.source is missing"):
        amend(
            Path("leukocytes"),
            tmp_path / "x.bundle",
            {"operation": {k: v for k, v in TABLE.items() if k != "source"}},
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"sensitivity": {"mean": 0.5, "low": 0.6, "high": 0.7}},
            "low 0.6, mean 0.5 and high 0.7 are not in",
        ),
        ({"false_blasts": 3}, "false_blasts is 3; it must be an object"),
        ({"source": "x" * 3000}, "no longer than 2000 characters"),
    ],
)
def test_a_file_that_is_no_table_is_named(
    changed: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _file(tmp_path, **changed)
    arguments = ["amend", "leukocytes", "--operation", str(path), "--out", str(tmp_path / "new.bundle")]
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--operation {path}: " in line
    assert said in line
    assert not (tmp_path / "new.bundle").exists()


def test_an_absent_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["amend", "leukocytes", "--out", str(tmp_path / "new.bundle"), "--operation", "absent.json"]
    assert main(arguments) == 1
    assert "absent.json: No such file or directory; give a file of edge-train operation" in (
        capsys.readouterr().err
    )


FIGURE = {"value": 0.8, "low": 0.6, "high": 0.9, "n": 12}


def _apl(folder: Path, about: Manifest, **changed: object) -> Path:
    path = folder / "apl.json"
    table = {
        "classes": ["blast"], "weights": [0.5] * 6, "bias": 0.1, "threshold": 0.2, "least_cells": 5,
        "false_alarms": FIGURE, "sensitivity": FIGURE, "roc_area": FIGURE, "source": "two hospitals",
        "too_few_cells": {"apl": 3, "others": 5}, "network": about.network,
    }  # fmt: skip
    path.write_text(json.dumps(table | changed))
    return path


def test_how_it_tells_apl_is_in_the_manifest_and_once_in_the_card(tmp_path: Path) -> None:
    old = bundle.load(Path("leukocytes"))
    path, one, other = _apl(tmp_path, old.manifest), tmp_path / "one.bundle", tmp_path / "other.bundle"
    assert main(["amend", "leukocytes", "--apl", str(path), "--out", str(one)]) == 0
    assert main(["amend", str(one), "--apl", str(path), "--out", str(other)]) == 0
    new = bundle.load(other, allow_unsigned=True)
    assert new.manifest.apl is not None
    assert (new.manifest.apl.features, new.manifest.apl.threshold) == (2, 0.2)
    assert new.manifest.specimens == ("blood",)
    told = new.members["MODEL_CARD.md"].decode()
    assert told.count("## Acute promyelocytic leukemia") == 1
    assert "- false alarms among 12 with another acute leukemia: 0.800 (0.600 to 0.900)" in told
    assert told.index("## Acute promyelocytic") < told.index("\n## Limits")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": "another"}, "was made of another network than that of leukocytes"),
        ({"weights": [1, 2]}, "there must be 3 for each feature; give a file of edge-train apl"),
        ({"roc_area": 3}, "roc_area is 3; it must be an object"),
        ({"classes": ["cat"]}, "classes names 'cat'"),
    ],
)
def test_a_file_that_does_not_tell_how_this_one_tells_apl(
    changed: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _apl(tmp_path, bundle.load(Path("leukocytes")).manifest, **changed)
    arguments = ["amend", "leukocytes", "--apl", str(path), "--out", str(tmp_path / "new.bundle")]
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--apl {path}: " in line
    assert said in line
    assert not (tmp_path / "new.bundle").exists()
