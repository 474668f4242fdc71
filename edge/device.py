"""`edge-device`: the machine itself: how fast it is, and which model it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edge import bench, command, update

EXAMPLES = """\
examples:
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
    bench.add_to(commands)
    update.add_to(commands)
    arguments = parser.parse_args(argv)
    return command.run("edge-device", lambda: int(arguments.run(arguments)))


if __name__ == "__main__":
    sys.exit(main())
