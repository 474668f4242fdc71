"""Slides sent to a server: each once, the urgent first, and again when they say something else."""

from __future__ import annotations

from tests.edge.sync.conftest import Send
from tests.edge.sync.hospital import Hospital


def test_the_urgent_go_first_and_each_once(send: Send, hospital: Hospital) -> None:
    sent = send()
    assert (sent.accepted, sent.waiting, sent.trouble) == (3, 0, "")
    assert hospital.slides == ["alarming", "calm", "late"]
    assert send().accepted == 0
    assert len(hospital.bundles) == 3
