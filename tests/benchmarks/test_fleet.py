"""A small fleet: everything arrives once, and the benchmark would notice if it did not."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.machine import clock

ROOT = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The benchmark's folder on the path, and its modules gone afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    yield
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(ROOT)):
            del sys.modules[name]


def test_a_small_fleet_loses_nothing(
    here: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, now = tmp_path / "out.json", clock.now
    words = ["--boxes", "5", "--hours", "0.6", "--speed", "2000", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["fleet.py", *words])
    runpy.run_path(str(ROOT / "fleet.py"), run_name="__main__")
    found = {figure["name"]: figure["value"] for figure in json.loads(out.read_text())["figures"]}
    assert found["slides"] >= 5
    assert all(found[name] == 0 for name in ("lost", "twice", "stale", "strange", "waiting"))
    assert "time is up" in capsys.readouterr().out
    assert clock.now is now


def test_what_is_lost_twice_or_old_is_told(here: None) -> None:
    from fleet import compared
    from fleet_boxes import Slide

    from tests.edge.sync.fhir_server import FhirServer

    class Finished:
        slides = {name: Slide(f"urn:s|{name}", signed=True) for name in ("there", "lost", "old")}  # noqa: RUF012

        def due(self) -> int:
            return 1

    def told(name: str, status: str, number: str) -> dict[str, object]:
        report = {
            "resourceType": "DiagnosticReport", "status": status, "code": {"text": "x"},
            "identifier": [{"system": "urn:r", "value": number}, {"system": "urn:s", "value": name}],
        }  # fmt: skip
        return {"resource": report, "request": {"method": "POST", "url": "DiagnosticReport"}}

    entries = [
        told("there", "final", "1"), told("there", "final", "1"), told("old", "preliminary", "2"),
        told("nobody's", "final", "3"),
    ]  # fmt: skip
    with FhirServer() as server:
        server.resources.transact({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        found = compared(server, [Finished()])
    assert (found.slides, found.lost, found.stale, found.strange, found.waiting) == (3, 1, 1, 1, 1)
    assert found.twice == 2  # by its identifier, and by its slide's
