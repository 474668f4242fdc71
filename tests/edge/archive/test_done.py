"""The numbers of tasks and shards add up, and come back from their JSON."""

from __future__ import annotations

import json

import pytest

from edge.archive.done import Done, Work, total

ONE = Done(10, 1, 3, 2, 70, 2, {"refer": 1, "no-blasts-seen": 1}, 4.5, {"n1": Work(10, 4.5)})
OTHER = Done(4, 0, 0, 0, 5, 1, {"refer": 1}, 1.25, {"n0": Work(3, 1.0), "n1": Work(1, 0.25)})


def test_numbers_add_up_in_any_order() -> None:
    both = Done(
        14,
        1,
        3,
        2,
        75,
        3,
        {"no-blasts-seen": 1, "refer": 2},
        5.75,
        {"n0": Work(3, 1.0), "n1": Work(11, 4.75)},
    )
    assert ONE + OTHER == OTHER + ONE == total({0: ONE, 1: OTHER}) == both
    assert (ONE + OTHER).encoded() == (OTHER + ONE).encoded()
    assert total({}) == Done()


@pytest.mark.parametrize("done", [Done(), ONE, Done(by_node={"größe": Work(1, 0.5)})])
def test_they_come_back(done: Done) -> None:
    assert Done.decoded(done.encoded()) == done


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fields": -1}, "fields"), ({"cells": "7"}, "cells"), ({"by_node": [1]}, "by_node"),
        ({"findings": {"refer": 0.5}}, "findings.refer"), ({"by_node": {"n": {"fields": 1}}}, "by_node.n"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_named(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Done.decoded(json.dumps(json.loads(ONE.encoded()) | change).encode())
    with pytest.raises(ValueError, match="not JSON"):
        Done.decoded(ONE.encoded()[:-9])
