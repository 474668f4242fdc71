"""Who vouches for a bundle: an Ed25519 signature of its manifest by a key that this machine trusts.

The manifest holds the sha256 of every other member, so that its signature vouches for all of them. Trusted
are the public keys in two folders; whoever can write there decides what this machine runs.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.files import strictjson
from edge.machine.profile import data_folder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MEMBER = "signature.json"
"""Member with the signature: {"key": sha256 of the raw public key, "ed25519": the signature, base64}."""

SYSTEM_KEYS = Path("/etc/leukoscope/keys")
"""Keys that the machine's administrator trusts, for everybody who uses it."""

_LARGEST_KEY_FILE = 10_000  # bytes


@dataclass(frozen=True)
class Key:
    """A public key in a file.

    Attributes
    ----------
    name : the file's, without its suffix. fingerprint : sha256 of the raw key, hexadecimal.
    """

    name: str
    fingerprint: str
    public: Ed25519PublicKey

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint[:16]})"


def key_folders() -> tuple[Path, ...]:
    """Where trusted keys lie, as `*.pub` files: the user's folder, and the machine's."""
    return data_folder() / "keys", SYSTEM_KEYS


def trusted_keys() -> tuple[dict[str, Key], list[Path]]:
    """Fingerprint -> key of every trusted key, and the files that should hold one and do not."""
    keys: dict[str, Key] = {}
    strange = []
    for folder in key_folders():
        for path in sorted(folder.glob("*.pub")):
            try:
                key = read_public(path)
            except (OSError, ValueError):
                strange.append(path)
            else:
                keys.setdefault(key.fingerprint, key)
    return keys, strange


def read_public(path: Path) -> Key:
    """The Ed25519 public key in a PEM file.

    Raises
    ------
    ValueError : it holds none. OSError : it cannot be read.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    with path.open("rb") as stream:
        content = stream.read(_LARGEST_KEY_FILE)
    try:
        public = load_pem_public_key(content)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return Key(path.stem, fingerprint(public), public)


def fingerprint(public: Ed25519PublicKey) -> str:
    """What a signature names a key by: the sha256 of its 32 bytes, hexadecimal."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()


def signer(manifest: bytes, signature: bytes) -> tuple[Key | None, str]:
    """The trusted key that signed these bytes, or None and why there is none.

    Parameters
    ----------
    manifest, signature : content of `manifest.json` and of `signature.json`.

    Raises
    ------
    ValueError : the signature is by a trusted key, and wrong; or is no signature at all. Either way somebody
        altered the bundle.
    """
    table = strictjson.read(signature)
    named = table.text("key")
    encoded = table.text("ed25519")
    try:
        signed = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise ValueError(f"ed25519 is not base64 ({error})") from None
    from cryptography.exceptions import InvalidSignature

    keys, strange = trusted_keys()
    if named not in keys:
        places = " or ".join(map(str, key_folders()))
        also = f" ({strange[0]} holds no Ed25519 public key)" if strange else ""
        return None, (
            f"signed by a key that this machine does not trust ({named[:16]}){also}; "
            f"if you know whose it is, put its .pub file into {places}"
        )
    try:
        keys[named].public.verify(signed, manifest)
    except InvalidSignature:
        raise ValueError(f"does not fit the manifest and key {keys[named]}") from None
    return keys[named], ""
