"""The codes that FHIR R4 requires where this program writes one: libraries let any word pass there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REQUIRED: Mapping[str, tuple[str, str]] = MappingProxyType({
    "Bundle.type": (
        "http://hl7.org/fhir/bundle-type",
        "document message transaction transaction-response batch batch-response history searchset collection",
    ),
    "Bundle.entry.request.method": ("http://hl7.org/fhir/http-verb", "GET HEAD POST PUT DELETE PATCH"),
    "DiagnosticReport.status": (
        "http://hl7.org/fhir/diagnostic-report-status",
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown",
    ),
    "DiagnosticReport.text.status": (
        "http://hl7.org/fhir/narrative-status", "generated extensions additional empty",
    ),
    "Observation.status": (
        "http://hl7.org/fhir/observation-status",
        "registered preliminary final amended corrected cancelled entered-in-error unknown",
    ),
    "Media.status": (
        "http://hl7.org/fhir/event-status",
        "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
    ),
    "DocumentReference.status": (
        "http://hl7.org/fhir/document-reference-status", "current superseded entered-in-error",
    ),
    "DocumentReference.docStatus": (
        "http://hl7.org/fhir/composition-status", "preliminary final amended entered-in-error",
    ),
    "Patient.gender": ("http://hl7.org/fhir/administrative-gender", "male female other unknown"),
    "Device.deviceName.type": (
        "http://hl7.org/fhir/device-nametype",
        "udi-label-name user-friendly-name patient-reported-name manufacturer-name model-name other",
    ),
})  # fmt: skip
"""Element -> the code system of its required binding, and its codes (hl7.org/fhir/R4/terminologies.html)."""

CODES: Mapping[str, str] = MappingProxyType({
    "http://terminology.hl7.org/CodeSystem/data-absent-reason": "unknown",
    "http://terminology.hl7.org/CodeSystem/media-type": "image",
    "http://terminology.hl7.org/CodeSystem/observation-category": "laboratory",
    "http://terminology.hl7.org/CodeSystem/referencerange-meaning": "normal",
    "http://terminology.hl7.org/CodeSystem/v2-0074": "LAB HM",
    "http://terminology.hl7.org/CodeSystem/v2-0487": "BLD MAR",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation": "H L",
})  # fmt: skip
"""HL7's other code systems -> those of their codes that this program writes."""

UNITS = frozenset(("%", "/100{WBCs}", "a"))
"""Of UCUM."""
