"""How `edge-run` ends: without a terminal, with nothing to read, with several slides, with a full disk."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import cli
from edge.records.store import Store

pytestmark = pytest.mark.usefixtures("tested")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two pictures and, between them, one that cannot be read."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(60, 230, (120, 160, 3), np.uint8)
    for name in ("a.png", "c.png"):
        cv2.imwrite(str(folder / name), pixels)
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:900])
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_picture_that_cannot_be_read_is_named(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--camera", str(pictures), "--um-per-px", "0.1", "--headless", "--no-records"]) == 0
    assert told(capsys) == ["edge-run: b.png: the file is cut short or damaged; counted as rejected"]


def test_independent_slides_are_summed_up(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--camera", str(pictures), "--headless", "--no-records", "--independent"]) == 0
    assert capsys.readouterr().out.startswith("3 slides: ")


def test_labels_among_the_pictures_do_not_overwrite_them(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in pictures.iterdir()}
    arguments = ["--camera", str(pictures), "--labels", str(pictures), "--headless", "--no-records"]
    assert cli.main(arguments) == 1
    (line,) = told(capsys)
    assert "a.png would overwrite a picture" in line
    assert {path.name: path.read_bytes() for path in pictures.iterdir()} == before


def test_the_start_line_has_the_scale_that_was_given(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--camera", str(pictures), "--headless", "--no-records", "--json", "-"]
    assert cli.main([*arguments, "--um-per-px", "0.2"]) == 0
    assert '"um_per_px": 0.2,' in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", __file__, __file__, "--headless"], "put a pattern in quotes"),
        (["--camera", "demo", "--headless", "--colour", "7"], "unknown: --colour 7"),
        (["--camera", "demo"], "no terminal to draw the screen on; add --headless"),
        (["--camera", "demo", "--headless", "--json", "x", "--records", "./x"], "--json and --records are"),
        (["--camera", "demo", "--headless", "--json", "x", "--truth", "x"], "--json and --truth are both x"),
        (["--camera", "demo", "--headless", "--records", "x", "--no-records"], "not allowed with"),
    ],
)
def test_what_cannot_be_is_wrong_usage_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    (line,) = told(capsys)
    assert ended.value.code == 2
    assert line.startswith("edge-run: ")
    assert words in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_no_room_for_the_last_line_is_no_failure(pictures: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [
                sys.executable, "-m", "edge.cli", "--camera", pictures / "a.png", "--um-per-px", "0.1",
                "--headless", "--no-records",
            ],
            stdout=full, stderr=subprocess.PIPE, timeout=300,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("waits", [True, False])
def test_without_a_camera_it_says_so_and_leaves_no_slide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], waits: bool
) -> None:
    out, records = tmp_path / "out.jsonl", tmp_path / "r.db"
    arguments = ["--camera", "/dev/video97", "--headless", "--max-seconds", "2", "--json", str(out)]
    assert cli.main([*arguments, "--records", str(records), *["--wait"] * waits]) == 1
    last = told(capsys)[-1]
    assert last.startswith(
        "edge-run: " + "no picture within 2 s: " * waits + "camera /dev/video97: there is no "
    )
    if waits:
        assert out.read_text() == ""
        with Store(records) as store:
            assert store.slides() == []


def test_who_ends_it_while_it_waits_for_a_camera_leaves_no_slide(tmp_path: Path) -> None:
    records = tmp_path / "r.db"
    waiting = ["--camera", "/dev/video97", "--headless", "--wait", "--records", str(records)]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", *waiting],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "LEUKOSCOPE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert process.stderr is not None
    assert any("there is no /dev/video97" in line for line in process.stderr)  # the self-test may speak first
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0
    with Store(records) as store:
        assert store.slides() == []


def test_a_signal_starts_a_new_slide_and_another_ends_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", "--camera", "demo", "--headless", "--no-records", "--json", "-"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "LEUKOSCOPE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    kinds: list[str] = []
    for line in process.stdout:
        kinds.append(json.loads(line)["kind"])
        if kinds == ["start", "reading"]:
            process.send_signal(signal.SIGUSR1)
        elif kinds[-2:] == ["start", "reading"]:
            process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0
    assert [kind for kind in kinds if kind != "reading"] == ["start", "finding", "start", "finding"]


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "words"),
    [
        (["--camera", "{empty}"], {}, 1, "has no images"),
        (["--camera", "/dev/video97"], {}, 1, "/dev/video97"),
        (["--camera", "demo"], {"TERM": "dumb"}, 2, "TERM=dumb"),
        (["--camera", "demo", "--json", "-"], {}, 2, "the screen is on the same terminal"),
    ],
)
def test_on_a_terminal_too_a_mistake_is_one_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], status: int, words: str
) -> None:
    environment = {"TERM": "xterm-256color", "LEUKOSCOPE_HOME": str(tmp_path / "home"), **environment}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", *(a.format(empty=tmp_path) for a in arguments)],
        stdin=slave, stdout=slave, stderr=slave,
        env={**os.environ, **environment},
    )  # fmt: skip
    os.close(slave)
    output = b""
    try:
        while chunk := os.read(master, 65536):
            output += chunk
    except OSError:  # how Linux says that the other end was closed
        pass
    finally:
        os.close(master)
    assert process.wait(120) == status
    last = output.decode(errors="replace").rstrip().splitlines()[-1]
    assert "edge-run: " in last
    assert words in last
    assert "Traceback" not in output.decode(errors="replace")
