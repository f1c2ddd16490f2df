"""Halves of means and shares are written as the page writes them."""

import pytest

from zbatch.picks.rounding import half_up, percent


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    # What `toFixed` gives; 1.005 and 2.675 lie below the half, as binary numbers.
    [(4.25, 1, "4.3"), (4.35, 1, "4.3"), (0.25, 1, "0.3"), (2.5, 0, "3"), (1.5, 0, "2"), (0, 1, "0.0"),
     (5, 1, "5.0"), (1.005, 2, "1.00"), (2.675, 2, "2.67"), (4.125, 2, "4.13"), (9.95, 1, "9.9")],
)  # fmt: skip
def test_a_half_goes_up(number, digits, text):
    assert half_up(number, digits) == text


def test_shares_are_whole_percents():
    shares = {1.5 / 12: "13%", 0.005: "1%", 0.375: "38%", 0.625: "63%", 1: "100%", 0: "0%", 0.004: "0%"}
    assert {share: percent(share) for share in shares} == shares
