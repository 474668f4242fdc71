"""The one moment that everything built here is dated with."""

from __future__ import annotations

import os
import subprocess

from wheels import ROOT


def epoch() -> int:
    """The moment every file is dated with: SOURCE_DATE_EPOCH, else that of the last commit, in Unix seconds.

    Source: reproducible-builds.org, SOURCE_DATE_EPOCH specification 1.1.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        return int(subprocess.run(git, capture_output=True, check=True).stdout)
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive of the sources
        return int((ROOT / "pyproject.toml").stat().st_mtime)
