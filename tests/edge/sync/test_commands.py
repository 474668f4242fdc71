"""`edge-device sync` as people and timers call it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import device
from edge.machine.profile import data_folder
from edge.records.outbox import Outbox
from edge.sync import settings
from edge.sync.settings import Settings, SettingsError
from tests.edge.sync.hospital import Hospital, outcome, says

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(records: Path) -> Path:
    """The data folder, with the three slides in it."""
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    records.rename(folder / "records.db")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `edge-device sync` without giving way or waiting: exit status, standard output, standard error."""
    monkeypatch.setattr("edge.sync.priority.give_way", lambda: None)
    monkeypatch.setattr("edge.sync.pace.Pace.rest", lambda self, until_s=0.0: None)
    monkeypatch.setattr("edge.sync.run.Run._waited", lambda self, asked_s, row: True)
    monkeypatch.setattr("edge.sync.run._LOOKS_S", (0.0,))

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = device.main(["sync", *map(str, arguments)])
        except SystemExit as wrong_usage:
            status = int(str(wrong_usage.code))
        out, error = capsys.readouterr()
        return status, out, error

    return run


def test_told_once_it_sends_by_itself(home: Path, run: Run, hospital: Hospital) -> None:
    status, out, error = run("--to", hospital.url, "--kbit-per-s", 0, "--save")
    assert (status, error) == (0, f"edge-device: kept in {home / 'sync.toml'}\n")
    assert out.startswith("3 slides sent, ")
    assert (home / "sync.toml").stat().st_mode & 0o777 == 0o600
    assert run() == (0, "0 slides sent, 0 kB\n", "")
    with Outbox(home / "records.db") as book:
        book.sign("calm", "AB")
    assert run()[1].startswith("1 slide sent, ")


def test_without_a_server_it_says_how_to_name_one(home: Path, run: Run) -> None:
    for arguments in ((), ("--status",), ("--dry-run",)):
        status, out, error = run(*arguments)
        assert (status, out) == (1, "")
        assert "no server is known; name it once: edge-device sync --to URL --save" in error


def test_before_the_first_slide_there_is_nothing_to_send(run: Run, tmp_path: Path) -> None:
    assert run("--to", "https://fhir.example") == (0, "no slide was screened yet: nothing to send\n", "")
    status, _, error = run("--to", "https://fhir.example", "--records", tmp_path / "gone.db")
    assert (status, "there is no such file" in error, [*tmp_path.iterdir()]) == (1, True, [])


def test_status_and_what_would_go_send_and_write_nothing(home: Path, run: Run, hospital: Hospital) -> None:
    before = (home / "records.db").read_bytes()
    status, out, _ = run("--to", hospital.url, "--status", "--save")
    assert status == 0
    assert f"{hospital.url}: 3 slides waiting, about 15 kB, the oldest " in out
    status, out, _ = run("--to", hospital.url, "--dry-run")
    assert [line.split("  ")[0] for line in out.splitlines()[:3]] == ["alarming", "calm", "late"]
    assert out.splitlines()[3].startswith(f"3 slides would go to {hospital.url}, ")
    assert hospital.paths == []
    assert (home / "records.db").read_bytes() == before
    assert not (home / "sync.toml").exists()


def test_what_was_refused_is_shown_with_the_reason(home: Path, run: Run, hospital: Hospital) -> None:
    hospital.posts.append(says(422, outcome("no subject for P-7")))
    status, out, error = run("--to", hospital.url, "--kbit-per-s", 0, "--save")
    assert status == 1
    assert "2 slides sent, " in out
    assert "1 refused (why: edge-device sync --status)" in out
    assert "P-7" not in out + error
    assert run()[0] == 0
    _, out, _ = run("--status")
    assert "refused: alarming on 20" in out
    assert "HTTP 422: no subject for P-7" in out
    assert "edge-device sync --again" in out
    found = json.loads(run("--status", "--json", "-")[1])
    (refused,) = found["refused"]
    assert (found["kind"], found["accepted"], found["waiting"], found["oldest_s"]) == ("sync", 2, 0, None)
    assert (refused["slide"], refused["status"]) == ("alarming", 422)
    assert run("--again")[1].startswith("1 slide sent")


def test_trouble_is_one_line_without_the_server_s_words(home: Path, run: Run, hospital: Hospital) -> None:
    hospital.always = says(500, outcome("patient P-7 exists twice"))
    status, out, error = run("--to", hospital.url, "--kbit-per-s", 0)
    assert (status, "3 still waiting" in out) == (1, True)
    assert error == f"edge-device: {hospital.url}: HTTP 500\n"
    found = json.loads(run("--to", hospital.url, "--kbit-per-s", 0, "--json", "-")[1])
    assert (found["sent"], found["waiting"]) == (0, 3)
    assert found["trouble"] == f"{hospital.url}: HTTP 500: patient P-7 exists twice"


def test_settings_of_another_server_are_not_taken_over(home: Path, run: Run, hospital: Hospital) -> None:
    token = home / "token"
    token.touch(0o600)
    token.write_text("secret")
    settings.write(
        home / settings.FILE, Settings("https://fhir.example", token_file=str(token), pictures=True)
    )
    run("--to", hospital.url, "--kbit-per-s", 0)
    assert all("authorization" not in headers for headers in hospital.headers)
    assert all(len(body) < 20_000 for body in hospital.bodies)


def test_what_cannot_be_used_is_not_kept(home: Path, run: Run, tmp_path: Path) -> None:
    status, _, error = run("--to", "https://fhir.example", "--token-file", tmp_path / "gone", "--save")
    assert (status, "cannot be read" in error) == (1, True)
    assert not (home / "sync.toml").exists()


@pytest.mark.parametrize("rate", ["-1", "nan", "x", "inf"])
def test_rates_that_are_none(rate: str, home: Path, run: Run) -> None:
    status, _, error = run("--to", "https://fhir.example", "--kbit-per-s", rate)
    assert (status, "--kbit-per-s" in error) == (2, True)


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / settings.FILE
    wanted = Settings("https://fhir.example/r4", '/etc/a "b" \\ ä', "/etc/token", True, True, True, 12.5)
    settings.write(path, wanted)
    assert settings.read(path) == wanted
    with pytest.raises(SettingsError, match="cannot be kept"):
        settings.write(path, Settings("https://fhir.example", "/etc/\x7f"))
    assert settings.read(path) == wanted


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "key 'to' is missing"),
        (b"to = ", "nvalid"),
        (b"to = 'x'\nspeed = 1", "unknown key 'speed'"),
        (b"to = 'x'\nkbit_per_s = -1", "kbit_per_s is -1.0; it must lie between"),
        (b"\xff\xfe", "is no text"),
    ],
)
def test_settings_that_are_wrong_are_told(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / settings.FILE
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=told) as caught:
        settings.read(path)
    assert "edge-device sync --save" in str(caught.value)


def test_who_does_not_send_loads_nothing_for_it() -> None:
    code = (
        "import sys; from edge import device\n"
        "try: device.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'http.client', 'ssl', 'edge.sync.sending', 'sqlite3'} & sys.modules.keys(), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_it_gives_way_in_a_process_of_its_own() -> None:
    code = (
        "import os; from edge.sync.priority import give_way\n"
        "give_way(); assert os.getpriority(os.PRIO_PROCESS, 0) == 19"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
