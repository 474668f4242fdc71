"""What a screening came to, in one line for people."""

from __future__ import annotations

from collections import Counter

from edge.types import Reading, Sink, SlideHeader


class Summary(Sink):
    """Follows a screening; `line` says what its slides came to, None before the first ended."""

    def __init__(self) -> None:
        self._slide = self._mark = ""
        self._kinds: Counter[str] = Counter()
        self.line: str | None = None

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """Another slide begins."""
        self._slide = slide
        marks = [] if header.trusted else ["unsigned model: not for patients"]
        marks += [f"model {caveat}" for caveat in header.caveats]
        self._mark = f" ({'; '.join(marks)})" if marks else ""

    def finding(self, last: Reading) -> None:
        """The finding itself of a single slide; of several how many had which."""
        self._kinds[last.finding.kind] += 1
        self.line = f"slide {self._slide}: {last.finding.kind}. {last.finding.reason}{self._mark}"
        if self._kinds.total() > 1:
            counts = ", ".join(f"{n} {kind}" for kind, n in self._kinds.most_common())
            self.line = f"{self._kinds.total()} slides: {counts}{self._mark}"
