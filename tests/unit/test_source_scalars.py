"""How YAML is read: the core rules of 1.2, positions, and an error where readers of YAML differ."""

import os

import pytest
from support.manifests import HEAD

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings
from zbatch.manifest.scalars import read_scalar
from zbatch.manifest.source import read_document


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "a.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        findings = Findings()
        document = read_document(path, findings)
        return document, list(findings)

    return read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-0", 0),
        ("+1", 1),
        ("12", 12),
        ("1.0", 1),
        ("1.", 1),
        (".5", 0.5),
        ("-0.0", 0),
        ("2.50", 2.5),
        ("0.1", 0.1),
        ("00.5", 0.5),
        ("9007199254740992", 2**53),
        ("tRUE", "tRUE"),
        ("nULL", "nULL"),
        ("y", "y"),
        ("n", "n"),
        ("1024*1024", "1024*1024"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("-", "-"),
        (".", "."),
        ("+", "+"),
        ("1-2", "1-2"),
        ("2026-1", "2026-1"),
        ("12:75", "12:75"),
        ("0:30", "0:30"),
        ("١٢", "١٢"),
        ("é", "é"),
    ],
)
def test_plain_scalars(text, value):
    got, problem = read_scalar(text)
    assert (got, problem) == (value, None)
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("text", "why", "write"),
    [
        ("no", "true or false", "or write false"),
        ("YES", "true or false", "or write true"),
        ("On", "true or false", "or write true"),
        ("off", "true or false", "or write false"),
        ("010", "octal", "or write 10"),
        ("-007", "octal", "or write -7"),
        ("00", "octal", "or write 0"),
        ("0o17", "a number to some", '"0o17"'),
        ("0x1F", "a number to some", '"0x1F"'),
        ("0b11", "a number to some", '"0b11"'),
        ("1_000", "a number to some", "or write 1000"),
        ("1_0.5", "a number to some", "or write 10.5"),
        ("1e3", "text to some", "or write 1000"),
        ("1.5E-3", "text to some", "or write 0.0015"),
        ("1e-30", "text to some", '"1e-30"'),
        ("1e400", "text to some", '"1e400"'),
        (".inf", "finite", '".inf"'),
        ("-.INF", "finite", '"-.INF"'),
        (".NaN", "finite", '".NaN"'),
        ("2026-01-01", "a date", '"2026-01-01"'),
        ("2026-1-1 10:00:00", "a date", "quote"),
        ("2026-01-01T10:00:00Z", "a date", "quote"),
        ("16:9", "base 60", '"16:9"'),
        ("1:30:00", "base 60", "quote"),
        ("9007199254740993", "too large", "quote"),
        ("118446744073709551616", "too large", "quote"),
        ("-99999999999999999999", "too large", "quote"),
        ("99999999999999999999.5", "too large", "quote"),
        ("9" * 400 + ".0", "too large", "quote"),
        ("0." + "3" * 60, "too long", "quote"),
    ],
)
def test_what_readers_of_yaml_take_differently_is_an_error(text, why, write):
    value, problem = read_scalar(text)
    assert why in problem.message
    assert write in problem.hint
    assert isinstance(value, str | int | float)


def test_quoted_and_block_scalars_are_text(read):
    document, findings = read('a: "no"\nb: \'010\'\nc: |\n  1e3\nd: >-\n  2026-01-01\ne: ""\n')
    assert document.data == {"a": "no", "b": "010", "c": "1e3\n", "d": "2026-01-01", "e": ""}
    assert findings == []


def test_keys_are_text(read):
    document, findings = read("1: a\nno: b\n010: c\n~: d\n1e3: e\n")
    assert list(document.data) == ["1", "no", "010", "~", "1e3"]
    assert findings == []


def test_positions_count_characters_from_one(read):
    document, _ = read("ä: [é, {ü: 1}]\n")
    assert document.mark(("ä",))[1:] == (1, 4)
    assert document.mark(("ä", 1, "ü"))[1:] == (1, 12)
    assert document.mark(("ä", 1, "ü"), key=True)[1:] == (1, 9)
    assert document.mark(("ä", 7, "nothing"))[1:] == (1, 4)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(read, ending):
    document, _ = read(ending.join(["a: 1", "b:", "  - c"]))
    assert document.data == {"a": 1, "b": ["c"]}
    assert document.mark(("b", 0))[1:] == (3, 5)


