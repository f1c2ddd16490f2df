"""Lists of plain values as Arrow arrays, put together from their buffers.

`pyarrow.array` looks whether what it is given is of pandas, and so loads pandas wherever that is installed:
a quarter of a second and 50 MB for every process that writes. It also looks at each value to see what it is,
which is known here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa


def arrow_table(rows: Sequence[dict[str, Any]], schema: Any) -> Any:
    """Give a table of rows: text, booleans, 64-bit numbers, and maps of such, as the schema says.

    Any value may be `None`, but no map and no bytes.
    """
    columns = [_array(field.type, [row[field.name] for row in rows]) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _array(kind: Any, values: Sequence[Any]) -> Any:
    count = len(values)
    if pa.types.is_struct(kind):
        fields = list(kind)
        parts = [_array(field.type, [value[field.name] for value in values]) for field in fields]
        return pa.StructArray.from_arrays(parts, fields=fields)
    if pa.types.is_null(kind):
        return pa.nulls(count)
    valid = _bits(value is not None for value in values) if None in values else None
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(kind, count, [valid, _bits(map(bool, values))])
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = array("q" if pa.types.is_integer(kind) else "d", (value or 0 for value in values))
        return pa.Array.from_buffers(kind, count, [valid, pa.py_buffer(numbers)])
    if pa.types.is_binary(kind):
        pieces = values
    else:
        pieces = [b"" if value is None else value.encode() for value in values]
    ends = array("i", accumulate(map(len, pieces), initial=0))
    return pa.Array.from_buffers(kind, count, [valid, pa.py_buffer(ends), pa.py_buffer(b"".join(pieces))])


def _bits(flags: Iterable[bool]) -> Any:
    return pa.py_buffer(np.packbits(np.fromiter(flags, np.bool_), bitorder="little"))
