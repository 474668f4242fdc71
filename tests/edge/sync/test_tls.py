"""Lines that are closed to others: whom the device trusts, and what it shows of itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.sync.server import Server, ServerError
from tests.edge.sync.certificates import Authority
from tests.edge.sync.conftest import Send
from tests.edge.sync.hospital import running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def folder(authority: Authority, tmp_path: Path) -> Path:
    """What the hospital gave the device, without a certificate of its own yet."""
    path = tmp_path / "given"
    path.mkdir()
    shutil.copy(authority.folder / "ca.pem", path)
    return path


def own(authority: Authority, folder: Path, days: tuple[int, int] = (-1, 10)) -> None:
    authority.issue("client", days=days)
    for name in ("client.pem", "client.key"):
        shutil.copy(authority.folder / name, folder)


def test_a_server_that_the_folder_s_authority_vouches_for(
    authority: Authority, folder: Path, send: Send
) -> None:
    authority.issue("server")
    with running(authority.serving("server")) as hospital:
        assert send(server=Server.of(hospital.url, folder)).accepted == 3


def test_a_server_that_nobody_vouches_for(authority: Authority, send: Send) -> None:
    authority.issue("server")
    with running(authority.serving("server")) as hospital:
        sent = send(server=Server.of(hospital.url))
        assert (sent.accepted, sent.waiting, hospital.paths) == (0, 3, [])
    assert "its certificate is not accepted: " in sent.trouble
    assert "ca.pem with --certificates" in sent.trouble


def test_a_server_of_another_name(authority: Authority, folder: Path, send: Send) -> None:
    authority.issue("server", host="elsewhere.example")
    with running(authority.serving("server")) as hospital:
        sent = send(server=Server.of(hospital.url, folder))
    assert "ostname mismatch" in sent.trouble
    assert "see that the address is right" in sent.trouble


@pytest.mark.parametrize("days", [(-5, -1), (3, 9)], ids=["run out", "not valid yet"])
def test_a_certificate_of_another_time_may_be_the_clock_s_fault(
    days: tuple[int, int], authority: Authority, folder: Path, send: Send
) -> None:
    authority.issue("server", days=days)
    with running(authority.serving("server")) as hospital:
        sent = send(server=Server.of(hospital.url, folder))
    assert (sent.accepted, sent.waiting) == (0, 3)
    assert "this device's clock says 20" in sent.trouble


def test_who_is_asked_shows_a_certificate(authority: Authority, folder: Path, send: Send) -> None:
    authority.issue("server")
    own(authority, folder)
    with running(authority.serving("server", asks=True)) as hospital:
        assert send(server=Server.of(hospital.url, folder)).accepted == 3


def test_who_is_asked_and_has_none_is_told(authority: Authority, folder: Path, send: Send) -> None:
    authority.issue("server")
    with running(authority.serving("server", asks=True)) as hospital:
        sent = send(server=Server.of(hospital.url, folder))
        assert (sent.accepted, sent.refused, sent.waiting, hospital.paths) == (0, 0, 3, [])
    # the alert may be lost where the server hangs up while the slide is on its way
    assert "give --token-file, or --certificates" in sent.trouble or "was cut" in sent.trouble


@pytest.mark.parametrize("broken", ["no key", "another key", "no PEM", "open to all", "no authority"])
def test_a_folder_that_cannot_be_used_is_told_before_anything_is_sent(
    broken: str, authority: Authority, folder: Path
) -> None:
    own(authority, folder)
    told = {"no key": "client.key: cannot be read", "another key": "key values mismatch", "no PEM": "as PEM"}
    match broken:
        case "no key":
            (folder / "client.key").unlink()
        case "another key":
            authority.issue("other")
            shutil.copy(authority.folder / "other.key", folder / "client.key")
        case "no PEM":
            (folder / "client.pem").write_bytes(b"\x30\x82")
        case "open to all":
            (folder / "client.key").chmod(0o644)
        case "no authority":
            (folder / "ca.pem").write_text("hello")
    told |= {"open to all": "may read it; chmod o=", "no authority": "holds no certificate that can be read"}
    with pytest.raises(ServerError, match=told[broken]):
        Server.of("https://localhost/fhir", folder).context()


def test_an_empty_folder_and_none(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"has neither ca.pem nor client.pem"):
        Server.of("https://localhost", tmp_path).context()
    with pytest.raises(ServerError, match="is no folder"):
        Server.of("https://localhost", tmp_path / "gone").context()


def test_a_key_with_a_password_is_not_asked_for(authority: Authority, folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    own(authority, folder)
    key = serialization.load_pem_private_key((folder / "client.key").read_bytes(), None)
    (folder / "client.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ServerError, match="the key without a password"):
        Server.of("https://localhost", folder).context()


def test_http_to_a_server_that_speaks_tls_and_the_other_way(
    authority: Authority, folder: Path, send: Send
) -> None:
    authority.issue("server")
    with running(authority.serving("server")) as hospital:
        sent = send(server=Server.of(hospital.url.replace("https", "http")))
        assert (sent.accepted, sent.waiting) == (0, 3)
        assert sent.trouble
    with running() as hospital:
        sent = send(server=Server.of(hospital.url.replace("http", "https"), folder))
        assert (sent.accepted, sent.waiting) == (0, 3)
        assert "the line cannot be closed to others" in sent.trouble
