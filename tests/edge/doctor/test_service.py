"""The doctor on what systemd says."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace

import pytest

from edge.doctor import service
from edge.doctor.check import Subject
from tests.edge.doctor.sample import HOME, ROOT, UNIT, Tree, unit

ABSENT = unit(Id="leukoscope-kiosk.service", LoadState="not-found", ActiveState="inactive")


@pytest.mark.parametrize(
    ("told", "level", "words"),
    [
        (ABSENT, "fine", "not installed"),
        (unit() + "\n" + ABSENT, "fine", "leukoscope.service runs: 12 leukocytes"),
        (unit(NRestarts="3"), "worth knowing", "restarts since the machine started: 3"),
        (unit(ActiveState="activating", SubState="start"), "worth knowing", "is starting"),
        (unit(ActiveState="activating", SubState="auto-restart", Result="watchdog"), "wrong", "it hung"),
        (unit(ActiveState="failed", Result="oom-kill"), "wrong", "too much memory"),
        (unit(ActiveState="inactive"), "wrong", "is not running"),
        (unit(ActiveState="inactive", UnitFileState="disabled"), "worth knowing", "turned off"),
        (
            unit(ActiveState="inactive", UnitFileState="disabled")
            + "\n" + unit(Id="leukoscope-kiosk.service", StatusText=""),
            "fine", "leukoscope-kiosk.service runs",
        ),
    ],
)  # fmt: skip
def test_the_service(subject: Subject, told: str, level: str, words: str) -> None:
    found = service.service(replace(subject, systemctl=lambda arguments: told))
    assert (found.level, words in found.message) == (level, True), found


def test_a_service_manager_that_hangs(subject: Subject) -> None:
    def hang(arguments: Sequence[str]) -> str | None:
        raise subprocess.TimeoutExpired("systemctl", 3)

    assert service.service(replace(subject, systemctl=hang)).level == "worth knowing"


def test_the_services_camera_and_folder(tree: Tree) -> None:
    root = tree({UNIT: "[Service]\nEnvironment=CAMERA=0\nEnvironment=LEUKOSCOPE_HOME=/var/lib/leukoscope\n"})
    assert service.camera(root) == "0"
    assert service.home(root) == root / HOME
    tree({"etc/default/leukoscope": "# the scope\nCAMERA='usb:1'\n"})
    assert service.camera(root) == "usb:1"


def test_the_shipped_unit_says_where_its_data_is(tree: Tree) -> None:
    parts = ROOT / "firmware_config/parts"
    if not (parts / "service/leukoscope.service").exists():
        pytest.skip("no unit is shipped")
    confined = (parts / "user/confined.conf").read_text()
    root = tree({UNIT: (parts / "service/leukoscope.service").read_text() + confined})
    assert service.home(root) == root / HOME
    assert service.camera(root) == "0"
