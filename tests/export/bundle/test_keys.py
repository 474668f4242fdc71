"""`edge-export keygen`: a key pair that signs and is trusted, and never replaces another."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.cli import main


def test_the_command_says_what_to_do_with_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", "--out", str(tmp_path / "keys"), "--name", "lab-2"]) == 0
    private, public, fingerprint = capsys.readouterr().out.strip().splitlines()
    assert "lab-2.key: sign with it" in private
    assert "show it to nobody" in private
    assert "lab-2.pub: copy it to each device" in public
    assert "/etc/leukoscope/keys" in public
    assert len(fingerprint.split()[-1]) == 64
    assert main(["keygen", "--out", str(tmp_path / "keys"), "--name", "lab-2"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "lab-2.key: is there already" in line


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b"])
def test_a_name_is_a_file_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["keygen", "--out", str(tmp_path), "--name", name])
    assert stopped.value.code == 2
    assert "is no name of a file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["keygen", "--out", str(tmp_path / "file" / "keys")]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "cannot be written" in line
