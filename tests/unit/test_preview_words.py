"""What the preview engine reads in a prompt."""

import math

import pytest

from zbatch.server.engines.preview_motifs import _DRAWN
from zbatch.server.engines.preview_palette import RAMPS, coat
from zbatch.server.engines.preview_places import _PROFILES
from zbatch.server.engines.preview_words import _LIGHTS, _MOTIFS, _PLACES, read_idea


@pytest.mark.parametrize(
    ("prompt", "motif", "place", "light"),
    [
        ("filmgrain a red fox in tundra, natural light, 50mm", "fox", "tundra", "noon"),
        ("a barn owl at NIGHT in the woods", "owl", "forest", "night"),
        ("sailing boats on a lake at sunset", "boat", "sea", "dusk"),
        ("stormy sea with a lighthouse", "lighthouse", "sea", "rain"),
        ("portrait of an old woman in the city", "figure", "city", None),
    ],
)
def test_known_words(prompt, motif, place, light):
    idea = read_idea(prompt)
    assert (idea.motif, idea.place) == (motif, place)
    assert light is None or idea.light == light


def test_a_colour_belongs_to_the_word_after_it():
    assert read_idea("a blue cat in golden light").tint == "blue"
    assert read_idea("a cat under a blue sky").tint is None
    assert read_idea("a red fox").tint is None


def test_unknown_words_choose_but_do_not_move_what_is_known():
    assert len({read_idea(f"gizmo {index}").motif for index in range(40)}) > 3
    plain, triggered = read_idea("an owl"), read_idea("zxq an owl")
    assert (plain.motif, plain.place, plain.light) == (triggered.motif, triggered.place, triggered.light)
    assert plain.nuance != triggered.nuance


def test_every_other_word_leads_a_step_on_and_small_or_known_ones_none():
    assert read_idea("a red fox in the snow, dawn").nuance == (0.0, 0.0)
    assert math.hypot(*read_idea("a red fox in the snow, 50mm").nuance) == pytest.approx(1, abs=0.01)
    steps = [
        math.hypot(*read_idea("fox " + " ".join(f"w{i}" for i in range(many))).nuance) for many in range(60)
    ]
    assert max(steps) <= 3.01
    assert read_idea("fox zig zag").nuance == read_idea("zag zig fox zig").nuance


def test_every_name_can_be_painted():
    for motif in set(_MOTIFS.values()):
        assert motif in _DRAWN
        assert coat(motif, None, 0.1).shape == (256, 3)
    for place in set(_PLACES.values()):
        assert place in _PROFILES
        assert place in RAMPS
    for light in set(_LIGHTS.values()):
        assert read_idea(f"fox {light} hills").palette in RAMPS
