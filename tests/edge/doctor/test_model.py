"""The doctor on runtimes, bundles, self-tests and records."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle import devicekey, sitefile
from edge.bundle.bundle import load
from edge.doctor import model
from edge.doctor.check import Examination, Subject, examine_all
from edge.machine.profile import RuntimeSettings, data_folder, load_profile
from edge.records.store import Store
from edge.selftest.outcome import Outcome, Trial
from tests.edge.bundle.sites import site
from tests.edge.doctor.sample import said
from tests.edge.records.example import HEADER, reading


@pytest.mark.parametrize(("reason", "wanted"), [
    (None, "fine: the compiled core finds the cells; "),
    ("was not built; install a C compiler",
     "worth knowing: NumPy finds the cells, slower: the compiled core was not built; install a C compiler"),
])  # fmt: skip
def test_who_finds_the_cells(
    subject: Subject, reason: str | None, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.native.why_not", lambda: reason)
    assert said(model.core(subject)) == wanted


def test_a_runtime_that_is_missing(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.runtimes.why_not", lambda kind: f"runtime {kind}: no module; install it")
    assert said(model.runtime(subject)) == "wrong: runtime ort: no module; install it"


def test_a_jetson_without_tensorrt(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"ort": None, "trt": "runtime trt: no Python module tensorrt; it comes with JetPack"}
    monkeypatch.setattr("edge.runtimes.why_not", missing.get)
    found = model.runtime(replace(subject, profile=load_profile("jetson-orin-nano")))
    assert found.level == "worth knowing"
    assert found.mend == "it comes with JetPack"


def test_the_shipped_model(subject: Subject) -> None:
    assert "shipped with this program" in model.bundle(subject).message


def test_a_model_with_caveats(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    told = replace(load(), installed_with=("installed even so: knows 9 of 44",))
    monkeypatch.setattr("edge.bundle.bundle.load", lambda: told)
    found = model.bundle(subject)
    assert (found.level, found.mend.startswith("install another")) == ("worth knowing", True)
    assert found.message.endswith("; installed even so: knows 9 of 44")


def test_what_was_learned_of_the_site(subject: Subject) -> None:
    path, network = subject.folder / sitefile.FILE, load().manifest.network
    assert said(model.site(subject)) == (
        "worth knowing: not measured here; findings reckon with other laboratories; "
        "measure it: edge-device adapt --healthy --camera 0"
    )
    sitefile.write(path, site(network))
    found = model.site(subject)
    assert (found.level, found.mend) == ("fine", "")
    assert found.message.startswith(
        "positive from 0.31 on, by 1204 normal cells of 2 slides (made 2026-11-02"
    )
    (data_folder() / devicekey.FILE).unlink()
    found = model.site(subject)
    assert (found.level, "signed by another device" in found.message) == ("worth knowing", True)
    path.write_text(path.read_text().replace("0.31", "0.29"))
    assert said(model.site(subject)).startswith(f"wrong: {path} was altered since it was made; move it away")
    sitefile.write(path, site("another@0.5"))
    found = model.site(subject)
    assert (found.level, "is of another model and not used" in found.message) == ("worth knowing", True)


def test_an_installed_model_that_is_gone(subject: Subject) -> None:
    folder = data_folder() / "bundles"
    folder.mkdir(parents=True)
    (folder / "current.json").write_text(json.dumps({"current": "ab" * 32, "previous": ""}))
    (found,) = examine_all([Examination("model", model.bundle)], subject, lambda i, name: None).values()
    assert found.level == "wrong"
    assert "no such file" in found.message
    assert "rollback" in found.mend


def test_what_the_self_test_said(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.selftest import selftest

    assert "not run yet" in model.self_test(subject).message
    failed = Trial("ort-int8", why="does not pass its self-test")
    slower = Trial("ort-int8", 0.91, 0.805, 0.00636, 0.00039, "1.01 times as fast as FP32")
    used = Trial("ort-fp32", 0.92, 0.81, 0.0, 0.0)
    fallen = Outcome(
        "ort-fp32", "1", "ort-int8 does not pass its self-test", 1.0, "", (failed, Trial("ort-fp32"))
    )
    passed = replace(fallen, note="", instructions="avx2", trials=(slower, used))
    told = {
        fallen: "worth knowing: ort-fp32 is used on this processor (ort-int8: not used, does not pass its "
        "self-test; ort-fp32: used)",
        passed: "fine: passed; ort-fp32 is used on avx2 (ort-int8, 0.91 ms a cell in a field of few, 0.81 of "
        "many, off by 0.0064 at most, 0.0004 in the mean: not used, 1.01 times as fast as FP32; ort-fp32, "
        "0.92 ms a cell in a field of few, 0.81 of many, off by 0.0000 at most, 0.0000 in the mean: used)",
    }
    for outcome, words in told.items():
        monkeypatch.setattr(selftest, "last", lambda bundle, settings, folder, outcome=outcome: outcome)
        assert said(model.self_test(subject)).removesuffix("; ") == words


def test_the_self_tests_outcome_is_found_again(subject: Subject) -> None:
    from edge.bundle import bundle
    from edge.selftest import selftest

    found, settings = bundle.load(), RuntimeSettings("ort", "auto", 2)
    selftest.choose(found, settings, folder=subject.folder, tell=lambda line: None).close()
    outcome = selftest.last(found, settings, folder=subject.folder)
    assert outcome is not None
    assert outcome.variant.startswith("ort-")
    for asked, words in ((settings, "is used"), (replace(settings, precision="fp32"), "not run yet")):
        asking = replace(subject, profile=replace(subject.profile, runtime=asked))
        assert words in model.self_test(asking).message


def fill(subject: Subject) -> Path:
    path = subject.folder / "records.db"
    with Store(path) as store:
        for name in ("a", "b"):
            store.begin_slide(name, HEADER)
            for index in range(30):
                store.add(reading(index))
            store.flush()
    return path


def test_whole_records(subject: Subject) -> None:
    path = fill(subject)
    before = sorted(os.listdir(subject.folder))
    found = model.records(subject)
    assert found.level == "fine"
    assert f"{path}: 2 slides" in found.message
    assert found.message.endswith("whole")
    assert (
        sorted(one.name for one in subject.folder.iterdir() if not one.name.endswith(("-shm", "-wal")))
        == before
    )


def test_records_that_are_being_written(subject: Subject) -> None:
    path = fill(subject)
    with Store(path) as store:
        store.begin_slide("c", HEADER)
        store.add(reading(0))
        store.flush()
        assert "3 slides" in model.records(subject).message


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda whole: b"no database at all" * 500, "is damaged"),
        (lambda whole: whole[:4096] + b"\x99" * 60_000 + whole[64_096:], "is damaged"),
    ],
)
def test_damaged_records(subject: Subject, damage: Callable[[bytes], bytes], words: str) -> None:
    path = fill(subject)
    path.write_bytes(damage(path.read_bytes()))
    found = model.records(subject)
    assert found.level == "wrong"
    assert words in found.message
    assert "restore a backup" in found.mend


def test_records_of_a_newer_version(subject: Subject) -> None:
    with sqlite3.connect(fill(subject)) as database:
        database.execute("PRAGMA user_version = 99")
    assert said(model.records(subject)).endswith("was written by a newer version; update the program")


def test_large_records_are_not_read_to_the_end(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_LOOK_S", -1.0)
    with sqlite3.connect(subject.folder / "records.db") as database:
        database.execute("CREATE TABLE slides (id)")
        database.executemany("INSERT INTO slides VALUES (?)", [(n,) for n in range(100_000)])
    assert "as far as a few seconds' look shows" in model.records(subject).message
