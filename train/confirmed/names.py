"""What patients and slides are called in a data set, and in the names of its files."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from pathlib import Path

from edge.files import atomic
from edge.types import LeukoscopeError

SALT = "salt.txt"
_DIGITS = 12  # of a pseudonym: two of a million patients share one with a probability of 0.2%


class NamesError(LeukoscopeError):
    """Patients cannot be called what they were called before. Says what to do."""


class Names:
    """Gives a patient always the same name.

    Parameters
    ----------
    salt : what pseudonyms are made with; None leaves identifiers as they are.
    """

    def __init__(self, salt: bytes | None) -> None:
        self._salt = salt

    def group(self, patient: str | None, slide: str) -> str:
        """What stands for whom a cell is of: the patient, or where nobody said, the slide."""
        if patient is None:
            return f"slide-{slide}"
        if self._salt is None:
            return patient
        # people write one identifier in several ways; taken for two, a patient would be on both sides of a
        # split
        plain = " ".join(unicodedata.normalize("NFKC", patient).casefold().split())
        return f"patient-{hmac.new(self._salt, plain.encode(), hashlib.sha256).hexdigest()[:_DIGITS]}"


def salt(folder: Path, *, fresh: bool) -> bytes:
    """The folder's salt, made where it is `fresh`.

    Raises
    ------
    NamesError : it is gone or damaged, so that patients would get other names than before.
    """
    path = folder / SALT
    if fresh and not path.exists():
        atomic.write(path, f"{secrets.token_hex(32)}\n".encode())
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        found = b""
    if len(found) < 16:
        raise NamesError(
            f"{path}: is gone or damaged, and patients would get other names than before; put it back, or "
            "import all stores into another --out"
        )
    return found


def file_name(text: str) -> str:
    """A text as part of a file's name on every system, and no two alike."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:48]
    if plain == text:
        return plain
    return f"{plain}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
