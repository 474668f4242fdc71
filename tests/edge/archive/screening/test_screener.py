"""A task: whole slides through the device's line, and rows that are those of the device."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge import cli
from edge import slides as edge_slides
from edge.archive.entry import Entry, Task
from edge.archive.order import Order
from edge.archive.place import ArchiveError, Place
from edge.archive.screening import fields
from edge.archive.screening.screener import Screener, profile_of
from edge.bundle import sitefile
from edge.line import engine
from edge.machine.profile import FALLBACK, data_folder
from edge.runtimes import GraphError
from edge.types import LeukoscopeError
from tests.conftest import ROOT
from tests.edge.archive import drawn
from tests.edge.archive.drawn import entries, of_slide, order, rows, screen, shipped


@pytest.fixture(scope="module")
def slides(made_once: Callable[..., Path]) -> Path:
    return drawn.slides(made_once)


def by_device(tmp_path: Path, folder: Path, *flags: str) -> list[dict[str, Any]]:
    """What `edge-run` writes of a folder with a profile that computes as the archive does."""
    text = (ROOT / "firmware_config" / "profiles" / f"{FALLBACK}.toml").read_text()
    for old, new in (('kind = "auto"', 'kind = "ort"'), ('precision = "auto"', 'precision = "fp32"')):
        text = text.replace(old, new)
    (tmp_path / "one.toml").write_text(text.replace("threads = 2", "threads = 1"))
    out = tmp_path / "device.jsonl"
    asked = [
        "--camera",
        str(folder),
        "--headless",
        "--no-records",
        "--json",
        str(out),
        "--slide",
        folder.name,
    ]
    assert cli.main([*asked, "--profile", str(tmp_path / "one.toml"), *flags]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize("flags", [{}, {"um_per_px": 0.2}, {"single_cell": True}])
def test_a_slide_is_read_as_on_the_device(tmp_path: Path, slides: Path, flags: dict[str, Any]) -> None:
    asked = [f"--um-per-px={flags['um_per_px']}"] if "um_per_px" in flags else []
    asked += ["--single-cell"] if flags.get("single_cell") else []
    lines = by_device(tmp_path, slides / "blasts", *asked)
    found = screen(tmp_path / "out", entries(slides, "blasts"), **flags)

    readings = [line for line in lines if line["kind"] == "reading"]
    assert [row["source"] for row in found["fields"]][4:] == ["4.tif#1", "4.tif#2", "5.png", "6.jpg"]
    assert len(found["fields"]) == len(readings) == 8
    for line, row, timing in zip(readings, found["fields"], found["timing"], strict=True):
        cells = [cell for cell in found["cells"] if cell["index"] == line["index"]]
        assert len(line["cells"]) == row["cells"] == len(cells)
        for cell, expected in zip(cells, line["cells"], strict=True):
            assert {name: cell[name] for name in expected} == expected
        assert set(line["ms"]) == set(timing["ms"])
        same = set(line) - {"kind", "t_s", "ms", "cells", "trusted"}
        assert {name: row[name] for name in same} == {name: line[name] for name in same}
    (finding,) = (line for line in lines if line["kind"] == "finding")
    (slide,) = found["slides"]
    assert {name: slide[name] for name in finding if name not in ("kind", "confirmed")} == {
        name: value for name, value in finding.items() if name not in ("kind", "confirmed")
    }
    assert any(row["counted"] for row in found["fields"])


def test_nothing_of_a_slide_reaches_the_next(tmp_path: Path, slides: Path) -> None:
    healthy, blasts = entries(slides, "healthy"), entries(slides, "blasts")
    found = [
        screen(tmp_path / str(i), its)
        for i, its in enumerate(([*healthy, *blasts], [*blasts, *healthy], healthy, blasts))
    ]
    for slide, alone in (("healthy", found[2]), ("blasts", found[3])):
        assert of_slide(found[0], slide) == of_slide(found[1], slide) == of_slide(alone, slide)


def test_a_task_that_is_done_again_writes_the_same_bytes(tmp_path: Path, slides: Path) -> None:
    content = shipped()
    place = Place(str(tmp_path / "out"))
    its, names = entries(slides), [f"work/00000/000007.{table}.parquet" for table in drawn.TABLES]
    with closing(Screener(order(slides, content), place, content, None)) as screener:
        screener.screen(Task(0, 7, len(its)), its)
        before = [place.read(name) for name in names]
        screener.screen(Task(0, 7, len(its)), its)
    assert [place.read(name) for name in names] == before


def test_what_cannot_be_read_is_a_field_with_a_fault(tmp_path: Path, slides: Path) -> None:
    shutil.copy(slides / "healthy" / "0.png", tmp_path / "0.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    names = ["0.png", "gone.png", "folder.png", "pipe.png", "empty.png", "0.png/below.png"]
    found = screen(tmp_path / "out", [Entry("a", i, n, str(tmp_path / n), 0.2) for i, n in enumerate(names)])
    told = {row["source"]: row["fault"] for row in found["fields"]}
    assert told == {
        "0.png": None,
        "gone.png": "the file cannot be read: No such file or directory",
        "folder.png": "is a folder and no file",
        "pipe.png": "is a named pipe and no file",
        "empty.png": "the file is empty",
        "0.png/below.png": "the file cannot be read: Not a directory",
    }
    assert [row["counted"] for row in found["fields"]] == [True] + 5 * [False]
    assert (found["slides"][0]["fields"], found["slides"][0]["faults"]) == (6, 5)
    assert [row["sha256"] is None for row in found["fields"]] == [False, True, True, True, False, True]


def test_files_of_object_storage_are_read_as_those_of_a_disk(tmp_path: Path, slides: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(str(slides / "blasts"), "/archive/blasts", recursive=True)
    there = [*entries(slides, "blasts", base="memory://archive")]
    there.append(Entry("blasts", 99, "gone.png", "memory://archive/blasts/gone.png"))
    here = [*entries(slides, "blasts"), Entry("blasts", 99, "gone.png", str(slides / "gone.png"))]
    found = screen("memory://out", there)
    assert {t: found[t] for t in drawn.TABLES} == of_slide(screen(tmp_path / "out", here), "blasts")
    assert found["fields"][-1]["fault"] == "the file cannot be read: No such file or directory"


@pytest.mark.parametrize("recovers", [True, False])
def test_storage_that_does_not_answer_is_no_fault_of_the_pictures(
    tmp_path: Path, slides: Path, monkeypatch: pytest.MonkeyPatch, recovers: bool
) -> None:
    import fsspec

    fsspec.filesystem("memory").put(str(slides / "healthy"), "/silent/healthy", recursive=True)
    opened, asked = fsspec.open, []

    def silent(path: str, *rest: Any) -> Any:
        asked.append(path)
        if recovers and asked.count(path) > 1:
            return opened(path, *rest)
        raise ConnectionResetError("the other side\nhung up")

    monkeypatch.setattr(fsspec, "open", silent)
    monkeypatch.setattr(fields, "_PAUSES_S", (0.0,))
    its = entries(slides, "healthy", base="memory://silent")
    if recovers:
        assert not any(row["fault"] for row in screen(tmp_path / "out", its)["fields"])
        return
    with pytest.raises(
        ArchiveError, match=r"0\.png: where it lies does not answer \(the other side hung up\)"
    ):
        screen(tmp_path / "out", its)
    assert not Place(str(tmp_path / "out")).names("work/00000")


def test_a_node_without_the_disk_does_not_call_its_files_damaged(tmp_path: Path, slides: Path) -> None:
    content, its = shipped(), entries(slides, "healthy", base=str(tmp_path / "disk"))
    place = Place(str(tmp_path / "out"))
    with (
        closing(Screener(order(tmp_path / "disk", content), place, content, None, node="b7")) as screener,
        pytest.raises(ArchiveError, match=r"node b7: .*disk is not there"),
    ):
        screener.screen(Task(0, 0, 4), its)


def test_the_scale_is_the_pictures_own_then_what_was_asked_for_then_measured(
    tmp_path: Path, slides: Path
) -> None:
    its = entries(slides, "healthy")
    own = [replace(entry, um_per_px=um) for entry, um in zip(its, (0.2, 0.21, None, 0.2), strict=True)]
    alike = [replace(entry, um_per_px=0.2) for entry in its]

    def scales(its: list[Entry], **asked: float) -> list[tuple[float, str]]:
        found = screen(tmp_path / "out", its, **asked)["fields"]
        return [(row["um_per_px"], row["um_per_px_from"]) for row in found]

    assert scales(own, um_per_px=0.19) == [(um, "given") for um in (0.2, 0.21, 0.19, 0.2)]
    assert scales(alike, um_per_px=0.19) == 4 * [(0.2, "given")]
    assert scales(its, um_per_px=0.19) == 4 * [(0.19, "given")]
    measured = scales(own)
    assert [measured[i] for i in (0, 1, 3)] == [(0.2, "given"), (0.21, "given"), (0.2, "given")]
    assert measured[2][1] == "red-cells"


def test_independent_pictures_are_slides_of_their_own(tmp_path: Path, slides: Path) -> None:
    lines = by_device(tmp_path, slides / "blasts" / "0.png", "--independent", "--um-per-px=0.2")
    its = [Entry(name, 0, name, str(slides / "blasts" / name)) for name in ("0.png", "4.tif", "5.png")]
    found = screen(tmp_path / "out", its, independent=True, um_per_px=0.2)
    assert [row["slide"] for row in found["slides"]] == ["0.png", "4.tif", "4.tif#2", "5.png"]
    assert [row["slide"] for row in found["fields"]] == ["0.png", "4.tif", "4.tif#2", "5.png"]
    assert [row["index"] for row in found["fields"]] == 4 * [0]
    expected = {
        name: value
        for name, value in lines[1].items()
        if name not in ("kind", "t_s", "ms", "cells", "trusted")
    }
    assert {name: found["fields"][0][name] for name in expected} == expected
    assert len(lines[1]["cells"]) == found["fields"][0]["cells"]


def test_only_what_every_node_agrees_on_is_screened(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    content, place = shipped(), Place(str(tmp_path))
    asked = order("/", content)
    for other, what in (
        (
            replace(asked, version="0.0.9"),
            r"version of leukoscope is .*, this archive was begun with 0\.0\.9",
        ),
        (replace(asked, bundle_sha256="ab" * 32), "bundle is .* begun with abab"),
        (replace(asked, site="cd" * 32), "site is None, this archive was begun with cdcd"),
    ):
        with pytest.raises(ArchiveError, match=f"node n1: its {what}.*; give every node the same"):
            Screener(other, place, content, None, node="n1")
    small = make_bundle().read_bytes()  # has no INT8
    with pytest.raises(ArchiveError, match=r"node n1: runs ort-fp32, not int8.*--precision fp32"):
        Screener(order("/", small, precision="int8"), place, small, None, node="n1")


def test_a_site_is_used_and_must_be_of_the_model(tmp_path: Path, slides: Path) -> None:
    content, place = shipped(), Place(str(tmp_path / "out"))
    site = sitefile.read(sitefile.DEMO)
    sitefile.write(tmp_path / "site.json", site)
    mine = (tmp_path / "site.json").read_bytes()

    def asked(site: bytes) -> Any:
        import hashlib

        return order(slides, content, site=hashlib.sha256(site).hexdigest(), um_per_px=0.2)

    its = entries(slides, "healthy")
    with closing(Screener(asked(mine), place, content, mine)) as screener:
        screener.screen(Task(0, 0, len(its)), its)
    lines = by_device(tmp_path, slides / "healthy", "--um-per-px=0.2", "--site", str(tmp_path / "site.json"))
    (slide,) = rows(place, "work/00000/000000.{}.parquet")["slides"]
    assert slide["blast_interval_corrected"] == lines[-2]["blast_interval_corrected"]
    sitefile.write(tmp_path / "site.json", replace(site, network="another"))
    other = (tmp_path / "site.json").read_bytes()
    with pytest.raises(LeukoscopeError, match="measured with another model"):
        Screener(asked(other), place, content, other)
    with pytest.raises(LeukoscopeError, match=r"site: .*altered"):
        Screener(
            asked(mine.replace(b'"made_by": "', b'"made_by": "x')),
            place,
            content,
            mine.replace(b'"made_by": "', b'"made_by": "x'),
        )


def test_what_must_stay_in_sight_of_a_model_comes_from_who_began(
    tmp_path: Path, slides: Path, make_bundle: Callable[..., Path]
) -> None:
    small = make_bundle(caveats=["of mice"]).read_bytes()
    its = entries(slides, "healthy")
    asked = {"content": small, "trusted": False, "caveats": ("of mice", "failed its test here")}
    (slide,) = screen(tmp_path / "out", its, **asked)["slides"]
    kept = order("/", small, caveats=("of mice", "failed its test here"))
    kept.write(Place(str(tmp_path)))
    assert Order.read(Place(str(tmp_path))) == kept
    assert (slide["trusted"], slide["caveats"]) == (False, ["of mice", "failed its test here"])


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("no\nwidth"), GraphError("no\nwidth"), MemoryError("no width")]
)
def test_a_slide_that_the_line_breaks_down_on_does_not_stop_the_others(
    tmp_path: Path, slides: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    made = engine.segmenter

    def fragile(*of: Any) -> Any:
        find = made(*of)

        def found(view: Any) -> Any:
            if view.pixels.shape[0] > view.pixels.shape[1]:
                raise error
            return find(view)

        return found

    upright = np.rot90(cv2.imread(str(slides / "healthy" / "2.png")))
    cv2.imwrite(str(tmp_path / "upright.png"), upright)
    its = entries(slides, "healthy", um_per_px=0.2)
    bad = [
        Entry("odd", 0, "0.png", its[0].path, 0.2),
        Entry("odd", 1, "u.png", str(tmp_path / "upright.png"), 0.2),
    ]
    expected = screen(tmp_path / "alone", its)
    monkeypatch.setattr(engine, "segmenter", fragile)
    found = screen(tmp_path / "out", [*bad, *its], records=True)
    assert of_slide(found, "healthy") == of_slide(expected, "healthy")
    told = {row["fault"] for row in found["fields"] if row["slide"] == "odd"}
    assert told == {f"the line breaks down on its slide ({type(error).__name__}: no width)"}
    assert found["slides"][0]["finding"] == "not-readable"


_DIES = """
import os, sys
sys.path.insert(0, {root!r})
from edge.files import pictures
from tests.edge.archive import drawn
from edge.archive.entry import Entry, Task
from edge.archive.order import Order
from edge.archive.place import Place
from edge.archive.screening.screener import Screener
from pathlib import Path
read = pictures.pages_of
def deadly(file, *how):
    if file.read(6) == b"deadly":
        os._exit(139)
    file.seek(0)
    return read(file, *how)
