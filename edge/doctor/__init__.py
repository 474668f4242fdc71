"""`edge-device doctor`: everything that could keep it from working, and how to mend it.

One line a check: fine, worth knowing, or wrong, and then what to do. The JSON of `--json` is one object:
`checks` is a list of {`name`, `level`, `message`, `mend`}, `level` one of "fine", "worth knowing", "wrong",
`mend` null where nothing is to be done; `version` is the program's. Fields may be added.
"""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from edge import command
from edge.doctor import report, service
from edge.doctor.check import Examination, Subject, examine_all, hanging

_EXAMPLE = "edge-device doctor --camera 0"


def add_to(commands: command.Commands[command.Parser]) -> None:
    """Add `doctor` to the subcommands of `edge-device`."""
    summary = "check everything that could keep it from working, and say how to mend it"
    add = command.add(commands, "doctor", summary, _EXAMPLE, run).add_argument
    add("--camera", metavar="SPEC",
        help="camera to try, as for edge-run (default: the service's, or the first)")  # fmt: skip
    add("--profile", metavar="NAME or PATH", help="device profile (default: the one that fits this machine)")
    add("--json", metavar="PATH or -", help="write the report as JSON, to standard output for -")


def run(arguments: argparse.Namespace) -> int:
    """Make the checks and show them; status 3 where something is wrong, else 0.

    Raises
    ------
    LeukoscopeError : the JSON cannot be written.
    """
    subject = _subject(arguments)
    examinations = _examinations()
    with command.Progress(len(examinations)) as progress:
        checks = examine_all(examinations, subject, lambda i, name: progress.show(i, f"looking at {name}"))
    if arguments.json:
        report.write(checks, arguments.json)
    if arguments.json != "-":
        report.show(checks)
    wrong = any(check.level == "wrong" for check in checks.values())
    status = command.CHECK_FAILED if wrong else command.DONE
    if hanging():
        os._exit(status)  # a thread that Python ends within a driver or OpenCV would take the process with it
    return status


def _subject(arguments: argparse.Namespace, root: Path = Path("/")) -> Subject:
    """This machine, and what the arguments say of it."""
    from edge.machine.profile import FALLBACK, ConfigError, data_folder, load_profile

    home = service.home(root)
    if home is not None and "LEUKOSCOPE_HOME" not in os.environ and os.access(home, os.R_OK | os.X_OK):
        # where screening is a service, its records and models are those that count
        os.environ["LEUKOSCOPE_HOME"] = str(home)
    error: ConfigError | None = None
    try:
        profile = load_profile(arguments.profile)
    except ConfigError as caught:
        profile, error = load_profile(FALLBACK), caught
    return Subject(
        root=root,
        folder=data_folder(),
        profile=profile,
        profile_error=error,
        camera=arguments.camera or service.camera(root),
        box=bool(service.installed(root)),
        systemctl=service.systemctl(root),
    )


def _examinations() -> list[Examination]:
    """The checks, in the order in which they are shown."""
    # a cold SD card takes seconds for these, which are nobody's fault
    for module in (
        "edge.selftest.selftest",
        "edge.bundle.bundle",
        "edge.cameras.selection",
        "edge.cameras.attached",
    ):
        with suppress(ImportError):
            import_module(module)
    from edge.doctor import calibration, camera, disk, machine, model, outbox, screen

    return [
        Examination("program", machine.program),
        Examination("profile", machine.profile),
        Examination("camera", camera.camera, seconds=12.0),
        Examination("permissions", disk.permissions),
        Examination("calibration", calibration.calibration),
        Examination("memory", machine.memory),
        Examination("disk space", disk.space),
        Examination("storage", disk.storage),
        Examination("temperature", machine.temperature),
        Examination("power", machine.power),
        Examination("clock", machine.wall_clock),
        Examination("compiled core", model.core),
        Examination("runtime", model.runtime, seconds=10.0),
        Examination("model", model.bundle, seconds=10.0),
        Examination("site", model.site, seconds=10.0),
        Examination("self-test", model.self_test, seconds=10.0),
        Examination("records", model.records, seconds=10.0),
        Examination("outbox", outbox.outbox, seconds=10.0),
        Examination("service", service.service),
        Examination("screen", screen.screen, seconds=12.0),
    ]
