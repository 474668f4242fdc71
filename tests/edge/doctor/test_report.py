"""How checks are run and shown, and the command as a whole."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge import doctor
from edge.doctor import report
from edge.doctor.check import Check, Examination, Subject, examine_all
from edge.types import LeukoscopeError
from tests.edge.doctor.sample import HOME, ROOT, UNIT, Tree


def test_an_error_and_a_hang_are_one_line_each(subject: Subject) -> None:
    over = threading.Event()

    def fails(subject: Subject) -> Check:
        raise ZeroDivisionError("two\nlines")

    def hangs(subject: Subject) -> Check:
        over.wait(60)
        return Check("fine", "late")

    def works(subject: Subject) -> Check:
        return Check("fine", "yes")

    found = examine_all(
        [Examination("fails", fails), Examination("hangs", hangs, seconds=0.1), Examination("works", works)],
        subject,
        lambda i, name: None,
    )
    over.set()
    assert {name: check.level for name, check in found.items()} == {
        "fails": "wrong",
        "hangs": "wrong",
        "works": "fine",
    }
    assert found["fails"].message == "could not be checked (ZeroDivisionError: two lines)"
    assert "no answer within 0.1 s" in found["hangs"].message


CHECKS = {
    "camera": Check("fine", "Scope 3 gives pictures of 1920×1080"),
    "disk space": Check("worth knowing", "300 MB are free in /var/lib/leukoscope", "make room " * 10),
    "power": Check("wrong", "the voltage is too low now", "use another supply"),
}


@pytest.mark.parametrize("columns", [80, 60, 20])
def test_the_page_fits_and_tells_levels_apart_without_colour(columns: int) -> None:
    lines = report.page(CHECKS, columns, plain=True, coloured=False)
    assert all(len(line) <= max(columns, 40) for line in lines)
    assert [line[1] for line in lines if line[1] != " "] == ["+", "!", "x"]
    assert " ".join(" ".join(lines).split()).endswith("low now; use another supply")
    coloured = report.page(CHECKS, columns, plain=False, coloured=True)
    assert "\x1b[1;31m✗\x1b[0m power" in "\n".join(coloured)


def test_in_a_pipe_a_check_is_one_line() -> None:
    assert report.lines(CHECKS)[2] == "wrong: power: the voltage is too low now; use another supply"
    assert len(report.lines(CHECKS)) == 3


def test_what_it_comes_to() -> None:
    assert report.summary(CHECKS) == "Wrong: power."
    assert report.summary(dict(list(CHECKS.items())[:2])) == "It should work; 1 worth knowing."
    assert report.summary(dict(list(CHECKS.items())[:1])) == "Everything is fine."


def arguments(**given: str) -> argparse.Namespace:
    return argparse.Namespace(**({"camera": "demo", "profile": None, "json": None} | given))


def test_a_whole_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status = doctor.run(arguments(json="-"))
    found = json.loads(capsys.readouterr().out)
    names = [check["name"] for check in found["checks"]]
    assert names[:3] == ["program", "profile", "camera"]
    assert len(names) == len(set(names)) == 20
    levels = {check["name"]: check["level"] for check in found["checks"]}
    assert levels["camera"] == levels["model"] == "fine"
    assert all(set(check) == {"name", "level", "message", "mend"} for check in found["checks"])
    assert status == (3 if "wrong" in levels.values() else 0)


def test_what_is_wrong_makes_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "_examinations", lambda: [Examination("power", lambda _: CHECKS["power"])])
    assert doctor.run(arguments(json=str(tmp_path / "report.json"))) == 3
    assert "wrong: power" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.json").read_text())["checks"][0]["name"] == "power"
    with pytest.raises(LeukoscopeError, match="--json /no/such/place: cannot be written"):
        doctor.run(arguments(json="/no/such/place"))


def test_a_profile_that_does_not_exist_is_one_of_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(arguments(profile="toaster")) == 3
    assert "wrong: profile: profile 'toaster': there is none of this name" in capsys.readouterr().out


def test_the_services_folder_is_looked_at(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HOME": "/nowhere"})
    root = tree({UNIT: "Environment=LEUKOSCOPE_HOME=/var/lib/leukoscope\n", f"{HOME}/records.db": ""})
    subject = doctor._subject(arguments(), root)
    assert subject.folder == root / HOME
    assert subject.box


def test_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge.device", "doctor", "--camera", "demo"],
        capture_output=True, text=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode in (0, 3)
    assert "fine: camera: " in done.stdout
    assert not done.stderr


def test_a_camera_whose_driver_hangs_does_not_hold_up_the_command() -> None:
    code = (
        "import time, sys\nfrom edge import device, doctor\nfrom edge.doctor.check import Examination\n"
        "hang = Examination('camera', lambda subject: time.sleep(600), seconds=0.2)\n"
        "doctor._examinations = lambda: [hang]\n"
        "sys.exit(device.main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 3
    assert done.stdout.startswith("wrong: camera: no answer within 0.2 s")
