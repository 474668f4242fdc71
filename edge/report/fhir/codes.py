"""What is observed, in codes: LOINC's where one says the same, else this program's own.

The classes stand in `edge.report.codes`, with LOINC's licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge.line.rules import Rules
from edge.report.codes import BLOOD, among_leukocytes
from edge.report.fhir.elements import Json, coding, concept
from edge.report.fhir.entries import OWN

LOINC = "http://loinc.org"

PANELS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "blood": ("24318-8", "Manual Differential panel - Blood"),
    "marrow": ("47286-0", "Differential panel - Bone marrow"),
})  # fmt: skip
"""Specimen -> the differential. Of marrow LOINC counts among 100 nucleated cells, erythroblasts included, and
this program among 100 leukocytes: there its own codes stand for the classes."""

AGE = coding(LOINC, "30525-0", "Age")
LABORATORY_REPORT = coding(LOINC, "11502-2", "Laboratory report")

SPECIMENS: Mapping[str, Json] = MappingProxyType({
    "blood": coding("http://terminology.hl7.org/CodeSystem/v2-0487", "BLD", "Whole blood"),
    "marrow": coding("http://terminology.hl7.org/CodeSystem/v2-0487", "MAR", "Marrow"),
})  # fmt: skip

SECTIONS = (
    coding("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB", "Laboratory"),
    coding("http://terminology.hl7.org/CodeSystem/v2-0074", "HM", "Hematology"),
)
CATEGORY = coding("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory")
NORMAL = coding("http://terminology.hl7.org/CodeSystem/referencerange-meaning", "normal", "Normal Range")
IMAGE = coding("http://terminology.hl7.org/CodeSystem/media-type", "image", "Image")

_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
HIGH = concept("above what is usual", coding(_INTERPRETATION, "H", "High"))
LOW = concept("below what is usual", coding(_INTERPRETATION, "L", "Low"))


def own(code: str, text: str) -> Json:
    """A CodeableConcept of this program's code system."""
    return concept(text, coding(OWN, code, text))


def panel(rules: Rules) -> Json:
    """What was counted, as a whole: a differential only of leukocytes that all have a code in it."""
    if rules.unit == "leukocyte" and set(rules.leukocytes) <= BLOOD.keys() and rules.specimen in PANELS:
        text = f"Differential of {rules.specimen}, counted on a stained smear"
        return concept(text, coding(LOINC, *PANELS[rules.specimen]))
    return own(f"{rules.specimen}.{rules.unit}.classes", f"Classes of {rules.unit}s of {rules.specimen}")


def among(name: str, rules: Rules) -> Json:
    """A class, among 100 of what the bundle counts."""
    text = f"{name.replace('-', ' ')}, among 100 {rules.unit}s of {rules.specimen}".capitalize()
    if (term := among_leukocytes(name, rules)) is not None:
        return concept(text, coding(LOINC, *term))
    return own(f"{rules.specimen}.{rules.unit}.{name}", text)
