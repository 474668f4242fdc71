"""A slide as a transaction of FHIR: valid by a library and by what that does not check, and honest."""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge.records.book import Book
from edge.report.export import nameless
from edge.report.fhir import codes, files
from edge.report.fhir.bundle import bundle
from edge.report.fhir.resources import PDF_BYTES, PICTURES
from edge.report.formats import FORMATS, Layout
from edge.report.gather import gather
from edge.report.report import RESEARCH_USE, Report, Share
from edge.review.review import Review
from tests.conftest import CLASSES, ROOT
from tests.edge.records.example import HEADER, RULES
from tests.edge.records.slides import screened
from tests.edge.report.valid import check, is_loinc, resources

MADE_AT = datetime(2026, 11, 30, 9, 12, tzinfo=UTC)
SLIDE = "α/β|γ,$ \\ <b>\"x\" & 'y'"
PATIENT = '<O\'Neil> & "Ж" 患者 نام'
NAMED = ["lymphocyte", "blast", "lymphocyte", "blast", "artefact", *["lymphocyte"] * 15]
LEUKOCYTES = tuple(CLASSES[:7])


@pytest.fixture(scope="module")
def store(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """Slides: strange names and words of a person; none but the machine; no cells; fields; cut off."""

    def make(folder: Path) -> None:
        path = folder / "records.db"
        screened(path, NAMED, SLIDE, uncertain=[0])
        screened(path, ["blast"] * 60, "many")
        screened(path, [], "empty")
        fields = replace(
            RULES, classes=("malignant", "benign", "other"), leukocytes=("malignant", "benign"),
            positive=("malignant",), unit="field", sign="positive field", rates=None,
        )  # fmt: skip
        header = replace(HEADER, classes=fields.classes, rules=fields.record(), trusted=False)
        screened(path, ["blast", "lymphocyte", "lymphocyte"], "fields", header=header, finish=False)
        with Book(path) as book:
            book._database.execute("UPDATE slides SET process = '1:1' WHERE id = 'fields'")
            book.note(SLIDE, "AB", patient=PATIENT, age=41, sex="female")
        with Book(path) as book, Review(book, SLIDE, "AB") as review:
            review.say([1, 3], "blast")
            review.confirm([2])
            review.say([4], "lymphocyte")

    return made_once("fhir", make) / "records.db"


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """In place of what writes the PDF, which takes half a second each time."""
    module = ModuleType(FORMATS["pdf"].split(":")[0])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    prints(module, b"%PDF-1.7")
    return module


def prints(module: ModuleType, content: bytes) -> None:
    def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
        yield ".pdf", content

    module.files = files  # type: ignore[attr-defined]


def report(store: Path, slide: str, **changed: Any) -> Report:
    """With pictures that can be read after the book is closed: none."""
    with Book(store, reads_only=True) as book:
        found = gather(book, slide, MADE_AT)
        crops = found.pictures.crops([cell.seen.id for cell in found.gallery])
    return replace(found, pictures=_Crops(crops), **changed)  # type: ignore[arg-type]


class _Crops:
    def __init__(self, crops: dict[int, bytes]) -> None:
        self._crops = crops

    def crops(self, cells: list[int]) -> dict[int, bytes]:
        return {cell: self._crops[cell] for cell in cells if cell in self._crops}


def of_bundle(found: Report, specimen: str = "blood") -> Report:
    """The report as the default bundle's classes would have it, of 200 leukocytes."""
    counts = dict(zip(LEUKOCYTES, (0, 3, 50, 12, 130, 5, 0), strict=True))
    shares = tuple(
        Share(name, n, n / 200, (max(n - 2, 0) / 200, (n + 2) / 200), 0, None) for name, n in counts.items()
    )
    rules = replace(found.rules, classes=tuple(CLASSES), leukocytes=LEUKOCYTES, specimen=specimen)
    beside = (Share("erythroblast", 5, None, None, 0, None), Share("platelet", 9, None, None, 0, None))
    record = found.record | {"cells_counted": 200}
    return replace(found, rules=rules, differential=shares, beside=beside, record=record, cells=())


def made(found: Report) -> dict[str, Any]:
    return bundle(found, Layout())


def code_of(resource: dict[str, Any]) -> str:
    return str(resource["code"]["coding"][0]["code"])


def by_code(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {code_of(one): one for one in resources(found, "Observation")}


def parts(observation: dict[str, Any]) -> dict[str, Any]:
    """Component's code -> its value."""
    return {
        code_of(part): next(part[name] for name in part if name != "code")
        for part in observation["component"]
    }


def test_a_slide_with_strange_names(store: Path) -> None:
    of_slide = report(store, SLIDE)
    found = made(of_slide)
    check(found)
    counted = Counter(entry["resource"]["resourceType"] for entry in found["entry"])
    assert counted == {
        "Patient": 1, "Device": 2, "Specimen": 1, "Observation": 4, "Media": len(of_slide.gallery),
        "DiagnosticReport": 1, "DocumentReference": 1,
    }  # fmt: skip
    (patient,), (told,) = resources(found, "Patient"), resources(found, "DiagnosticReport")
    assert (patient["identifier"][1]["value"], patient["gender"]) == (PATIENT, "female")
    assert (
        told["identifier"][1]["value"] == resources(found, "Specimen")[0]["identifier"][1]["value"] == SLIDE
    )
    assert (told["status"], told["issued"]) == ("preliminary", "2026-11-30T09:12:00+00:00")
    assert told["conclusion"].endswith(RESEARCH_USE)
    assert RESEARCH_USE in told["text"]["div"]
    for one in found["entry"]:
        tagged = one["resource"]["resourceType"] != "Patient"
        assert (RESEARCH_USE in json.dumps(one["resource"])) == tagged


def test_whose_count_it_is_can_be_seen(store: Path) -> None:
    found = made(report(store, SLIDE))
    blasts, panel = by_code(found)["26446-5"], by_code(found)["24318-8"]
    told = parts(blasts)
    assert (told["cells"], told["cells-machine"], told["cells-confirmed"]) == (3, 2, 3)
    assert parts(by_code(found)["26478-8"])["cells-machine"] == 16
    assert blasts["valueQuantity"]["value"] == 15.79  # 3 of 19
    assert told["interval"]["low"]["value"] < 15.79 < told["interval"]["high"]["value"]
    assert told["corrected-interval"]["low"]["value"] <= told["corrected"]["value"]
    assert "people named 4 of 20 cells" in blasts["method"]["text"]
    assert [one["display"] for one in blasts["performer"]] == ["AB"]
    assert (parts(panel)["counted"], parts(panel)["30525-0"]["value"]) == (19, 41)
    assert len(panel["hasMember"]) == 3
    said = [one["note"][0]["text"] for one in resources(found, "Media")]
    assert said[0].startswith(("Cell 1: ", "Cell 2: ", "Cell 3: "))
    assert "by people blast (AB)" in said[0]


def test_what_is_usual_and_what_lies_outside(store: Path) -> None:
    found = of_bundle(report(store, "many"))
    usual_of = {"blast": (0.0, 0.0), "lymphocyte": (0.3, 0.4), "monocyte": (0.0, 0.02)}
    shares = tuple(replace(share, reference=usual_of.get(share.name)) for share in found.differential)
    observed = by_code(made(replace(found, differential=shares)))
    blasts = observed["26446-5"]
    assert "interpretation" not in blasts
    assert observed["26485-3"]["interpretation"][0]["coding"][0]["code"] == "H"
    (usual,) = blasts["referenceRange"]
    assert (usual["low"]["value"], usual["high"]["value"], usual["age"]["low"]["value"]) == (0, 0, 18)
    assert "Dacie and Lewis" in usual["text"]
    lymphocytes = observed["26478-8"]
    assert lymphocytes["interpretation"][0]["coding"][0]["code"] == "L"


def test_no_more_pictures_than_a_server_takes(store: Path) -> None:
    found = made(report(store, "many"))
    check(found)
    shown = resources(found, "Media")
    assert len(shown) == PICTURES < 60
    assert all(base64.b64decode(one["content"]["data"]).startswith(b"\xff\xd8") for one in shown)


def test_a_patient_is_never_made_up(store: Path) -> None:
    for found in (report(store, "many"), nameless(report(store, SLIDE))):
        sent = made(found)
        check(sent)
        assert not resources(sent, "Patient")
        assert "subject" not in json.dumps(sent)
        assert "O'Neil" not in json.dumps(sent, ensure_ascii=False)


def test_nothing_counted_is_no_number(store: Path) -> None:
    found = made(report(store, "empty"))
    check(found)
    blasts = by_code(found)["26446-5"]
    assert "valueQuantity" not in blasts
    assert blasts["dataAbsentReason"]["text"] == "no leukocyte was counted"
    assert not resources(found, "Media")


def test_fields_that_are_called_malignant_are_no_differential(store: Path) -> None:
    cut = report(store, "fields")
    assert cut.state == "cut off"
    found = made(cut)
    check(found)
    assert set(by_code(found)) == {"blood.field.classes", "blood.field.malignant", "blood.field.benign"}
    assert "http://loinc.org" not in json.dumps(resources(found, "Observation"))
    malignant = by_code(found)["blood.field.malignant"]
    assert malignant["valueQuantity"]["value"] == 33.33
    assert "how often the model errs" in parts(malignant)["corrected"]["text"]
    assert "end" not in malignant["effectivePeriod"]
    assert "neither shipped nor signed" in by_code(found)["blood.field.classes"]["note"][1]["text"]


def test_every_class_of_the_default_bundle_has_its_code(store: Path) -> None:
    found = made(of_bundle(report(store, "many")))
    check(found)
    assert set(by_code(found)) == {code for code, _ in codes.BLOOD.values()} | {"24318-8"}
    erythroblasts = by_code(found)["19048-8"]["valueQuantity"]
    assert (erythroblasts["value"], erythroblasts["code"]) == (2.5, "/100{WBCs}")
    assert by_code(found)["34992-8"]["valueQuantity"]["value"] == 0
    told = (ROOT / "docs/fhir.md").read_text()
    for code, name in [*codes.BLOOD.values(), *codes.PANELS.values(), ("30525-0", ""), ("11502-2", "")]:
        assert is_loinc(code), code
        assert code in told
        assert name in told


def test_marrow_is_counted_among_other_cells_than_loinc_counts(store: Path) -> None:
    found = made(of_bundle(report(store, "many"), "marrow"))
    check(found)
    coded = [code_of(one) for one in resources(found, "Observation")]
    assert coded[-1] == "47286-0"
    assert all(code.startswith("marrow.leukocyte.") for code in coded[:-1])
    assert resources(found, "Specimen")[0]["type"]["coding"][0]["code"] == "MAR"


def test_a_clock_that_nobody_vouches_for_tells_no_time(store: Path) -> None:
    found = made(report(store, "many", clock="not set"))
    check(found)
    (told,) = resources(found, "DiagnosticReport")
    assert told["effectivePeriod"]["extension"][0]["valueCode"] == "unknown"
    assert "nobody vouches" in resources(found, "Specimen")[0]["note"][0]["text"]


def test_the_status_follows_what_people_do(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    screened(path, NAMED, "s")
    with Book(path) as book:
        for act, status, of_counts in (
            (lambda: book.sign("s", "AB"), "final", "final"),
            (lambda: book.note("s", "CD", note="Auer\nrods \U0001f52c"), "appended", "final"),
            (lambda: book.reopen("s", "CD", "cell 2 is <no> blast"), "preliminary", "preliminary"),
            (lambda: book.sign("s", "CD"), "corrected", "corrected"),
        ):
            act()
            found = bundle(gather(book, "s", MADE_AT), Layout())
            check(found)
            (told,) = resources(found, "DiagnosticReport")
            assert told["status"] == status
            assert {one["status"] for one in resources(found, "Observation")} == {of_counts}
            if status != "preliminary":
                (signed,) = book.signatures("s")[-1:]
                assert told["performer"][0]["identifier"]["value"] == signed.by
                assert told["issued"] >= signed.at
                assert told["issued"] == (book.about("s").notes[-1].at if status == "appended" else signed.at)
        assert "reopened by CD" in told["conclusion"]
        assert "cell 2 is <no> blast" in told["conclusion"]
        assert "Auer\nrods \U0001f52c" in told["conclusion"]
        assert "&lt;no&gt;" in told["text"]["div"]


def test_the_pdf_comes_along_where_it_can_be_made(store: Path, paper: ModuleType) -> None:
    found = made(report(store, "many"))
    (document,), (told,) = resources(found, "DocumentReference"), found["entry"][-2:-1]
    attachment = document["content"][0]["attachment"]
    assert base64.b64decode(attachment["data"]) == b"%PDF-1.7"
    assert document["context"]["related"] == [{"reference": told["fullUrl"]}]
    prints(paper, bytes(PDF_BYTES + 1))
    assert not resources(made(report(store, "many")), "DocumentReference")

    def without_reportlab(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
        raise ModuleNotFoundError("No module named 'reportlab'", name="reportlab")

    paper.files = without_reportlab  # type: ignore[attr-defined]
    assert not resources(made(report(store, "many")), "DocumentReference")


def test_the_same_report_is_the_same_file(store: Path) -> None:
    with Book(store, reads_only=True) as book:
        [(ending, one)], [(_, other)] = (
            [*files(gather(book, SLIDE, MADE_AT), Layout())] for _ in range(2)
        )  # fmt: skip
    assert (ending, one) == (".fhir.json", other)
    later = report(store, SLIDE, made_at="2027-01-01T00:00:00+00:00")
    urls = [entry["fullUrl"] for entry in json.loads(one)["entry"]]
    assert urls == [entry["fullUrl"] for entry in made(later)["entry"]]
    elsewhere = made(report(store, SLIDE, origin="0" * 32))
    assert not set(urls) & {entry["fullUrl"] for entry in elsewhere["entry"]}
