"""Every field of a manifest that is of the wrong type or out of range is named, with what it must be."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle import manifest
from edge.bundle.model_input import ModelInput
from edge.bundle.operation import Spread
from tests.conftest import manifest as valid
from tests.edge.bundle.test_apl import TABLE

QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)

FIGURES = {"usable": True, "why": "", "sensitivity_change": -0.001, "float_layers": ["stem"]}
GOOD: dict[str, Any] = valid(
    files={"classifier.onnx": "0" * 64, "int8.onnx": "1" * 64},
    graphs={
        "classifier": {"ort-fp32": "classifier.onnx", "ort-int8": "int8.onnx", "trt-fp32": "classifier.onnx"}
    },
    precisions={"ort-int8": FIGURES},
    calibration={"temperature": 1.0},
    training={},
    metrics={},
    licence="research use",
)


def _with(path: str, value: Any) -> dict[str, Any]:
    """The good manifest with the field at 'a.b.0' replaced, or left out for `...`."""
    about = copy.deepcopy(GOOD)
    *way, last = path.split("/")
    table: Any = about
    for key in way:
        table = table[int(key)] if isinstance(table, list) else table[key]
    if value is ...:
        del table[last]
    else:
        table[int(last) if isinstance(table, list) else last] = value
    return about


def _refusal(about: Any) -> str:
    content = about if isinstance(about, bytes) else json.dumps(about).encode()
    with pytest.raises(ValueError, match=r"\S") as refused:
        manifest.read(content)
    line = str(refused.value)
    assert line.isprintable()
    assert len(line) < 300
    return line


def test_a_good_one_is_read() -> None:
    about = manifest.read(json.dumps(GOOD).encode())
    assert about.usable == {"ort-fp32", "ort-int8", "trt-fp32"}
    assert about.graphs["ort-int8"] == "int8.onnx"
    assert about.positive_indices == (0,)
    assert about.everything == GOOD


def test_a_cell_must_be_able_to_be_something_else_than_positive() -> None:
    about = _with("classes", ["blast", "lymphocyte"]) | {"leukocytes": ["blast", "lymphocyte"]}
    assert manifest.read(json.dumps(about).encode()).positive == ("blast",)
    assert "positive names every class" in _refusal(about | {"positive": ["lymphocyte", "blast"]})


def test_what_is_familiar_may_be_told() -> None:
    assert manifest.read(json.dumps(GOOD).encode()).familiar == {}
    ranges = {"cell_um2": [60, 300.5], "of_a_later_version": [-1, 1]}
    about = manifest.read(json.dumps(GOOD | {"familiar": ranges}).encode())
    assert about.familiar == {"cell_um2": (60, 300.5), "of_a_later_version": (-1, 1)}
    assert "familiar.cell_um2 is from 2 to 1" in _refusal(GOOD | {"familiar": {"cell_um2": [2, 1]}})
    assert "a list of 2 numbers" in _refusal(GOOD | {"familiar": {"cell_um2": [1, 2, 3]}})
    assert "familiar is 3" in _refusal(GOOD | {"familiar": 3})


def test_one_that_names_fields_needs_no_crop() -> None:
    field = _with("task", "field")
    field["input"] |= {"cut_px": 224, "size_px": 160, "steps": ["white-balance", "median:3", "resize:160"]}
    del field["input"]["crop_um"]
    about = manifest.read(json.dumps(field).encode())
    assert (about.task, about.unit, about.sign) == ("field", "field", "blast")
    assert about.model_input == ModelInput(0.25, 224, ("white-balance", "median:3", "resize:160"), whole=True)
    assert about.size_px == 160
    del field["input"]["cut_px"]
    field["input"] |= {"size_px": 96, "steps": []}
    assert manifest.read(json.dumps(field).encode()).model_input == ModelInput(0.25, 96, (), whole=True)
    field["task"] = "cell"
    assert "crop_um is missing" in _refusal(field)


def test_the_scale_of_pictures_like_its_own_may_be_told() -> None:
    assert manifest.read(json.dumps(GOOD).encode()).um_per_px is None
    assert manifest.read(json.dumps(_with("input/um_per_px", 0.06)).encode()).um_per_px == 0.06


def test_one_that_finds_cells_may_know_no_positive_class() -> None:
    detector = _with("task", "detector")
    detector["graphs"] = {"detector": {"ort-fp32": "classifier.onnx", "ort-int8": "int8.onnx"}}
    detector["positive"] = []
    about = manifest.read(json.dumps(detector).encode())
    assert (about.task, about.unit, about.sign, about.positive_indices) == ("detector", "leukocyte", "", ())
    assert about.graphs["ort-int8"] == "int8.onnx"
    assert not about.model_input.whole


@pytest.mark.parametrize(
    ("task", "positive", "sign"),
    [
        ("cell", ["blast"], "blast"),
        ("cell", ["blast", "monocyte"], "positive leukocyte"),
        ("field", ["monocyte"], "positive field"),
    ],
)
def test_what_a_positive_one_is_called(task: str, positive: list[str], sign: str) -> None:
    about = _with("task", task) | {"positive": positive}
    assert manifest.read(json.dumps(about).encode()).sign == sign


def test_a_precision_that_failed_the_gate_is_not_usable() -> None:
    failed = _with("precisions/ort-int8/usable", False)
    assert manifest.read(json.dumps(failed).encode()).usable == {"ort-fp32", "trt-fp32"}
    assert manifest.read(json.dumps(_with("precisions", {})).encode()).usable == {"ort-fp32", "trt-fp32"}


TABLES = ["input", "graphs", "graphs/classifier", "precisions", "thresholds", "finding", "files",
          "operation/sensitivity", "operation/false_blasts",
          "operation", "precisions/ort-int8", "calibration", "training", "metrics"]  # fmt: skip
TEXTS = ["name", "version", "licence", "finding/source", "operation/source",
         "graphs/classifier/ort-fp32", "classes/3",
         "leukocytes/0", "positive/0", "input/steps/0", "files/int8.onnx", "task", "input/interpolation",
         "input/scale", "precisions/ort-int8/why"]  # fmt: skip
NUMBERS = ["input/pitch_um", "input/crop_um", "thresholds/positive", "thresholds/confidence",
           "thresholds/certain", "finding/refer_fraction", "finding/interval_level",
           "finding/rejected_fraction", "operation/sensitivity/mean", "operation/false_blasts/high",
           "precisions/ort-int8/sensitivity_change"]  # fmt: skip
WHOLES = ["format", "input/size_px"]
OPTIONAL = {"number": "finding/alpha", "whole": "finding/least_cells"}  # of those in the rule, one a kind
LISTS = ["classes", "leukocytes", "positive", "input/steps"]
WRONG: dict[str, tuple[list[str], list[Any]]] = {
    "table": (TABLES, [None, 1, "blast", ["a"], True]),
    "text": (TEXTS, [None, 1, {}, ["a"], True, "two\nlines", "\ud800", "x" * 3000]),
    "number": (NUMBERS, [None, "0.5", {}, [0.5], True, 1e9, -2, 10**400]),
    "whole": (WHOLES, [None, "96", 96.5, {}, True, 0, -1, 10**9, 10**30]),
    "list": (LISTS, [None, "blast", {}, 1, True, [1], [None], [["blast"]], ["blast", "blast"], ["a"] * 2000]),
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (path, value)
        for kind, (paths, values) in WRONG.items()
        for path in [*paths, *filter(None, [OPTIONAL.get(kind)])]
        for value in values
    ],
)
def test_a_wrong_type_is_named(path: str, value: Any) -> None:
    line = _refusal(_with(path, value))
    last = path.split("/")[-1] if not path[-1].isdigit() else path.split("/")[-2]
    assert last in line


@pytest.mark.parametrize(
    "path", [*TABLES[:9], *NUMBERS[:-1], *WHOLES, *LISTS, "name", "version", "task", "finding/source",
             "input/interpolation", "input/scale", "graphs/classifier/ort-fp32", "precisions/ort-int8/usable"]
)  # fmt: skip
def test_a_missing_field_is_named(path: str) -> None:
    assert path.split("/")[-1] in _refusal(_with(path, ...))


def test_what_a_rule_leaves_out_is_as_the_program_has_it() -> None:
    rule = manifest.read(json.dumps(GOOD).encode()).finding
    assert (rule.alpha, rule.least_cells, rule.least_cells_with_candidates) == (0.01, 200, 400)
    other = manifest.read(json.dumps(_with("finding/least_cells", 300)).encode()).finding
    assert other.least_cells == 300


def test_a_bundle_that_does_not_know_how_it_errs_elsewhere_is_read() -> None:
    assert manifest.read(json.dumps(_with("operation", ...)).encode()).operation is None
    lent = {"mean": 0.7, "low": 0.5, "high": 0.9}
    found = manifest.read(json.dumps(_with("operation/at_site", {"sensitivity": lent})).encode()).operation
    assert found is not None
    assert found.sensitivity_at_site == Spread(**lent)
    assert "operation.at_site.sensitivity is missing" in _refusal(_with("operation/at_site", {}))
    upside_down = _with("operation/false_blasts", {"mean": 0.1, "low": 0.2, "high": 0.3})
    assert "low 0.2, mean 0.1 and high 0.3 are not in order" in _refusal(upside_down)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", 1, "format 1 is older than this program reads (2); get the bundle made anew"),
        ("format", 3, "format 3 is newer than this program reads (2); update the program"),
        ("task", "slide", "task is 'slide'; it must be one of cell, field, detector"),
        ("task", "detector", "detector is missing"),
        ("classes", [], "classes is a list of 0; it must be a list of 1 to 1000 names"),
        ("positive", ["cat"], "positive names 'cat', not one of blast, immature"),
        ("positive", ["artefact"], "positive names 'artefact', not one of blast"),
        ("positive", [], "positive is a list of 0"),
        ("leukocytes", ["blast", "blast"], "leukocytes names one twice"),
        ("input/steps", ["magic"], "input.steps: step 'magic': unknown; this program does white-balance,"),
        ("input/steps", ["median:4"], "step 'median:4': median takes an odd whole number from 3 to 15"),
        ("input/steps", ["clahe:2", "white-balance"], "white-balance: is done on the whole frame, so it"),
        ("input/steps", ["resize:64"], "input.size_px is 96; the steps make 64 px of 96"),
        ("input/steps", ["centre-crop:128"], "step 'centre-crop:128': what it is given has 96 px"),
        ("input/um_per_px", 0, "input.um_per_px is 0; it must be a number from 0.01 to 10"),
        ("input/um_per_px", "0.1", "input.um_per_px is '0.1'; it must be a number"),
        ("input/cut_px", 7, "input.cut_px is 7; it must be a whole number from 8 to 1024"),
        ("input/cut_px", 192, "input.crop_um is 24; 192 px at 0.25 µm make 48"),
        ("input/size_px", 1e9, "input.size_px is 1000000000.0; it must be a whole number from 8 to 1024"),
        ("input/pitch_um", 0, "input.pitch_um is 0; it must be a number from 0.01 to 10"),
        ("input/crop_um", 30.0, "input.crop_um is 30; 96 px at 0.25 µm make 24"),
        ("input/interpolation", "nearest", "input.interpolation is 'nearest'"),
        ("input/scale", "guess", "input.scale is 'guess'"),
        ("thresholds/positive", 1.5, "thresholds.positive is 1.5; it must be a number from 0 to 1"),
        ("thresholds/positive", True, "thresholds.positive is True; it must be a number"),
        ("graphs/classifier/ort-fp32", ..., "graphs.classifier has no ort-fp32 graph"),
        ("graphs/classifier/ort-int4", "classifier.onnx", "graphs.classifier names 'ort-int4', not one of"),
        ("graphs/classifier/ort-fp32", "gone.onnx", "ort-fp32 is 'gone.onnx', which files does not list"),
        ("precisions/ort-int8/usable", 1, "precisions.ort-int8.usable is 1; it must be true or false"),
        ("precisions/trt-fp16", FIGURES, "precisions.trt-fp16.usable is true, but graphs has no such graph"),
        ("files/classifier.onnx", "0" * 63, "must be a sha256 of 64 hexadecimal digits"),
        ("files/..", "0" * 64, "files names '..', which is no name of a member"),
    ],
)  # fmt: skip
def test_values_that_cannot_be(path: str, value: Any, words: str) -> None:
    assert words in _refusal(_with(path, value))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[1]", "the whole is a list of 1; it must be an object"),
        (b'{"format": 2, "format": 2}', "a key is given twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 10_000, "not JSON"),
        *((json.dumps(_with("thresholds/certain", 7.25)).replace("7.25", n).encode(), words)
          for n, words in (("NaN", "NaN is no number"), ("-Infinity", "no number"), ("1e999", "no number"))),
    ],
)  # fmt: skip
def test_not_even_json(content: bytes, words: str) -> None:
    assert words in _refusal(content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@QUICK
@given(json_values)
def test_any_json(value: Any) -> None:
    assert _refusal(json.dumps(value).encode())


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    assert _refusal(content)


@QUICK
@given(st.sampled_from([*TABLES, *TEXTS, *NUMBERS, *WHOLES, *LISTS]), json_values)
def test_any_value_in_any_field(path: str, value: Any) -> None:
    """It is refused in one line, or it was a value that may stand there."""
    content = json.dumps(_with(path, value)).encode()
    try:
        about = manifest.read(content)
    except ValueError as error:
        line = str(error)
    else:
        line = ""
        assert about.everything == json.loads(content)
        assert set(about.positive) <= set(about.leukocytes) <= set(about.classes)
    assert not line or line.isprintable()


def test_what_it_is_made_for_and_how_it_tells_apl_may_be_told() -> None:
    about = manifest.read(json.dumps(GOOD).encode())
    assert (about.specimens, about.apl) == ((), None)
    more = {"specimen": ["blood"], "apl": TABLE.as_json()}
    about = manifest.read(json.dumps(GOOD | more).encode())
    assert (about.specimens, about.apl) == (("blood",), TABLE)
    assert "specimen names 'urine', not one of blood, marrow" in _refusal(GOOD | {"specimen": ["urine"]})
    assert "specimen is a list of 0" in _refusal(GOOD | {"specimen": []})
    assert "apl is 3; it must be an object" in _refusal(GOOD | {"apl": 3})
    assert "apl.classes names 'cat'" in _refusal(GOOD | {"apl": more["apl"] | {"classes": ["cat"]}})


def test_caveats_are_short_texts() -> None:
    text = "exported even so: 3 blasts among its validation cells, 30 are wanted"
    assert manifest.read(json.dumps(GOOD | {"caveats": [text]}).encode()).caveats == (text,)
    assert manifest.read(json.dumps(GOOD).encode()).caveats == ()
    for wrong in ([], "x", [text, text], [3], ["x" * 201], ["a\nb"], [str(i) for i in range(21)]):
        assert "caveats" in _refusal(GOOD | {"caveats": wrong})
