"""A test that boots a guest with systemd and runs its cases in it, one after the other."""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

from service_guest import PROGRAM, ROOT, said

Cases = Mapping[str, Callable[[], str]]


def run(
    script: str,
    about: str | None,
    cases: Cases,
    begin: Callable[[], None],
    *,
    packages: str,
    timeout_s: int,
    programs: Path | None = None,
) -> int:
    """Boot the guest, or in it run the cases that the command line names.

    Parameters
    ----------
    script, about : the test's file and what it says of itself. cases : by name, in order.
    begin : prepares the guest. packages : of Debian, in the guest. timeout_s : for the guest as a whole.
    programs : a folder of programs that go before those of this machine.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vm", type=Path, default=ROOT.parent / "shared" / "tools" / "vm-camera.sh")
    parser.add_argument(
        "--timeout", type=int, default=timeout_s, metavar="S", help="for the guest as a whole"
    )
    parser.add_argument("--guest", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"only these: {', '.join(cases)}")
    arguments = parser.parse_args()
    if not arguments.guest:
        if not arguments.vm.exists():
            parser.error(f"--vm {arguments.vm}: is not there; give the path of vm-camera.sh")
        inside = [PROGRAM / "python3", f"/mnt/host/tests/system/{Path(script).name}", "--guest"]
        boot = [arguments.vm, "-S", "-M", "", "-t", str(arguments.timeout), "-d", ROOT, "--"]
        path = f"{programs}:{os.environ['PATH']}" if programs else os.environ["PATH"]
        environment = os.environ | {"PATH": path, "VMCAM_APT": packages}
        return subprocess.run([*boot, *inside, *arguments.cases], env=environment, check=False).returncode
    begin()
    failed = [name for name in arguments.cases or cases if not _passes(name, cases[name])]
    print(f"failed: {', '.join(failed)}" if failed else "all passed", flush=True)
    return 3 if failed else 0


def _passes(name: str, case: Callable[[], str]) -> bool:
    began = monotonic()
    try:
        detail, passed = case(), True
    except (AssertionError, subprocess.SubprocessError, sqlite3.Error, OSError) as error:
        detail, passed = f"{type(error).__name__}: {error}", False
    print(f"{'pass' if passed else 'FAIL'} {name} ({monotonic() - began:.0f} s): {detail}", flush=True)
    if not passed:
        print(said("leukoscope*", lines=40), flush=True)
    return passed
