"""What is kept of cut cells is made anew when what makes it changes, and only then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import edge.cells.lobes
import edge.cells.measure
import edge.cells.nuclei
import edge.cells.segment
import edge.optics.redcells
import train.data.classes
import train.data.cut
import train.data.sets.artefacts
import train.data.windows
from edge.bundle.model_input import ModelInput
from tests.train.conftest import COLOURS, draw
from train.data import drawn, fingerprint
from train.data.registry import dataset
from train.data.windows import fingerprint as of_windows

WINDOW = ModelInput(0.25, 144)


def _forget() -> None:
    fingerprint.readings.cache_clear()
    train.data.windows.made_of_drawn.cache_clear()


@pytest.fixture
def _remember_nothing() -> Iterator[None]:
    """What was changed for a test is not remembered after it, nor what was there before it."""
    _forget()
    yield
    _forget()


def _windows(data: Path) -> str:
    return of_windows(dataset("deepapl"), data, WINDOW, 0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    slides = tmp_path / "deepapl" / "Data" / "All" / "Patient_01" / "Signed slides"
    for number in range(2):
        draw(slides / "Lymphocyte" / f"{number}.png", COLOURS["lymphocyte"], number)
    return tmp_path


@pytest.fixture(scope="module")
def made() -> tuple[str, str]:
    """What is made of the drawn fields by the program as it is."""
    return _made()


def _made() -> tuple[str, str]:
    return fingerprint.readings(), train.data.windows.made_of_drawn(WINDOW)


@pytest.mark.usefixtures("_remember_nothing")
@pytest.mark.parametrize(
    ("module", "name", "value", "changed"),
    [
        (edge.cells.lobes, "LOBE_GAP_UM", 3.2, "readings windows"),
        (edge.cells.lobes, "ROUND", 0.76, "readings windows"),
        (edge.cells.measure, "EDGE", 102, "readings windows"),
        (edge.cells.nuclei, "CANDIDATE_UM2", 8.0, "readings windows"),
        (edge.cells.segment, "CELL_RADIUS_UM", 4.8, "windows"),
        (edge.cells.segment, "MIDDLE_UM", 5.0, "windows"),
        (edge.optics.redcells, "RED_CELL_UM", 7.3, "readings"),
        (train.data.classes, "_PARTIAL", {**train.data.classes._PARTIAL, "lymphoid": ("blast",)}, "readings"),
        (train.data.cut, "WITHOUT_NUCLEUS", ("platelet",), "windows"),
        (train.data.sets.artefacts, "_DISTANCE_UM", 10.0, "readings"),
    ],
    ids=lambda value: str(value).rpartition(".")[2] if isinstance(value, str) else "",
)
def test_a_change_of_behaviour_anywhere_below_shows(
    module: ModuleType,
    name: str,
    value: Any,
    changed: str,
    made: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, name, value)
    different = [before != after for before, after in zip(made, _made(), strict=True)]
    kinds = ("readings", "windows")
    assert [kind for kind, other in zip(kinds, different, strict=True) if other] == changed.split()


@pytest.mark.parametrize("changed", ["readings", "windows"])
def test_what_shows_renews_what_hangs_on_it(
    changed: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _windows(data)
    module, name = {
        "readings": (fingerprint, "readings"),
        "windows": (train.data.windows, "made_of_drawn"),
    }[changed]
    with monkeypatch.context() as patched:
        patched.setattr(module, name, lambda *_: "other")
        assert _windows(data) != before


def test_the_same_twice_is_the_same(data: Path) -> None:
    first = _windows(data)
    _forget()
    drawn.pictures.cache_clear()
    assert _windows(data) == first


def test_the_order_of_files_does_not_matter(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, rglob = _windows(data), Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: reversed(list(rglob(self, pattern))))
    assert _windows(data) == first


def test_a_file_that_was_written_anew_renews_it(data: Path) -> None:
    first = _windows(data)
    file = next(path for path in data.rglob("*.png"))
    about = file.stat()
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns + 1_000_000_000))
    later = _windows(data)
    assert later != first
    file.rename(file.with_name("other.png"))
    assert _windows(data) not in (first, later)


def test_settings_belong_to_it(data: Path) -> None:
    source = dataset("deepapl")
    assert len({of_windows(source, data, ModelInput(0.25, px), n) for px in (96, 144) for n in (0, 5)}) == 4


def test_comments_and_docstrings_of_a_reader_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "bare": "A = 1\ndef read(root):\n    return root\n",
        "told": '"""All."""\nA = 1  # one\n"""A."""\n\n\ndef read(root):\n    """It."""\n    return root\n',
        "other": "A = 2\ndef read(root):\n    return root\n",
    }
    monkeypatch.syspath_prepend(tmp_path)
    found = {}
    for name, text in texts.items():
        (tmp_path / f"reader_{name}.py").write_text(text)
        found[name] = fingerprint._code(__import__(f"reader_{name}"))
    assert found["bare"] == found["told"] != found["other"]
