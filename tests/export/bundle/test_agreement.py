"""Two machines side by side: the second one's file is what the first wrote, changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.cli import main

Make = Callable[..., Path]


@pytest.fixture
def small(make_bundle: Make) -> Path:
    return make_bundle()


@pytest.fixture
def other(small: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes what another machine found, as `change` makes it of what this one finds."""

    def write(change: Callable[[dict[str, Any]], object] = lambda found: None) -> Path:
        path = tmp_path / "other.json"
        assert main(["verify", str(small), "--json", str(path)]) == 0
        found = json.loads(path.read_text())
        found["machine"]["architecture"] = "aarch64"
        change(found)
        path.write_text(json.dumps(found))
        return path

    return write


def _first(found: dict[str, Any]) -> dict[str, Any]:
    """The first golden cell."""
    cell = next(iter(found["pictures"].values()))["said"]["ort-fp32"][0]
    assert isinstance(cell, dict)
    return cell


def _by(amount: float) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        _first(found)["probabilities"][0] += amount

    return change


def test_two_machines_that_say_the_same(
    small: Path, other: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = other(_by(0.004))
    capsys.readouterr()
    assert main(["verify", str(small), "--against", str(path)]) == 0
    said = capsys.readouterr()
    assert "there: aarch64 (" in said.out
    assert "at the same place, 0.00 µm apart at most" in said.out
    assert "0 of another class, probabilities differ by 0.004 at most (0.01 allowed)" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_by(0.02), "ort-fp32: a probability differs by 0.020, more than 0.01"),
        (_by(float("nan")), "ort-fp32: a probability differs by nan"),
        (lambda found: _first(found).update({"class": "artefact"}), "here and artefact there"),
        (lambda found: found["problems"].append("crops differ"), "there: crops differ"),
        (
            lambda found: [p["said"].update({"ort-int8": p["said"].pop("ort-fp32")})
                           for p in found["pictures"].values()],
            "no precision passes on both machines",
        ),
    ],
)  # fmt: skip
def test_what_differs_is_told_with_status_3(
    small: Path,
    other: Callable[..., Path],
    change: Callable[[dict[str, Any]], object],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = other(change)
    capsys.readouterr()
    assert main(["verify", str(small), "--against", str(path)]) == 3
    assert words in capsys.readouterr().err


def test_a_cell_found_elsewhere_is_shown(
    small: Path, other: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def move(found: dict[str, Any]) -> None:
        places = next(iter(found["pictures"].values()))["found_px"]
        places[0][0] += 1000
        places.append([0, 0])

    path = other(move)
    capsys.readouterr()
    assert main(["verify", str(small), "--against", str(path)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "golden/0.png" in line)
    here, there, same = (int(word) for word in line.split() if word.isdecimal())
    assert (there, same) == (here + 1, here - 1)


def _drop(found: dict[str, Any]) -> None:
    del found["pictures"]["golden/0.png"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.update(bundle_sha256="0" * 64), "is of another bundle"),
        (lambda found: found.update(kind="bench"), "is not what edge-export verify --json wrote"),
        (_drop, "is not what edge-export verify --json wrote"),
        (lambda found: found.update(machine=[]), "is not what edge-export verify --json wrote"),
        (lambda found: _first(found).update(probabilities=[1.0]), "is not what edge-export verify"),
    ],
)
def test_a_file_that_cannot_be_compared_with_is_told(
    small: Path,
    other: Callable[..., Path],
    change: Callable[[dict[str, Any]], object],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = other(change)
    capsys.readouterr()
    assert main(["verify", str(small), "--against", str(path)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"{path}: {words}" in line


@pytest.mark.parametrize("content", ["[]", "{}", "no JSON", None])
def test_no_such_file_and_what_is_none(
    small: Path, tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    assert main(["verify", str(small), "--against", str(path)]) == 1
    assert f"edge-export: {path}: " in capsys.readouterr().err


def test_json_alone_on_standard_output(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(small), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["problems"], found["trusted"]) == ("verify", [], False)
    row = _first(found)["probabilities"]
    assert sum(row) == pytest.approx(1, abs=1e-3)


def test_a_bundle_without_golden_cases_is_written_down_too(
    make_bundle: Make, tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.conftest import graph

    bare = make_bundle(graph=graph())
    out = tmp_path / "bare.json"
    assert main(["verify", str(bare), "--json", str(out)]) == 3
    assert json.loads(out.read_text())["problems"] == ["golden.json is missing"]
    assert main(["verify", str(bare), "--against", str(out)]) == 3
    assert "no precision passes on both machines" in capsys.readouterr().err
