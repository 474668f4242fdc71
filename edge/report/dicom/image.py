"""A picture as VL Slide-Coordinates Microscopic Image (PS3.3 A.32.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from highdicom import SpecimenDescription, SpecimenPreparationStep, SpecimenStaining
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import VLSlideCoordinatesMicroscopicImageStorage
from pydicom.valuerep import DSfloat

from edge.report.dicom.identity import Identity, common, date_time, day_and_time, plain, started
from edge.report.dicom.jpeg import JpegHeader
from edge.report.dicom.srgb import srgb
from edge.report.report import RESEARCH_USE, Report
from edge.report.scanmap import ScanMap

SOP_CLASS = VLSlideCoordinatesMicroscopicImageStorage

_SUBSTANCES = {"blood": codes.SCT.Blood, "marrow": codes.SCT.BoneMarrow}
_MAP = "Left upper corner of the scan map"


@dataclass(frozen=True)
class Picture:
    """A kept picture that becomes an image.

    Attributes
    ----------
    kind, number : 'field' and its frame, or 'cell' and its identity.
    header : of its JPEG. um_per_px : its own, which may be other than the camera's.
    middle_um : x and y of its middle on the report's map, None where the map does not have it.
    source : the camera or file it came from. taken_at : UTC, None where nobody knows.
    about : what it shows, for people. scale : its pixels by those of the field; only of fields.
    """

    kind: str
    number: int
    header: JpegHeader
    um_per_px: float
    middle_um: tuple[float, float] | None
    source: str
    taken_at: datetime | None
    about: str
    scale: float = 1.0


def image(report: Report, identity: Identity, picture: Picture, jpeg: bytes, number: int) -> Dataset:
    """The data set of a picture; its JPEG goes in as it is.

    Parameters
    ----------
    number : of the image in its series, from 1.
    """
    dataset = common(report, identity)
    dataset.SOPClassUID = SOP_CLASS
    dataset.SOPInstanceUID = identity.picture(picture.kind, picture.number)
    dataset.Modality = "SM"
    dataset.SeriesInstanceUID, dataset.SeriesNumber = identity.images, 1
    dataset.SeriesDescription = "Fields, and surroundings of suspicious cells"
    dataset.InstanceNumber = number
    taken = picture.taken_at or started(report)
    dataset.ContentDate, dataset.ContentTime = day_and_time(taken)
    if picture.taken_at:
        dataset.AcquisitionDateTime = date_time(picture.taken_at)
    dataset.ImageComments = _comments(report, picture)
    dataset.BurnedInAnnotation = "NO"
    dataset.AcquisitionContextSequence = []
    dataset.PatientOrientation = ""
    _pixels(dataset, picture, jpeg)
    _place(dataset, identity, picture)
    _specimen(dataset, report, identity)
    _light(dataset, picture.header)
    return dataset


def _pixels(dataset: Dataset, picture: Picture, jpeg: bytes) -> None:
    """Image pixel and VL image modules (PS3.3 C.7.6.3, C.8.12.1)."""
    header = picture.header
    dataset.ImageType = ["ORIGINAL", "PRIMARY"] if picture.kind == "field" else ["DERIVED", "PRIMARY"]
    dataset.Rows, dataset.Columns = header.height, header.width
    dataset.SamplesPerPixel = header.components
    dataset.PhotometricInterpretation = header.photometric
    if header.components > 1:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.LossyImageCompression = "01"
    ratio = header.width * header.height * header.components / len(jpeg)
    dataset.LossyImageCompressionRatio = f"{ratio:.2f}"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    spacing = DSfloat(picture.um_per_px / 1000, auto_format=True)
    dataset.PixelSpacing = [spacing, spacing]
    dataset.PixelData = encapsulate([jpeg])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _place(dataset: Dataset, identity: Identity, picture: Picture) -> None:
    """Frame of reference and slide coordinates (PS3.3 C.7.4.1, C.8.12.2): mm on the map, not on the glass."""
    dataset.FrameOfReferenceUID = identity.place
    dataset.PositionReferenceIndicator = _MAP
    dataset.ImageCenterPointCoordinatesSequence = []
    if picture.middle_um is not None:
        middle = Dataset()
        middle.XOffsetInSlideCoordinateSystem, middle.YOffsetInSlideCoordinateSystem = (
            DSfloat(part / 1000, auto_format=True) for part in picture.middle_um
        )
        middle.ZOffsetInSlideCoordinateSystem = None
        dataset.ImageCenterPointCoordinatesSequence.append(middle)


def _specimen(dataset: Dataset, report: Report, identity: Identity) -> None:
    """Specimen module (PS3.3 C.7.6.22)."""
    slide, specimen = plain(report.slide), report.rules.specimen
    dataset.ContainerIdentifier = slide
    dataset.IssuerOfTheContainerIdentifierSequence = []
    dataset.ContainerTypeCodeSequence = [CodedConcept.from_code(codes.SCT.MicroscopeSlide)]
    described = SpecimenDescription(
        specimen_id=slide,
        specimen_uid=identity.specimen,
        specimen_preparation_steps=[
            SpecimenPreparationStep(slide, SpecimenStaining([codes.SCT.RomanowskyStain]))
        ],
        specimen_type=codes.SCT.SmearSample,
        specimen_short_description=f"Smear of {specimen}",
        primary_anatomic_structures=[_SUBSTANCES[specimen]] if specimen in _SUBSTANCES else None,
    )
    dataset.SpecimenDescriptionSequence = [described]


def _light(dataset: Dataset, header: JpegHeader) -> None:
    """Optical path module (PS3.3 C.8.12.5): bright field, colours as screens have them."""
    path = Dataset()
    path.OpticalPathIdentifier = "1"
    path.OpticalPathDescription = "Bright field, transmitted white light"
    path.IlluminationTypeCodeSequence = [_coded(codes.DCM.BrightfieldIllumination)]
    path.IlluminationColorCodeSequence = [_coded(codes.SCT.FullSpectrum)]
    if header.components > 1:
        path.ICCProfile = srgb()
        path.ColorSpace = "SRGB"
    dataset.OpticalPathSequence = [path]
    dataset.NumberOfOpticalPaths = 1


@cache
def _coded(code: Code) -> CodedConcept:
    return CodedConcept.from_code(code)


def _comments(report: Report, picture: Picture) -> str:
    parts = [RESEARCH_USE, picture.about, f"From {picture.source}."]
    if picture.middle_um is not None:
        parts.append(_where(report.map))
    return " ".join(parts)


def _where(scanned: ScanMap | None) -> str:
    """What the coordinates mean, for those who take them for places on the glass."""
    told = (
        "Slide coordinates count from the left upper corner of the map of scanned fields, not of the glass."
    )
    if scanned is None or scanned.parts < 2:
        return told
    return f"{told} The map has {scanned.parts} groups of fields; how these lie to each other nobody knows."
