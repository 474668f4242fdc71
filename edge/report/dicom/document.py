"""A slide's finding as Comprehensive SR (PS3.3 A.35.3), by PS3.16 TID 2000, the template of such reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from highdicom.sr import (
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    SubjectContext,
    SubjectContextSpecimen,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ComprehensiveSRStorage

from edge.report.dicom.findings import cells, conclusions, findings, notes, recommendations
from edge.report.dicom.identity import MANUFACTURER, SCHEME, Identity, common, date_time, day_and_time
from edge.report.dicom.image import SOP_CLASS, Picture
from edge.report.report import Report

_TITLE = codes.LN.DiagnosticImagingReport
_ENGLISH = Code("en", "RFC5646", "English")


def document(report: Report, identity: Identity, shown: Sequence[Picture]) -> Dataset:
    """The data set of the structured report, which refers to these pictures of the slide."""
    dataset = common(report, identity)
    dataset.SOPClassUID = ComprehensiveSRStorage
    dataset.SOPInstanceUID = identity.document(report)
    dataset.Modality = "SR"
    dataset.SeriesInstanceUID, dataset.SeriesNumber = identity.documents, 2
    dataset.SeriesDescription = "Finding"
    dataset.InstanceNumber = 1
    dataset.ContentDate, dataset.ContentTime = day_and_time(datetime.fromisoformat(report.made_at))
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.PerformedProcedureCodeSequence = []
    dataset.CodingSchemeIdentificationSequence = [_scheme()]
    _state(dataset, report)
    if shown:
        dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(identity, shown)]
    for element in _tree(report, identity, shown):
        dataset.add(element)
    return dataset


def _state(dataset: Dataset, report: Report) -> None:
    """How far it is to be relied on (PS3.3 C.17.2)."""
    whole = report.state in ("finished", "signed")
    dataset.CompletionFlag = "COMPLETE" if whole else "PARTIAL"
    dataset.CompletionFlagDescription = f"{report.state}; {report.status}"
    dataset.PreliminaryFlag = "PRELIMINARY" if report.status == "preliminary" else "FINAL"
    dataset.VerificationFlag = "UNVERIFIED"
    if (signature := report.signature) is not None:
        observer = Dataset()
        observer.VerifyingObserverName = _name(signature.by)
        observer.VerifyingObserverIdentificationCodeSequence = []
        observer.VerifyingOrganization = "Not recorded"
        observer.VerificationDateTime = date_time(datetime.fromisoformat(signature.at))
        dataset.VerificationFlag = "VERIFIED"
        dataset.VerifyingObserverSequence = [observer]


def _evidence(identity: Identity, shown: Sequence[Picture]) -> Dataset:
    """All the pictures (PS3.3 C.17.2.1)."""
    series = Dataset()
    series.SeriesInstanceUID = identity.images
    series.ReferencedSOPSequence = [_reference(identity, picture) for picture in shown]
    study = Dataset()
    study.StudyInstanceUID = identity.study
    study.ReferencedSeriesSequence = [series]
    return study


def _reference(identity: Identity, picture: Picture) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = SOP_CLASS
    item.ReferencedSOPInstanceUID = identity.picture(picture.kind, picture.number)
    return item


def _tree(report: Report, identity: Identity, shown: Sequence[Picture]) -> ContentItem:
    root = ContainerContentItem(_TITLE, is_content_continuous=False, template_id="2000")
    content: list[ContentItem] = [*LanguageOfContentItemAndDescendants(CodedConcept.from_code(_ENGLISH))]
    content += _observers(report, identity)
    sections = (
        (codes.LN.Findings, findings(report)),
        (codes.LN.KeyImages, cells(report, identity, shown)),
        (codes.LN.Conclusions, conclusions(report)),
        (codes.LN.Recommendations, recommendations(report)),
        (codes.LN.ClinicalInformation, notes(report)),
    )
    for name, items in sections:
        if items:
            section = ContainerContentItem(name, is_content_continuous=False, relationship_type="CONTAINS")
            section.ContentSequence = ContentSequence(items)
            content.append(section)
    root.ContentSequence = ContentSequence(content)
    return root


def _observers(report: Report, identity: Identity) -> list[ContentItem]:
    """The device, those who signed, and what they looked at (PS3.16 TID 1001)."""
    device = DeviceObserverIdentifyingAttributes(
        uid=identity.device,
        name=f"{MANUFACTURER} {report.made_with['version']}, {report.made_with['bundle']}",
        manufacturer_name=MANUFACTURER,
        model_name=str(report.made_with["profile"]),
        serial_number=report.origin or None,
    )
    content: list[Any] = [*ObserverContext(_coded(codes.DCM.Device), device)]
    for by in dict.fromkeys(signature.by for signature in report.signatures):
        person = PersonObserverIdentifyingAttributes(_name(by))
        content += ObserverContext(_coded(codes.DCM.Person), person)
    specimen = SubjectContextSpecimen(identity.specimen, report.slide, report.slide)
    content += SubjectContext(_coded(codes.DCM.Specimen), specimen)
    return content


def _name(initials: str) -> str:
    """Initials as PN: a family name and nothing else (PS3.5 6.2.1)."""
    return f"{initials}^"


def _coded(code: Code) -> CodedConcept:
    return CodedConcept.from_code(code)


def _scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Terms of Leukoscope that no public scheme has"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
