"""The doctor on the box's own screen."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace

import pytest

from edge.doctor import screen
from edge.doctor.check import Subject
from tests.edge.doctor.sample import ROOT, Tree, said, unit

WHOLE = dict.fromkeys(
    ["usr/bin/cage", "usr/bin/foot", "usr/sbin/seatd", "dev/dri/card0", "dev/dri/card1"], ""
) | {
    "sys/class/drm/card1-HDMI-A-1/status": "connected\n",
    "sys/class/drm/card1-HDMI-A-1/modes": "1920x1080\n1280x720\n",
    "sys/class/drm/card1-HDMI-A-2/status": "disconnected\n",
    "sys/class/drm/card1-HDMI-A-2/modes": "",
}
RUNNING = ["leukoscope-kiosk.service", "seatd.service"]


def box(subject: Subject, running: Sequence[str] = RUNNING, enabled: bool = True) -> Subject:
    """With a screen of its own, and these units running."""

    def systemctl(arguments: Sequence[str]) -> str:
        if arguments[1] not in ("leukoscope.service", screen.KIOSK):
            return f"ActiveState={'active' if arguments[1] in running else 'inactive'}\n"
        state = "active" if screen.KIOSK in running else "inactive"
        return unit(Id=screen.KIOSK, ActiveState=state, UnitFileState="enabled" if enabled else "disabled")

    return replace(subject, systemctl=systemctl)


def test_all_colours(subject: Subject, tree: Tree) -> None:
    tree(WHOLE)
    assert said(screen.screen(box(subject))) == "fine: all colours, on HDMI-A-1 1920x1080; "


@pytest.mark.parametrize(
    ("absent", "added", "running", "words", "mend"),
    [
        (
            ["usr/bin/foot", "usr/sbin/seatd"],
            [],
            RUNNING,
            "there is no /usr/bin/foot, /usr/sbin/seatd",
            "apt",
        ),
        ([], [], [*RUNNING, "display-manager.service"], "a desktop holds the monitor", "multi-user.target"),
        (["dev/dri/card0", "dev/dri/card1"], [], RUNNING, "no graphics driver", "dtoverlay=vc4-kms-v3d"),
        ([], [], [screen.KIOSK], "seatd does not run", "enable --now seatd"),
        (["sys/class/drm/card1-HDMI-A-1/status"], [], RUNNING, "no monitor answers", "plug it in"),
        ([], [screen.PLAIN], RUNNING, "did not come up", "journalctl -b -t leukoscope-kiosk"),
    ],
)
def test_what_keeps_it_from_all_colours(
    subject: Subject,
    tree: Tree,
    absent: list[str],
    added: list[str],
    running: list[str],
    words: str,
    mend: str,
) -> None:
    tree({path: content for path, content in WHOLE.items() if path not in absent} | dict.fromkeys(added, ""))
    found = screen.screen(box(subject, running))
    assert found.level == "worth knowing"
    assert words in found.message
    assert mend in found.mend


def test_a_machine_without_a_screen_of_its_own(subject: Subject) -> None:
    for other in (subject, box(subject, running=[], enabled=False)):  # a package brings the unit, turned off
        assert screen.screen(other).level == "fine"


def test_a_service_manager_that_hangs(subject: Subject) -> None:
    def hang(arguments: Sequence[str]) -> str | None:
        raise subprocess.TimeoutExpired("systemctl", 3)

    assert screen.screen(replace(subject, systemctl=hang)).level == "worth knowing"


def test_it_looks_for_what_the_part_wants_and_writes() -> None:
    part = ROOT / "firmware_config/parts/kiosk"
    assert all(f'"/{name}"' in (part / "part.toml").read_text() for name in screen.PROGRAMS)
    assert '"$RUNTIME_DIRECTORY/plain"' in (part / "screen.sh").read_text()
    assert f"RuntimeDirectory={screen.PLAIN.split('/')[1]}\n" in (part / screen.KIOSK).read_text()
