"""`edge-device`: the machine itself: its cameras, its health, its speed, its model, what starts by itself."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edge import adapt, bench, calibrate, command, doctor, listing, setup, update
from edge.doctor import service
from edge.sync import commands as sync

EXAMPLES = """\
examples:
  edge-device cameras                      what is attached, and which --camera picks it
  edge-device calibrate --camera 0         exposure, flat field and µm per pixel of a camera
  edge-device adapt --healthy --camera 0   where normal cells score in this laboratory
  edge-device doctor                       what could keep it from working, and how to mend it
  edge-device bench                        the line's speed and memory on this machine
  edge-device sync --to URL --save         finished slides to a FHIR server, when there is a link
  edge-device update                       which model is in use
  edge-device update /media/stick/new.bundle
  edge-device update --rollback            back to the model before
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-device`; returns its exit status (0 done, 1 could not, 2 wrong usage, 3 a check failed)."""
    parser = command.Parser(
        prog="edge-device",
        description="Measure this machine and install models on it. For research use only.",
        example=EXAMPLES,
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    listing.add_to(commands)
    calibrate.add_to(commands)
    doctor.add_to(commands)
    bench.add_to(commands)
    adapt.add_to(commands)
    setup.add_to(commands)
    update.add_to(commands)
    sync.add_to(commands)
    arguments = parser.parse_args(argv)
    return command.run("edge-device", lambda: _run(arguments))


def _run(arguments: argparse.Namespace, root: Path = Path("/")) -> int:
    """Do the command: on the service's data where screening is a service and this user may write them."""
    home = service.home(root)
    if home is None or "LEUKOSCOPE_HOME" in os.environ:
        return int(arguments.run(arguments))
    if not os.access(home, os.W_OK | os.X_OK):
        if arguments.command in ("adapt", "calibrate", "sync", "update"):
            command.say("edge-device", f"for you alone, not for the service in {home}: for that use sudo")
        return int(arguments.run(arguments))
    os.environ["LEUKOSCOPE_HOME"] = str(home)
    _hand_over(home)  # what a power cut kept from it; root itself could not replace that there
    try:
        return int(arguments.run(arguments))
    finally:
        _hand_over(home)


def _hand_over(home: Path) -> None:
    """What root has made in the service's folder becomes the service's, which must read and replace it.

    The service may put a link in the place of anything there at any moment: so nothing is handed over by its
    path, only what is open, and no file that has a name elsewhere.
    """
    if os.geteuid() != 0:
        return
    with suppress(OSError, RecursionError), _opened(home, None) as folder:
        owner = os.fstat(folder)
        if owner.st_uid != 0:
            _hand_over_in(folder, owner)


def _hand_over_in(folder: int, owner: os.stat_result) -> None:
    """The same of an open folder, and of those in it that are on the same disk; what is gone is left out."""
    for name in os.listdir(folder):
        with suppress(OSError), _opened(name, folder) as handle:
            found = os.fstat(handle)
            inside = stat.S_ISDIR(found.st_mode) and found.st_dev == owner.st_dev
            alone = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            if found.st_uid == 0 and (inside or alone):
                os.fchown(handle, owner.st_uid, owner.st_gid)
            if inside:
                _hand_over_in(handle, owner)


@contextmanager
def _opened(name: str | Path, folder: int | None) -> Iterator[int]:
    """A file or folder in an open folder, no link; a pipe is not waited for."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | (os.O_DIRECTORY if folder is None else os.O_NOFOLLOW)
    handle = os.open(name, flags, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
