"""A widget that shows styled text and is painted again only when the text changes."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.widget import Widget


class Panel(Widget):
    """Text laid out for the widget's size by `lay_out`, which a subclass provides."""

    DEFAULT_CSS = "Panel { height: auto; }"

    _content = Content()

    def lay_out(self, width: int, height: int) -> list[Content]:
        """The lines to show in `width` × `height` characters."""
        return []

    def update(self) -> None:
        lines = self.lay_out(self.size.width, self.size.height) if self.size.width else []
        content = Content("\n").join(lines)
        if not content.is_same(self._content):
            self._content = content
            self.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        self.update()

    def render(self) -> Content:
        return self._content
