"""Which cells of two runs belong together, and under which names."""

from __future__ import annotations

import pytest

from zbatch.errors import UsageError
from zbatch.sheet.diff.pairing import Place, Renamed, Renames, pair_cells
from zbatch.sheet.diff.telling import read_renames


def places(*cells, key="k"):
    return [Place(cell, f"{key}{number}") for number, cell in enumerate(cells)]


def grid(**axes):
    cells = [{}]
    for axis, values in axes.items():
        cells = [{**cell, axis.replace("_", "."): value} for cell in cells for value in values]
    return cells


def test_equal_coordinates_in_whatever_order():
    before = places(*grid(subject=["fox", "owl"], seed=[1, 2]), key="a")
    after = places(*reversed(grid(seed=[1, 2], subject=["fox", "owl"])), key="b")
    pairing = pair_cells(before, after)
    assert len(pairing.pairs) == 4
    assert all(before[one].coordinates == after[other].coordinates for one, other in pairing.pairs)
    assert (pairing.before_only, pairing.after_only, pairing.found) == ((), (), ())


def test_numbers_are_equal_however_they_are_written_and_a_yes_is_no_one():
    before = places({"scale": 1.0, "on": True}, key="a")
    assert pair_cells(before, places({"scale": 1, "on": True}, key="b")).pairs == ((0, 0),)
    assert pair_cells(before, places({"scale": 1, "on": 1}, key="b")).pairs == ()


def test_what_stands_in_one_run_only():
    before = places(*grid(seed=[1, 2, 3]), key="a")
    after = places(*grid(seed=[2, 3, 4, 5]), key="b")
    pairing = pair_cells(before, after)
    assert pairing.pairs == ((1, 0), (2, 1))
    assert (pairing.before_only, pairing.after_only) == ((0,), (2, 3))


def test_the_one_lora_that_each_run_has_for_itself_is_another_version_of_it():
    before = places(*grid(lora_name=["film-v1", "ink"], lora_scale=[0.4, 0.8]), key="a")
    after = places(*grid(lora_name=["film-v2", "ink"], lora_scale=[0.4, 0.8]), key="b")
    pairing = pair_cells(before, after)
    assert pairing.pairs == ((0, 0), (1, 1), (2, 2), (3, 3))
    assert pairing.found == (Renamed("lora.name", "film-v1", "film-v2"),)
    shown = [pairing.before[one]["lora.name"] for one, _ in pairing.pairs]
    assert shown == ["film-v1 → film-v2"] * 2 + ["ink"] * 2


def test_a_stack_goes_with_the_names_of_its_parts():
    before = places({"lora.name": "film-v1"}, {"lora.name": "film-v1@0.6+ink@0.3"}, key="a")
    after = places({"lora.name": "film-v2"}, {"lora.name": "film-v2@0.6+ink@0.3"}, key="b")
    assert pair_cells(before, after).pairs == ((0, 0), (1, 1))


def test_two_loras_on_either_side_are_not_guessed():
    before = places(*grid(lora_name=["film-v1", "ink-v1"]), key="a")
    after = places(*grid(lora_name=["film-v2", "ink-v2"]), key="b")
    assert pair_cells(before, after).pairs == ()
    told = Renames(values={"lora.name": {"film-v1": "film-v2", "ink-v1": "ink-v2"}})
    assert pair_cells(before, after, told).pairs == ((0, 0), (1, 1))


def test_another_subject_is_not_the_same_thing_under_another_name():
    before = places(*grid(subject=["fox"], seed=[1, 2]), key="a")
    after = places(*grid(subject=["owl"], seed=[1, 2]), key="b")
    assert pair_cells(before, after).pairs == ()


def test_an_axis_with_one_value_that_only_one_run_has_does_not_count():
    before = places(*grid(seed=[1, 2]), key="a")
    after = places(*grid(size=["512*512"], seed=[1, 2]), key="b")
    assert pair_cells(before, after).pairs == ((0, 0), (1, 1))
    labelled = [*places(*grid(seed=[1, 2]), key="b"), Place({"include": "fix", "seed": 1}, "b9")]
    pairing = pair_cells(before, labelled)
    assert pairing.pairs == ((0, 0), (1, 1))
    assert pairing.after_only == (2,)


def test_an_axis_under_another_name():
    before = places(*grid(animal=["fox", "owl"]), key="a")
    after = places(*grid(subject=["fox", "owl"]), key="b")
    pairing = pair_cells(before, after)
    assert pairing.pairs == ((0, 0), (1, 1))
    assert pairing.found == (Renamed("", "animal", "subject"),)
    assert pairing.before[0] == {"subject": "fox"}
    more = places(*grid(subject=["fox", "owl", "cat"]), key="b")
    assert pair_cells(before, more).pairs == ()
    assert pair_cells(before, more, Renames({"animal": "subject"})).pairs == ((0, 0), (1, 1))


def test_what_no_place_brings_together_an_equal_request_does():
    before = [Place({"seed": 1}, "x"), Place({"seed": 2}, "y"), Place({"seed": 3}, "y")]
    after = [Place({"include": "one"}, "y"), Place({"include": "two"}, "z")]
    pairing = pair_cells(before, after)
    assert pairing.pairs == ((1, 0),)
    assert pairing.before_only == (0,)  # the other cell of `y` shows a picture that is in the pair
    assert pairing.after_only == (1,)
    assert pairing.before[1] == {"seed": 2}


def test_several_cells_at_one_place_go_in_order():
    before = places({"seed": 1}, {"seed": 1}, key="a")
    after = places({"seed": 1}, {"seed": 1}, {"seed": 1}, key="b")
    pairing = pair_cells(before, after)
    assert pairing.pairs == ((0, 0), (1, 1))
    assert pairing.after_only == (2,)


# ── what a person says ───────────────────────────────────────────────────────────────────────────────────


def test_names_with_colons_are_cut_where_both_are_known():
    before = places({"size": "https://a:80/x", "seed": 1})
    after = places({"size": "https://b:90/x:2", "seed": 2})
    told = read_renames(["size=https://a:80/x:https://b:90/x:2", "seed=1:2"], [], before, after)
    assert told.values == {"size": {"https://a:80/x": "https://b:90/x:2"}, "seed": {"1": "2"}}
    assert pair_cells(before, after, told).pairs == ((0, 0),)


def test_a_value_is_named_under_either_name_of_its_axis():
    before, after = places({"animal": "fox"}), places({"subject": "vulpes"})
    for axis in ("animal", "subject"):
        told = read_renames([f"{axis}=fox:vulpes"], ["animal:subject"], before, after)
        assert pair_cells(before, after, told).pairs == ((0, 0),)


@pytest.mark.parametrize(
    ("values", "axes", "words"),
    [
        (["lora.name"], [], "there is no ="),
        (["colour=a:b"], [], "no axis 'colour' in both runs"),
        (["seed=1"], [], "names one value of seed, not two"),
        (["seed=1:9"], [], "names no value of seed"),
        ([], ["seed"], "names one axis, not two"),
        ([], ["seed:colour"], "names no axis"),
    ],
)
def test_names_that_are_not_there_are_told(values, axes, words):
    before, after = places({"seed": 1}), places({"seed": 2})
    with pytest.raises(UsageError, match=words) as caught:
        read_renames(values, axes, before, after)
    assert caught.value.hint
