"""What the FHIR test server holds: resources with their versions, changed by whole transactions."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

Json = dict[str, Any]

STATUSES = {
    "DiagnosticReport": "registered partial preliminary final amended corrected appended cancelled "
    "entered-in-error unknown",
    "Observation": "registered preliminary final amended corrected cancelled entered-in-error unknown",
    "Media": "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
    "DocumentReference": "current superseded entered-in-error",
}
"""Codes that `status` must have one of, by type (http://hl7.org/fhir/R4)."""

REQUIRED = {
    "DiagnosticReport": ("status", "code"),
    "Observation": ("status", "code"),
    "Media": ("status", "content"),
    "DocumentReference": ("status", "content"),
    "Patient": (),
    "Device": (),
    "Specimen": (),
}
"""Elements with a cardinality of at least 1, by each type that the server takes."""


class Refused(Exception):  # noqa: N818
    """A request that is not carried out: the HTTP status, and why, as an OperationOutcome says it."""

    def __init__(self, status: int, code: str, why: str) -> None:
        super().__init__(why)
        self.status, self.code = status, code


@dataclass
class Held:
    """A resource as it is, its identity, and how often it came to be another."""

    kind: str
    id: str
    content: str = ""
    version: int = 0

    @property
    def resource(self) -> Json:
        meta = {"versionId": str(self.version), "lastUpdated": datetime.now(UTC).isoformat()}
        told: Json = json.loads(self.content)
        return {**told, "id": self.id, "meta": told.get("meta", {}) | meta}


@dataclass
class Resources:
    """The resources of a server; every method holds for its whole.

    Attributes
    ----------
    created, updated, unchanged : how often a request made a resource, made it another, or left it as it was.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    _held: dict[tuple[str, str], Held] = field(default_factory=dict)
    _named: dict[tuple[str, str, str], list[Held]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def read(self, kind: str, name: str) -> Json:
        """A resource; Refused with 404 where there is none."""
        with self._lock:
            if (kind, name) not in self._held:
                raise Refused(404, "not-found", f"{kind}/{name}: there is none")
            return self._held[kind, name].resource

    def search(self, kind: str, query: str) -> list[Json]:
        """The resources of a type, all or those with `identifier=system|value`."""
        with self._lock:
            found = self._found(kind, query) if "identifier" in parse_qs(query) else self._of(kind)
            return [one.resource for one in found]

    def names(self, kind: str) -> list[str]:
        """The first identifier of each resource of a type, `system|value`: one that is there twice, twice."""
        return [_identifiers(resource)[0] for resource in self.search(kind, "")]

    def transact(self, bundle: Json) -> Json:
        """Carry out a transaction, or nothing of it, and say what came of each entry."""
        if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction":
            raise Refused(400, "invalid", "is no Bundle of type transaction")
        entries = bundle.get("entry", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Refused(400, "structure", "entry: is no list of objects")
        for entry in entries:
            check(entry.get("resource"))
        with self._lock:
            targets = [self._target(entry) for entry in entries]
            asked = [entry["request"] for entry in entries]
            same = {(a["url"], a.get("ifNoneExist")) for a in asked if "?" in a["url"] or "ifNoneExist" in a}
            conditional = sum("?" in a["url"] or "ifNoneExist" in a for a in asked)
            if len(same) < conditional or len({id(held) for held, _ in targets}) < len(targets):
                raise Refused(400, "duplicate", "two entries are of one resource")
            places = {
                entry["fullUrl"]: f"{held.kind}/{held.id}"
                for entry, (held, _) in zip(entries, targets, strict=True)
                if "fullUrl" in entry
            }
            contents = [self._resolved(entry["resource"], places) for entry in entries]
            answered = [
                self._put(held, content, once)
                for (held, once), content in zip(targets, contents, strict=True)
            ]
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": answered}

    def _target(self, entry: Json) -> tuple[Held, bool]:
        """The resource that an entry is of, there or new, and whether it stays as it is where it is there."""
        request, kind = entry.get("request"), entry["resource"]["resourceType"]
        if not isinstance(request, dict):
            raise Refused(400, "required", "entry.request: is missing")
        method, (of, _, query) = request.get("method"), str(request.get("url")).partition("?")
        if of != kind or method not in ("POST", "PUT") or (method == "POST") == bool(query):
            raise Refused(400, "invalid", f"entry.request: {method} {request.get('url')} of a {kind}")
        query = query or request.get("ifNoneExist", "")
        found = self._found(kind, query) if query else []
        if len(found) > 1:
            raise Refused(412, "multiple-matches", f"{kind}?{query}: are {len(found)}")
        return (found[0] if found else Held(kind, str(uuid4()))), method == "POST"

    def _resolved(self, resource: Json, places: Mapping[str, str]) -> str:
        """The resource as text, its references to what the server has; Refused where one leads nowhere."""

        def reference(table: Json) -> Json:
            target = table.get("reference")
            if isinstance(target, str) and target in places:
                return table | {"reference": places[target]}
            if isinstance(target, str) and (
                target.startswith("urn:uuid:") or tuple(target.split("/")) not in self._held
            ):
                raise Refused(400, "not-found", f"reference {target}: is neither in the bundle nor here")
            return table

        return json.dumps(json.loads(json.dumps(resource), object_hook=reference), sort_keys=True)

    def _put(self, held: Held, content: str, once: bool) -> Json:
        new = not held.version
        if new or (not once and content != held.content):
            if held.content:
                for name in _identifiers(json.loads(held.content)):
                    self._named[held.kind, *_split(name)].remove(held)
            held.content, held.version = content, held.version + 1
            self._held[held.kind, held.id] = held
            for name in _identifiers(json.loads(content)):
                self._named[held.kind, *_split(name)].append(held)
            self.created, self.updated = self.created + new, self.updated + (not new)
        else:
            self.unchanged += 1
        return {
            "response": {
                "status": "201 Created" if new else "200 OK",
                "location": f"{held.kind}/{held.id}/_history/{held.version}",
                "etag": f'W/"{held.version}"',
            }
        }

    def _found(self, kind: str, query: str) -> list[Held]:
        (named,) = parse_qs(query).get("identifier", [""])
        if "|" not in named:
            raise Refused(400, "invalid", f"{kind}?{query}: only identifier=system|value can be asked for")
        return list(self._named.get((kind, *_split(named)), ()))

    def _of(self, kind: str) -> list[Held]:
        return [one for (of, _), one in self._held.items() if of == kind]


def check(resource: object) -> None:
    """See that a resource is one by its structure.

    Raises
    ------
    Refused : it is not, and where.
    """
    if not isinstance(resource, dict) or resource.get("resourceType") not in REQUIRED:
        raise Refused(400, "structure", "resource: is none of the types that are known here")
    kind = resource["resourceType"]
    if missing := [name for name in REQUIRED[kind] if name not in resource]:
        raise Refused(422, "required", f"{kind}.{missing[0]}: is missing")
    if kind in STATUSES and resource["status"] not in STATUSES[kind].split():
        raise Refused(422, "code-invalid", f"{kind}.status: {resource['status']!r} is none")
    _check_values(resource, kind)
    for one in resource.get("identifier", []):
        if not isinstance(one, dict) or not isinstance(one.get("value"), str):
            raise Refused(422, "structure", f"{kind}.identifier: has no value")


def _check_values(value: object, where: str) -> None:
    """FHIR has neither null nor what is empty (http://hl7.org/fhir/R4/json.html)."""
    if value is None or value in ("", [], {}):
        raise Refused(422, "structure", f"{where}: is empty")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_values(inner, f"{where}.{name}")
    if isinstance(value, list):
        for inner in value:
            _check_values(inner, where)


def _identifiers(resource: Json) -> list[str]:
    return [f"{one.get('system', '')}|{one['value']}" for one in resource.get("identifier", [])]


def _split(name: str) -> tuple[str, str]:
    system, _, value = name.partition("|")
    return system, value
