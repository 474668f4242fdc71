"""DICOM of a slide, opened again as others open it."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import highdicom
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from edge.records.book import Book
from edge.records.store import Store
from edge.report.codes import BLOOD
from edge.report.dicom import files
from edge.report.formats import Layout
from edge.report.gather import gather
from edge.report.report import RESEARCH_USE, Report
from edge.report.scanmap import ScanMap
from tests.edge.records.example import HEADER
from tests.edge.records.slides import FIELD, screened
from tests.edge.report.dicom.standard import OPTIONAL, check_tree, items, missing
from tests.edge.report.exported import exported

NAMED = ["blast", "blast", "blast", *["lymphocyte"] * 9, *["artefact"] * 20]
MANY = 10
PATIENT = "Łukasz 患者\\مريض"
WIDTH, HEIGHT, UM_PER_PX = 600, 600, 0.1
FULL, HALF, QUARTER = (
    getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}") for name in ("444", "422", "420")
)  # fmt: skip

Found = dict[str, Dataset]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A store with a signed slide `s`, read by two, and one that nobody looked at, `Präparat 7`."""
    path = tmp_path / "records.db"
    screened(path, NAMED, "s")
    screened(path, NAMED, "Präparat 7")
    with Book(path) as book:
        book.note("s", "AB", patient=PATIENT, age=7, sex="female", note="pale\nvery")
        book.say("s", [1], "lymphocyte", "MK")
        book.sign("s", "Ä.B")
    return path


def jpeg(width: int, height: int, sampling: int, *, grey: bool = False) -> bytes:
    coarse = np.random.default_rng(width).integers(0, 255, (12, 12, 3)).astype(np.uint8)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    settings = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return cv2.imencode(".jpg", pixels[..., 1] if grey else pixels, settings)[1].tobytes()


def keep_fields(path: Path, slide: str, pictures: list[bytes]) -> None:
    """Whole pictures of a slide's first fields."""
    with sqlite3.connect(path) as database:
        asked = "SELECT id FROM readings WHERE slide = ? ORDER BY id"
        for (number,), picture in zip(database.execute(asked, (slide,)).fetchall(), pictures, strict=False):
            row = (number, picture, hashlib.sha256(picture).digest())
            database.execute("INSERT INTO fields (reading, jpeg, sha256) VALUES (?, ?, ?)", row)


def opened(contents: dict[str, bytes]) -> Found:
    return {name.partition(".dcm/")[2]: pydicom.dcmread(io.BytesIO(one)) for name, one in contents.items()}


def written(report: Report) -> Found:
    return opened(dict(files(report, Layout())))


def texts(report: Dataset, name: str) -> list[str]:
    """Texts of the items of this name."""
    return [
        item.TextValue
        for item in items(report)
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodeMeaning == name
    ]


def numbers(report: Dataset) -> dict[str, Any]:
    """Code -> its item, of the measurements."""
    found = [item for section in report.ContentSequence for item in section.get("ContentSequence", [])]
    return {item.ConceptNameCodeSequence[0].CodeValue: item for item in found if item.ValueType == "NUM"}


def value(item: Dataset) -> float:
    (measured,) = item.MeasuredValueSequence
    return float(measured.NumericValue)


def uids(dataset: Dataset) -> Iterator[UID]:
    for element in dataset.iterall():
        if element.VR == "UI":
            yield UID(element.value)


