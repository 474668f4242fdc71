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
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

import edge.cli
import edge.device
import export.cli
import train.cli
from edge.bundle import bundle
from edge.records.book import Book
from edge.review.review import Review
from export.bundle import golden
from export.graph.graph import exported
from tests.edge.records.example import HEADER
from tests.edge.records.slides import screened
from tests.train.layouts import LAYOUTS
from train.data import crew
from train.data.sets import oddities, simulated
from train.network import lite
from train.recipes import recipe

DOCS = Path(__file__).resolve().parents[1] / "docs"

RECIPE = DOCS.parent / "train/recipes/leukocytes.toml"

PROGRAMS: Mapping[str, Callable[[list[str]], int]] = {
    "edge-train": train.cli.main,
    "edge-export": export.cli.main,
    "edge-device": edge.device.main,
    "edge-run": edge.cli.main,
}

ELSEWHERE = ("make", "pip", "torchrun", "python")
"""What is run elsewhere: installing, benchmarks (tests/benchmarks), the ruler (tests/train/ruler)."""

SMALL: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("edge-train", "fit"): ("--limit 24", "--epochs 1", "--cache cache", "--set architecture.depth=4"),
    ("edge-train", "evaluate"): ("--limit 8",),
    ("edge-train", "compare"): ("--limit 8",),
    ("edge-train", "sweep"): ("--limit 24", "--epochs 1"),
    ("edge-export", "bundle"): ("--even-so", "--cache cache"),
    ("edge-export", "compare"): ("--limit 8",),
    ("edge-device", "update"): ("--even-so",),
    ("edge-run", "--camera"): ("--max-frames 2", "--headless", "--no-records"),
}
"""Program and subcommand → flags that make it a rehearsal, unless it has them."""

TOO_SMALL: Mapping[tuple[str, str], str] = {
    ("edge-train", "datasets"): "show the same in different parts",  # one disc is like another
    ("edge-train", "operation"): "of another recipe than bundle leukocytes (architecture.depth 4, there 11)",
    ("edge-train", "apl"): "there must be three of each",
}
"""Program and subcommand → what it says of small data, which it cannot do its work on."""


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
            status, said = PROGRAMS[given[0]](given[1:]), "".join(capsys.readouterr())
            refused = TOO_SMALL.get((given[0], given[1]))
            assert status == 0 or (refused and refused in said), f"{' '.join(given)}\n{said}"
            done += 1
            for text, make in after.items():
                if text in " ".join(words):
                    make(self.here)
        return done


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, translated_once: None) -> Path:
    """An empty folder to run commands in; little is drawn."""
    pytest.importorskip(lite.PACKAGE)
    monkeypatch.setattr(simulated, "FIRST_SEED", 1003)
    monkeypatch.setattr(simulated, "SLIDES", 2)
    monkeypatch.setattr(simulated, "_CELLS_HARD", 3)
    monkeypatch.setattr(simulated, "_CELLS_PER_CLASS", 1)
    monkeypatch.setattr(simulated, "_BARE_PER_SLIDE", 2)
    monkeypatch.setattr(oddities, "COUNT", 24)
    monkeypatch.setattr(oddities, "_BLOCK", 4)
    monkeypatch.setattr(golden, "_FRAMES_SEARCHED", 4)
    monkeypatch.setattr(golden, "draw_fields", cache(golden.draw_fields))  # the same for bundles of a kind
    monkeypatch.setattr(crew, "_FEW", 1000)  # so few are cut before another process has begun
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
    assert Page("own-data.md", here).run(capsys, {"keygen": _trust}) == 10
    assert json.loads((here / "mine.jsonl").read_text().splitlines()[0])["bundle"]["caveats"]


def test_training(here: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.is_dir()
    (here / "space.toml").write_text('"architecture.dropout" = {choice = [0.1, 0.2]}\n')
    if not importlib.util.find_spec("ray"):  # as if the sweep had ended with what ships
        (here / "runs/sweep").mkdir(parents=True)
        shutil.copy(RECIPE, here / "runs/sweep/best.toml")
    page = Page("training.md", here, {"DATA": "data", "--samples 20": "--samples 1"})
    for name in ("box1.db", "box2.db", "box3.db"):
        _records(here / name, Path(name).stem)
    assert page.run(capsys, {"--out runs/a": _bundled}) >= 14


def test_bundles(here: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.is_dir()
    shutil.copy(bundle.shipped_path(), here / "old.bundle")
    _foreign(here)
    stick = {"/media/stick/new.bundle": "new.bundle"}
    page = Page("bundles.md", here, {"DATA": "data", "RUN": "runs/first", "ort-int8": "ort-fp32"} | stick)
    assert page.run(capsys, {"keygen": _trust, "export bundle --run": _tables}) == 17


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


def _bundled(here: Path) -> None:
    """The bundle that the page speaks of from then on, of its first run."""
    made = ["bundle", "--run", "runs/a", "--out", "leukocytes.bundle", "--even-so"]
    assert export.cli.main(made) == 0
    _tables(here, "leukocytes.bundle")


def _tables(here: Path, name: str = "new.bundle") -> None:
    """What was measured of the shipped bundle, as if it had been of this one."""
    everything = bundle.load(bundle.shipped_path()).manifest.everything
    network = bundle.load(here / name, allow_unsigned=True).manifest.network
    (here / "operation.json").write_text(json.dumps(everything["operation"]))
    (here / "apl.json").write_text(json.dumps(everything["apl"] | {"network": network}))


def _records(path: Path, slide: str) -> None:
    """Records of a slide on which a person named cells."""
    header = replace(HEADER, crop_um=24.0)
    screened(path, ["blast", "blast", "lymphocyte"], slide, header=header)
    with Book(path) as book, Review(book, slide, "AB") as review:
        review.confirm([1, 3])
        review.say([2], "lymphocyte")


LAB = """
import torch

def make():
    nn = torch.nn
    layers = [nn.Conv2d(3, 8, 3, 4), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.Hardswish()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
"""


def _foreign(here: Path) -> None:
    """A network of the laboratory's own, as ONNX and as a PyTorch module, described as on the page."""
    (here / "lab").mkdir()
    (here / "lab/network.py").write_text(LAB)
    made: dict[str, Any] = {}
    exec(LAB, made)
    network = made["make"]().eval()
    torch.save(network.state_dict(), here / "ours.pt")
    free = {0: torch.export.Dim("n")}
    graph = exported(network, torch.zeros((2, 3, 96, 96)), free, inputs=["x"], outputs=["y"])
    (here / "ours.onnx").write_bytes(graph)
    page = (DOCS / "bundles.md").read_text(encoding="utf-8")
    (described,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (here / "ours.toml").write_text(described)
    point = "[operation]\ntemperature = 1.0\npositive = 0.5\nconfidence = 0.3\ncertain = 0.9\n"
    (here / "unjudged.toml").write_text(described.partition("[shares]")[0] + point)
