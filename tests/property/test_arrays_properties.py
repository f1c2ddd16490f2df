"""Arrow tables put together from buffers: the same as pyarrow makes of the same rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow", reason="pip install pyarrow (the test extra has it)")

from zbatch.exports.arrays import arrow_table  # noqa: E402 - it needs pyarrow

SCHEMA = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("text", pa.string()),
        ("whole", pa.int64()),
        ("number", pa.float64()),
        ("yes", pa.bool_()),
        ("nothing", pa.null()),
    ],
    {"about": b"these"},
)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.fixed_dictionaries(
    {
        "image": st.fixed_dictionaries({"bytes": st.binary(max_size=40), "path": TEXTS}),
        "text": TEXTS,
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "number": st.none() | st.floats(allow_nan=False),
        "yes": st.none() | st.booleans(),
        "nothing": st.none(),
    }
)


@settings(deadline=None)  # pyarrow loads pandas for the first of them
@given(st.lists(ROWS, max_size=20))
def test_a_table_is_the_one_that_pyarrow_makes(rows):
    table = arrow_table(rows, SCHEMA)
    table.validate(full=True)
    assert table.equals(pa.Table.from_pylist(rows, SCHEMA), check_metadata=True)
    assert table.to_pylist() == rows
