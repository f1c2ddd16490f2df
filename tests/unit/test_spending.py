"""What attempts cost where the price changes between them."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from zbatch.state.spending import Spending

PRICES = st.none() | st.decimals("0.001", "1", places=3)


@given(st.lists(st.tuples(PRICES, st.integers(0, 50)), min_size=1))
def test_each_attempt_counts_at_its_own_price_and_at_the_next_where_there_was_none(runs):
    """`runs` are the price of each run and how many attempts it made."""
    spending, attempts, made = Spending(None), 0, []
    for price, count in runs:
        spending = spending.repriced(price, attempts)
        spending = Spending.read(None if price is None else str(price), spending.written)
        attempts += count
        made += [price] * count
    last = runs[-1][0]
    if last is None:
        assert spending.of(attempts) is None
        return
    expected, following = Decimal(0), last
    for price, (_, count) in zip([p for p, _ in runs][::-1], runs[::-1], strict=True):
        following = following if price is None else price
        expected += following * count
    assert spending.of(attempts) == expected
    assert spending.of(attempts + 3) == expected + 3 * last
