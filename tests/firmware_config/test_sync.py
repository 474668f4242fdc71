"""The part that sends finished slides: a service in nobody's way, and when it runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.setup import parts as parts_
from edge.sync.settings import FILE
from tests.firmware_config.test_parts import EXPOSURE, PROFILES, part, profile, program, ran, written

SERVICE, TIMER = "leukoscope-sync.service", "leukoscope-sync.timer"


def settings(name: str) -> dict[str, list[str]]:
    """What a unit of the part sets, by name; a setting may be there several times."""
    (file,) = (each for each in part("sync").files if Path(each.path).name == name)
    found: dict[str, list[str]] = {}
    for line in file.content.decode().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", PROFILES)
def test_systemd_accepts_the_units_and_calls_them_safe(tmp_path: Path, name: str) -> None:
    analyze = program("systemd-analyze")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/edge-device").symlink_to("/bin/true")
    values = parts_.values(profile(name), str(tmp_path / "bin"))
    units = written(tmp_path, parts_.chosen([], ["sync"], [], values))
    assert ran(analyze, "verify", "--man=no", units / SERVICE, units / TIMER).stderr == ""
    judged = ran(analyze, "security", "--offline=true", "--no-pager", units / SERVICE)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
    assert exposure, judged.stdout + judged.stderr
    assert float(exposure[1]) <= EXPOSURE


def test_it_comes_beside_what_screens_and_brings_the_user() -> None:
    chosen = parts_.chosen(
        profile("raspberry-pi-5").box.parts, ["sync"], [], parts_.values(profile("raspberry-pi-5"), "/bin")
    )
    names = [each.name for each in chosen]
    assert names.index("user") < names.index("sync")
    assert "kiosk" in names


def test_it_waits_for_the_settings_that_a_user_saves() -> None:
    told = settings(SERVICE)
    assert told["ConditionPathExists"] == [f"/var/lib/leukoscope/{FILE}"]
    assert "LEUKOSCOPE_HOME=/var/lib/leukoscope" in told["Environment"]


def test_it_takes_what_nobody_else_wants() -> None:
    told = settings(SERVICE)
    assert told["Nice"] == ["19"]
    assert told["CPUQuota"] == ["5%"]
    assert told["IOSchedulingPriority"] == ["7"]
    assert told["User"] == ["leukoscope"]


def test_it_ends_and_is_not_started_by_anything_but_its_timer() -> None:
    told = settings(SERVICE)
    assert told["Type"] == ["oneshot"]
    assert not {"Restart", "WatchdogSec", "WantedBy", "RemainAfterExit"} & told.keys()
    assert told["TimeoutStartSec"] == ["2h"]  # else a line that hangs would be the last one


def test_it_may_use_the_network_and_no_device() -> None:
    told = settings(SERVICE)
    assert not {"PrivateNetwork", "IPAddressDeny", "DeviceAllow"} & told.keys()
    assert {"AF_INET", "AF_INET6"} <= set(told["RestrictAddressFamilies"][0].split())
    assert told["DevicePolicy"] == ["closed"]


def test_it_runs_by_clocks_that_never_jump_and_not_with_all_others_at_once() -> None:
    told = settings(TIMER)
    assert not {"OnCalendar", "Persistent"} & told.keys()
    assert {"OnActiveSec", "OnUnitInactiveSec", "RandomizedDelaySec"} <= told.keys()


def test_what_screens_is_confined_as_before() -> None:
    """They share a file; what only the screening has must not have gone with it."""
    text = part("service").files[0].content.decode()
    for line in ("PrivateNetwork=yes", "IPAddressDeny=any", "Restart=always", "LimitCORE=0", "UMask=0077"):
        assert text.splitlines().count(line) == 1
    assert "DeviceAllow=char-video4linux rw" in text
