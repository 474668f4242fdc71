"""A data set as a file (PS3.10)."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit

from edge import __version__
from edge.report.dicom.identity import derived_uid


def part10(dataset: Dataset) -> bytes:
    """The data set with its file meta information, which names the program and nothing of this moment."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = JPEGBaseline8Bit if "PixelData" in dataset else ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(derived_uid("implementation"))
    meta.ImplementationVersionName = f"LEUKOSCOPE {__version__}"[:16]
    dataset.file_meta = meta
    content = BytesIO()
    dcmwrite(content, dataset, enforce_file_format=True)
    return content.getvalue()
