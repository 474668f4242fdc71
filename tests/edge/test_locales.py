"""What the commands say in any locale, to streams that are closed, and to readers who go away."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import cli, command
from edge.records.store import Store
from tests.edge.records.example import FINDING, HEADER, TALLY, reading

ROOT = Path(__file__).parents[2]
COMMANDS = ("edge.cli", "edge.device", "edge.slides", "train.cli", "export.cli")
NAME = "мазок"

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LOCALES = (
    ASCII,
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    {"LC_ALL": "xx_YY.ISO-8859-1", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "cp1252"},
)


def run(
    module: str, *arguments: object, environment: dict[str, str] = ASCII, shell: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, behind a line of shell where `shell` redirects its streams."""
    words = [sys.executable, "-m", module, *map(os.fspath, map(_path, arguments))]
    if shell:
        words = ["sh", "-c", f'"$@" {shell}', "sh", *words]
    return subprocess.run(
        words, capture_output=True, timeout=300, cwd=ROOT, stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )  # fmt: skip


def _path(argument: object) -> str | Path:
    return argument if isinstance(argument, Path) else str(argument)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder whose name and files no western encoding has, one of them in no encoding at all."""
    folder = tmp_path / NAME
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(60, 230, (120, 160, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    content = (tmp_path / "a.png").read_bytes()
    (folder / "клетка.png").write_bytes(content)
    (folder / os.fsdecode(b"b\xff.png")).write_bytes(content[:900])
    return folder


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.db"
    with Store(path) as store:
        for index in range(20):
            store.add_slide(HEADER, reading(index), FINDING, TALLY)
            store.committed()
    return path


@pytest.mark.parametrize("environment", LOCALES[:4])
@pytest.mark.parametrize("module", COMMANDS)
def test_help_is_given_in_every_locale(module: str, environment: dict[str, str]) -> None:
    done = run(module, "--help", environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"usage: " in done.stdout


@pytest.mark.parametrize("environment", [ASCII, LOCALES[-1]])
def test_json_is_utf_8_in_every_locale(pictures: Path, environment: dict[str, str]) -> None:
    arguments = ["--camera", pictures, "--headless", "--no-records", "--um-per-px", "0.1", "--json", "-"]
    done = run("edge.cli", *arguments, environment=environment)
    assert done.returncode == 0
    start, *readings, finding, _ = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert start["camera"] == NAME
    assert [one["source"] for one in readings] == ["b\\xff.png", "клетка.png"]
    assert finding["kind"] == "finding"
    assert b"b\\xff.png: the file is" in done.stderr
    done.stderr.decode("ascii")


@pytest.mark.parametrize("module", COMMANDS[:3])
@pytest.mark.parametrize("environment", [ASCII, LOCALES[-1]])
def test_an_argument_that_is_no_text_is_told_in_one_line(module: str, environment: dict[str, str]) -> None:
    odd = os.fsdecode(b"\xff\x1b[2J")
    arguments = {
        "edge.cli": ["--headless", "--camera", "demo", "--profile", f"{odd}.toml"],
        "edge.device": ["update", odd],
        "edge.slides": ["list", "--records", odd],
    }[module]
    done = run(module, *arguments, environment=environment)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert b"\\xff\\x1b[2J" in line


def test_streams_that_are_closed_are_nobodys_loss(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ["--camera", pictures, "--headless", "--no-records", "--um-per-px", "0.1", "--json", out]
    done = run("edge.cli", *arguments, shell=">&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [json.loads(line)["kind"] for line in out.read_text("utf-8").splitlines()][-2:] == [
        "finding",
        "files",
    ]
    done = run("edge.slides", "show", "x", "--records", tmp_path / "none.db", shell="2>&-")
    assert (done.returncode, done.stdout) == (1, b"")
    done = run("edge.slides", "--help", shell=">&-")
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json", "-"], ["--help"]])
def test_a_reader_who_goes_away_ends_it_without_a_word(records: Path, arguments: list[str]) -> None:
    where = ["--records", records] if arguments[0] == "list" else []
    done = run("edge.slides", *arguments, *where, shell="| true")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.usefixtures("tested")
def test_a_screening_that_nobody_reads_any_more_ends_without_a_word(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = os.pipe()
    os.close(left)
    with open(right, "w", encoding="cp1252") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        arguments = ["--camera", str(pictures), "--headless", "--no-records", "--json", "-"]
        assert cli.main(arguments) == command.FAILED
    assert "edge-run" not in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_no_room_for_json_is_told(records: Path) -> None:
    done = run("edge.slides", "list", "--json", "-", "--records", records, shell="> /dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith(b"edge-slides: --json -: cannot be written (No space left on device)")


def test_half_a_pair_comes_as_json_escapes_it(tmp_path: Path) -> None:
    command.write("--json", tmp_path / "x", json.dumps({"camera": "\udcff"}, ensure_ascii=False))
    assert json.loads((tmp_path / "x").read_bytes()) == {"camera": "\udcff"}


def _without_encoding(path: Path) -> Iterator[str]:
    """Calls in a module that read or write text in whatever encoding the locale has."""
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
        named = {keyword.arg for keyword in call.keywords}
        modes = [one.value for one in (*call.args, *(k.value for k in call.keywords if k.arg == "mode"))
                 if isinstance(one, ast.Constant)]  # fmt: skip
        texts = {"read_text": 0, "write_text": 1}
        file = name in ("open", "fdopen", "TemporaryFile", "NamedTemporaryFile") and (
            isinstance(call.func, ast.Name)
            or any(isinstance(mode, str) for mode in modes)
            or "newline" in named
        )
        binary = any(isinstance(mode, str) and "b" in mode for mode in modes)
        if (
            (name in texts and len(call.args) <= texts[name])
            or (file and not binary)
            or (named & {"text", "universal_newlines"} and name in ("run", "Popen", "check_output"))
        ) and not named & {"encoding", "flags"}:
            yield f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)[:80]}"


@pytest.mark.parametrize(
    "room", ["edge", "train", "export", "firmware_config", "packaging", "benchmarks", "docs"]
)
def test_every_text_file_is_opened_with_its_encoding(room: str) -> None:
    found = [line for path in sorted((ROOT / room).rglob("*.py")) for line in _without_encoding(path)]
    assert found == []
