"""A FHIR server that keeps reports in memory, and answers otherwise when a test asks for that."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Answer = Callable[["Handler", bytes], None]
"""Answers one request in a test's own way."""


@dataclass
class Hospital:
    """What was asked of it, and what it does.

    Attributes
    ----------
    posts, gets : answers for the next requests, one after the other; then it is as a server should be.
    always : answers all transactions, where there is one.
    bundles, bodies, headers : of the transactions, in order. paths : of all requests.
    reports : identifier -> DiagnosticReport.
    """

    port: int = 0
    posts: list[Answer] = field(default_factory=list)
    gets: list[Answer] = field(default_factory=list)
    always: Answer | None = None
    takes_gzip: bool = True
    bundles: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/fhir"

    @property
    def slides(self) -> list[str]:
        """Of the transactions taken, in order."""
        return [report_of(bundle)["identifier"][1]["value"] for bundle in self.bundles]


def report_of(bundle: dict[str, Any]) -> dict[str, Any]:
    (found,) = (e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
    return dict(found)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hospital: Hospital

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_POST(self) -> None:
        hospital = self.hospital
        hospital.paths.append(self.path)
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        hospital.bodies.append(body)
        hospital.headers.append({name.lower(): value for name, value in self.headers.items()})
        answer = hospital.posts.pop(0) if hospital.posts else hospital.always
        if answer is not None:
            answer(self, body)
            return
        self.take(body)

    def take(self, body: bytes) -> None:
        """As a server should."""
        packed = self.headers.get("Content-Encoding") == "gzip"
        if packed and not self.hospital.takes_gzip:
            self.send(415, {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "no gzip"}]})
            return
        bundle = json.loads(gzip.decompress(body) if packed else body)
        self.hospital.bundles.append(bundle)
        report = report_of(bundle)
        self.hospital.reports["|".join(report["identifier"][0].values())] = report
        self.send(200, response(len(bundle["entry"])))

    def do_GET(self) -> None:
        hospital = self.hospital
        hospital.paths.append(self.path)
        if hospital.gets:
            hospital.gets.pop(0)(self, b"")
            return
        query = dict(part.split("=", 1) for part in urlsplit(self.path).query.split("&"))
        found = hospital.reports.get(unquote(query["identifier"]))
        entry = [{"resource": found}] if found else []
        self.send(200, {"resourceType": "Bundle", "type": "searchset", "total": len(entry), "entry": entry})

    def send(self, status: int, content: Any, kind: str = "application/fhir+json", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def response(entries: int, *statuses: str) -> dict[str, Any]:
    listed = [{"response": {"status": status}} for status in (*statuses, *["201 Created"] * entries)][
        :entries
    ]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": listed}


def outcome(text: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": text}]}


def says(status: int, content: Any = b"", kind: str = "application/fhir+json", **headers: str) -> Answer:
    """Answers so, and takes nothing."""
    return lambda handler, _: handler.send(status, content, kind, **headers)


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Hospital]:
    """A server on a free port."""
    hospital = Hospital(scheme="https" if context else "http")
    handler = type("Bound", (Handler,), {"hospital": hospital})

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            return

        def get_request(self) -> tuple[socket.socket, Any]:
            line, address = super().get_request()
            if context:
                line = context.wrap_socket(line, server_side=True, do_handshake_on_connect=False)
            return line, address

    with Quiet(("127.0.0.1", 0), handler) as server:
        hospital.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield hospital
        finally:
            server.shutdown()
            thread.join()
