"""What every command shares: one line for each failure, its exit status, the progress bar."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from edge import command
from edge.types import LeukoscopeError


def _raising(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LeukoscopeError("camera 9: none"), "edge-x: camera 9: none"),
        (LeukoscopeError("two\n  lines"), "edge-x: two lines"),
        (ImportError("No module named 'torch'"),
         "edge-x: No module named 'torch'; install it with: pip install 'leukoscope[train]'"),
        (FileNotFoundError(2, "No such file", "a.txt"), "edge-x: a.txt: No such file"),
        (OSError("odd"), "edge-x: file: odd"),
        (LeukoscopeError("camera \x1b[2J\a\u202e: none"), "edge-x: camera \\x1b[2J\\x07\\u202e: none"),
        (KeyboardInterrupt(), "edge-x: stopped; go on later"),
    ],
)  # fmt: skip
def test_every_failure_is_one_line_and_status_1(
    error: BaseException, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = command.run("edge-x", _raising(error), extras="train", interrupted="stopped; go on later")
    assert status == command.FAILED == 1
    assert capsys.readouterr().err == line + "\n"


def test_the_status_of_work_that_ends_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("edge-x", lambda: command.CHECK_FAILED) == 3
    assert capsys.readouterr().err == ""


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        command.run("edge-x", _raising(ZeroDivisionError()))


def test_wrong_usage_of_a_subcommand_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command.Parser(prog="edge-x", example="example: edge-x go")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command.add(commands, "go", "goes", "edge-x go", lambda _: command.DONE).add_argument("--far", type=int)
    assert parser.parse_args(["go", "--far", "3"]).far == 3
    for arguments in (["go", "--far", "x"], ["go", "--fa", "3"]):
        with pytest.raises(SystemExit) as stopped:
            parser.parse_args(arguments)
        assert stopped.value.code == command.WRONG_USAGE
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("edge-x")
    with pytest.raises(SystemExit):
        parser.parse_args(["go", "--help"])
    assert "example: edge-x go" in capsys.readouterr().out


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_progress_bar_on_a_terminal_and_none_in_a_pipe() -> None:
    terminal, pipe = _Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with command.Progress(4, stream) as progress:
            for done, text in enumerate(("reading", "checking", "copying", "copying", "switching")):
                progress.show(done, text)
    assert pipe.getvalue() == ""
    drawn = terminal.getvalue()
    assert "[............] reading".replace("............", "." * 24) in drawn
    assert f"[{'#' * 24}] switching" in drawn
    assert drawn.count("copying") == 1  # the same again so soon is left out
    assert drawn.endswith("\r\x1b[K")
