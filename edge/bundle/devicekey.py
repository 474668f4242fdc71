"""This device's own Ed25519 key, which signs what it learned of its site: nobody need trust it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.bundle.signature import fingerprint
from edge.files import atomic
from edge.machine.profile import data_folder
from edge.types import LeukoscopeError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = "device.pem"
"""In the data folder: PEM (PKCS #8, RFC 8410), its owner's alone."""


class DeviceKeyError(LeukoscopeError):
    """The device's key cannot be made, read or used. Names the file and what to do."""


def private() -> Ed25519PrivateKey:
    """The key to sign with, made when it is first needed.

    Raises
    ------
    DeviceKeyError : it cannot be read or made.
    """
    return _kept() or _made()


def own() -> str | None:
    """Fingerprint of the key (`edge.bundle.signature.fingerprint`); None where none was needed yet.

    Raises
    ------
    DeviceKeyError : it cannot be read.
    """
    key = _kept()
    return None if key is None else fingerprint(key.public_key())


def _path() -> Path:
    return data_folder() / FILE


def _kept() -> Ed25519PrivateKey | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = _path()
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DeviceKeyError(f"device key {path}: cannot be read ({error.strerror}); use sudo") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise DeviceKeyError(
            f"device key {path}: holds no Ed25519 key; move it away and measure the site anew, "
            "which makes another"
        )
    return key


def _made() -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path, key = _path(), Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with atomic.as_owner(path.parent):
            atomic.make_folder(path.parent)
            atomic.write(path, content)
    except OSError as error:
        raise DeviceKeyError(
            f"device key {path}: cannot be written ({error.strerror}); free some space"
        ) from None
    return key