def test_both_are_what_the_standard_asks_for(records: Path) -> None:
    keep_fields(records, "Präparat 7", [jpeg(WIDTH, HEIGHT, FULL)])
    for slide in ("s", "Präparat 7"):
        found = opened(exported(records, slide, "--format", "dicom", out=records.parent / slide))
        assert "report.dcm" in found
        assert len(found) >= 2
        for name, dataset in found.items():
            image = name != "report.dcm"
            assert missing(dataset, OPTIONAL if image else ["patient-study"]) == []
            assert dataset.SpecificCharacterSet == "ISO_IR 192"
            assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
            assert dataset.Modality == ("SM" if image else "SR")
            assert all(uid.is_valid for uid in uids(dataset))
            assert all(
                element.VM <= 1 or isinstance(element.value, str) or element.keyword == "SoftwareVersions"
                for element in dataset
                if element.VR in ("LO", "SH", "UC")
            )
        check_tree(found["report.dcm"])
        assert len({dataset.SOPInstanceUID for dataset in found.values()}) == len(found)
        assert len({dataset.StudyInstanceUID for dataset in found.values()}) == 1
        assert len({dataset.SeriesInstanceUID for dataset in found.values()}) == 2


def test_the_report_refers_to_the_pictures_that_there_are(records: Path) -> None:
    found = opened(exported(records, "s", "--format", "dicom"))
    report = found.pop("report.dcm")
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    evidence = {item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence}
    assert evidence == {image.SOPInstanceUID for image in found.values()}
    for image in found.values():
        assert (image.StudyInstanceUID, image.SeriesInstanceUID) == (
            study.StudyInstanceUID, series.SeriesInstanceUID,
        )  # fmt: skip
    told = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in items(report)
        if item.ValueType == "IMAGE"
    }
    assert told == evidence
    again = highdicom.sr.ComprehensiveSR.from_dataset(report)
    assert len(again.content) == 1


