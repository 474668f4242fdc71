"""Medplum's router over memory, as the FHIR server that tests send to: `fhir_server.mjs` in a process.

It holds each resource against FHIR's definitions. It is installed once with npm, below pytest's cache;
without node, npm or their registry the tests that ask for it are skipped.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SERVER = Path(__file__).with_name("fhir_server.mjs")
VERSION = "5.2.13"
PACKAGES = [f"@medplum/{name}@{VERSION}" for name in ("core", "definitions", "fhir-router")]
OLDEST_NODE = 20
KINDS = ("Patient", "Device", "Specimen", "Observation", "Media", "DiagnosticReport", "DocumentReference")


def installed(config: pytest.Config) -> Path:
    """Folder in whose `node_modules` the server's packages are."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node and npm here: no FHIR server to send to")
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.strip().lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {told.strip()} is older than {OLDEST_NODE}: no FHIR server to send to")
    folder = Path(config.cache.mkdir("fhir-server")) / VERSION
    with open(folder.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    half = folder.with_name("half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--fetch-retries=0", "--silent"]
    try:
        subprocess.run(
            ["npm", "install", *options, "--prefix", half, *PACKAGES],
            check=True, timeout=180, capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"the FHIR server's packages cannot be installed: npm: {type(error).__name__}")
    half.rename(folder)


@dataclass(frozen=True)
class Server:
    """A FHIR server on a port of this machine, as its clients see it."""

    port: int

    def ask(self, path: str, body: bytes | None = None) -> Any:
        """The answer in JSON; a refusal is an AssertionError that shows why."""
        url = f"http://127.0.0.1:{self.port}/{path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/fhir+json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:2000]) from None

    def send(self, body: bytes) -> set[str]:
        """What the server did with the entries, as HTTP statuses."""
        return {entry["response"]["status"] for entry in self.ask("", body)["entry"]}

    def send_half(self, body: bytes) -> None:
        """Break the connection in the middle."""
        head = f"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            line.sendall(head + body[: len(body) // 2])

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [one["resource"] for one in self.ask(f"{kind}?_count=1000").get("entry", [])]

    def counts(self) -> dict[str, int]:
        return {kind: len(self.all(kind)) for kind in KINDS}


@contextmanager
def serving(packages: Path) -> Iterator[Server]:
    """A server that has nothing yet, of the packages that `installed` gave."""
    with subprocess.Popen(
        ["node", SERVER, packages],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            port = process.stdout.readline()
            assert port, "the FHIR server did not start; see: node tests/edge/report/fhir_server.mjs FOLDER"
            yield Server(int(port))
        finally:
            process.kill()
