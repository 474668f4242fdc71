"""Where slides are sent, and what lets the device in: certificates from a folder, a token from a file."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from edge.types import LeukoscopeError

AUTHORITIES, CERTIFICATE, KEY = "ca.pem", "client.pem", "client.key"
"""What lies in the folder of certificates: whom the device trusts, what it shows, and the key to that."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST_TOKEN = 16384
_PORTS = {"http": 80, "https": 443}


class ServerError(LeukoscopeError):
    """The address, a certificate or the token cannot be used; says which, why and what to do."""


@dataclass(frozen=True)
class Server:
    """A FHIR server.

    Attributes
    ----------
    address : its base, such as https://fhir.hospital.example/r4; see `of`.
    certificates : folder of `ca.pem` (instead of the system's authorities), `client.pem` and `client.key`.
    token_file : of the bearer token. Both may be replaced while a device runs: they are read anew each time.
    """

    scheme: str
    host: str
    port: int
    path: str
    certificates: Path | None = None
    token_file: Path | None = None

    @classmethod
    def of(
        cls,
        address: str,
        certificates: Path | None = None,
        token_file: Path | None = None,
        *,
        insecure: bool = False,
    ) -> Self:
        """The server at this address.

        Parameters
        ----------
        insecure : lets patients' data, and the token, go over plain HTTP to another machine.

        Raises
        ------
        ServerError : it is no address that slides can be sent to.
        """
        shown = _without_secrets(address)
        try:
            parts = urlsplit(address.strip())
            port = parts.port
        except ValueError as error:
            raise ServerError(f"--to {shown}: {error}; give a URL such as https://server/fhir") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ServerError(f"--to {shown}: no address of a FHIR server; give a URL as https://server/fhir")
        if parts.username is not None or parts.password is not None:
            raise ServerError(f"--to {shown}: no user in an address; give a token with --token-file")
        if parts.query or parts.fragment or not (parts.path.isascii() and parts.path.isprintable()):
            raise ServerError(f"--to {shown}: give the base of the server alone, as https://server/fhir")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not insecure:
            raise ServerError(
                f"--to {shown}: http shows patients' data to everybody on the way; give https, or --insecure "
                "where the line itself is closed, such as a VPN"
            )
        try:
            host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
        except UnicodeError:
            raise ServerError(f"--to {shown}: no such name of a host; give another address") from None
        if " " in host or " " in parts.path:
            raise ServerError(f"--to {shown}: a space in an address; give a URL such as https://server/fhir")
        path = parts.path.rstrip("/")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], path, certificates, token_file)

    @property
    def address(self) -> str:
        """The same for every way of writing it: by this the outbox knows the server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    def __str__(self) -> str:
        return self.address

    @property
    def credential(self) -> str:
        """What to look at when it does not let the device in."""
        shown = self.certificates and self.certificates / CERTIFICATE
        if self.token_file is not None:
            beside = f", or the certificate {shown}" if shown and shown.exists() else ""
            return f"look at the token in {self.token_file}: it may have run out{beside}"
        if shown and shown.exists():
            return f"look at the certificate {shown}: it may have run out, or not be known there"
        return "it asks who this is: give --token-file, or --certificates with client.pem and client.key"

    def token(self) -> str | None:
        """The bearer token, None without one.

        Raises
        ------
        ServerError : the file cannot be read, is others' to read, or holds no token. Never repeats it.
        """
        if self.token_file is None:
            return None
        named = f"--token-file {self.token_file}"
        content = _secret(self.token_file, named, _LONGEST_TOKEN)
        token = content.decode("ascii", "replace").strip().removeprefix("Bearer ").strip()
        if not token or not token.isascii() or not all("!" <= one <= "~" for one in token):
            raise ServerError(f"{named}: must hold one token and nothing else; write it there again")
        return token

    def context(self) -> ssl.SSLContext | None:
        """How the line is closed to others; None for plain HTTP.

        Raises
        ------
        ServerError : the certificates cannot be used.
        """
        folder = self.certificates
        if folder is not None and not folder.is_dir():
            raise ServerError(f"--certificates {folder}: is no folder; give the one with {AUTHORITIES}")
        if self.scheme == "http":
            return None
        if folder is None:
            return ssl.create_default_context()
        trusted, shown, key = (folder / name for name in (AUTHORITIES, CERTIFICATE, KEY))
        if not trusted.exists() and not shown.exists():
            raise ServerError(
                f"--certificates {folder}: has neither {AUTHORITIES} nor {CERTIFICATE}; put there what the "
                "hospital gave, under these names"
            )
        context = _trusting(trusted)
        if shown.exists() or key.exists():
            _secret(key, f"--certificates {folder}: {KEY}", 1 << 20)
            try:
                context.load_cert_chain(shown, key, password=lambda: b"")
            except (OSError, ValueError) as error:
                told = _ssl_words(error)
                raise ServerError(
                    f"--certificates {folder}: {CERTIFICATE} with {KEY} cannot be used ({told}); give both "
                    "as PEM, the key without a password"
                ) from None
        return context


def _trusting(authorities: Path) -> ssl.SSLContext:
    """A context that trusts these authorities alone; the system's where there is no such file."""
    if not authorities.exists():
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=str(authorities))
    except (OSError, ValueError) as error:
        raise ServerError(
            f"{authorities}: holds no certificate that can be read ({_ssl_words(error)}); give it as PEM"
        ) from None
    # a hospital's own authority, made by hand, seldom has all of RFC 5280; Python 3.13 insists on it
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _secret(path: Path, named: str, most: int) -> bytes:
    """The content of a file that others on this machine may not read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(most + 1)
    except OSError as error:
        raise ServerError(f"{named}: cannot be read ({error.strerror}); give another") from None
    if mode & 0o007:
        raise ServerError(f"{named}: everybody on this machine may read it; chmod o= {path}")
    if len(content) > most:
        raise ServerError(f"{named}: is too large to be one; give another")
    return content


def _ssl_words(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(reason).replace("_", " ").lower()


def _without_secrets(address: str) -> str:
    """The address as it may be shown: what stands before an @ is a password."""
    scheme, slashes, rest = address.partition("://")
    head, slash, tail = (rest if slashes else scheme).partition("/")
    host = head.rpartition("@")[2]
    shown = f"{scheme}{slashes}{host}" if slashes else host
    return f"{shown}{slash}{tail}".partition("?")[0].partition("#")[0]
