"""`edge-device setup` below a folder: what is shown, done, done again and undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge import device
from edge.setup import parts as parts_
from edge.setup.box import Box
from edge.setup.ledger import Ledger
from tests.edge.setup.boxes import CONFIG, setup, tree


def test_shows_and_changes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str], commands: list[list[str]]
) -> None:
    before = tree(root)
    assert setup(root, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert tree(root) == before
    assert commands == []
    for expected in (
        f"  new        {root}/etc/systemd/system/leukoscope-kiosk.service",
        f"  changed    {root}/boot/firmware/cmdline.txt",
        "      -console=tty1 rootwait",
        "      +console=tty1 rootwait cgroup_enable=memory",
        "      -kernel.panic = 5",
        "      +TTYPath=/dev/tty1",
        f"  run        systemctl --root={root} enable leukoscope-kiosk.service",
        "  run later  systemd-sysusers",
    ):
        assert expected in shown.splitlines()


def test_does_it_once_and_undoes_it(
    root: Path, capsys: pytest.CaptureFixture[str], commands: list[list[str]]
) -> None:
    before = tree(root)
    assert setup(root, "--yes") == 0
    after = tree(root)
    assert (root / "etc/systemd/system/leukoscope-kiosk.service").stat().st_mode & 0o777 == 0o644
    config = (root / "boot/firmware/config.txt").read_text()
    assert config.startswith(CONFIG + "\n# leukoscope")
    assert "\ndtparam=watchdog=on\n" in config
    assert commands == [["systemctl", f"--root={root}", "enable", "leukoscope-kiosk.service"]]

    capsys.readouterr()
    assert setup(root, "--yes") == 0
    assert capsys.readouterr().out == "everything is as it should be: nothing to do\n"
    assert tree(root) == after
    assert len(commands) == 1

    assert setup(root, "--undo", "--yes") == 0
    assert tree(root) == before
    assert commands[1:] == [["systemctl", f"--root={root}", "disable", "leukoscope-kiosk.service"]]
    capsys.readouterr()
    assert setup(root, "--undo", "--yes") == 0
    assert capsys.readouterr().out == "nothing to undo\n"
    assert tree(root) == before


def test_the_screen_takes_the_place_of_the_service_and_back(root: Path, commands: list[list[str]]) -> None:
    units = root / "etc/systemd/system"
    assert setup(root, "--yes") == 0
    assert setup(root, "--with", "service", "--yes") == 0
    assert (units / "leukoscope.service").exists()
    assert not (units / "leukoscope-kiosk.service").exists()
    assert ["systemctl", f"--root={root}", "disable", "leukoscope-kiosk.service"] in commands
    assert setup(root, "--yes") == 0
    assert not (units / "leukoscope.service").exists()
    assert (units / "leukoscope-kiosk.service").exists()


def test_json_says_what_is_to_do_and_what_was_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(root, "--dry-run", "--json") == 0
    todo = json.loads(capsys.readouterr().out)
    assert todo["done"] is False
    assert {part["name"] for part in todo["parts"]} >= {"kiosk", "user", "udev", "raspberry-pi"}
    states = {file["path"]: file["state"] for file in todo["files"]}
    assert states["/etc/sysctl.d/90-leukoscope.conf"] == "changed"
    assert states["/etc/udev/rules.d/70-leukoscope.rules"] == "new"
    assert {"part": "user", "undoes": False, "run": ["systemd-sysusers"], "now": False} in todo["commands"]
    assert setup(root, "--yes", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert done["done"] is True
    assert done["failures"] == []
    assert setup(root, "--yes", "--json") == 0
    assert {file["state"] for file in json.loads(capsys.readouterr().out)["files"]} == {"unchanged"}


def test_what_a_part_works_better_with_is_shown_and_not_asked_for(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cage = root / "usr/bin/cage"
    cage.parent.mkdir(parents=True)
    cage.touch()
    assert setup(root, "--dry-run") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  missing")]
    assert line.startswith("  missing    /usr/bin/foot, /usr/sbin/seatd: without, the screen has 16 colours")
    assert line.endswith("sudo apt install --no-install-recommends cage foot seatd")
    assert setup(root, "--dry-run", "--json") == 0
    (missing,) = json.loads(capsys.readouterr().out)["missing"]
    assert missing["paths"] == ["/usr/bin/foot", "/usr/sbin/seatd"]
    for path in missing["paths"]:
        (root / path[1:]).parent.mkdir(exist_ok=True)
        (root / path[1:]).touch()
    assert setup(root, "--yes") == 0
    assert "missing" not in capsys.readouterr().out


def test_without_a_terminal_it_wants_a_yes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(root)
    assert setup(root) == 2
    assert "add --yes" in capsys.readouterr().err
    assert tree(root) == before


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("yes", 0), ("", 1), ("no", 1)])
def test_asks_on_a_terminal(root: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: int) -> None:
    before = tree(root)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert setup(root) == status
    assert (tree(root) == before) == bool(status)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--profile", "toaster"], "profile 'toaster': there is none of this name"),
        (["--with", "toaster"], "part 'toaster': there is none of this name; choose"),
        (["--without", "toaster"], "part 'toaster': there is none of this name; choose"),
        (["--with", "kiosk", "--with", "service"], "none"),
    ],
)
def test_what_is_not_known_is_one_line(
    root: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = setup(root, "--yes", *arguments)
    error = capsys.readouterr().err.strip()
    if line == "none":  # the last of one role wins
        assert status == 0
    else:
        assert status == 1
        assert line in error
        assert len(error.splitlines()) == 1


def test_not_a_raspberry_pi(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(tmp_path, "--yes") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "config.txt" in line
    assert "--without raspberry-pi" in line
    assert not any(tmp_path.iterdir())
    assert setup(tmp_path, "--yes", "--without", "raspberry-pi") == 0


def test_a_root_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(tmp_path / "none", "--yes") == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_a_profile_of_ones_own_goes_where_the_service_can_read_it(root: Path, tmp_path: Path) -> None:
    shipped = Path(parts_.__file__).parents[2] / "firmware_config/profiles/generic-x86-64.toml"
    own = tmp_path / "own.toml"
    own.write_text(shipped.read_text().replace('name = "generic-x86-64"', 'name = "own"'))
    assert setup(root, "--yes", profile=str(own)) == 0
    assert (root / "etc/leukoscope/profile.toml").read_text() == own.read_text()
    unit = (root / "etc/systemd/system/leukoscope.service").read_text()
    assert "--profile /etc/leukoscope/profile.toml" in unit


def test_the_running_system_is_for_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(Box, "running", True)
    empty = Ledger()
    monkeypatch.setattr(Ledger, "read", lambda _: empty)
    assert device.main(["setup", "--profile", "generic-x86-64", "--program", "/usr/bin", "--yes"]) == 1
    assert "sudo" in capsys.readouterr().err
