"""Which program did something, and whether it still runs."""

from __future__ import annotations

import os
from pathlib import Path

from edge.files.kernel import text

# among the fields of proc_pid_stat(5) after the name, which may hold anything
_STATE, _STARTED = 3 - 3, 22 - 3
_DEAD = ("Z", "X")  # ended, and nobody asked how


def name(pid: int | None = None, root: Path = Path("/")) -> str:
    """What a process is called in this boot, this one by default: its number and when it started.

    Numbers are given again, so that one alone would take another process for this one. Without `/proc` there
    is nothing better.
    """
    pid = os.getpid() if pid is None else pid
    fields = _fields(pid, root)
    return f"{pid}:{fields[_STARTED]}" if len(fields) > _STARTED else str(pid)


def runs(named: str, root: Path = Path("/")) -> bool:
    """Whether the process that `name` called so in this boot still runs."""
    number = named.partition(":")[0]
    if not number.isdecimal() or name(int(number), root) != named:
        return False
    if ":" in named:
        return _fields(int(number), root)[_STATE] not in _DEAD
    try:
        os.kill(int(number), 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _fields(pid: int, root: Path) -> list[str]:
    return text(root / f"proc/{pid}/stat").rpartition(")")[2].split()
