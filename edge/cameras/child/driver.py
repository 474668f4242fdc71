"""A camera's driver in a process of its own, so that one that hangs or crashes can be ended.

The process runs `edge/cameras/child/drivers` with the system's Python, for which picamera2 and GStreamer's
binding are packaged. Commands and answers are lines of JSON over pipes; pictures lie in memory that both
processes map and that goes when both have ended.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SYSTEM_PYTHON = "/usr/bin/python3 -I -B"
"""-I keeps packages of the user's own away, which may not fit the system's; -B writes nothing beside ours."""

GRACE_S = 1.0
"""What a driver gets to let go of its camera before it is killed. One that is killed may leave a service of
the system with the camera still in its hands."""

_DRIVERS = Path(__file__).with_name("drivers")
_LINE = 1 << 16  # bytes; a longer answer or report is nothing that a driver of ours sends


class DriverError(Exception):
    """The driver failed.

    Attributes
    ----------
    reason : 'missing' (packages), 'absent' (no such camera), 'busy', 'silent', 'ended' or 'failed'.
    detail : the driver's own words, in one line.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Driver:
    """A running driver, used by one thread at a time.

    Parameters
    ----------
    module : of the driver, in `edge/cameras/child/drivers`.
    options : JSON values for it; with `camera` it serves that camera, without it lists what there is.
    slots : pictures that the shared memory holds.

    Attributes
    ----------
    memory : descriptor of the shared memory.
    """

    def __init__(self, module: str, options: Mapping[str, Any], slots: int = 0) -> None:
        self.memory = os.memfd_create(f"leukoscope-{module}")
        # held open by this process only: whatever way it ends, the kernel then kills the driver
        theirs, self._lifeline = os.pipe()
        self._answers = self._reports = b""
        self._asked = 0
        told = {"driver": module, "memory": self.memory, "lifeline": theirs, "slots": slots} | dict(options)
        command = [*interpreter(), str(_DRIVERS), json.dumps(told)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=(self.memory, theirs),
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for us to answer
            )
        except OSError as error:
            os.close(self._lifeline)
            os.close(self.memory)
            raise DriverError("missing", f"{command[0]} cannot be run: {error.strerror}") from error
        finally:
            os.close(theirs)

    def ask(self, timeout_s: float, do: str, **arguments: Any) -> dict[str, Any]:
        """Give a command and wait for its answer; raises DriverError."""
        self._asked += 1
        line = json.dumps({"n": self._asked, "do": do} | arguments) + "\n"
        assert self._process.stdin is not None
        # when it is gone, its last answer says more than a broken pipe
        with suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
        return self.answer(timeout_s)

    def answer(self, timeout_s: float) -> dict[str, Any]:
        """The answer to the last command, or to the start; answers that came too late are left out."""
        deadline = time.monotonic() + timeout_s
        while True:
            line, found, rest = self._answers.partition(b"\n")
            if not found:
                self._receive(deadline)
                continue
            self._answers = rest
            answer: dict[str, Any] = json.loads(line)
            if "error" in answer:
                raise DriverError(answer["error"], _one_line(answer["detail"]) or self.last_report())
            if answer.pop("n", self._asked) == self._asked:
                return answer

    def last_report(self) -> str:
        """The last line that the driver, or a library of its, wrote on standard error."""
        lines = [line for line in self._reports.decode(errors="replace").splitlines() if line.strip()]
        return _one_line(lines[-1]) if lines else ""

    def end(self) -> None:
        """Let the driver go in order; one that does not is killed."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        process.kill()
        # one that the kernel cannot end is reaped later, by the next process that starts
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        process.stdout.close()
        process.stderr.close()
        os.close(self._lifeline)
        os.close(self.memory)

    def _receive(self, deadline: float) -> None:
        """Take in what the driver says, waiting until there is something."""
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        poll.register(stderr, select.POLLIN)
        left_s = deadline - time.monotonic()
        ready = {number for number, _ in poll.poll(left_s * 1000)} if left_s > 0 else None
        if not ready:
            raise DriverError("silent", self.last_report())
        if stderr.fileno() in ready:
            self._reports = (self._reports + os.read(stderr.fileno(), _LINE))[-_LINE:]
        if stdout.fileno() in ready:
            came = os.read(stdout.fileno(), _LINE)
            self._answers += came
            if not came:
                self._ended(deadline)

    def _ended(self, deadline: float) -> None:
        """The driver closed its side: say how it ended and what it said last."""
        stderr = self._process.stderr
        assert stderr is not None
        os.set_blocking(stderr.fileno(), False)
        with suppress(BlockingIOError):
            while came := os.read(stderr.fileno(), _LINE):
                self._reports = (self._reports + came)[-_LINE:]
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(deadline - time.monotonic(), 0))
        status = self._process.returncode
        how = f"signal {-status}" if status and status < 0 else f"status {status}"
        report = self.last_report()
        raise DriverError("ended", f"{how}: {report}" if report else how)


def interpreter() -> list[str]:
    """The Python that drivers run with, and its flags: $LEUKOSCOPE_SYSTEM_PYTHON, else `SYSTEM_PYTHON`."""
    return shlex.split(os.environ.get("LEUKOSCOPE_SYSTEM_PYTHON", SYSTEM_PYTHON))


def listed(module: str, timeout_s: float = 5.0) -> list[dict[str, str]]:
    """The cameras that a driver finds, as it lists them; raises DriverError."""
    driver = Driver(module, {})
    try:
        cameras: list[dict[str, str]] = driver.answer(timeout_s)["cameras"]
        return cameras
    finally:
        driver.end()


def _environment() -> dict[str, str]:
    """Ours, without what leads a Python to our packages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "LEUKOSCOPE_"))
    }
    # libcamera's usual chatter would hide the line that says what went wrong
    return {"LIBCAMERA_LOG_LEVELS": "*:WARN", "LIBCAMERA_LOG_NO_COLOR": "1"} | kept


def _one_line(text: str) -> str:
    """Fit for the middle of a message: one line, not too long, no semicolon, which separates the advice."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words.replace(";", ",")[:200].strip(" .")
