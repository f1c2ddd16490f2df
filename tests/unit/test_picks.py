"""Picks: read at the edge with clear words, written the same for ever, merged by rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import jsonschema_rs
import pytest
from support.picks_files import DOUBLED, IDENTITY, WRONG, A, B, C, document

from zbatch.errors import UsageError
from zbatch.picks.merging import merge_picks
from zbatch.picks.reading import parse_picks, read_picks
from zbatch.picks.records import Comparison, Judgement, Picks
from zbatch.picks.standing import stand
from zbatch.shapes import schema_text


def moment(minute):
    return datetime(2026, 5, 1, 10, minute, tzinfo=UTC)


BEGIN = moment(0)


def person(who="", source="", when=BEGIN, comparisons=(), **said):
    keys = {"a": A, "b": B, "c": C}
    return Picks(IDENTITY, "fox", who, source, when, {keys[k]: v for k, v in said.items()}, comparisons)


def test_what_the_page_writes_is_read_and_written_again_alike():
    picks = parse_picks(json.dumps(document()))
    assert picks.judgements[A] == Judgement(5, favourite=True, when=datetime(2026, 5, 1, 9, tzinfo=UTC))
    assert picks.judgements[B].reject
    assert picks.comparisons[0].winner == "a"
    assert json.loads(picks.as_bytes()) == document()
    assert parse_picks(picks.as_bytes()) == picks


def test_a_byte_order_mark_and_other_offsets_of_time_do_no_harm():
    text = "\ufeff" + json.dumps(document(when="2026-05-01T12:00:00+02:00"))
    assert parse_picks(text.encode()).when == moment(0)


@pytest.mark.parametrize("name", DOUBLED)
def test_what_is_there_twice_is_refused_with_its_place(name):
    text, words = DOUBLED[name]
    with pytest.raises(UsageError) as caught:
        parse_picks(text)
    assert words in caught.value.message


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_with_the_place(name, tmp_path):
    text, words = WRONG[name]
    path = tmp_path / "picks.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_picks(path)
    assert "picks.json" in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint


def test_all_mistakes_are_named_up_to_ten():
    pair = {"a": A, "b": B, "winner": "left", "axis": "x"}
    jobs = {A: {"rating": 6}, B: {"favourite": True, "reject": True}, C: {"when": "2026-02-30T00:00:00Z"}}
    with pytest.raises(UsageError) as caught:
        parse_picks(json.dumps(document(jobs=jobs, comparisons=[pair, {**pair, "winner": "a", "b": A}])))
    assert sorted(line.removeprefix("error: ")[:32] for line in caught.value.message.splitlines()) == [
        "picks.json: comparisons.0.winner",
        "picks.json: comparisons.1: an im",
        "picks.json: jobs.aaaaaaaaaaaa.ra",
        "picks.json: jobs.bbbbbbbbbbbb: a",
        "picks.json: jobs.cccccccccccc.wh",
    ]
    many = {f"{number:064x}": {"rating": 9} for number in range(30)}
    with pytest.raises(UsageError) as caught:
        parse_picks(json.dumps(document(jobs=many)))
    lines = caught.value.message.splitlines()
    assert (len(lines), lines[-1]) == (11, "picks.json: and more")


def test_other_wrong_files(tmp_path):
    (tmp_path / "fox.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    for path, words in (("fox.png", "not text"), ("none.json", "there is no"), (".", "directory")):
        with pytest.raises(UsageError, match=words):
            read_picks(tmp_path / path)
    twice = json.dumps(document()).replace(f'"{B}": {{"reject"', f'"{A}": {{"reject"')
    with pytest.raises(UsageError, match="there twice"):
        parse_picks(twice)
    with pytest.raises(UsageError, match="no picks file"):
        parse_picks("[" * 100_000)
    with pytest.raises(UsageError, match="no Unicode"):
        parse_picks(json.dumps(document(who="\ud800")))


def test_the_schema_holds_what_is_written():
    validator = jsonschema_rs.Draft202012Validator(json.loads(schema_text("picks-v1")))
    assert validator.is_valid(document())
    odd = person("", "", datetime(2026, 1, 1, microsecond=5, tzinfo=UTC), a=Judgement(), b=Judgement(2))
    assert validator.is_valid(json.loads(odd.as_bytes()))
    assert parse_picks(odd.as_bytes()) == odd


def test_ratings_are_averaged_and_the_rest_is_decided_by_vote():
    merged = merge_picks(
        [
            person("Ann", a=Judgement(5, favourite=True), b=Judgement(2), c=Judgement(reject=True)),
            person("Ben", a=Judgement(4), b=Judgement(1, reject=True)),
            person("", a=Judgement(3, favourite=True), b=Judgement(reject=True)),
        ]
    )
    assert merged.people == ("someone", "Ann", "Ben")
    a, b, c = (merged.opinions[key] for key in (A, B, C))
    assert (a.rating, a.ratings, a.favourites, a.favourite, a.reject) == (4.0, 3, 2, True, False)
    assert (b.rating, b.rejects, b.judges, b.reject) == (1.5, 2, 3, True)
    assert (c.rating, c.reject) == (None, True)


def test_half_the_votes_are_not_enough():
    merged = merge_picks([person("Ann", a=Judgement(favourite=True)), person("Ben", a=Judgement(3))])
    assert not merged.opinions[A].favourite


def test_the_same_person_is_asked_once_and_the_last_word_counts():
    pair = Comparison(A, B, "a", "seed", moment(1))
    first = person("Ann", a=Judgement(1, when=moment(1)), b=Judgement(2, when=moment(1)), comparisons=(pair,))
    second = person(" ann".strip(), when=moment(5), a=Judgement(4, when=moment(4)), comparisons=(pair,))
    taken_back = person("Ann", when=moment(9), b=Judgement(when=moment(9)))
    for files in ([first, second, taken_back], [taken_back, second, first, first]):
        merged = merge_picks(files)
        assert len(merged.people) == 1
        assert merged.opinions[A].rating == 4.0
        assert B not in merged.opinions
        assert merged.comparisons == (pair,)


def test_without_a_name_the_browser_tells_people_apart():
    one, again, other = (
        person("", source, moment(number), a=Judgement(number + 1, when=moment(number)))
        for number, source in enumerate(("x", "x", "y"))
    )
    assert merge_picks([one, again, other]).opinions[A].ratings == 2


def test_picks_are_held_against_the_run():
    picks = parse_picks(json.dumps(document()))
    whole = stand(picks, IDENTITY, {A, B, C}, "picks.json")
    assert (whole.known, whole.gone, whole.notes("picks.json", picks)) == (2, 0, [])
    (note,) = stand(picks, IDENTITY, {A}, "picks.json").notes("picks.json", picks)
    assert "1 of the 2 images" in note
    (note,) = stand(picks, "other", {A, B}, "picks.json").notes("picks.json", picks)
    assert "another run (fox)" in note
    with pytest.raises(UsageError, match="none of its images"):
        stand(picks, "other", {C}, "picks.json")
