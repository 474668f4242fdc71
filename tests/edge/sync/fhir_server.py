"""A FHIR R4 server of the standard library, with a bad link in front if it is asked for one.

    python -m tests.edge.sync.fhir_server [--port 8080] [--token WORD]

runs it by itself, to try what sends to one: it prints each transaction, and keeps nothing when it ends. It
knows what a slide's transaction needs (docs/fhir.md), and no more of FHIR.
"""

from __future__ import annotations

import argparse
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.edge.sync.resources import Json, Refused, Resources

LARGEST = 32_000_000
"""Bytes of a body, unpacked, at most."""


class Fault(Enum):
    """What goes wrong with a request."""

    CUT_BEFORE = "the connection ends before anything is read"
    CUT_BODY = "it ends in the middle of the body"
    CUT_ANSWER = "it ends when all is stored, before the answer"
    CUT_WITHIN = "it ends in the middle of the answer"
    BUSY = "429, with Retry-After"
    BUSY_503 = "503, with Retry-After"
    BROKEN = "500"
    REFUSED = "422"
    LOCKED = "401"
    GARBAGE = "200 and no FHIR"
    DROPPED = "201 for every entry, and nothing is stored"
    SLOW = "an answer in small pieces"


class FhirServer:
    """The server on a port of this machine; a context manager.

    Parameters
    ----------
    fault : what goes wrong with a request, from its number (counted from 0); None for nothing.
    token : what `Authorization: Bearer` must bring; empty for nothing.
    retry_after : what `Retry-After` says, as it stands in the header.
    pause_s : between the pieces of a slow answer, seconds.

    Attributes
    ----------
    resources : what is stored. requests, received : how many came, and bytes of their bodies.
    faults : requests with which something went wrong.
    seen : HTTP status of each request that was answered.
    """

    def __init__(
        self,
        fault: Callable[[int], Fault | None] = lambda _: None,
        *,
        token: str = "",
        port: int = 0,
        retry_after: str = "1",
        pause_s: float = 0.05,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.fault, self.token, self.retry_after, self.pause_s = fault, token, retry_after, pause_s
        self.resources = Resources()
        self.requests = self.received = self.faults = 0
        self.seen: list[int] = []
        self.tell = tell
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", port), _Request)
        self._http.fhir = self
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def began(self) -> Fault | None:
        """Count a request, and say what is to go wrong with it."""
        with self._lock:
            number, self.requests = self.requests, self.requests + 1
            found = self.fault(number)
            self.faults += found is not None
        return found

    def got(self, received: int) -> None:
        with self._lock:
            self.received += received

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Json]:
        """What comes of a request: the HTTP status, and a resource."""
        address = urlsplit(path)
        kind, _, name = address.path.removeprefix("/fhir").strip("/").partition("/")
        if method == "GET" and kind == "metadata":
            return 200, _CAPABILITIES
        if method == "GET":
            return 200, self.resources.read(kind, name) if name else self._searched(kind, address.query)
        if method not in ("POST", "PUT") or name:
            raise Refused(405, "not-supported", f"{method} {path}: is not supported")
        try:
            sent = json.loads(body)
        except ValueError as error:
            raise Refused(400, "structure", f"the body is no JSON: {error}") from None
        if not isinstance(sent, dict):
            raise Refused(400, "structure", "the body is no resource")
        if not kind:
            return 200, self.resources.transact(sent)
        url = f"{kind}?{address.query}" if address.query else kind
        entry = {"resource": sent, "request": {"method": method, "url": url}}
        done = self.resources.transact({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        (told,) = done["entry"]
        place = told["response"]["location"].split("/")
        return int(told["response"]["status"][:3]), self.resources.read(place[0], place[1])

    def _searched(self, kind: str, query: str) -> Json:
        asked = parse_qs(query)
        found = self.resources.search(kind, query)
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        if asked.get("_summary") == ["count"] or not found:
            return bundle
        if names := asked.get("_elements"):
            kept = {"resourceType", "id", "meta", *names[0].split(",")}
            found = [{key: value for key, value in one.items() if key in kept} for one in found]
        shown = found[: int(asked.get("_count", ["1000"])[0])]
        return bundle | {"entry": [{"resource": one} for one in shown]}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    fhir: FhirServer


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http
    timeout = 60

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        return

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the other end is gone
            self.close_connection = True

    def _serve(self) -> None:
        server = self.server.fhir
        fault = server.began()
        if fault is Fault.CUT_BEFORE:
            return self._cut()
        length = int(self.headers.get("Content-Length") or 0)
        if fault is Fault.CUT_BODY:
            self.rfile.read(length // 2)
            return self._cut()
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None
        server.got(length)
        status, told = self._outcome(fault, body)
        if fault is Fault.CUT_ANSWER:
            return self._cut()
        return self._reply(status, told, fault)

    def _outcome(self, fault: Fault | None, body: bytes) -> tuple[int, bytes]:
        server = self.server.fhir
        try:
            if server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                raise Refused(401, "login", "the token is not the right one")
            if fault in _SAID:
                raise Refused(*_SAID[fault])
            if fault is Fault.GARBAGE:
                return 200, b"<html><body>Please log in to the Wi-Fi</body></html>"
            status, told = self._carried_out(fault, self._unpacked(body))
        except Refused as refused:
            issue = {"severity": "error", "code": refused.code, "diagnostics": str(refused)}
            status, told = refused.status, {"resourceType": "OperationOutcome", "issue": [issue]}
        server.seen.append(status)
        server.tell(f"{self.command} {self.path} {len(body)} bytes: {status}")
        return status, json.dumps(told).encode()

    def _carried_out(self, fault: Fault | None, body: bytes) -> tuple[int, Json]:
        if fault is not Fault.DROPPED or self.command == "GET":
            return self.server.fhir.answer(self.command, self.path, body)
        sent = json.loads(body)
        place = "{}/0/_history/1"
        entries = [
            {"response": {"status": "201 Created", "location": place.format(e["resource"]["resourceType"])}}
            for e in sent["entry"]
        ]
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}

    def _unpacked(self, body: bytes) -> bytes:
        if self.headers.get("Content-Encoding", "identity") == "identity":
            return body
        if self.headers["Content-Encoding"] != "gzip":
            raise Refused(415, "not-supported", f"Content-Encoding {self.headers['Content-Encoding']}")
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError) as error:
            raise Refused(400, "structure", f"the body is no gzip: {error}") from None
        if len(body) > LARGEST:
            raise Refused(413, "too-costly", f"the body has {len(body)} bytes, more than {LARGEST}")
        return body

    def _reply(self, status: int, content: bytes, fault: Fault | None) -> None:
        self.send_response(status)
        if fault in (Fault.BUSY, Fault.BUSY_503):
            self.send_header("Retry-After", self.server.fhir.retry_after)
        self.send_header("Content-Type", "application/fhir+json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault is Fault.CUT_WITHIN:
            self.wfile.write(content[: len(content) // 2])
            return self._cut()
        if fault is not Fault.SLOW:
            self.wfile.write(content)
            return None
        for start in range(0, len(content), 256):
            self.wfile.write(content[start : start + 256])
            self.wfile.flush()
            time.sleep(self.server.fhir.pause_s)
        return None

    def _cut(self) -> None:
        """End the connection as a lost link does: no orderly farewell, the other end gets a reset."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


_SAID = {
    Fault.BUSY: (429, "throttled", "too many requests"),
    Fault.BUSY_503: (503, "transient", "down for maintenance"),
    Fault.BROKEN: (500, "exception", "something broke"),
    Fault.REFUSED: (422, "business-rule", "a subject is wanted"),
    Fault.LOCKED: (401, "login", "the token has run out"),
}

_CAPABILITIES: Json = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [{"mode": "server", "interaction": [{"code": "transaction"}]}],
}


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--token", default="", help="what the sender must bring (default: nothing)")
    arguments = parser.parse_args()
    with FhirServer(port=arguments.port, token=arguments.token, tell=print) as server:
        print(f"{server.url}; Ctrl+C ends it")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
