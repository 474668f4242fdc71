from __future__ import annotations

from gi.repository import GLib, Gst

__all__ = ["GLib", "Gst"]
