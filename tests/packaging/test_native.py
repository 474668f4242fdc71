"""Wheels with the compiled core. Nothing here downloads anything or compiles: pip is played."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from configparser import ConfigParser
from pathlib import Path

import native
import pytest
from wheels import PackagingError

Pip = Callable[..., subprocess.CompletedProcess[str]]


def elf(processor: int) -> bytes:
    return b"\x7fELF\x02\x01\x01" + bytes(11) + processor.to_bytes(2, "little") + bytes(44)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """pip makes a wheel with `library` in it; `asked` is what it was asked for, in an `environment`."""
    played: dict[str, object] = {"library": elf(native.MACHINES["aarch64"]), "status": 0, "said": ""}

    def run(command: Sequence[str], env: Mapping[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        played["environment"] = dict(env)
        if "wheel" in command:
            settings = ConfigParser()
            settings.read(env["DIST_EXTRA_CONFIG"])
            name = f"leukoscope-1-cp311-abi3-{settings['bdist_wheel']['plat_name']}.whl"
            with zipfile.ZipFile(Path(command[command.index("--wheel-dir") + 1], name), "w") as archive:
                if played["library"]:
                    archive.writestr(native.LIBRARY, played["library"])  # type: ignore[arg-type]
        return subprocess.CompletedProcess(list(command), int(str(played["status"])), stdout=played["said"])

    monkeypatch.setattr(native.subprocess, "run", run)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    monkeypatch.setattr(native, "toolchain", lambda: tmp_path / "a b")
    return played


def test_a_wheel_is_for_its_processor_and_holds_its_core(pip: dict[str, object], tmp_path: Path) -> None:
    made = native.wheel("aarch64", tmp_path / "dist")
    assert made.name == "leukoscope-1-cp311-abi3-manylinux_2_28_aarch64.whl"
    assert native.taken(made) == pip["library"]
    assert list(made.parent.iterdir()) == [made]


def test_the_compiler_is_told_all_and_nothing_by_the_builder_s_python(
    pip: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDFLAGS", "-march=native")
    native.wheel("aarch64", tmp_path / "dist")
    environment = pip["environment"]
    assert isinstance(environment, dict)
    zig = f"'{tmp_path}/a b/ziglang/zig' cc -target aarch64-linux-gnu.2.28"
    assert environment["CC"] == zig
    assert environment["LDSHARED"] == f"{zig} -shared -s"
    assert (environment["CFLAGS"], environment["CPPFLAGS"], environment["LDFLAGS"]) == ("-Wall", "", "")
    assert environment["SOURCE_DATE_EPOCH"] == "1790000000"


@pytest.mark.parametrize(
    "library", [b"", b"short", elf(native.MACHINES["x86_64"])], ids=["none", "damaged", "another processor's"]
)
def test_a_wheel_without_the_core_is_none(pip: dict[str, object], library: bytes, tmp_path: Path) -> None:
    pip |= {
        "library": library,
        "said": "  compiling\n  core.c:1:1: error: no such thing\n  error: and so on\n",
    }
    with pytest.raises(PackagingError, match=r"^no core for aarch64: core.c:1:1: error: no such thing$"):
        native.wheel("aarch64", tmp_path / "dist")
    assert not list((tmp_path / "dist").iterdir())


def test_pip_that_fails_is_one_line(pip: dict[str, object], tmp_path: Path) -> None:
    pip |= {"status": 1, "said": "WARNING: Retrying\nERROR: No matching distribution\n"}
    with pytest.raises(PackagingError, match=r"^pip wheel ended with 1: ERROR: No matching distribution$"):
        native.wheel("aarch64", tmp_path / "dist")


def test_the_toolchain_is_fetched_once_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        Path(command[command.index("--target") + 1]).mkdir()
        return subprocess.CompletedProcess(command, 0, stdout="")

    monkeypatch.setattr(native.subprocess, "run", run)
    folder = native.toolchain(tmp_path)
    assert native.toolchain(tmp_path) == folder
    assert len(asked) == 1
    assert {"--require-hashes", str(native.TOOLCHAIN)} <= set(asked[0])
    monkeypatch.setattr(native, "TOOLCHAIN", tmp_path / "newer.txt")
    native.TOOLCHAIN.write_text("ziglang==9\n")
    assert native.toolchain(tmp_path) != folder
