"""Words that fit where they are put."""

from __future__ import annotations

from collections.abc import Sequence

CONFIRMED = "√"
"""Before a number: so many of the cells were confirmed by people."""


def title(name: str, width: int) -> str:
    """A class name for people, in at most `width` characters: 'immature-granulocyte' → 'immature gran.'."""
    words = name.replace("-", " ").split()
    text = " ".join(words)
    if len(text) <= width or not words:
        return text[:width]
    last = width - (len(text) - len(words[-1])) - 1
    if last >= 3:
        return " ".join([*words[:-1], words[-1][:last] + "."])
    each = (width - len(words) + 1) // len(words)
    if each < 4:
        return text[:width]
    return " ".join(word if len(word) <= each else word[: each - 1] + "." for word in words)[:width]


def fit(text: str, width: int) -> str:
    """`text` in at most `width` characters, its middle left out where it is longer."""
    if len(text) <= width:
        return text
    if width < 5:
        return text[:width]
    head = (width - 2) // 2
    return text[:head] + ".." + text[len(text) - (width - 2 - head) :]


def fit_all(texts: Sequence[str], width: int) -> list[str]:
    """`texts` cut so that together they take at most `width` characters; the longest give way first."""
    limits = [len(text) for text in texts]
    while sum(limits) > max(width, 0):
        longest = max(range(len(limits)), key=limits.__getitem__)
        limits[longest] -= 1
    return [fit(text, limit) for text, limit in zip(texts, limits, strict=True)]


def first_fit(texts: Sequence[str], width: int) -> str:
    """The first of `texts` that has room in `width` characters, else what fits of the last."""
    return next((text for text in texts if len(text) <= width), fit(texts[-1], width))
