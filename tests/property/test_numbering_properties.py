"""Numbers of digests are those a plain dictionary gives, however they come and however many."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zbatch.manifest.numbering import Numbering, halved, halves

MANY = settings(max_examples=200, deadline=None)

# Few different halves, so that digests differ in one of them alone and slots are fought for.
HALF = st.one_of(st.integers(0, 3), st.sampled_from([1 << 63, 1024, 2048, (1 << 64) - 1]))
DIGEST = st.tuples(HALF, HALF)
CALLS = st.lists(st.one_of(st.lists(DIGEST, max_size=12), DIGEST), max_size=12)


@given(calls=CALLS)
@MANY
def test_numbers_are_those_of_a_dictionary(calls):
    numbering, plainly = Numbering(0), {}
    for call in calls:
        if isinstance(call, tuple):
            assert numbering.find(*call) == plainly.get(call)
            assert numbering.add(*call) == plainly.setdefault(call, len(plainly))
            continue
        if not call:
            continue
        high, low = (np.array(half, np.uint64) for half in zip(*call, strict=True))
        assert numbering.find_all(high, low).tolist() == [plainly.get(digest, -1) for digest in call]
        numbers, new = numbering.number_all(high, low)
        for digest, number, is_new in zip(call, numbers.tolist(), new.tolist(), strict=True):
            assert is_new == (digest not in plainly)
            assert number == plainly.setdefault(digest, len(plainly))
    assert len(numbering) == len(plainly)


def test_it_grows_and_forgets_nothing():
    digests = [hashlib.sha256(b"%d" % number).digest() for number in range(20_000)]
    for expected in (0, 5_000, 50_000):
        numbering = Numbering(expected)
        for begin in range(0, len(digests), 1_500):
            numbers, new = numbering.number_all(*halves(digests[begin : begin + 1_500]))
            assert numbers.tolist() == list(range(begin, min(begin + 1_500, len(digests))))
            assert new.all()
        assert all(numbering.find(*halved(digest)) == number for number, digest in enumerate(digests))
        numbers, new = numbering.number_all(*halves(digests[::-7]))
        assert numbers.tolist() == list(range(len(digests)))[::-7]
        assert not new.any()
