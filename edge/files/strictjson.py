"""JSON from elsewhere, read strictly: every field asked for by type and range, every refusal in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from edge.files import textfile

_LONGEST = 1000
_SHOWN = 60  # characters of a wrong value in a message


def read(content: bytes) -> Table:
    """The JSON object that these bytes hold.

    Refused is also what the standard (RFC 8259) leaves out, NaN and Infinity, or open, a key given twice.

    Raises
    ------
    ValueError : it is none. One line.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a key is given twice")
        return table

    def never(name: str) -> Any:
        raise ValueError(f"{name} is no number")

    def finite(text: str) -> float:
        return number if math.isfinite(number := float(text)) else never(text)

    try:
        whole = json.loads(
            textfile.decoded(content), object_pairs_hook=once, parse_constant=never, parse_float=finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON ({str(error)[:100]})") from None
    return Table(whole)


class Table:
    """A JSON object whose values are asked for by type; ValueError names the field by its full name.

    That of the object itself is `where`, empty for the whole file.
    """

    def __init__(self, values: Any, where: str = "") -> None:
        if not isinstance(values, dict):
            raise ValueError(f"{where or 'the whole'} is {shown(values)}; it must be an object")
        self.values: dict[str, Any] = values
        self._where = f"{where}." if where else ""

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def keys_among(self, known: Sequence[str]) -> list[str]:
        """Its keys, all of them in `known`."""
        for key in self.values:
            if key not in known:
                raise ValueError(f"{self._where[:-1]} names {shown(key)}, not one of {_listed(known)}")
        return list(self.values)

    def table(self, key: str) -> Table:
        return Table(self._get(key), self._where + key)

    def tables(self, key: str) -> list[Table]:
        """A list of objects, at least one."""
        value = self._get(key)
        if not isinstance(value, list) or not 1 <= len(value) <= _LONGEST:
            raise self._wrong(key, f"a list of 1 to {_LONGEST} objects")
        return [Table(each, f"{self._where}{key}[{i}]") for i, each in enumerate(value)]

    def text(self, key: str, *, empty: bool = False, longest: int = 200) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not value.isprintable() or not (value or empty):
            raise self._wrong(key, "a text of one line")
        if len(value) > longest:
            raise self._wrong(key, f"no longer than {longest} characters")
        return value

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def whole(self, key: str, low: int, high: int = 1_000_000) -> int:
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, f"a whole number from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def numbers(self, key: str, count: int, low: float, high: float) -> list[float]:
        """A list of so many numbers in this range."""
        value = self._get(key)
        if not isinstance(value, list) or len(value) != count:
            raise self._wrong(key, f"a list of {count} numbers")
        table = Table({f"{key}[{i}]": number for i, number in enumerate(value)}, self._where[:-1])
        return [table.number(name, low, high) for name in table.values]

    def names(self, key: str, *, among: Sequence[str] = (), empty: bool = False) -> tuple[str, ...]:
        """A list of different texts, all of them in `among` where that is given."""
        value = self._get(key)
        if not isinstance(value, list) or not (value or empty) or len(value) > _LONGEST:
            raise self._wrong(key, f"a list of {0 if empty else 1} to {_LONGEST} names")
        table = Table({f"{key}[{i}]": name for i, name in enumerate(value)}, self._where[:-1])
        names = tuple(table.text(name) for name in table.values)
        if len(set(names)) != len(names):
            raise ValueError(f"{self._where}{key} names one twice")
        if among and (stray := sorted(set(names) - set(among))):
            raise ValueError(f"{self._where}{key} names {shown(stray[0])}, not one of {_listed(among)}")
        return names

    def only(self, key: str, wanted: object) -> None:
        if self._get(key) != wanted:
            raise self._wrong(key, f"{wanted!r}, all that this program does")

    def _get(self, key: str) -> Any:
        if key not in self.values:
            raise ValueError(f"{self._where}{key} is missing")
        return self.values[key]

    def _wrong(self, key: str, wanted: str) -> ValueError:
        return ValueError(f"{self._where}{key} is {shown(self.values[key])}; it must be {wanted}")


def shown(value: Any) -> str:
    """A value as a message quotes it: on one line, and no more than fits there."""
    if isinstance(value, dict | list | tuple):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "a number of many digits"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "..."
