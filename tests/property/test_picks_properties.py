"""Picks: what is written is read; merging forgets order and repetition; intervals hold their rate."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as some

from zbatch.picks.merging import merge_picks
from zbatch.picks.rates import needed, wilson
from zbatch.picks.reading import parse_picks
from zbatch.picks.records import UNDATED, Comparison, Judgement, Picks
from zbatch.shapes import schema_text

SCHEMA = jsonschema_rs.Draft202012Validator(json.loads(schema_text("picks-v1")))
KEYS = tuple(letter * 64 for letter in "abcdef")
times = some.integers(0, 20).map(
    lambda step: UNDATED if step == 0 else datetime(2026, 5, 1, tzinfo=UTC) + timedelta(milliseconds=step)
)
keys = some.sampled_from(KEYS)
judgements = some.builds(
    Judgement, some.none() | some.integers(1, 5), some.booleans(), some.just(False), times
) | some.builds(Judgement, some.none(), some.just(False), some.just(True), times)
comparisons = some.builds(
    Comparison,
    keys,
    keys,
    some.sampled_from(["a", "b", "tie"]),
    some.sampled_from(["seed", "lora.scale"]),
    times,
).filter(lambda pair: pair.a != pair.b)
people = some.builds(
    Picks,
    some.sampled_from(["run", ""]),
    some.text(some.characters(codec="utf-8"), max_size=4),
    some.sampled_from(["", "Ann", "ann", "Ben"]),
    some.sampled_from(["", "x", "y"]),
    times,
    some.dictionaries(keys, judgements),
    some.lists(comparisons, max_size=6).map(tuple),
)


@given(people)
def test_what_is_written_is_valid_and_read_again(picks):
    data = picks.as_bytes()
    assert SCHEMA.is_valid(json.loads(data))
    again = parse_picks(data)
    assert again.as_bytes() == data
    assert again.judgements == picks.judgements


@given(some.lists(people, max_size=5), some.randoms(use_true_random=False))
def test_the_order_of_files_is_no_matter(files, dice: random.Random):
    mixed = [*files]
    dice.shuffle(mixed)
    one, other = merge_picks(files), merge_picks(mixed)
    assert one == other
    assert one.digest == other.digest


@given(some.lists(people, max_size=4))
def test_a_file_that_is_handed_in_twice_counts_once(files):
    known = [one for one in files if one.who or one.source]  # of others nobody knows whose they are
    assert merge_picks([*known, *known]) == merge_picks(known)


@given(some.lists(people, max_size=5))
def test_votes_and_means_are_within_what_was_said(files):
    for opinion in merge_picks(files).opinions.values():
        assert 1 <= opinion.judges <= len(files)
        assert opinion.rating is None or 1 <= opinion.rating <= 5
        assert not (opinion.favourite and opinion.reject)


@given(
    some.integers(1, 400).flatmap(lambda count: some.tuples(some.integers(0, 2 * count), some.just(count)))
)
def test_the_interval_holds_the_rate_and_mirrors(case):
    halves, count = case
    low, high = wilson(halves / 2, count)
    assert 0 <= low <= halves / 2 / count <= high <= 1
    mirrored = wilson(count - halves / 2, count)
    assert abs(low - (1 - mirrored[1])) < 1e-12


@given(some.integers(1, 60), some.integers(1, 60), some.data())
def test_more_of_the_same_is_needed_less(count, other, data):
    wins, lost = data.draw(some.integers(0, count)), data.draw(some.integers(0, other))
    now = needed(wins, count, lost, other)
    if now is not None:
        assert needed(lost, other, wins, count) is None
        assert now >= 0
