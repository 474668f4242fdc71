"""Which wheels a package gets: locked, fetched once, checked. Nothing here downloads anything."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import deb
import pytest
import wheels
from wheels import ARCHITECTURES, ROOT, TARGETS, PackagingError, Target, fetch, glibc, locked, needed, unpack

TRIXIE = Target("trixie", "arm64")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """pip fails; gives the command lines it was called with."""
    called: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        called.append(command)
        said = "WARNING: Retrying\nERROR: No version\nERROR: No matching distribution found for tiny\n"
        return subprocess.CompletedProcess(command, 1, stderr=said)

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return called


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_wheels_for_its_python_and_processor(name: str) -> None:
    target = Target.named(name)
    python = "cp" + target.python.replace(".", "")
    names = list(locked(target))
    for wheel in names:
        *_, interpreter, abi, platform = wheel.removesuffix(".whl").split("-")
        assert abi in (python, "abi3", "none"), wheel
        assert interpreter == python or abi in ("abi3", "none"), wheel
        if platform != "any":
            assert set(platform.split(".")) & set(target.platforms), wheel
            assert ARCHITECTURES[target.arch] in platform
    distributions = {wheel.split("-")[0].lower().replace("_", "-") for wheel in names}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=!~ ;\[]", requirement)[0] for requirement in project["dependencies"]}
    assert wanted <= distributions


@pytest.mark.parametrize("name", TARGETS)
def test_locked_versions_keep_to_the_constraints(name: str) -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    versions = dict(wheel.split("-")[:2] for wheel in locked(Target.named(name)))
    for distribution in pinned.keys() & versions.keys():
        assert versions[distribution] == pinned[distribution]
    assert "textual" in pinned.keys() & versions.keys()


def test_a_lock_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match=r"trixie-arm64.sha256: cannot be read"):
        locked(TRIXIE, tmp_path)
    (tmp_path / "trixie-arm64.sha256").write_text("gibberish\n")
    with pytest.raises(PackagingError, match=r"trixie-arm64.sha256: cannot be read"):
        locked(TRIXIE, tmp_path)


def test_what_is_in_the_cache_needs_no_network(tmp_path: Path, no_network: list[list[str]]) -> None:
    (tmp_path / "tiny-1.0-py3-none-any.whl").write_bytes(b"wheel")
    wanted = {"tiny-1.0-py3-none-any.whl": hashlib.sha256(b"wheel").hexdigest()}
    assert fetch(TRIXIE, tmp_path, wanted) == [tmp_path / "tiny-1.0-py3-none-any.whl"]
    assert not no_network


def test_without_a_network_it_says_so_in_one_line(tmp_path: Path, no_network: list[list[str]]) -> None:
    with pytest.raises(PackagingError) as raised:
        fetch(TRIXIE, tmp_path / "cache", {"tiny-1.0-py3-none-any.whl": "0"})
    assert str(raised.value) == (
        "trixie-arm64: wheels cannot be fetched (ERROR: No matching distribution found for tiny); "
        "is there a network?"
    )
    (command,) = no_network
    assert command[-1] == "tiny==1.0"
    assert command[command.index("--python-version") + 1] == "3.13"
    assert "manylinux_2_41_aarch64" in command
    assert "manylinux_2_42_aarch64" not in command


def test_another_wheel_than_the_locked_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny-1.0-py3-none-any.whl").write_bytes(b"another")
    with pytest.raises(PackagingError, match=r"tiny-1.0-py3-none-any.whl: not the wheel that was locked"):
        fetch(TRIXIE, tmp_path, {"tiny-1.0-py3-none-any.whl": hashlib.sha256(b"wheel").hexdigest()})


def test_two_wheels_with_the_same_file(make_wheel: Callable[..., Path], tmp_path: Path) -> None:
    both = [make_wheel(name, "1", "py3-none-any", {"shared.py": ""}) for name in ("one", "two")]
    with pytest.raises(PackagingError, match=r"two-1-.*: shared.py is in another wheel too"):
        unpack(both, tmp_path / "into")


def test_a_damaged_wheel(tmp_path: Path) -> None:
    (tmp_path / "tiny.whl").write_bytes(b"PK half a file")
    with pytest.raises(PackagingError, match=r"tiny.whl: damaged; delete it"):
        unpack([tmp_path / "tiny.whl"], tmp_path / "into")


@pytest.mark.parametrize(("member", "kept"), [
    ("numpy/_core/_multiarray_umath.cpython-313-x86_64-linux-gnu.so", True),
    ("numpy/_core/_multiarray_tests.cpython-313-x86_64-linux-gnu.so", False),
    ("numpy/lib/tests/test_io.py", False),
    ("numpy/_pytesttester.py", True),
    ("onnxruntime/capi/onnxruntime_pybind11_state.so", True),
    ("onnxruntime/capi/libonnxruntime.so.1.31.1", False),
    ("onnxruntime/transformers/optimizer.py", False),
    ("onnxruntime/ThirdPartyNotices.txt", True),
    ("textual/css/styles.py", True),
])  # fmt: skip
def test_what_a_device_needs(member: str, kept: bool) -> None:
    assert needed(member) == kept


def test_the_oldest_glibc_that_all_run_with() -> None:
    assert glibc(["a-1-py3-none-any.whl"]) == 17
    assert glibc(["a-1-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"]) == 27
    assert (
        glibc(["a-1-cp311-abi3-manylinux_2_34_x86_64.whl", "b-1-cp313-cp313-manylinux2014_x86_64.whl"]) == 34
    )


@pytest.mark.parametrize(("arguments", "line"), [
    (["--suite", "noble", "--arch", "amd64"], "deb: no package for noble on amd64; there are "),
    (["--suite", "sid"], "deb: argument --suite: invalid choice: 'sid'"),
])  # fmt: skip
def test_wrong_usage_is_one_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        deb.main(arguments)
    assert stopped.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(line)


def test_a_failure_is_one_line_and_status_1(
    tmp_path: Path, no_network: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert deb.main(["--suite", "trixie", "--arch", "arm64", "--cache", str(tmp_path)]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("deb: trixie-arm64: wheels cannot be fetched")