def test_surroundings_go_out_as_they_were_kept(records: Path) -> None:
    found = opened(exported(records, "s", "--format", "dicom"))
    with Book(records) as book:
        report = gather(book, "s")
        kept = report.pictures.surroundings([cell.seen.id for cell in report.gallery])
    assert {f"cell-{cell:06d}.dcm" for cell in kept} | {"report.dcm"} == found.keys()
    for cell, picture in kept.items():
        image = found[f"cell-{cell:06d}.dcm"]
        (frame,) = generate_frames(image.PixelData, number_of_frames=1)
        assert frame.rstrip(b"\0") == picture.rstrip(b"\0")
        pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
        # by two decoders
        assert np.abs(pixel_array(image) - pixels).max() <= 4
        assert np.abs(pixel_array(image) - pixels).mean() < 0.5
        assert image.PhotometricInterpretation == "YBR_FULL_422"
        assert (image.LossyImageCompression, image.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
        assert image.PixelSpacing == [0.00025, 0.00025]
        assert [*image.ImageType] == ["DERIVED", "PRIMARY"]
        assert "not kept" in image.ImageComments
        assert RESEARCH_USE in image.ImageComments
        assert len(image.ImageCenterPointCoordinatesSequence) == 0  # that slide has no map


def test_fields_go_out_as_they_were_kept_with_the_cells_outlined(records: Path) -> None:
    pictures = [
        jpeg(WIDTH, HEIGHT, FULL), jpeg(WIDTH, HEIGHT, HALF), jpeg(WIDTH // 2, HEIGHT // 2, QUARTER),
        jpeg(WIDTH, HEIGHT, FULL, grey=True),
    ]  # fmt: skip
    keep_fields(records, "s", pictures)
    with Book(records) as book:
        report = gather(book, "s")
        places = [
            {"frame": frame, "width": WIDTH, "height": HEIGHT, "um_per_px": UM_PER_PX, "kept": True,
             "overlaps": [[0, 40.0 * frame, 0.0]] * bool(frame)}
            for frame in range(3)
        ]  # fmt: skip
        found = written(replace(report, map=ScanMap.of(places)))
    images = [found[f"field-{frame:06d}.dcm"] for frame in range(4)]
    assert len(found) == 5
    for image, picture in zip(images, pictures, strict=True):
        (frame,) = generate_frames(image.PixelData, number_of_frames=1)
        assert frame.rstrip(b"\0") == picture.rstrip(b"\0")
        pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
        pixels = pixels[..., ::-1] if pixels.ndim == 3 else pixels
        assert np.abs(pixel_array(image).astype(int) - pixels).mean() < 0.5
        assert [*image.ImageType] == ["ORIGINAL", "PRIMARY"]
        assert image.AcquisitionDateTime.startswith("20261120180300")
    kinds = [(image.PhotometricInterpretation, image.SamplesPerPixel) for image in images]
    assert kinds == [*[("YBR_FULL_422", 3)] * 3, ("MONOCHROME2", 1)]
    assert [float(image.PixelSpacing[0]) for image in images] == [1e-4, 1e-4, 2e-4, 1e-4]
    middles = [image.ImageCenterPointCoordinatesSequence for image in images]
    assert [float(middle[0].XOffsetInSlideCoordinateSystem) for middle in middles[:3]] == pytest.approx(
        [0.03, 0.07, 0.11]
    )
    assert len(middles[3]) == 0  # the map does not have it
    assert "not of the glass" in images[0].ImageComments
    (first,) = [item for item in items(found["report.dcm"]) if item.ValueType == "SCOORD"][:1]
    with Book(records) as book:
        (view,) = (view for view in book.views("s") if view["cell"] == report.gallery[0].seen.id)
    corners = [view[key] for key in ("x0", "y0", "x1", "y0", "x1", "y1", "x0", "y1", "x0", "y0")]
    assert [*first.GraphicData] == corners
    uid = first.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert uid == images[view["frame"]].SOPInstanceUID


def test_cells_of_fields_that_were_not_kept_have_their_surroundings(records: Path) -> None:
    screened(records, ["blast"] * (2 * FIELD), "two")
    keep_fields(records, "two", [jpeg(WIDTH, HEIGHT, FULL)])
    found = opened(exported(records, "two", "--format", "dicom"))
    assert sum(name.startswith("field-") for name in found) == 1
    assert sum(name.startswith("cell-") for name in found) == FIELD


def test_the_finding_says_what_the_slide_says(records: Path) -> None:
    with Book(records) as book:
        report = gather(book, "s")
        document = written(report)["report.dcm"]
    assert report.finding
    assert texts(document, "Impression") == [report.finding.headline]
    assert report.finding.reason in texts(document, "Finding")
    assert texts(document, "Recommendation") == [report.finding.advice]
    assert RESEARCH_USE in texts(document, "Comment")
    assert texts(document, "Comment")[-1].endswith(": pale\nvery")
    assert "Cell 1: blast by the machine, suspicion 96%; lymphocyte by MK" in texts(document, "Finding")
    found = numbers(document)
    for share in report.differential:
        item = found[BLOOD[share.name][0]]
        assert item.ConceptNameCodeSequence[0].CodingSchemeDesignator == "LN"
        assert item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "%"
        assert share.share is not None
        assert share.interval is not None
        assert value(item) == pytest.approx(100 * share.share, abs=0.01)
        inside = {one.ConceptNameCodeSequence[0].CodeMeaning: one for one in item.ContentSequence}
        ends = [value(inside[f"{end} end of 95% Wilson interval"]) for end in ("Lower", "Upper")]
        assert ends == pytest.approx([100 * end for end in share.interval], abs=0.01)
        assert value(inside["Counted"]) == share.count
    assert value(found["leukocytes"]) == report.tally.leukocytes if report.tally else False
    assert report.finding.corrected is not None
    assert value(found["corrected"]) == pytest.approx(100 * report.finding.corrected, abs=0.01)


def test_how_far_it_is_to_be_relied_on(records: Path) -> None:
    with Store(records) as store:
        store.begin_slide("now", HEADER)
        store.flush()
        with Book(records) as book:
            signed, open_, now = (
                written(gather(book, name))["report.dcm"] for name in ("s", "Präparat 7", "now")
            )
            book.reopen("s", "AB", "a mistake")
            again = written(gather(book, "s"))["report.dcm"]
    flags = [
        (one.CompletionFlag, one.VerificationFlag, one.PreliminaryFlag) for one in (signed, open_, now, again)
    ]
    assert flags == [
        ("COMPLETE", "VERIFIED", "FINAL"), ("COMPLETE", "UNVERIFIED", "PRELIMINARY"),
        ("PARTIAL", "UNVERIFIED", "PRELIMINARY"), ("COMPLETE", "UNVERIFIED", "PRELIMINARY"),
    ]  # fmt: skip
    (observer,) = signed.VerifyingObserverSequence
    assert str(observer.VerifyingObserverName).rstrip("^") == "Ä.B"
    assert observer.VerificationDateTime
    assert "VerifyingObserverSequence" not in open_
    assert texts(now, "Finding") == ["No finding yet: the slide is under way."]
    assert "CurrentRequestedProcedureEvidenceSequence" not in now
    people = [str(item.PersonName).rstrip("^") for item in items(signed) if item.ValueType == "PNAME"]
    assert people == ["Ä.B"]


def test_patient_and_slide_in_any_script(records: Path) -> None:
    for image in opened(exported(records, "s", "--format", "dicom")).values():
        assert image.PatientID == PATIENT.replace("\\", "＼")  # a backslash would part two identifiers
        assert (image.PatientSex, image.PatientAge, image.PatientName) == ("F", "007Y", "")
    words = (records, "Präparat 7", "--format", "dicom")
    for image in opened(exported(*words, out=records.parent / "other")).values():
        assert (image.PatientID, image.PatientSex, image.PatientName) == ("", "", "")
        assert "PatientAge" not in image
        if "ContainerIdentifier" in image:
            assert image.ContainerIdentifier == "Präparat 7"
            (specimen,) = image.SpecimenDescriptionSequence
            assert specimen.SpecimenIdentifier == "Präparat 7"


def test_identifiers_follow_from_the_slide(records: Path) -> None:
    out = records.parent
    words = ("s", "--format", "dicom")
    first = opened(exported(records, *words))
    later = opened(exported(records, *words, "--date", "2027-01-01", out=out / "later"))
    nameless = opened(exported(records, *words, "--without-patient", out=out / "nameless"))
    for name, dataset in first.items():
        same = dataset.SOPInstanceUID == later[name].SOPInstanceUID
        assert same == (name != "report.dcm")  # which says when it was made
        assert dataset.StudyInstanceUID == later[name].StudyInstanceUID
        # what has no patient is not put to what has one
        assert not {dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID} & {
            *uids(nameless[name])
        }


def test_marrow_has_no_codes_of_blood(records: Path) -> None:
    with Book(records) as book:
        report = gather(book, "s")
        found = written(replace(report, rules=replace(report.rules, specimen="marrow")))
    schemes = {
        item.ConceptNameCodeSequence[0].CodingSchemeDesignator
        for item in numbers(found["report.dcm"]).values()
    }
    assert schemes == {"99LEUKOSCOPE"}
    (specimen,) = next(iter(found.values())).SpecimenDescriptionSequence
    assert specimen.PrimaryAnatomicStructureSequence[0].CodeMeaning == "Bone Marrow"


def test_times_that_nobody_vouches_for_are_left_out(records: Path) -> None:
    keep_fields(records, "s", [jpeg(WIDTH, HEIGHT, FULL)])
    with Book(records) as book:
        report = gather(book, "s")
        for clock, dated in (("not set", False), ("corrected", True)):
            image = next(iter(written(replace(report, clock=clock)).values()))
            assert "AcquisitionDateTime" not in image
            assert bool(image.StudyDate) == bool(image.ContentDate) == dated


def test_one_field_is_in_memory_at_a_time(records: Path) -> None:
    screened(records, ["artefact"] * (MANY * FIELD), "large")
    picture = jpeg(WIDTH, HEIGHT, FULL)
    picture = picture[:-2] + bytes(2_000_000) + picture[-2:]
    keep_fields(records, "large", [picture] * MANY)
    with Book(records) as book:
        report = gather(book, "large")
        tracemalloc.start()
        try:
            assert sum(1 for _ in files(report, Layout())) == MANY + 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < MANY * len(picture)
