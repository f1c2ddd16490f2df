"""Pairing two runs: nothing is lost, nothing is paired twice, and a run is the same as itself."""

from __future__ import annotations

import random

from hypothesis import example, given
from hypothesis import strategies as st

from zbatch.sheet.diff.pairing import Place, pair_cells
from zbatch.sheet.diff.wording import changed_words

SCALARS = st.one_of(
    st.sampled_from(["fox", "owl", "film-v1", "film-v2", "film-v1@0.5+ink@1", "1", "true", ""]),
    st.integers(-2, 2),
    st.sampled_from([0.5, 1.0, None, True, False]),
)
AXES = st.sampled_from(["subject", "lora.name", "lora.scale", "seed", "animal"])
RUNS = st.lists(
    st.builds(Place, st.dictionaries(AXES, SCALARS, max_size=4), st.text("abcdef", min_size=1, max_size=2)),
    max_size=14,
)


@given(RUNS, RUNS)
def test_every_cell_is_in_one_pair_at_most_and_none_is_lost(before, after):
    pairing = pair_cells(before, after)
    for places, alone, side in ((before, pairing.before_only, 0), (after, pairing.after_only, 1)):
        paired = [pair[side] for pair in pairing.pairs]
        assert len(paired) == len(set(paired))
        assert not set(paired) & set(alone)
        shown = {places[number].key for number in paired}
        left = set(range(len(places))) - set(paired) - set(alone)
        assert all(places[number].key in shown for number in left)
    assert list(pairing.pairs) == sorted(pairing.pairs)


@given(RUNS, st.randoms(use_true_random=False))
def test_a_run_is_paired_with_itself_in_any_order(run, chance):
    order = list(range(len(run)))
    random.Random(chance.random()).shuffle(order)
    pairing = pair_cells(run, [run[number] for number in order])
    assert (pairing.before_only, pairing.after_only, pairing.found) == ((), (), ())
    assert len(pairing.pairs) == len(run)

    def place(number):
        return {
            axis: (type(value) is bool, value)
            for axis, value in run[number].coordinates.items()
            if value is not None
        }

    assert all(place(one) == place(order[other]) for one, other in pairing.pairs)


@given(RUNS, RUNS)
@example(
    [Place({"subject": "fox", "lora.name": "fox", "animal": None}, "b")],
    [Place({}, "a"), Place({"animal": "fox", "subject": "fox"}, "a")],
)
def test_the_other_way_round_as_many_are_paired(before, after):
    assert len(pair_cells(before, after).pairs) == len(pair_cells(after, before).pairs)


WORDS = st.lists(st.sampled_from(["a", "red", "fox", "in", "snow", ",", "filmgrain"]), max_size=6).map(
    " ".join
)


@given(WORDS, WORDS, WORDS, WORDS)
def test_what_changed_of_a_text_is_between_what_is_the_same(head, one, other, tail):
    before, after = f"{head} {one} {tail}", f"{head} {other} {tail}"
    gone, come = changed_words(before, after)
    assert gone in before
    assert come in after
    assert before == after or gone != come
