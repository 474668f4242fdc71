"""What the page of bundles shows of networks from elsewhere is true: the description, and the ten lines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bundle import bundle
from edge.files.pictures import decode
from export.foreign import description

PAGE = (Path(__file__).parents[3] / "docs/bundles.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return str(found)


def test_the_description_is_one(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(_block("toml"))
    found = description.read(path)
    assert found.network.gives == "logits"
    assert not found.point  # its cells choose
    assert set(found.recipe.shares) == {"deepapl", "pbc"}
    assert found.recipe.counted == found.recipe.classes


def test_the_lines_name_a_golden_cell_by_the_graph_alone(tmp_path: Path) -> None:
    opened = bundle.load(Path("leukocytes"))
    (tmp_path / "classifier.onnx").write_bytes(opened.graph())
    (tmp_path / "lines.py").write_text(_block("python"))
    case = json.loads(opened.members["golden.json"])["cases"][0]
    size = opened.manifest.size_px
    strip = decode(opened.members[case["crops"]])
    member = opened.manifest.graphs["ort-fp32"]
    look = opened.manifest.second_look or 1.0
    cell, wanted = next(
        (i, told["probabilities"][member])
        for i, told in enumerate(case["cells"])
        if told["probabilities"][member][0] < look / 2  # looked at once
    )
    crop = np.ascontiguousarray(strip[:, cell * size : (cell + 1) * size])
    cv2.imwrite(str(tmp_path / "cell.png"), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    done = subprocess.run(
        [sys.executable, "lines.py", "classifier.onnx", "cell.png"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = dict(line.split() for line in done.stdout.splitlines())
    assert tuple(said) == opened.manifest.classes
    assert [float(p) for p in said.values()] == pytest.approx(wanted, abs=2e-3)
