"""Identifiers from the codes on a label: what no label says is refused, whoever printed it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.optics import codes
from edge.records.database import RecordsError
from edge.records.identifiers import checked, shortened
from edge.types import U8

_PLAIN = re.compile(r"[=&]?\w+([-_./+=#& ]\w+)*")
"""Letters and digits of every script, with one mark between any two groups; ISBT 128 puts one before."""


@dataclass(frozen=True)
class Scanned:
    """What a picture's codes say.

    Attributes
    ----------
    identifiers : from the top down. refused : why not the others, one line; None where there are none.
    """

    identifiers: tuple[str, ...] = ()
    refused: str | None = None


def scanned(pixels: U8) -> Scanned:
    """The identifiers in a picture of labels, (H, W, 3) uint8 RGB.

    Raises
    ------
    LeukoscopeError : the library that reads codes is not installed.
    """
    found, refused = [], None
    for text in codes.read(pixels):
        try:
            found.append(identifier(text))
        except RecordsError as error:
            refused = str(error)
    return Scanned(tuple(dict.fromkeys(found)), refused)


def identifier(text: str) -> str:
    """A code's text, if it may be an identifier: stricter than for a person, who knows what they type.

    Raises
    ------
    RecordsError : it is an address, a command, or whatever else is no identifier.
    """
    found = checked(text, "code")
    if not _PLAIN.fullmatch(found) or found.casefold().startswith("www."):
        raise RecordsError(
            f"code {shortened(found)}: is no identifier, which has letters, digits and single marks between "
            "them; hold another code under the camera, or type it"
        )
    return found
