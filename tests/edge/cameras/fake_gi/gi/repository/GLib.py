# ruff: noqa: N999  (as the binding names it)
from __future__ import annotations


class Error(Exception):
    def __init__(self, message: str, unknown_element: bool = False) -> None:
        super().__init__(message)
        self.message, self.unknown_element = message, unknown_element

    def matches(self, domain: int, code: int) -> bool:
        return self.unknown_element
