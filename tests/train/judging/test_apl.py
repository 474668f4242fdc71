"""The table for APL: who is asked about, what is refused, and what a device reads of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import manifest
from edge.bundle.apl import AplTable
from edge.cells.classify import Calls
from edge.files.strictjson import Table
from tests import conftest
from tests.train.layouts import LAYOUTS
from tests.train.runs import TRAINED
from train.cli import main
from train.data.sets.deepapl import diagnoses
from train.judging.apl import FALSE_ALARMS, AplError, Patient, alert, share, threshold_of

ABOUT = manifest.read(json.dumps(conftest.manifest(files={"classifier.onnx": "0" * 64})).encode())


def _patient(number: int, apl: bool, shift: float, cells: int = 12) -> Patient:
    rng = np.random.default_rng(number)
    features = rng.normal(0, 1, (cells, 4)).astype(np.float32)
    features[:, 0] += shift
    nothing = np.zeros(cells, np.bool_)
    calls = Calls(np.zeros((cells, 11), np.float32), np.zeros(cells, np.int32), nothing, nothing, features)
    return Patient(f"P{number:02d}", np.full(cells, "blast"), calls, ~nothing, apl)


def _patients(shift: float) -> list[Patient]:
    return [_patient(i, i % 3 == 0, shift * (i % 3 == 0)) for i in range(45)]


def test_patients_who_differ_give_a_table() -> None:
    few = [_patient(90, True, 3.0, cells=2), _patient(91, False, 0.0, cells=4)]
    found = alert([*_patients(3.0), *few], ABOUT)
    told = json.loads(json.dumps(found.as_json()))
    table = AplTable.of(Table(told, "apl"), ABOUT.classes)
    assert table == found.table
    assert table.classes == ("blast", "immature-granulocyte")
    assert table.false_alarms.value <= FALSE_ALARMS
    assert (table.false_alarms.n, table.sensitivity.n) == (30, 15)
    assert table.sensitivity.value > 0.9
    assert told["network"] == ABOUT.network
    assert told["too_few_cells"] == {"apl": 1, "others": 1}
    assert found.area.low > 0.9
    with_apl, without = (table.of_cells(_patient(99, apl, 3.0 * apl).features) for apl in (True, False))
    assert with_apl is not None
    assert without is not None
    assert (with_apl.alert, without.alert) == (True, False)
    assert "of all with APL" in "\n".join(found.lines())


def test_an_alert_that_tells_nothing_is_not_written() -> None:
    with pytest.raises(AplError, match=r"with a ROC area of 0\.\d+ .*: none is written"):
        alert(_patients(0.0), ABOUT)


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(AplError, match="1 patients with APL and 5 others"):
        alert([_patient(i, i == 0, 0.0) for i in range(6)], ABOUT)


def test_no_more_others_raise_an_alert_than_may() -> None:
    for others in (5, 19, 20, 44, 200):
        scores = np.random.default_rng(others).normal(0, 1, others)
        assert (scores >= threshold_of(scores)).sum() == int(FALSE_ALARMS * others)
    assert share(np.zeros(10, np.bool_)).low == 0


def test_a_bundle_that_tells_no_features(
    make_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    LAYOUTS["deepapl"](tmp_path)
    names = [path.name for path in (tmp_path / "deepapl" / "Data" / "All").iterdir()]
    rows = [f"{name},{'APL' if i % 2 else 'AML'},Discovery" for i, name in enumerate(names)]
    (tmp_path / "deepapl" / "Data" / "master.csv").write_text(
        "\n".join(["Patient_ID,Diagnosis,Cohort", *rows])
    )
    assert set(diagnoses(tmp_path / "deepapl").values()) == {"APL", "AML"}
    bundle = make_bundle(training=TRAINED)
    out = tmp_path / "apl.json"
    words = ["apl", "--bundle", str(bundle), "--data", str(tmp_path), "--json", str(out)]
    assert main(words) == 1
    assert "its network tells no features of a cell; export it anew" in capsys.readouterr().err
    assert not out.exists()
