"""Serves one camera: a command a line on standard input, an answer a line, pictures in shared memory.

The only argument is a JSON object: `driver`, the module; `memory` and `lifeline`, two inherited descriptors;
`slots`, how many pictures the memory holds; and `camera`, the arguments of the driver's class, without which
its cameras are listed. A picture is written between the command that names its slot and the
answer, and at no other time, so that whoever waits for answers never sees a torn one.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import select
import signal
import sys
from importlib import import_module
from typing import Any, TextIO


def main() -> int:
    """Serve until standard input ends. Returns the exit status."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # drivers print where answers go
    os.set_blocking(2, False)  # what nobody reads is dropped, not waited for
    options = json.loads(sys.argv[1])
    _die_with(options["lifeline"])
    try:
        driver = import_module(options["driver"])
        if "camera" not in options:
            _say(answers, cameras=driver.cameras())
            return 0
        camera = driver.Camera(**options["camera"])
        serve(camera, options["memory"], options["slots"], answers)
        camera.close()
        return 0
    except Exception as error:
        _say(answers, error=_reason(error), detail=str(error) or type(error).__name__)
        return 1


def serve(camera: Any, memory: int, slots: int, answers: TextIO) -> None:
    """Answer commands about an open camera until there are no more."""
    # a driver whose first picture does not come fails here, with more time than later ones get
    about = camera.start()
    page = mmap.PAGESIZE
    step = -(-about["stride"] * about["height"] // page) * page
    os.ftruncate(memory, step * slots)
    pictures = memoryview(mmap.mmap(memory, step * slots))
    _say(answers, n=0, step=step, **about)
    for line in sys.stdin:
        command = json.loads(line)
        answer: dict[str, Any] = {}
        if command["do"] == "frame":
            start = command["slot"] * step
            answer = camera.frame(pictures[start : start + step])
        elif command["do"] == "still":
            picture, answer = camera.still()
            os.ftruncate(memory, step * slots + len(picture))
            _write(memory, picture, step * slots)
        elif command["do"] == "light":
            camera.light(**command["light"])
        elif command["do"] == "lock":
            camera.lock()
        _say(answers, n=command["n"], **answer)


def _say(answers: TextIO, **answer: Any) -> None:
    print(json.dumps(answer), file=answers, flush=True)


def _write(memory: int, picture: memoryview, offset: int) -> None:
    """All of it: one call writes no more than 2 GiB, and may write less."""
    written = 0
    while written < len(picture):
        written += os.pwrite(memory, picture[written:], offset + written)


def _die_with(lifeline: int) -> None:
    """Be killed by the kernel when the other end of this pipe closes, as it does however its owner ends.

    A signal at the parent's death (prctl PR_SET_PDEATHSIG) would come when the thread that started this
    process ends, and a thread that waits for the end of a pipe does not run while a driver holds the
    interpreter.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it had closed before
        os.kill(os.getpid(), signal.SIGKILL)


def _reason(error: Exception) -> str:
    """One word for what went wrong, which the other end knows."""
    kinds = {
        ImportError: "missing",
        FileNotFoundError: "absent",
        BlockingIOError: "busy",
        TimeoutError: "silent",
    }
    return next((word for kind, word in kinds.items() if isinstance(error, kind)), "failed")


if __name__ == "__main__":
    sys.exit(main())
