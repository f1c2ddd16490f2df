"""Denser round the winners, and texts changed in place: what holds for all of them."""

import random
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.refined import check_text, random_choices, rewritten

from zbatch.errors import ManifestError
from zbatch.manifest.loader import load_manifest
from zbatch.refining.density import Span, denser, ordered, written
from zbatch.refining.scalars import scalar_text
from zbatch.refining.yamltext import YamlText

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "manifests").glob("*.yaml"))
CASES = sorted((ROOT / "tests" / "cases" / "valid").glob("*.yaml"))

numbers = st.one_of(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=12, unique=True),
    st.lists(st.decimals(-4, 4, places=2).map(float), min_size=1, max_size=12, unique=True),
)


def exact(number):
    return Fraction(repr(number))


def test_the_example_that_everybody_gives():
    scales = [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2]
    span = Span(beyond=True, low=0, high=4)
    assert denser(scales, [0.6], span) == [0.5, 0.55, 0.65, 0.7]
    assert denser(scales, [0.4, 0.6], span) == [0.3, 0.35, 0.45, 0.5, 0.55, 0.65, 0.7]
    assert denser(scales, [1.2], span) == [1.1, 1.15, 1.25, 1.3]
    assert denser(scales, [0], span) == [0.05, 0.1]
    assert denser([3.8, 4], [4], span) == [3.9, 3.95]
    assert denser([0, 0.25, 0.5, 0.75, 1], [1], Span(beyond=True, low=0, high=1)) == [0.875, 0.9375]
    assert denser([2, 4, 6], [4], Span(whole=True)) == [3, 5]
    assert denser([1, 2, 3], [2], Span(whole=True)) == []
    assert denser([0.3], [0.3], span) == []
    thirds = [0, 1 / 3, 2 / 3, 1]
    assert denser(thirds, [2 / 3], Span()) == [0.5, 0.5833, 0.75, 0.8333]


@settings(deadline=None)
@given(numbers, st.data())
def test_new_numbers_lie_between_the_winners_and_their_neighbours(values, data):
    winners = data.draw(st.lists(st.sampled_from(values), unique=True))
    whole = all(isinstance(value, int) for value in values) and data.draw(st.booleans())
    span = Span(whole=whole, beyond=data.draw(st.booleans()), low=data.draw(st.none() | st.just(-3)))
    new = denser(values, winners, span)
    assert new == sorted(set(new))
    assert not set(new) & set(values)
    assert denser(values[::-1], winners[::-1], span) == new
    known = sorted(map(exact, values))
    for number in new:
        if whole:
            assert isinstance(number, int)
        assert span.low is None or number >= span.low
        if not span.beyond:
            assert known[0] < exact(number) < known[-1]
        # A winner is next to it: nothing else of the old ones lies between the two.
        assert any(
            not any(
                min(exact(winner), exact(number)) < other < max(exact(winner), exact(number))
                for other in known
            )
            for winner in winners
        )
        assert len(written(number)) <= 12
    if not winners or len(values) == 1:
        assert not new


@settings(deadline=None)
@given(numbers.filter(lambda values: len(values) > 1), st.data())
def test_each_side_of_a_winner_is_half_filled_and_quartered(values, data):
    winner = data.draw(st.sampled_from(values))
    known = sorted(map(exact, values))
    new = {exact(number) for number in denser(values, [winner], Span())}
    place = known.index(exact(winner))
    points = set()
    for neighbour in (known[place - 1] if place else None, *known[place + 1 : place + 2]):
        if neighbour is not None:
            gap = neighbour - exact(winner)
            points |= {exact(winner) + gap / 2, exact(winner) + gap / 4}
    assert new == points


@settings(deadline=None)
@given(numbers, st.data())
def test_new_numbers_take_their_place_in_the_order_there_is(values, data):
    new = data.draw(
        st.lists(st.floats(-4, 4, width=16), unique=True).map(lambda n: [x for x in n if x not in values])
    )
    found = ordered(values, new)
    assert sorted(found) == sorted([*values, *new])
    assert [number for number in found if number in set(values)] == values
    if values == sorted(values) or values == sorted(values, reverse=True):
        assert found in (sorted(found), sorted(found, reverse=True))


