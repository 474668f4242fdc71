"""`edge-device bench`: a very short run, the arithmetic of its figures, and what it refuses."""

from __future__ import annotations

import argparse
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import bench, command
from edge.bench import fields, measure, process, table
from edge.bench.rig import rig
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.demo.cytology import LEUKOCYTES
from edge.cameras.files.camera import FileCamera
from edge.types import U8, LeukoscopeError

TINY = measure.Extent(
    quick=True, frames=4, others=3, warm_up=3, densities=(2, 60), crowded=1, rounds=1, batch_rounds=1,
    starts=1, long=process.EVERY,
)  # fmt: skip


def arguments(*given: str) -> argparse.Namespace:
    parser = command.Parser(prog="edge-device")
    bench.add_to(parser.add_subparsers())
    return parser.parse_args(["bench", *given])


@pytest.fixture(scope="module")
def figures(made_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the bench writes as JSON, read again."""

    def make(folder: Path) -> None:
        told: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LEUKOSCOPE_HOME", str(tmp_path_factory.mktemp("home")))
            with rig(tell=told.append) as rigged:
                steps: list[str] = []
                done = measure.measure(rigged, TINY, steps.append)
            assert len(steps) == TINY.steps
        (folder / "bench.json").write_text(json.dumps(done, allow_nan=False))

    done: dict[str, Any] = json.loads((made_once("bench", make) / "bench.json").read_text())
    return done


def test_every_field_of_the_json_is_documented(figures: dict[str, Any]) -> None:
    documented = set(re.findall(r"`(\w+)`", bench.__doc__ or ""))

    def names(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(names, value))
        if not isinstance(value, dict):
            return set()
        keyed = ("stages", "temperatures_c", "resident_mb")  # by what there is
        free = [v for name, v in value.items() if name in keyed and isinstance(v, dict)]
        inner = [v for name, v in value.items() if name not in keyed]
        return set(value) | names(inner) | names([list(v.values()) for v in free])

    assert names(figures) <= documented


def test_the_line_was_measured_on_full_fields(figures: dict[str, Any]) -> None:
    line = figures["line"]
    assert (line["width"], line["height"], line["fields"]) == (1920, 1080, 4)
    assert 5 <= line["cells_per_field"] <= 13
    assert set(line["stages"]) >= {"segment", "classify"}
    parts = sum(stage["median_ms"] for stage in line["stages"].values())
    assert 0.5 * line["median_ms"] < parts < 1.5 * line["median_ms"]
    assert line["median_ms"] <= line["p95_ms"]


def test_the_line_was_measured_on_fields_of_few_and_of_many_cells(figures: dict[str, Any]) -> None:
    assert [line["field"] for line in figures["lines"]] == ["sparse", "usual", "crowded"]
    sparse, usual, crowded = ({**line} for line in figures["lines"])
    assert usual.pop("field") == "usual"
    assert usual == figures["line"]
    assert sparse["cells_per_field"] < 5
    assert 20 < crowded["cells_per_field"] < 40
    assert sparse["fields"] == crowded["fields"] == TINY.others
    first, second = figures["videos"]
    assert first == {"field": "usual", **figures["video"]}
    assert (second["field"], second["fields"]) == ("crowded", TINY.others)


def test_the_other_parts_say_what_they_measured(figures: dict[str, Any]) -> None:
    cells = [field["cells"] for field in figures["cells"]["fields"]]
    assert cells[0] < 8
    assert cells[1] > 40
    assert figures["video"]["fields"] == TINY.frames
    assert figures["video"]["decode_fields_per_s"] > figures["video"]["fields_per_s"] > 0
    assert [row["batch"] for row in figures["classifier"]] == list(measure.BATCHES)
    assert figures["process"]["frames"] == TINY.fields_of("usual")
    assert 50 < figures["process"]["resident_mb"] <= figures["process"]["peak_mb"] < 400
    assert figures["process"]["first_reading_s"] > 0.1


def test_the_long_run_tells_memory_and_start(figures: dict[str, Any]) -> None:
    run = figures["long_run"]
    assert run["frames"] == process.EVERY
    assert list(run["resident_mb"]) == [str(process.EVERY)]
    assert 50 < run["largest_resident_mb"] <= run["peak_mb"] < 400
    assert run["growth_after_500"] is None
    assert run["first_reading_s"] > 0.1


def test_growth_is_that_of_the_late_looks_over_the_early_ones() -> None:
    looks = {n: 100.0 for n in range(50, 2001, 50)}
    looks |= {n: 50.0 for n in range(50, process.SETTLED, 50)}  # what it fills first is no growth
    looks[1000] = 900.0
    assert process.growth(looks) == 0
    assert process.growth({n: 100 + n / 100 for n in looks}) == 0.1226
    assert process.growth({n: mb for n, mb in looks.items() if n <= 700}) is None


@pytest.mark.parametrize("frames", ["0", "x", "-1"])
def test_a_long_run_of_no_fields_is_wrong_usage(frames: str) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments("--long", frames)
    assert ended.value.code == 2


def test_the_table_fits_the_terminal(figures: dict[str, Any]) -> None:
    drawn = table.table(figures)
    assert max(map(len, drawn.splitlines())) <= 80
    for words in ("the whole line", "fields/s", "a further cell", "MB resident", "rough look"):
        assert words in drawn
    assert re.search(r"^long run +\d+ MB at most, too short for growth \(50 fields\)$", drawn, re.MULTILINE)
    grown = table.table(figures | {"long_run": figures["long_run"] | {"growth_after_500": 0.012}})
    assert "MB at most, +1.2% after 500 fields (50 fields)" in grown
    assert re.search(r"sparse, \S+ cells +usual, \S+ cells +crowded, \S+ cells$", drawn, re.MULTILINE)
    assert {"MJPEG, usual", "MJPEG, crowded"} <= {line[:18].strip() for line in drawn.splitlines()}
    silent = figures | {"conditions": figures["conditions"] | {"cpu_c": None, "clock_mhz": None}}
    assert table.table(silent).count("not told by this system") == 2


def test_the_page_of_figures_takes_what_this_and_earlier_programs_wrote(figures: dict[str, Any]) -> None:
    page = runpy.run_path(str(Path(__file__).resolve().parents[3] / "docs" / "figures.py"))
    told = {(row["what"], row["name"]): row for row in page["_bench"](figures)["figures"]}
    before = {name: value for name, value in figures.items() if name not in ("lines", "videos")}
    rows = {(row["what"], row["name"]): row for row in page["_bench"](before)["figures"]}
    assert rows.items() <= told.items()
    assert {what for what, _ in told.keys() - rows.keys()} == {
        *(
            f"a {line['field']} 1080p field with {line['cells_per_field']:.0f} cells, records on"
            for line in figures["lines"]
            if line["field"] != "usual"
        ),
        "MJPEG file of crowded fields to reading",
    }
    assert list(page["_table"](figures))[-1].count(figures["machine"]["instructions"] or "") >= 1


@pytest.mark.parametrize(
    ("variant", "instructions", "said"),
    [
        ("ort-int8", "avx512_vnni", "ort-int8 on avx512_vnni, "),
        ("ort-fp32", None, "ort-fp32, "),
        ("trt-fp16", "asimddp", "trt-fp16, "),  # which runs on no processor
    ],
)
def test_the_table_says_what_the_networks_ran_on(
    figures: dict[str, Any], variant: str, instructions: str | None, said: str
) -> None:
    runtime, machine = figures["runtime"], figures["machine"]
    told = {"runtime": runtime | {"variant": variant}, "machine": machine | {"instructions": instructions}}
    assert table.table(figures | told).splitlines()[2].startswith(said)


def test_the_picture_is_drawn(figures: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from edge.bench.plot import plot

    plot(figures, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(LeukoscopeError, match="cannot be written"):
        plot(figures, tmp_path / "no" / "bench.png")


def test_json_alone_on_standard_output(
    figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measure, "measure", lambda *_: figures)
    assert bench.run(arguments("--quick", "--json", "-")) == 0
    assert json.loads(capsys.readouterr().out) == figures


def test_json_into_a_file_beside_the_table(
    figures: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(measure, "measure", lambda *_: figures)
    assert bench.run(arguments("--json", str(tmp_path / "bench.json"))) == 0
    assert json.loads((tmp_path / "bench.json").read_text()) == figures
    assert "the whole line" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--json", "--plot"])
def test_a_file_that_cannot_be_written_is_told_before_measuring(flag: str, tmp_path: Path) -> None:
    with pytest.raises(LeukoscopeError, match=f"{flag} .*no/such.png: cannot be written"):
        bench.run(arguments(flag, str(tmp_path / "no" / "such.png")))
    with pytest.raises(LeukoscopeError, match="cannot be written"):
        bench.run(arguments(flag, str(tmp_path)))


def test_without_matplotlib_the_plot_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    with pytest.raises(LeukoscopeError, match="pip install matplotlib"):
        bench.run(arguments("--plot", "bench.png"))


@pytest.mark.parametrize("frames", ["3", "x", "-1", "100000"])
def test_a_number_of_frames_that_makes_no_sense_is_wrong_usage(
    frames: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments("--frames", frames)
    assert ended.value.code == 2
    assert frames in capsys.readouterr().err


def test_slope_of_a_straight_line_and_of_a_bent_one() -> None:
    straight = measure.slope([1, 11, 21, 31], [10.5, 15.5, 20.5, 25.5])
    assert straight["ms_per_cell"] == 0.5
    assert straight["base_ms"] == 10.0
    assert straight["r2"] == 1.0
    assert straight["ms_per_cell_lower"] == straight["ms_per_cell_upper"] == 0.5
    bent = measure.slope([0, 10, 20, 30, 40], [0.0, 1.0, 4.0, 9.0, 16.0])
    assert bent["ms_per_cell_upper"] > 2 * bent["ms_per_cell_lower"]
    assert measure.slope([5, 5, 9], [1.0, 2.0, 3.0])["ms_per_cell_lower"] is None


def test_warm_up_and_rejected_fields_are_left_out() -> None:
    def passed(ms: float, rejected: bool = False, cells: int = 9) -> measure.Passed:
        crops = np.zeros((cells, 4, 4, 3), np.uint8)
        return measure.Passed(crops, {"segment": ms / 2, "total": ms}, ms, rejected)

    slow = [passed(900.0, cells=1)] * 3
    line = measure.line([*slow, passed(10), passed(1, rejected=True), passed(12), passed(14)], 3)
    assert line["fields"] == 3
    assert line["median_ms"] == 12
    assert line["first_ms"] == 900
    assert line["cells_per_field"] == 9
    assert line["stages"] == {"segment": {"median_ms": 6.0, "p95_ms": pytest.approx(6.9)}}


def test_per_second() -> None:
    assert measure.per_s([5.0, 5.5, 6.0]) == 2.0


def test_a_crowded_slide_has_room_for_as_many_cells_as_asked_for() -> None:
    for cells in (5, 95):
        truth = SimulatedCamera(1, scope=fields.crowded(cells)).truth()
        leukocytes = sum(n for name, n in truth["composition"].items() if name in LEUKOCYTES)
        assert truth["field_px"] == [1920, 1080]
        assert leukocytes / 12 == pytest.approx(cells, rel=0.05)


def test_a_leukemic_slide_is_full_of_clumps_and_smudge_cells() -> None:
    truth = SimulatedCamera(1, scope=fields.leukemic()).truth()
    leukocytes = [cell for cell in truth["cells"] if cell["class"] in LEUKOCYTES]
    slide = fields.leukemic()
    assert truth["um_per_px"] == fields.UM_PER_PX
    assert len(leukocytes) / slide.fields == pytest.approx(slide.leukocytes_per_field, rel=0.02)
    assert truth["composition"]["smudge-cell"] / slide.fields == 3
    assert truth["blast_fraction"] == pytest.approx(0.65, abs=0.01)
    assert sum(cell["touching"] is not None for cell in leukocytes) > 0.8 * len(leukocytes)


def test_a_video_of_fields_is_read_again_field_by_field(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    drawn: list[U8] = [np.full((108, 192, 3), rng.integers(60, 200), np.uint8) for _ in range(5)]
    fields.write_mjpeg(drawn, tmp_path / "f.mjpeg")
    camera = FileCamera(str(tmp_path / "f.mjpeg"))
    camera.open()
    for field in drawn:
        frame = camera.read()
        assert frame is not None
        assert frame.fault is None
        assert abs(int(frame.pixels.mean()) - int(field[0, 0, 0])) <= 2
    assert camera.read() is None


def test_what_edge_run_says_when_it_fails_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(LeukoscopeError, match=r"status 1: .*nowhere\.bundle"):
        process.run(["--camera", "demo", "--bundle", str(tmp_path / "nowhere.bundle"), "--no-records"])


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("edge.bench", {"onnxruntime", "edge.line.pipeline"}), ("edge.bench.plot, edge.bench.measure", set())],
)
def test_nothing_heavy_is_imported_before_it_is_needed(module: str, heavy: set[str]) -> None:
    heavy = heavy | {"matplotlib", "psutil", "torch", "textual"}
    code = f"import sys, {module}; print({heavy} & set(sys.modules) or 'nothing')"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "nothing"