def test_a_byte_order_mark_is_no_column(read):
    document, _ = read(b"\xef\xbb\xbfa: 1\n")
    assert document.data == {"a": 1}
    assert document.mark(("a",))[1:] == (1, 4)


def test_duplicate_keys_are_told_and_the_first_counts(read):
    document, findings = read("a: {b: 1, b: [x]}\na: 2\n")
    assert document.data == {"a": {"b": 1}}
    assert [(finding.line, finding.column, finding.path) for finding in findings] == [
        (1, 11, "a.b"),
        (2, 1, "a"),
    ]
    assert document.mark(("a", "b"))[1:] == (1, 8)


def test_tags_are_told_wherever_they_stand(read):
    _, findings = read(
        "a: !!python/object/apply:os.system [echo]\nb: !x {c: !!str d}\n!!str e: !!binary aGk=\n! f: 1\n"
    )
    assert [(finding.line, finding.column) for finding in findings] == [
        (1, 4),
        (2, 4),
        (2, 11),
        (3, 1),
        (3, 10),
        (4, 1),
    ]
    assert all("tags are not taken" in finding.message for finding in findings)


def test_aliases_stand_for_whole_values(read):
    document, findings = read("a: &a [1, {b: c}]\nd: *a\ne: [*a, *a]\n")
    assert document.data == {"a": [1, {"b": "c"}], "d": [1, {"b": "c"}], "e": [[1, {"b": "c"}]] * 2}
    assert findings == []
    assert document.mark(("e", 1, 1, "b"))[1:] == (3, 9)


def test_merge_keys_are_told(read):
    _, findings = read("a: &a {b: 1}\nc: {<<: *a}\n")
    assert [(finding.line, finding.column, finding.message) for finding in findings] == [
        (2, 5, "merge keys are not taken")
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "the file is empty"),
        (" \n\n", 1, 1, "the file is empty"),
        ("# nothing\n", 1, 1, "the file is empty"),
        ("---\n...\n", 1, 1, "the file is empty"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
        ("a: 1\n...\n---\nb: 2\n", 3, 1, "a second document"),
        ("\ta: 1\n", 1, 1, "is no YAML"),
        ("a:\n\tb: 1\n", 2, 1, "is no YAML"),
        ("a: {{ b }}\n", 1, 5, "an unquoted {{ }} is a map"),
        ("a: {{ b }} c\n", 1, 5, "an unquoted {{ }} is a map"),
        ("a: [{{ b }}]\n", 1, 6, "an unquoted {{ }} is a map"),
        ("? [a]\n: b\n", 1, 3, "a key must be plain text"),
        ("a: b: c\n", 1, 5, "is no YAML"),
        ("a: 'x\n", 1, 4, "is no YAML"),
        ("a: [1, 2\n", 1, 4, "is no YAML"),
        ("a: 1\n b: 2\n", 2, 3, "is no YAML"),
        ("a: @b\n", 1, 4, "is no YAML"),
        ("a: %b\n", 1, 4, "is no YAML"),
    ],
)
def test_what_stops_the_parse_is_told_at_its_place(read, text, line, column, words):
    with pytest.raises(ManifestError) as caught:
        read(text)
    (finding,) = caught.value.findings
    assert (finding.line, finding.column) == (line, column), finding
    assert words in finding.message


def test_templates_that_stop_the_parse_have_their_own_hint(read):
    for text in ("a: {{ b }}\n", "a: {% if b %}\n", "{a: x {{ b }} y}\n"):
        with pytest.raises(ManifestError) as caught:
            read(text)
        assert "quote" in caught.value.findings[0].hint


def test_a_file_that_is_not_there_is_told_with_its_neighbour(read, tmp_path):
    read(HEAD)
    with pytest.raises(ManifestError) as caught:
        read_document(tmp_path / "aa.yaml", Findings())
    (finding,) = caught.value.findings
    assert "No such file" in finding.message
    assert finding.hint == "did you mean a.yaml?"


def test_a_directory_is_no_manifest(tmp_path):
    with pytest.raises(ManifestError, match="cannot be read"):
        read_document(tmp_path, Findings())


def test_a_pipe_is_read_like_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if os.fork() == 0:
        pipe.write_text("a: 1\n")
        os._exit(0)
    assert read_document(pipe, Findings()).data == {"a": 1}
    os.wait()


def test_a_pipe_out_of_which_nothing_comes_ends_soon(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ManifestError, match="a pipe out of which nothing comes"):
        read_document(tmp_path / "pipe.yaml", Findings())
