"""`make deb`: the device application as Debian packages, one for each suite and processor.

A package holds the unpacked wheels of every library in /usr/lib/leukoscope, so that dpkg owns (and checks,
and removes) every file and installing needs neither a network nor a virtual environment. Built on any
machine for any other, without root; the same sources give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import contents
import native
from moment import epoch
from wheels import ARCHITECTURES, ROOT, SUITES, TARGETS, PackagingError, Target, fetch, lock, locked, unpack

from edge import command

EXAMPLE = """\
examples:
  make deb                             all packages, in dist/
  make deb SUITE=trixie ARCH=arm64     one of them, for a Raspberry Pi
  python packaging/deb.py --lock       take newer wheels, then build
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Build packages; returns the exit status (0 done, 1 could not, 2 wrong usage)."""
    parser = command.Parser(prog="deb", description="Build Debian packages.", example=EXAMPLE)
    add = parser.add_argument
    add("--suite", choices=sorted(SUITES), help="only for this release")
    add("--arch", choices=sorted(ARCHITECTURES), help="only for this processor")
    add("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist/")
    add("--cache", type=Path, default=ROOT / "build" / "wheels", metavar="DIR",
        help="where downloaded wheels are kept (default: build/wheels/)")  # fmt: skip
    add("--lock", action="store_true", help="first choose the newest wheels that fit, and write them down")
    arguments = parser.parse_args(argv)
    targets = [
        target
        for target in map(Target.named, TARGETS)
        if arguments.suite in (None, target.suite) and arguments.arch in (None, target.arch)
    ]
    if not targets:
        parser.error(f"no package for {arguments.suite} on {arguments.arch}; there are {', '.join(TARGETS)}")

    def work() -> int:
        for target in targets:
            if arguments.lock:
                lock(target, arguments.cache)
            wheels = fetch(target, arguments.cache, locked(target))
            made = build(target, wheels, native.core(ARCHITECTURES[target.arch]), arguments.out)
            print(f"{made}: {made.stat().st_size / 1e6:.0f} MB", flush=True)
        return command.DONE

    return command.run("deb", work)


def build(target: Target, wheels: Sequence[Path], core: bytes, out: Path) -> Path:
    """Build the target's package into the folder `out`; returns the package's path.

    Parameters
    ----------
    wheels : of the libraries. core : the program's own, compiled for the target's processor.

    Raises
    ------
    PackagingError : dpkg-deb is missing or fails.
    """
    if shutil.which("dpkg-deb") is None:
        raise PackagingError("dpkg-deb: not found; install the package dpkg")
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".deb-") as folder, command.Progress(4) as progress:
        tree, made = Path(folder) / "tree", Path(folder) / "made.deb"
        progress.show(0, f"{target.name}: unpacking {len(wheels)} wheels")
        unpack(wheels, tree / contents.LIBRARY)
        progress.show(1, f"{target.name}: adding the program")
        contents.add_program(tree, core)
        contents.add_box(tree, target)
        moment = epoch()
        contents.add_documents(tree, target, wheels, moment)
        progress.show(2, f"{target.name}: writing checksums")
        contents.add_control(tree, target, wheels)
        settle(tree, moment)
        progress.show(3, f"{target.name}: compressing")
        _dpkg_deb(tree, made)
        return made.replace(out / f"leukoscope_{contents.version(target)}_{target.arch}.deb")


def settle(tree: Path, moment: int) -> None:
    """Modes and dates that depend on no umask or clock; only commands and scripts are executable."""
    runnable = {tree / "usr/bin", tree / "DEBIAN"}
    for path in [*tree.rglob("*"), tree]:
        plain = path.name in ("control", "md5sums", "conffiles") or path.parent not in runnable
        path.chmod(0o644 if path.is_file() and plain else 0o755)
        os.utime(path, (moment, moment))


def _dpkg_deb(tree: Path, made: Path) -> None:
    done = subprocess.run(
        # one thread, or the bytes would depend on how many processors the builder has; xz would save a sixth
        # and take ten times as long, here and on a Raspberry Pi
        ["dpkg-deb", "--root-owner-group", "--uniform-compression", "--threads-max=1", "-Zzstd", "-z10",
         "--build", str(tree), str(made)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(int(tree.stat().st_mtime))},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise PackagingError(" ".join(done.stderr.split()) or f"dpkg-deb: ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