pictures.pages_of = deadly
out, folder, *runs = sys.argv[1:]
content = drawn.shipped()
its = [Entry("b", 0, "x.png", folder + "/x.png"), *drawn.entries(Path(folder), "healthy", um_per_px=0.2)]
for run in runs:
    if (worker := os.fork()) == 0:
        screener = Screener(drawn.order("/", content), Place(out), content, None, run=run)
        screener.screen(Task(0, 0, len(its)), its)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
"""
"""Workers one after another, each a process of its own; prints how each ended."""


def test_a_picture_that_ends_its_readers_is_given_up(tmp_path: Path, slides: Path) -> None:
    shutil.copytree(slides / "healthy", tmp_path / "healthy")
    (tmp_path / "x.png").write_bytes(b"deadly")
    place = Place(str(tmp_path / "out"))
    # who ended a worker in another run says nothing of the picture
    runs = ("monday", "monday", "tuesday", "monday", "monday")
    asked = [sys.executable, "-c", _DIES.format(root=str(ROOT)), place.address, str(tmp_path), *runs]
    ended = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert ended.split() == ["139", "139", "139", "139", "0"]
    found = rows(place, "work/00000/000000.{}.parquet")["fields"]
    assert [row["fault"] for row in found] == ["3 workers ended over it"] + 4 * [None]
    assert found[0]["sha256"] is not None


def test_a_record_store_is_whole_and_opens(
    tmp_path: Path, slides: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = screen(tmp_path / "out", entries(slides), records=True)
    work = tmp_path / "out" / "work" / "00000"
    assert {path.name for path in work.iterdir() if "records" in path.name} == {"000000.records.db"}
    assert edge_slides.main(["list", "--json", "-", "--records", str(work / "000000.records.db")]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {row["slide"]: row["finding"] for row in listed}
    assert told == {row["slide"]: row["finding"] for row in found["slides"]}


def test_nothing_but_the_self_test_is_kept_in_the_data_folder(tmp_path: Path, slides: Path) -> None:
    screen(tmp_path / "out", entries(slides, "healthy"), records=True)
    assert {path.name for path in data_folder().rglob("*")} <= {"selftest.json"}


def test_every_node_computes_on_one_thread() -> None:
    profile = profile_of(order("/", b""))
    assert (profile.runtime.threads, profile.images.threads, profile.runtime.precision) == (1, 1, "fp32")
