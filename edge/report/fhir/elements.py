"""FHIR's datatypes as plain dicts. What is empty is left out: FHIR has neither null nor empty lists."""

from __future__ import annotations

from typing import Any

from edge.files.text import printable

Json = dict[str, Any]

UCUM = "http://unitsofmeasure.org"

_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ABSENT_EXTENSION = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def element(**fields: Any) -> Json:
    """An element or resource of those fields that hold something."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {})}


def words(text: str) -> str:
    """Text from people as FHIR's `string` and `markdown` take it: no control characters but line breaks."""
    return "\n".join(printable(line) for line in text.split("\n")).strip()


def coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


def concept(text: str, *codings: Json) -> Json:
    """A CodeableConcept."""
    return element(coding=[*codings], text=text)


def quantity(value: float, unit: str, code: str) -> Json:
    """A Quantity in a unit of UCUM (https://ucum.org)."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def percent(share: float) -> Json:
    """A share of 0 to 1 as a Quantity in percent, to two decimals."""
    return quantity(round(100 * share, 2), "%", "%")


def interval(ends: tuple[float, float]) -> Json:
    """Two shares as a Range in percent."""
    return {"low": percent(ends[0]), "high": percent(ends[1])}


def identifier(system: str, value: str) -> Json:
    return {"system": system, "value": words(value)}


def annotation(text: str) -> Json:
    return {"text": text}


def absent(code: str, why: str) -> Json:
    """A `dataAbsentReason` (http://hl7.org/fhir/R4/valueset-data-absent-reason.html)."""
    return {"coding": [{"system": _ABSENT, "code": code}], "text": why}


def unknown() -> Json:
    """In place of an element that exists and nobody knows."""
    return {"extension": [{"url": _ABSENT_EXTENSION, "valueCode": "unknown"}]}
