"""Every command of the pages about training and bundles, run in its order on small data.

The pages speak of whole data sets and of hours; here data sets are drawn small (`tests.train.layouts`), runs
are rehearsals (`--limit`), and what comes of them is worth nothing, which `--even-so` puts up with.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import pytest

import edge.cli
import edge.device
import export.cli
import train.cli
from export.bundle import golden
from tests.train.layouts import LAYOUTS
from train.data.sets import oddities, simulated
from train.network import lite
from train.recipes import recipe

DOCS = Path(__file__).resolve().parents[1] / "docs"

PROGRAMS: Mapping[str, Callable[[list[str]], int]] = {
    "edge-train": train.cli.main,
    "edge-export": export.cli.main,
    "edge-device": edge.device.main,
    "edge-run": edge.cli.main,
}

ELSEWHERE = ("make", "pip", "torchrun", "python")
"""What is run elsewhere: installing, benchmarks (tests/benchmarks), the ruler (tests/train/ruler)."""

SMALL: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("edge-train", "fit"): ("--limit 24", "--epochs 1", "--cache cache"),
    ("edge-train", "evaluate"): ("--limit 8",),
    ("edge-train", "compare"): ("--limit 8",),
    ("edge-train", "sweep"): ("--limit 24", "--epochs 1"),
    ("edge-export", "bundle"): ("--even-so", "--cache cache"),
    ("edge-export", "compare"): ("--limit 8",),
    ("edge-device", "update"): ("--even-so",),
    ("edge-run", "--camera"): ("--max-frames 2", "--headless", "--no-records"),
}
"""Program and subcommand → flags that make it a rehearsal, unless it has them."""


@dataclass
class Page:
    """A page of the documentation, and the folder that its commands are run in."""

    name: str
    here: Path
    means: Mapping[str, str] = field(default_factory=dict)

    def blocks(self) -> Iterator[list[str]]:
        """The words of every command, comments left out."""
        text = (DOCS / self.name).read_text(encoding="utf-8")
        for line in re.findall(r"^ {4}((?:edge-|make|pip|torchrun|python)[^\n]*)$", text, re.MULTILINE):
            yield shlex.split(re.sub(r" +#.*$", "", line))

    def command(self, words: Sequence[str]) -> list[str]:
        """A command as it is run here."""
        given = [self._meant(word) for word in words]
        for flag in SMALL.get((given[0], given[1]), ()):
            given += [] if flag.split()[0] in given else flag.split()
        return given

    def _meant(self, word: str) -> str:
        for name, meaning in self.means.items():
            word = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", meaning, word)
        return word

    def run(self, capsys: pytest.CaptureFixture[str], after: Mapping[str, Callable[[Path], None]]) -> int:
        """Run them all; `after` is done once a command that holds its text has ended. How many were run."""
        done = 0
        for words in self.blocks():
            if words[0] in ELSEWHERE or (words[1] == "sweep" and not importlib.util.find_spec("ray")):
                continue
            given = self.command(words)
            assert PROGRAMS[given[0]](given[1:]) == 0, f"{' '.join(given)}\n{capsys.readouterr().err}"
            capsys.readouterr()
            done += 1
            for text, make in after.items():
                if text in " ".join(words):
                    make(self.here)
        return done


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run commands in; little is drawn."""
    pytest.importorskip(lite.PACKAGE)
    monkeypatch.setattr(simulated, "FIRST_SEED", 1003)
    monkeypatch.setattr(simulated, "SLIDES", 2)
    monkeypatch.setattr(simulated, "_CELLS_HARD", 3)
    monkeypatch.setattr(simulated, "_CELLS_PER_CLASS", 1)
    monkeypatch.setattr(oddities, "COUNT", 24)
    monkeypatch.setattr(oddities, "_BLOCK", 4)
    monkeypatch.setattr(golden, "_FRAMES_SEARCHED", 4)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def data(here: Path) -> Path:
    """The data sets of the default recipe, small."""
    for layout in dict.fromkeys(LAYOUTS[name] for name in recipe.load("leukocytes").shares):
        layout(here / "data")
    return here / "data"


def test_own_data(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _cells(here / "cells", patients=range(2001, 2007))
    page = Page("own-data.md", here)
    assert page.run(capsys, {"keygen": _trust}) == 10
    assert json.loads((here / "mine.jsonl").read_text().splitlines()[0])["bundle"]["caveats"]


def _cells(folder: Path, patients: Iterable[int]) -> None:
    """Cells of simulated slides, a folder a class and patient, as somebody may have cut them out."""
    for seed in patients:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(simulated, "FIRST_SEED", seed)
            patch.setattr(simulated, "SLIDES", 1)
            patch.setattr(simulated, "_CELLS_PER_CLASS", 3)
            for number, picture in enumerate(simulated.SIMULATED.read(Path(), pytest.fail)):
                if picture.spots[0].label in ("blast", "lymphocyte", "neutrophil"):
                    path = folder / picture.spots[0].label / f"p{seed}" / f"{number}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(path), picture.load()[..., ::-1])


def _trust(here: Path) -> None:
    """Bring the public key to the device."""
    from edge.bundle.signature import key_folders

    folder = key_folders()[0]
    folder.mkdir(parents=True, exist_ok=True)
    for key in (here / "keys").glob("*.pub"):
        shutil.copy(key, folder)
