"""A made-up machine for the doctor to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.doctor.check import Subject
from edge.machine.profile import load_profile


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A healthy Raspberry Pi 5 that tells little of itself."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return Subject(
        root=tmp_path,
        folder=folder,
        profile=load_profile("raspberry-pi-5"),
        profile_error=None,
        camera=None,
        box=False,
        systemctl=lambda arguments: None,
    )
