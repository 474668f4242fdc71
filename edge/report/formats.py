"""The forms in which a report leaves the device, and who writes each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import cast

from edge.report.report import Report
from edge.types import LeukoscopeError


@dataclass(frozen=True)
class Layout:
    """How pages are to be: `paper` is one of `PAPERS`."""

    paper: str = "a4"


PAPERS = ("a4", "letter")

Writer = Callable[[Report, Layout], Iterator[tuple[str, bytes]]]
"""Gives the files of one report, one after the other: what comes behind the slide's name in the file's
(`.html`, `.dcm/0001.dcm`), and the content. The same report gives the same bytes on every machine."""

FORMATS: Mapping[str, str] = MappingProxyType({
    "html": "edge.report.pages.html:files",
    "pdf": "edge.report.pages.pdf:files",
    "csv": "edge.report.table:files",
    "json": "edge.report.record:files",
    "labels": "edge.report.labels:files",
    "fhir": "edge.report.fhir:files",
    "dicom": "edge.report.dicom:files",
})  # fmt: skip
"""Name of a format -> module and function that write it; only those asked for are imported."""

_EXTRAS = {"reportlab": "", "highdicom": "[dicom]", "pydicom": "[dicom]"}


def writer(name: str) -> Writer:
    """Who writes this format.

    Raises
    ------
    LeukoscopeError : what it needs is not installed; says what to install.
    """
    module, function = FORMATS[name].split(":")
    try:
        return cast(Writer, getattr(import_module(module), function))
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in _EXTRAS:
            raise
        raise LeukoscopeError(
            f"--format {name}: needs {missing}, which is not installed; install it with "
            f"pip install 'leukoscope{_EXTRAS[missing]}'"
        ) from None
