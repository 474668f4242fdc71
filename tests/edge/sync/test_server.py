"""Addresses and tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.sync.server import Server, ServerError
from tests.edge.sync.conftest import Send
from tests.edge.sync.hospital import Hospital, says


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "no address of a FHIR server"),
        ("fhir.example", "no address of a FHIR server"),
        ("ftp://fhir.example", "no address of a FHIR server"),
        ("https://", "no address of a FHIR server"),
        ("https://fhir.example:99999/", "give a URL such as"),
        ("https://fhir.example:http/", "give a URL such as"),
        ("https://[::1/", "give a URL such as"),
        ("https://me:secret@fhir.example", "no user in an address"),
        ("https://fhir.example/r4?key=secret", "give the base of the server alone"),
        ("https://fhir.example/r4#x", "give the base of the server alone"),
        ("https://fhir.example/r 4", "a space in an address"),
        ("https://fhir .example/r4", "a space in an address"),
        ("https://fhir.example/r\u00e4", "give the base of the server alone"),
        (f"https://{'ä' * 80}.example", "no such name of a host"),
        ("http://fhir.example/r4", "http shows patients' data"),
        ("http://10.0.0.1:8080", "http shows patients' data"),
    ],
)
def test_what_is_no_address_is_told(given: str, told: str) -> None:
    with pytest.raises(ServerError, match=told) as caught:
        Server.of(given)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://fhir.example", "https://fhir.example"),
        (" HTTPS://FHIR.example:443/r4/ ", "https://fhir.example/r4"),
        ("https://fhir.example:8443/r4", "https://fhir.example:8443/r4"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://127.0.0.1/fhir", "http://127.0.0.1/fhir"),
        ("http://[::1]:8080/fhir", "http://[::1]:8080/fhir"),
        ("https://krankenhaus-süd.example", "https://xn--krankenhaus-sd-ssb.example"),
    ],
)
def test_a_server_has_one_address_however_it_is_written(given: str, address: str) -> None:
    assert Server.of(given).address == address


def test_plain_http_to_another_machine_must_be_meant() -> None:
    assert Server.of("http://10.8.0.1/fhir", insecure=True).address == "http://10.8.0.1/fhir"


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.touch(mode)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content", [b"abc.DEF-123_~+/=\n", b"Bearer abc.DEF-123_~+/=", b"  abc.DEF-123_~+/= "]
)
def test_a_token_goes_along(content: bytes, tmp_path: Path, send: Send, hospital: Hospital) -> None:
    file = written(tmp_path / "token", content)
    assert send(server=Server.of(hospital.url, None, file)).accepted == 3
    assert {headers["authorization"] for headers in hospital.headers} == {"Bearer abc.DEF-123_~+/="}


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"secret secret", b"secret\r\nX: y", b"secr\xc3\xa9t", b"s" * 20000]
)
def test_what_is_no_token_is_told_and_not_shown(content: bytes, tmp_path: Path) -> None:
    server = Server.of("https://fhir.example", None, written(tmp_path / "token", content))
    with pytest.raises(ServerError, match=r"--token-file .*token: ") as caught:
        server.token()
    assert "secr" not in str(caught.value)


def test_a_token_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    file = written(tmp_path / "token", b"secret", 0o644)
    with pytest.raises(ServerError, match=f"chmod o= {file}"):
        Server.of("https://fhir.example", None, file).token()
    with pytest.raises(ServerError, match="cannot be read"):
        Server.of("https://fhir.example", None, tmp_path / "gone").token()


def test_a_token_that_ran_out_is_what_to_look_at(tmp_path: Path, send: Send, hospital: Hospital) -> None:
    file = written(tmp_path / "token", b"secret")
    hospital.always = says(401)
    sent = send(server=Server.of(hospital.url, None, file))
    assert f"HTTP 401; look at the token in {file}: it may have run out" in sent.trouble
    assert "secret" not in sent.trouble
