"""DICOM: a slide's pictures as microscopic images, and its finding as a structured report.

The standard is cited as PS3.3 and so on (https://www.dicomstandard.org/current).
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.report.dicom.document import document
from edge.report.dicom.identity import Identity
from edge.report.dicom.image import Picture, image
from edge.report.dicom.part10 import part10
from edge.report.dicom.pictured import pictured
from edge.report.formats import Layout
from edge.report.report import Report


def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """In the folder `.dcm`: a file a picture, `field-000012.dcm` or `cell-000008.dcm`, then `report.dcm`.

    The pictures are the whole fields that were kept, and the surroundings of those cells of the gallery whose
    field was not. One is in memory at a time.
    """
    identity = Identity.of(report)
    shown: list[Picture] = []
    for number, (picture, jpeg) in enumerate(pictured(report), 1):
        dataset = image(report, identity, picture, jpeg, number)
        shown.append(picture)
        yield f".dcm/{picture.kind}-{picture.number:06d}.dcm", part10(dataset)
    yield ".dcm/report.dcm", part10(document(report, identity, shown))
