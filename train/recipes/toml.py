"""Keys and values as TOML has them, and what of a recipe is worth writing: what is not as usual."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else value(name)


def value(given: object) -> str:
    """A text, number, truth or list."""
    if isinstance(given, tuple | list):
        return f"[{', '.join(map(value, given))}]"
    # a basic string is JSON's, but that TOML wants DEL escaped too
    return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")


def differing(section: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass that are not as they are without being given."""
    for field in fields(section):
        given = getattr(section, field.name)
        usual = field.default if field.default_factory is MISSING else field.default_factory()
        if usual is MISSING or given != usual:
            yield field.name, given
