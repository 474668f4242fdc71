"""Whether a bundle is what FHIR R4 asks for: by a library's models, and by what these do not check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.edge.report.bindings import CODES, REQUIRED, UNITS

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def check(found: dict[str, Any]) -> None:
    """A bundle is what R4 asks for."""
    from fhir.resources.R4B.bundle import Bundle

    Bundle.model_validate(found)
    for one in [found, *(entry["resource"] for entry in found["entry"])]:
        kind = one["resourceType"]
        for path, value in leaves(one, kind):
            assert value not in (None, "", [], {}), path
            if isinstance(value, str):
                assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", value), path
            if path in REQUIRED:
                assert value in REQUIRED[path][1].split(), (path, value)
            if path.split(".")[-1] in ("timestamp", "issued") or path == "DocumentReference.date":
                assert INSTANT.fullmatch(value), (path, value)
    for inner in objects(found):
        if inner.get("system") in CODES:
            assert inner["code"] in CODES[inner["system"]].split()
        if inner.get("system") == "http://unitsofmeasure.org":
            assert inner["code"] in UNITS
            assert isinstance(inner["value"], int | float)
    check_names(found)


def check_names(found: dict[str, Any]) -> None:
    """Every reference is to an entry; every entry is asked for by the name that it has."""
    urls = [entry["fullUrl"] for entry in found["entry"]]
    assert len(set(urls)) == len(urls)
    assert {one["reference"] for one in objects(found) if "reference" in one} <= set(urls)
    for entry in found["entry"]:
        request, resource = entry["request"], entry["resource"]
        once = resource["resourceType"] in ("Patient", "Device")
        assert request["method"] == ("POST" if once else "PUT")
        asked = request["ifNoneExist"] if once else urlsplit(request["url"]).query
        assert (urlsplit(request["url"]).path, asked.isascii()) == (resource["resourceType"], True)
        (wanted,) = parse_qs(asked)["identifier"]
        assert wanted in [f"{one['system']}|{one['value']}" for one in resource["identifier"]]
        assert entry["fullUrl"].removeprefix("urn:uuid:") == wanted.split("|")[1]
        # servers replace what equals a fullUrl wherever it stands
        assert not {one["system"] for one in resource["identifier"]} & set(urls)


def resources(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["resource"] for one in found["entry"] if one["resource"]["resourceType"] == kind]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no dict or list, by its path without places; empty dicts and lists too."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict within, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def is_loinc(code: str) -> bool:
    """Whether its check digit is right (LOINC Users' Guide, appendix C: modulo 10, Luhn's)."""
    digits, check_digit = code.split("-")
    doubled = [int(digit) * (2 - i % 2) for i, digit in enumerate(reversed(digits))]
    return (10 - sum(n // 10 + n % 10 for n in doubled) % 10) % 10 == int(check_digit)
