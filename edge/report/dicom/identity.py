"""Who and what the files of a slide are about: UIDs, patient, study, device."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from pydicom import Dataset

from edge.report.report import Report
from edge.report.scanmap import ScanMap

MANUFACTURER = "Leukoscope"
SCHEME = "99LEUKOSCOPE"
"""Coding scheme of terms that no public one has."""

_NAMESPACE = UUID("3f0c8a52-6a0e-5d0b-9d5e-2f6f0b7a4c11")
_LONGEST = 64  # characters of a Long String (PS3.5 6.2)
_SHORT = 16  # of a Short String
_SEXES = {"female": "F", "male": "M", "other": "O"}


def derived_uid(*parts: str | int | None) -> str:
    """The UID of whatever these parts name, always the same one (PS3.5 B.2: 2.25. and a UUID)."""
    return f"2.25.{uuid5(_NAMESPACE, json.dumps(parts)).int}"


def plain(text: str) -> str:
    """Text for an attribute of one line: a backslash, which parts values there, comes in its wide form."""
    return text.replace("\\", "\uff3c")[:_LONGEST]


@dataclass(frozen=True)
class Identity:
    """The UIDs of a slide's files.

    They follow from the store's name, the slide and its patient: exporting again gives the same ones, and
    without the patient others, so that no archive brings the two together.

    Attributes
    ----------
    key : what they follow from.
    study, images, documents : of the study and its two series. place : of the map as a frame of reference.
    specimen, device : of the smear and of the store it was screened into.
    """

    key: tuple[str, str, str]
    study: str
    images: str
    documents: str
    place: str
    specimen: str
    device: str

    @classmethod
    def of(cls, report: Report) -> Identity:
        """From a slide's report."""
        key = report.origin, report.slide, report.patient or ""
        names = ("study", "images", "documents", "specimen")
        found = {name: derived_uid(*key, name) for name in names}
        return cls(key, **found, place=_place(key, report.map), device=derived_uid(report.origin))

    def picture(self, kind: str, number: int) -> str:
        """The UID of a picture on this map; see `edge.report.dicom.pictured`."""
        return derived_uid(self.place, kind, number)

    def document(self, report: Report) -> str:
        """The UID of the structured report: another one whenever what it says is another."""
        return derived_uid(*self.key, "document", report.checksum, report.state, report.made_at)


def _place(key: tuple[str, str, str], scanned: ScanMap | None) -> str:
    """Another one when the map grew, for then its groups of fields are laid anew."""
    size = (len(scanned.fields), round(scanned.width_um), round(scanned.height_um)) if scanned else ()
    return derived_uid(*key, "place", *size)


def common(report: Report, identity: Identity) -> Dataset:
    """What images and structured report have in common: patient, study, equipment, SOP common."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.TimezoneOffsetFromUTC = "+0000"
    dataset.PatientName = dataset.PatientBirthDate = ""
    dataset.PatientID = plain(report.patient or "")
    dataset.PatientSex = _SEXES.get(report.sex or "", "")
    if report.age is not None:
        dataset.PatientAge = f"{report.age:03d}Y"
    dataset.StudyInstanceUID = identity.study
    dataset.StudyDate, dataset.StudyTime = day_and_time(started(report))
    slide = plain(report.slide)
    dataset.StudyID = slide if len(slide) <= _SHORT else ""
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = plain(f"Leukoscope slide {report.slide}")
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = plain(str(report.made_with["profile"]))
    dataset.DeviceSerialNumber = report.origin
    dataset.DeviceUID = identity.device
    dataset.SoftwareVersions = [plain(str(report.made_with[key])) for key in ("version", "bundle", "runtime")]
    return dataset


def started(report: Report) -> datetime | None:
    """When the slide was screened; None where the clock was not set and nobody knows."""
    return None if report.clock == "not set" else datetime.fromisoformat(report.started_at)


def day_and_time(moment: datetime | None) -> tuple[str, str]:
    """As DA and TM (PS3.5 6.2), empty where it is not known."""
    return (
        ("", "")
        if moment is None
        else (f"{moment.year:04d}{moment:%m%d}", f"{moment:%H%M%S}.{moment.microsecond:06d}")
    )


def date_time(moment: datetime) -> str:
    """As DT, of a moment in UTC."""
    return f"{''.join(day_and_time(moment))}+0000"
