"""What a check says, and how checks are run so that none can hold up the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

from edge.machine.profile import Profile
from edge.types import LeukoscopeError

Level = Literal["fine", "worth knowing", "wrong"]
"""'wrong' keeps it from working; 'worth knowing' does not, or not yet."""

Systemctl = Callable[[Sequence[str]], str | None]
"""Runs systemctl with these arguments and gives what it prints, None where there is no systemd."""


THREAD = "doctor: "
"""How the names of the checks' threads begin."""


@dataclass(frozen=True)
class Check:
    """What was found of one thing that was looked at.

    Attributes
    ----------
    level : 'fine', 'worth knowing' or 'wrong'.
    message : what was found. mend : what to do about it, empty where nothing is to be done.
    """

    level: Level
    message: str
    mend: str = ""

    @classmethod
    def told(cls, level: Level, line: str) -> Check:
        """Of a line such as an error's, in which what to do follows a semicolon."""
        message, _, mend = line.partition("; ")
        return cls(level, message, mend)


@dataclass(frozen=True)
class Subject:
    """The machine that is looked at.

    Attributes
    ----------
    root : where its files lie.
    folder : of the records, calibrations and installed models.
    profile : the device profile; where it cannot be read, the one that asks for nothing special.
    profile_error : why it cannot be read.
    camera : what `--camera` names, None for the first that is attached.
    box : screening is installed as a service here.
    systemctl : how to ask the service manager.
    """

    root: Path
    folder: Path
    profile: Profile
    profile_error: LeukoscopeError | None
    camera: str | None
    box: bool
    systemctl: Systemctl


@dataclass(frozen=True)
class Examination:
    """A check to be made: its name, what makes it, and how long that may take."""

    name: str
    examine: Callable[[Subject], Check]
    seconds: float = 5.0


class _Run:
    """An examination in a thread of its own, which is left behind where it does not come back."""

    def __init__(self, examination: Examination, subject: Subject) -> None:
        self._examination, self._subject = examination, subject
        self._check: Check | None = None
        self._thread = threading.Thread(target=self._examine, name=THREAD + examination.name, daemon=True)
        self._end = monotonic() + examination.seconds
        self._thread.start()

    def _examine(self) -> None:
        try:
            self._check = self._examination.examine(self._subject)
        except LeukoscopeError as error:
            self._check = Check.told("wrong", str(error))
        except Exception as error:  # whatever it was, it is this check's answer
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._check = Check("wrong", f"could not be checked ({reason})")

    def result(self) -> Check:
        self._thread.join(max(self._end - monotonic(), 0.0))
        seconds = self._examination.seconds
        return self._check or Check(
            "wrong",
            f"no answer within {seconds:g} s: something hangs",
            "try again, and restart the machine if it stays so",
        )


def examine_all(
    examinations: Sequence[Examination], subject: Subject, show: Callable[[int, str], None]
) -> dict[str, Check]:
    """Make all checks at the same time; their answers by name, in order.

    `show` is told how many have answered, and which is waited for.
    """
    runs = [_Run(examination, subject) for examination in examinations]
    checks = {}
    for i, (examination, run) in enumerate(zip(examinations, runs, strict=True)):
        show(i, examination.name)
        checks[examination.name] = run.result()
    return checks


def hanging() -> bool:
    """Whether a check has not come back, though nobody waits for it any more."""
    return any(thread.name.startswith(THREAD) for thread in threading.enumerate())
