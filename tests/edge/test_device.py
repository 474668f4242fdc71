"""`edge-device`: subcommands, help, and nothing heavy before it is known what is wanted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge import device


@pytest.mark.parametrize(
    "arguments", [["--help"], ["bench", "--help"], ["update", "--help"], ["doctor", "--help"], ["--version"]]
)
def test_help_has_an_example_and_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom edge import device\n"
        f"try:\n    device.main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "edge-device" in done.stdout or "leukoscope" in done.stdout
    assert "example" in done.stdout or "--version" in arguments
    assert not {"onnxruntime", "cryptography", "matplotlib", "textual", "edge.pipeline"} & set(
        done.stderr.split()
    )


@pytest.mark.parametrize(
    "arguments", [[], ["melt"], ["update", "a", "b"], ["update", "--rollback", "--status"]]
)
def test_wrong_usage_is_one_line_and_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        device.main(arguments)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("edge-device")
    assert line.endswith("--help")
