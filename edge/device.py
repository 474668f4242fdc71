"""`edge-device`: the machine itself: how fast it is, and which model it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edge import bench, calibrate, command, doctor, listing, setup, update

EXAMPLES = """\
examples:
  edge-device cameras                      what is attached, and which --camera picks it
  edge-device calibrate --camera 0         exposure, flat field and µm per pixel of a camera
  edge-device doctor                       what could keep it from working, and how to mend it
  edge-device bench                        the line's speed and memory on this machine
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
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listing.add_to(commands)
    calibrate.add_to(commands)
    doctor.add_to(commands)
    bench.add_to(commands)
    setup.add_to(commands)
    update.add_to(commands)
    arguments = parser.parse_args(argv)
    return command.run("edge-device", lambda: int(arguments.run(arguments)))


if __name__ == "__main__":
    sys.exit(main())
