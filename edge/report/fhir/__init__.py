"""A slide as a transaction of HL7 FHIR R4, by plain dicts: no library on the device."""

from edge.report.fhir.bundle import files

__all__ = ["files"]
