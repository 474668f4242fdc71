"""The wheels of a Debian package: which ones, from where, and what of them a device needs.

`locked/<suite>-<arch>.sha256` names every wheel of a package with its checksum, in the format of
sha256sum(1), so that a package is the same whenever and wherever it is built.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.types import LeukoscopeError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

SUITES = {"bookworm": ("3.11", 36), "trixie": ("3.13", 41), "noble": ("3.12", 39)}
"""Python of each suite and minor version of its glibc; noble (Ubuntu 24.04) is what JetPack 7 is made of."""

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What Debian and what Python call a processor."""

TARGETS = ("bookworm-amd64", "bookworm-arm64", "trixie-amd64", "trixie-arm64", "noble-arm64")

NOT_NEEDED = {"flatbuffers", "packaging", "protobuf"}
"""Required by onnxruntime for its tools only, which are left out as well."""

LEFT_OUT = (
    "*/tests/*",
    "*.dist-info/RECORD",  # it would list what is left out
    "*.pyi", "*.pxd", "*.pyx", "*.h", "*.a", "*/pkgconfig/*",  # for compilers and editors
    "*_tests.cpython-*.so",
    "numpy/f2py/*",
    "onnxruntime/tools/*", "onnxruntime/transformers/*", "onnxruntime/quantization/*",
    "onnxruntime/datasets/*", "onnxruntime/backend/*",
    "onnxruntime/capi/libonnxruntime.so*",  # for C programs: Python's module holds it all a second time
    "textual/demo/*",
)  # fmt: skip
"""Patterns of files in wheels that nothing on a device imports: a third of their size."""


class PackagingError(LeukoscopeError):
    """A package cannot be built. Names the thing, its value and what to do."""


@dataclass(frozen=True)
class Target:
    """What a package is for: `name` is SUITE-ARCH, such as 'trixie-arm64'."""

    suite: str
    arch: str

    @classmethod
    def named(cls, name: str) -> Target:
        """The target of this name."""
        return cls(*name.split("-"))

    @property
    def name(self) -> str:
        return f"{self.suite}-{self.arch}"

    @property
    def python(self) -> str:
        """Version of the suite's Python, such as '3.13'."""
        return SUITES[self.suite][0]

    @property
    def platforms(self) -> list[str]:
        """Platform tags of wheels that run there, newest first (PEP 600)."""
        machine, glibc = ARCHITECTURES[self.arch], SUITES[self.suite][1]
        return [f"manylinux_2_{minor}_{machine}" for minor in range(glibc, 16, -1)] + [
            f"manylinux2014_{machine}"
        ]


def locked(target: Target, folder: Path = HERE / "locked") -> dict[str, str]:
    """Checksum by file name of every wheel in the target's package."""
    file = folder / f"{target.name}.sha256"
    try:
        lines = [line.split() for line in file.read_text("utf-8").splitlines()]
        return {name: checksum for checksum, name in lines}
    except (OSError, ValueError) as error:
        raise PackagingError(f"{file}: cannot be read ({error}); write it with --lock") from None


def fetch(target: Target, cache: Path, wanted: Mapping[str, str]) -> list[Path]:
    """The wanted wheels in the cache, each with the right checksum; downloads what is missing.

    Parameters
    ----------
    cache : folder of wheels; made where it is not there. wanted : checksum by file name.

    Raises
    ------
    PackagingError : a wheel cannot be had, or is not the one that was locked.
    """
    cache.mkdir(parents=True, exist_ok=True)
    missing = [name for name in wanted if not (cache / name).exists()]
    if missing:
        requirements = ["{}=={}".format(*name.split("-")[:2]) for name in missing]
        _pip_download(target, cache, ["--no-deps", *requirements])
    for name, checksum in wanted.items():
        wheel = cache / name
        if not wheel.exists():
            raise PackagingError(f"{name}: the package index has other builds of it; lock anew with --lock")
        if _sha256(wheel) != checksum:
            raise PackagingError(f"{wheel}: not the wheel that was locked; delete it and try again")
    return [cache / name for name in sorted(wanted)]


def lock(target: Target, cache: Path, folder: Path = HERE / "locked") -> None:
    """Choose the newest wheels that fit pyproject.toml and constraints.txt, and write them down."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    requirements = list(project["dependencies"])
    if target.suite == "noble":  # a Jetson: TensorRT comes with JetPack, what it is fed through does not
        requirements += project["optional-dependencies"]["trt"]
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as fresh:
        constraints = ["--constraint", str(ROOT / "constraints.txt")]
        _pip_download(target, Path(fresh), [*constraints, *requirements])
        wheels = [w for w in sorted(Path(fresh).iterdir()) if distribution(w) not in NOT_NEEDED]
        lines = [f"{_sha256(wheel)}  {wheel.name}\n" for wheel in wheels]
        for wheel in wheels:
            wheel.replace(cache / wheel.name)
    (folder / f"{target.name}.sha256").write_text("".join(lines), "utf-8")


def unpack(wheels: Sequence[Path], into: Path) -> None:
    """Unpack wheels into one folder as pip would, but for what a device does not need.

    Raises
    ------
    PackagingError : a wheel is damaged, or two hold the same file.
    """
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.infolist():
                    if not member.is_dir() and needed(member.filename):
                        _write(into / installed_as(member.filename), archive.read(member), wheel)
        except zipfile.BadZipFile:
            raise PackagingError(f"{wheel}: damaged; delete it and try again") from None


def needed(member: str) -> bool:
    """Whether a device needs this file of a wheel."""
    return not any(fnmatchcase(member, pattern) for pattern in LEFT_OUT)


def installed_as(member: str) -> str:
    """Where a wheel's member goes: what is for site-packages loses its `NAME.data/purelib` (PEP 427)."""
    return re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", member)


def distribution(wheel: Path) -> str:
    """The distribution's name as a wheel's file name has it, in lower case."""
    return wheel.name.split("-")[0].lower()


def glibc(wheels: Sequence[str]) -> int:
    """Minor version of the oldest glibc that all of these wheels run with (17 of manylinux2014, PEP 599)."""
    tags = [[int(minor) for minor in re.findall(r"manylinux_2_(\d+)", name)] for name in wheels]
    return max([17, *(min(minors) for minors in tags if minors)])


def _write(path: Path, content: bytes, wheel: Path) -> None:
    if path.exists():
        raise PackagingError(f"{wheel.name}: {path.name} is in another wheel too; they cannot share a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _pip_download(target: Target, into: Path, arguments: Sequence[str]) -> None:
    """`pip download` for another machine's Python; its progress is shown on a terminal."""
    platforms = [part for platform in target.platforms for part in ("--platform", platform)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--retries", "1",
         "--only-binary", ":all:", "--implementation", "cp", "--python-version", target.python,
         *platforms, "--dest", str(into), *arguments],
        stdout=None if sys.stdout.isatty() else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = errors[-1] if errors else f"pip ended with {done.returncode}"
        raise PackagingError(f"{target.name}: wheels cannot be fetched ({said}); is there a network?")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