plain = st.text("abcxyz _-.", min_size=1, max_size=8).filter(lambda text: text.strip() == text)
scalars = st.one_of(
    st.integers(), st.booleans(), st.none(), st.floats(-10, 10, allow_nan=False), plain,
    st.text(max_size=12),
    st.sampled_from(["no", "on", "1e3", "010", "~", "a: b", "a #b", "- a", "", "{{ x }}", "8*12", "f@0.5"]),
)  # fmt: skip


@settings(deadline=None)
@given(scalars)
def test_a_value_is_read_back_as_it_was(value):
    for text in (f"[{scalar_text(value)}]", f"- {scalar_text(value)}\n"):
        (back,) = yaml.safe_load(text)
        assert back == value
        assert type(back) is type(value) or isinstance(value, int | float)


LAYOUTS = {
    "flow": lambda items: "[" + ", ".join(items) + "]",
    "flow on lines": lambda items: "[\n    " + ",  # of it\n    ".join(items) + "  # last\n  ]",
    "block": lambda items: "".join(f"\n    - {item}  # {item}" for item in items),
    "block at the key": lambda items: "".join(f"\n  - {item}" for item in items),
    "block with comments": lambda items: "".join(f"\n    # about {item}\n    - {item}" for item in items),
    "block with gaps": lambda items: "\n".join(f"\n    -   {item}" for item in items),
}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True),
    st.sampled_from(["\n", "\r\n"]),
    st.data(),
)
def test_a_list_holds_what_was_planned_and_all_round_it_stays(layout, items, newline, data):
    keep = data.draw(st.lists(st.sampled_from(range(len(items))), unique=True).map(sorted))
    new = data.draw(st.lists(st.sampled_from(["x1", "x2"]), unique=True))
    plan = [*keep, *new]
    text = f"# top\nbefore: 'quoted'   # kept\nmap:\n  list: {LAYOUTS[layout](items)}\n  # end\n"
    text += "  after: [ 1,2 ]\nlast: |\n  text\n"
    text = text.replace("list: \n", "list:\n").replace("\n", newline)
    changed = YamlText(text)
    changed.rearrange(changed.slot("map", "list"), plan)
    out = changed.changed()
    assert yaml.safe_load(out)["map"]["list"] == [items[one] if isinstance(one, int) else one for one in plan]
    if plan == list(range(len(items))):
        assert out == text
    begin = text.index("list:") + len("list:")
    assert out.startswith(text[:begin])
    assert out.endswith(text[text.index("  # end") :])
    if newline == "\r\n":
        assert out.count("\n") == out.count("\r\n")


@pytest.mark.parametrize("path", [*EXAMPLES, *CASES], ids=lambda path: path.stem)
def test_every_manifest_is_rewritten_in_place(tmp_path, path):
    """Every example and every valid case: the same bytes where nothing is chosen; else only that changes."""
    folder = tmp_path / "here"
    shutil.copytree(path.parent, folder)
    copy = folder / path.name
    manifest = load_manifest(copy, allow_outside=True)
    before = copy.read_bytes()
    dice = random.Random(path.name)
    for number in range(4):
        choices = random_choices(manifest, dice)
        text = rewritten(manifest, choices)
        if not any(choice.changed for choice in choices):
            assert text == before.decode("utf-8-sig")
        try:
            check_text(copy, choices, text)
        except ManifestError as error:
            raise AssertionError(f"{number}: {error}\n{text}") from error
        finally:
            copy.write_bytes(before)


@settings(deadline=None)
@given(
    st.sampled_from(["&x [1, 2, 3, 4] # a", "&x\n  - 1\n  - 2\n  - 3\n  - 4"]),
    st.sampled_from(["\n", "\r\n"]),
    st.permutations([0, 1, 2, 3]),
)
def test_anchors_move_to_their_first_alias(anchored, newline, order):
    text = f"a: {anchored}\nb: *x\nc: [*x, 5]\nd: {{e: &y word}}\nf: *y\n"
    changed = YamlText(text.replace("\n", newline))
    changed.rearrange(changed.slot("a"), order[:2])
    changed.replace(changed.slot("d"), "{}")
    data = yaml.safe_load(changed.changed())
    whole = [1, 2, 3, 4]
    assert data == {"a": [whole[n] for n in order[:2]], "b": whole, "c": [whole, 5], "d": {}, "f": "word"}
