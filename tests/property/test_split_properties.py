"""Splits: nothing that belongs together is parted, and nobody moves when others join."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbatch.errors import UsageError
from zbatch.exports.entries import Entry
from zbatch.exports.splits import Split
from zbatch.exports.splitter import Splitter

CELLS = st.fixed_dictionaries({"subject": st.sampled_from("abcdefghij"), "place": st.integers(0, 3)})
ENTRIES = st.lists(
    st.tuples(st.sampled_from("pqrstuvw"), st.integers(0, 5), st.lists(CELLS, min_size=1, max_size=2)),
    max_size=40,
)
SHARES = st.tuples(st.floats(0, 0.5), st.floats(0, 0.5))


def entry(prompt, seed, cells):
    return Entry(0, "", "", "", 0, 1, 1, "", "", False, [], cells, {"prompt": prompt, "seed": seed})


def sides_of(entries, split):
    """The sides; `None` where one that was asked for stays empty."""
    splitter = Splitter(split)
    for one in entries:
        splitter.add(one)
    try:
        return list(splitter.sides())
    except UsageError:
        return None


@given(ENTRIES, SHARES, st.sampled_from([None, "subject", "place"]))
def test_what_belongs_together_is_on_one_side(rows, shares, by):
    entries = [entry(*row) for row in rows]
    sides = sides_of(entries, Split(by, *shares))
    if sides is None:
        return
    together = {}
    for one, side in zip(entries, sides, strict=True):
        tokens = [("image", one.prompt, one.seed)]
        tokens += [("value", cell[by]) for cell in one.cells] if by else []
        for token in tokens:
            assert together.setdefault(token, side) == side


@given(ENTRIES, ENTRIES, SHARES)
def test_nobody_moves_when_others_join(rows, more, shares):
    few, many = [entry(*row) for row in rows], [entry(*row) for row in rows + more]
    before, after = sides_of(few, Split(None, *shares)), sides_of(many, Split(None, *shares))
    if before is not None and after is not None:
        assert after[: len(before)] == before


@given(ENTRIES, ENTRIES, SHARES)
def test_by_an_axis_nobody_moves_either_unless_groups_are_joined(rows, more, shares):
    def own(rows):  # a prompt names its subject, as prompts do
        return [entry(f"{cells[0]['subject']} {prompt}", seed, cells[:1]) for prompt, seed, cells in rows]

    before = sides_of(own(rows), Split("subject", *shares))
    after = sides_of(own(rows + more), Split("subject", *shares))
    if before is not None and after is not None:
        assert after[: len(before)] == before


def test_shares_come_out_about_as_asked():
    entries = [entry(f"prompt {number}", number % 7, [{}]) for number in range(5000)]
    sides = sides_of(entries, Split(None, 0.2, 0.1))
    assert 0.17 < sides.count(2) / 5000 < 0.23
    assert 0.08 < sides.count(1) / 5000 < 0.12


def test_values_by_name_go_where_they_are_sent():
    entries = [entry(f"a {subject}", 1, [{"subject": subject}]) for subject in ("fox", "owl", 3)]
    assert sides_of(entries, Split("subject", ("owl",), ("3",))) == [0, 2, 1]
    shared = entry("both", 1, [{"subject": "fox"}, {"subject": "owl"}])
    splitter = Splitter(Split("subject", ("owl",)))
    for one in (*entries, shared):
        splitter.add(one)
    with pytest.raises(UsageError, match="fox, owl of subject cannot be parted"):
        splitter.sides()


def test_a_split_reads_as_it_is_written():
    for split in (Split("subject", ("a b", "c"), 0.25), Split(None, 0.1), Split(None, 0.0, 0.5)):
        text, *by = split.words()[1::2]
        assert Split.parse(text, by[0] if by else None).settled(("a b", "c")) == split
