"""`make wheel`: the program as wheels with its compiled core, for each processor, on any machine.

Setuptools builds them as it would here, but with Zig's C compiler, which brings every processor's headers and
libraries along: one version of it (`locked/toolchain.txt`) gives the same core wherever it runs.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from moment import epoch
from wheels import ARCHITECTURES, HERE, ROOT, PackagingError

from edge import command

GLIBC = 28
"""Minor version of the oldest glibc that the core runs with: that of the libraries beside it."""

LIBRARY = "edge/native/core.abi3.so"
"""The core's place in a wheel."""

MACHINES = {"x86_64": 62, "aarch64": 183}
"""What Python calls a processor: its number in an ELF header (`e_machine`, elf(5))."""

TOOLCHAIN = HERE / "locked" / "toolchain.txt"
PLACE = ROOT / "build" / "toolchain"

EXAMPLE = """\
examples:
  make wheel                            both wheels, in dist/
  python packaging/native.py --arch arm64 --out DIR
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Build wheels; returns the exit status (0 done, 1 could not, 2 wrong usage)."""
    parser = command.Parser(
        prog="native", description="Build wheels with the compiled core.", example=EXAMPLE
    )
    add = parser.add_argument
    add("--arch", choices=sorted(ARCHITECTURES), help="only for this processor")
    add("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist/")
    arguments = parser.parse_args(argv)

    def work() -> int:
        for arch, machine in ARCHITECTURES.items():
            if arguments.arch in (None, arch):
                print(wheel(machine, arguments.out), flush=True)
        return command.DONE

    return command.run("native", work)


@cache
def core(machine: str) -> bytes:
    """The compiled core for this processor, as it lies in its wheel."""
    (ROOT / "build").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=ROOT / "build", prefix=".core-") as folder:
        return taken(wheel(machine, Path(folder)))


def wheel(machine: str, out: Path) -> Path:
    """Build the program's wheel for a processor into the folder `out`; returns the wheel's path.

    Raises
    ------
    PackagingError : the compiler cannot be had, or the core cannot be compiled.
    """
    tools = toolchain()
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".wheel-") as folder:
        settings = Path(folder) / "settings.cfg"
        settings.write_text(
            f"[build]\nbuild_base = {folder}/build\n[egg_info]\negg_base = {folder}\n"
            f"[bdist_wheel]\nplat_name = manylinux_2_{GLIBC}_{machine}\n",
            "utf-8",
        )
        said = _pip(
            [
                "wheel",
                "--verbose",
                "--no-deps",
                "--no-index",
                "--no-build-isolation",
                "--wheel-dir",
                folder,
                str(ROOT),
            ],
            {**_compiler(machine, tools), "DIST_EXTRA_CONFIG": str(settings), "PYTHONPATH": str(tools)},
        )
        (made,) = Path(folder).glob("*.whl")
        if _processor(taken(made)) != MACHINES[machine]:  # setuptools does without what it could not compile
            raise PackagingError(f"no core for {machine}: {_error(said)}")
        return made.replace(out / made.name)


def taken(wheel: Path) -> bytes:
    """The compiled core out of a wheel; empty where there is none."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(LIBRARY) if LIBRARY in archive.namelist() else b""


def toolchain(place: Path = PLACE) -> Path:
    """The folder of the compiler and of setuptools, of the versions locked; filled where it is not.

    Raises
    ------
    PackagingError : they cannot be fetched.
    """
    folder = place / hashlib.sha256(TOOLCHAIN.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place) as fresh:
            whole = Path(fresh) / "whole"
            wanted = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(TOOLCHAIN)]
            _pip(["install", "--no-deps", "--target", str(whole), *wanted], {})
            whole.rename(folder)
    return folder


def _compiler(machine: str, tools: Path) -> dict[str, str]:
    """The environment that has setuptools call Zig, with no flags of the builder's own Python."""
    zig = [str(tools / "ziglang" / "zig"), "cc", "-target", f"{machine}-linux-gnu.2.{GLIBC}"]
    return {
        "CC": shlex.join(zig),
        "LDSHARED": shlex.join([*zig, "-shared", "-s"]),
        "CFLAGS": "-Wall",
        "CPPFLAGS": "",
        "LDFLAGS": "",
        "ZIG_GLOBAL_CACHE_DIR": str(tools / "cache"),
        "ZIG_LOCAL_CACHE_DIR": str(tools / "cache"),
        "SOURCE_DATE_EPOCH": str(epoch()),
    }


def _pip(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run pip; gives what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise PackagingError(f"pip {arguments[0]} ended with {done.returncode}: {_error(done.stdout)}")
    return done.stdout


def _processor(library: bytes) -> int:
    """`e_machine` of an ELF file; 0 of none."""
    return int.from_bytes(library[18:20], "little")


def _error(said: str) -> str:
    """The first line of a command's output that tells of an error."""
    errors = (line.strip() for line in said.splitlines() if "error:" in line.lower())
    return next(errors, "it does not say why")


if __name__ == "__main__":
    sys.exit(main())
