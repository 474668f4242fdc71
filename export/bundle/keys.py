"""Ed25519 keys for signing bundles: the private one stays with whoever exports, the public one travels."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from edge.bundle.signature import fingerprint
from edge.types import LeukoscopeError


class KeyFileError(LeukoscopeError):
    """A key cannot be made, read or used. Names the file and what to do."""


def generate(folder: Path, name: str) -> tuple[Path, Path, str]:
    """Make a key pair: private and public file, and the fingerprint that signatures name it by.

    Both are PEM (PKCS #8 and SubjectPublicKeyInfo, RFC 8410), as OpenSSL reads and writes them. The private
    one is readable by its owner only.

    Raises
    ------
    KeyFileError : a file of that name is there already, or the folder cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (private, public):
            if path.exists():
                raise KeyFileError(f"key {path}: is there already; choose another folder or --name")
        _create(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        _create(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    except OSError as error:
        raise KeyFileError(f"key {error.filename or private}: cannot be written ({error.strerror})") from None
    return private, public, fingerprint(key.public_key())


def sign(manifest: bytes, key: Path) -> bytes:
    """The content of `signature.json` for these bytes of `manifest.json`.

    Parameters
    ----------
    key : a private key as `generate` writes it.

    Raises
    ------
    KeyFileError : it is missing, or not such a key.
    """
    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise KeyFileError(
            f"key {key}: cannot be read ({error.strerror}); make one with edge-export keygen"
        ) from None
    except TypeError:
        raise KeyFileError(f"key {key}: is locked with a password; give one without") from None
    except (ValueError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"key {key}: is not a private Ed25519 key (PEM); make one with edge-export keygen")
    signature = {
        "key": fingerprint(private.public_key()),
        "ed25519": base64.b64encode(private.sign(manifest)).decode(),
    }
    return (json.dumps(signature, indent=1) + "\n").encode()


def _create(path: Path, content: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(content)
