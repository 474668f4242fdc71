"""Certificates of an authority made up for a test."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = dt.datetime.now(dt.UTC)
_DAY = dt.timedelta(days=1)


class Authority:
    """Signs certificates; its own lies in the folder as `ca.pem`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        builder = self._builder(self._name, self._key, _NOW - _DAY, _NOW + 10 * _DAY)
        own = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write("ca.pem", own.sign(self._key, hashes.SHA256()))

    def issue(self, name: str, host: str = "localhost", *, days: tuple[int, int] = (-1, 10)) -> None:
        """`NAME.pem` and `NAME.key`, valid between these days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key, _NOW + days[0] * _DAY, _NOW + days[1] * _DAY)
        hosts = x509.SubjectAlternativeName([x509.DNSName(host)])
        self._write(
            f"{name}.pem", builder.add_extension(hosts, critical=False).sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.folder / f"{name}.key"
        path.touch(0o600)
        path.write_bytes(private)

    def serving(self, name: str, *, asks: bool = False) -> ssl.SSLContext:
        """How a server with this certificate closes its lines; it `asks` who calls."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.folder / "ca.pem")
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, since: dt.datetime, until: dt.datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(since).not_valid_after(until)

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        (self.folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
