from __future__ import annotations

import numpy as np
import pytest

from train.statistics.bootstrap import Draws, Figure, draw, undrawn


def test_whole_groups_are_drawn() -> None:
    # within a group all cells are alike: with two groups the mean is 0, a half or 1 and nothing between
    draws = draw(["a"] * 50 + ["b"] * 50, rounds=200)
    values = np.array([0.0] * 50 + [1.0] * 50)
    means = draws.sums(values[:, None])[:, 0] / draws.sums(np.ones((100, 1)))[:, 0]
    assert means[0] == 0.5
    assert set(means[1:]) == {0.0, 0.5, 1.0}
    assert Figure.of(means) == Figure(0.5, 0.0, 1.0)


def test_the_same_seed_draws_the_same_and_every_round_as_many() -> None:
    groups = [f"g{i % 7}" for i in range(40)]
    first, again, other = draw(groups, rounds=50), draw(groups, rounds=50), draw(groups, rounds=50, seed=1)
    np.testing.assert_array_equal(first.counts, again.counts)
    assert (first.counts != other.counts).any()
    assert (first.counts.sum(axis=1) == 7).all()
    assert (first.counts[0] == 1).all()


def test_groups_are_drawn_within_their_data_set() -> None:
    sets = ["one"] * 6 + ["two"] * 9
    groups = [f"g{i}" for i in range(3)] * 5  # the same names in both are other patients
    draws = draw(groups, sets, rounds=100)
    assert draws.counts.shape == (101, 6)
    in_two = np.array([s == "two" for s in sets])
    cells_of_two = draws.sums(in_two[:, None].astype(float))[:, 0]
    assert (cells_of_two == 9).all()  # three groups of three each, whichever
    alone = draw(groups[6:], sets[6:], rounds=100)
    np.testing.assert_array_equal(alone.counts, draws.counts[:, 3:])


def test_one_group_has_no_interval() -> None:
    figure = Figure.of(draw(["a", "a"], rounds=20).sums(np.ones((2, 1)))[:, 0])
    assert figure.value == 2
    assert np.isnan([figure.low, figure.high]).all()
    both = draw(["a", "b", "b"], rounds=20)
    assert len(both.of(np.array([False, True, True])).counts) == 1
    assert str(figure) == "2.000 (no interval)"


def test_rounds_without_the_figure_are_left_out() -> None:
    assert Figure.of(np.array([0.5, np.nan, 0.4, 0.4])) == Figure(0.5, 0.4, 0.4)
    assert str(Figure.of(np.array([np.nan]))) == "-"


def test_tables_are_those_of_the_cells_drawn() -> None:
    rng = np.random.default_rng(3)
    groups = [f"g{i}" for i in rng.integers(0, 5, 60)]
    truth, called = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    draws = draw(groups, rounds=10)
    tables = draws.tables(truth, called, 3)
    for counts, table in zip(draws.counts, tables, strict=True):
        repeated = np.repeat(np.arange(60), counts[draws.which].astype(int))
        expected = np.zeros((3, 3))
        np.add.at(expected, (truth[repeated], called[repeated]), 1)
        np.testing.assert_array_equal(table, expected)


def test_without_rounds_the_data_stand_as_they_are() -> None:
    draws = undrawn(4)
    assert isinstance(draws, Draws)
    assert draws.sums(np.arange(4.0)[:, None]).tolist() == [[pytest.approx(6.0)]]
