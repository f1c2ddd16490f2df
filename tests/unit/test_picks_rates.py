"""Win rates by value: against published numbers, and where the cells say what was compared."""

from __future__ import annotations

import pytest
from support.picks_files import A, B, C

from zbatch.picks.rates import Rate, needed, pair_values, still_needed, wilson, win_rates
from zbatch.picks.records import Comparison

CELLS = {
    A: [{"lora.name": "film", "lora.scale": 0, "seed": 1}, {"lora.name": "ink", "lora.scale": 0, "seed": 1}],
    B: [{"lora.name": "ink", "lora.scale": 0.5, "seed": 1}],
    C: [{"lora.name": "film", "lora.scale": 1, "seed": 1}],
}


def test_wilson_is_as_in_the_literature():
    # Newcombe 1998, table I
    published = (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    )
    for wins, count, low, high in published:
        assert wilson(wins, count) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_a_shared_baseline_stands_for_the_value_that_was_compared():
    assert pair_values(Comparison(A, B, "a", "lora.scale"), CELLS) == (0, 0.5)
    assert pair_values(Comparison(C, A, "a", "lora.scale"), CELLS) == (1, 0)
    assert pair_values(Comparison(B, C, "a", "lora.scale"), CELLS) is None
    assert pair_values(Comparison(A, B, "a", "seed"), CELLS) is None
    assert pair_values(Comparison(A, "d" * 64, "a", "lora.scale"), CELLS) is None


def test_ties_are_half_a_win_and_other_axes_count_nowhere():
    pairs = [
        Comparison(A, B, "b", "lora.scale"),
        Comparison(C, A, "tie", "lora.scale"),
        Comparison(B, C, "a", "lora.scale"),
        Comparison(A, B, "a", "seed"),
    ]
    rates = win_rates(pairs, "lora.scale", CELLS)
    assert [(rate.value, rate.wins, rate.count) for rate in rates] == [(0.5, 1, 1), (1, 0.5, 1), (0, 0.5, 2)]


def test_how_many_more_it_takes():
    assert still_needed(Rate(1, 9, 10), Rate(0, 1, 10)) == 0
    assert needed(6, 10, 5, 10) > 100
    assert needed(5, 10, 5, 10) is None
    assert needed(2, 2, 0, 2) == 14
    assert needed(11, 16, 5, 16) > 0  # 11 to 5 is no rarer than 1 in 5
    assert needed(5, 5, 0, 5) > 0
    assert needed(6, 6, 0, 6) == 0
