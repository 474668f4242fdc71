"""Which groups train, validate and test: decided by a hash of the group's name alone.

A group (a patient, a slide, a block of files) always lands in the same part, whichever other groups are
present and in whatever order, so nothing leaks when a copy of the data is larger or smaller than ours.
"""

from __future__ import annotations

import hashlib

from train.data.dataset import Split

TEST_SHARE = 0.20
VALIDATION_SHARE = 0.15

SALT = "158"
"""Of 400 salts the one whose parts of DeepAPL have the most even shares of diagnoses and cell classes:
chosen from the counts alone, before anything was trained."""


def split_of(group: str, salt: str = SALT) -> Split:
    """The part that a group belongs to."""
    digest = hashlib.sha256(f"{salt}/{group}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TEST_SHARE:
        return "test"
    return "validation" if share < TEST_SHARE + VALIDATION_SHARE else "train"
