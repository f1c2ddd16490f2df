"""Picks files as people make them, right and wrong, and what must be said about the wrong ones."""

from __future__ import annotations

import json

IDENTITY = "0123456789abcdef"
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def document(**changes):
    """A picks file as the page writes it, with changes."""
    return {
        "version": 1,
        "run": {"identity": IDENTITY, "name": "fox"},
        "who": "Ann",
        "source": "f00",
        "when": "2026-05-01T10:00:00.000Z",
        "jobs": {
            A: {"rating": 5, "favourite": True, "when": "2026-05-01T09:00:00.000Z"},
            B: {"reject": True},
        },
        "comparisons": [
            {"a": A, "b": B, "winner": "a", "axis": "lora.scale", "when": "2026-05-01T09:30:00.000Z"}
        ],
    } | changes


def _text(**changes):
    return json.dumps(document(**changes), indent=2)


WRONG = {
    "empty": ("", "cut off"),
    "cut off": (_text()[:200], "cut off"),
    "cut in a word": (_text()[: _text().index("favour") + 3], "cut off"),
    "not JSON": ("version: 1\n", "JSON"),
    "another JSON": ('{"foo": 1}', "not a picks file"),
    "a list": ("[1, 2]", "not a picks file"),
    "newer": (_text(version=2), "version 2"),
    "rating of six": (_text(jobs={A: {"rating": 6}}), "jobs.aaaaaaaaaaaa.rating"),
    "rating of a half": (_text(jobs={A: {"rating": 3.5}}), "jobs.aaaaaaaaaaaa.rating"),
    "rating in words": (_text(jobs={A: {"rating": "5"}}), "jobs.aaaaaaaaaaaa.rating"),
    "misspelt": (_text(jobs={A: {"favorite": True}}), "favorite"),
    "both": (_text(jobs={A: {"favourite": True, "reject": True}}), "not both"),
    "no key": (_text(jobs={"fox": {"rating": 1}}), "fox"),
    "jobs as a list": (_text(jobs=[]), "jobs"),
    "winner": (_text(comparisons=[{"a": A, "b": B, "winner": "left", "axis": "x"}]), "comparisons.0.winner"),
    "no axis": (_text(comparisons=[{"a": A, "b": B, "winner": "a"}]), "axis"),
    "itself": (_text(comparisons=[{"a": A, "b": A, "winner": "a", "axis": "x"}]), "with itself"),
    "no such time": (_text(jobs={A: {"rating": 1, "when": "2026-02-30T00:00:00Z"}}), "2026-02-30"),
    "time in words": (_text(when="yesterday"), "when"),
    "a name twice": (
        _text().replace('"rating": 5,', '"rating": 5, "r\\u0061ting": 1,'),
        "is there twice",
    ),
    "unknown part": (_text(mood="good"), "mood"),
}

DOUBLED = {
    "a judgement": (
        _text().replace('"jobs": {', '"jobs": {"' + A + '": {"rating": 1},'),
        f"jobs: '{A}' is there twice",
    ),
    "a rating": (
        _text().replace('"rating": 5', '"rating": 5, "rating": 4'),
        "jobs.aaaaaaaaaaaa: 'rating' is there twice",
    ),
    "a winner": (
        _text().replace('"winner": "a"', '"winner": "a", "winner": "b"'),
        "comparisons.0: 'winner' is there twice",
    ),
    "all jobs": (_text()[:-1] + ', "jobs": {}}', "picks.json: 'jobs' is there twice"),
    "no number": (_text().replace('"rating": 5', '"rating": NaN'), "NaN, which is no number"),
}
"""Files that many readers of JSON take without a word: the last of two keys counts for them."""
