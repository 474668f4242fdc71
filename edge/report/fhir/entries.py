"""The entries of a transaction: each with a name that stays, so that what is sent twice is there once."""

from __future__ import annotations

import json
from urllib.parse import quote
from uuid import UUID, uuid5

from edge.report.fhir.elements import Json, coding, element
from edge.report.report import RESEARCH_USE

OWN = "urn:uuid:9e0dcc70-7859-4882-b543-50c574d83593"
"""The code system of this program: what no other code says. Its codes are listed in docs/fhir.md."""

STORES = "urn:uuid:a1be4de4-9e53-4c0e-9d3f-0c66e2f3d2f0"
"""The namespace of the names of stores."""

_PROGRAM = UUID("7ca45f8b-a783-4ebf-9366-a3705f3ab5c7")  # all names rest on it
_META = {"tag": [coding(OWN, "research-use-only", RESEARCH_USE)]}


class Entries:
    """Collects a bundle's entries.

    Names are UUIDs of version 5 (RFC 9562) over the store that the slide was screened into and what the
    resource is of: the same on every machine that exports it. Namespaces of identifiers are made from the
    store's name too, for nobody else gives its numbers.

    A name stands in `identifier` without `urn:uuid:` in front: servers replace what equals a `fullUrl`.

    Parameters
    ----------
    origin : of the slide's store; see `edge.report.report.Report`.
    """

    def __init__(self, origin: str) -> None:
        self._store = uuid5(_PROGRAM, origin)
        self.listed: list[Json] = []

    def system(self, of: str) -> str:
        """The namespace of the store's identifiers of something: `slides`, `patients`, `people`."""
        return f"urn:uuid:{uuid5(self._store, of)}"

    def add(self, resource: Json, *key: str, once: bool = False) -> Json:
        """Add a resource and return the reference to it.

        Parameters
        ----------
        key : what it is of, beside its type and the store.
        once : it is created where it is missing, and never changed: what a hospital adds to it stays.
            Otherwise what is there is replaced.
        """
        kind = resource["resourceType"]
        name = str(uuid5(self._store, json.dumps([kind, *key])))
        system = self.system("resources")
        query = f"identifier={quote(f'{system}|{name}', safe=':')}"
        named = element(
            resourceType=kind,
            meta=None if kind == "Patient" else _META,
            identifier=[{"system": system, "value": name}, *resource.get("identifier", [])],
        )
        request = (
            {"method": "POST", "url": kind, "ifNoneExist": query}
            if once
            else {"method": "PUT", "url": f"{kind}?{query}"}
        )
        url = f"urn:uuid:{name}"
        self.listed.append({"fullUrl": url, "resource": named | resource | named, "request": request})
        return {"reference": url}
