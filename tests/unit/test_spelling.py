from __future__ import annotations

import pytest

from zbatch.spelling import nearest_word


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("promt", "prompt"),
        ("PROMPT", "prompt"),
        ("Seeds", "seed"),
        ("width", None),
        ("", None),
        ("SCALE", "Scale"),
    ],
)
def test_the_nearest_word_is_found_whatever_its_case(word, meant):
    assert nearest_word(word, ["prompt", "seed", "Scale"]) == meant


def test_of_very_many_words_those_are_compared_that_begin_alike():
    words = [f"a{number}" for number in range(40_000)] + ["barn owl", "otter"]
    assert nearest_word("barn owls", words) == "barn owl"
    assert nearest_word("rotter", words) is None
