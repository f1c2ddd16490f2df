"""Data files as people save them: byte order marks, line ends, quotes; and where each row stands."""

import os

import pytest
from support.manifests import HEAD, LORAS, Bench

from zbatch.manifest.datafiles import MAX_DATA_BYTES, read_table
from zbatch.manifest.findings import Findings
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.source import read_document

BOM = b"\xef\xbb\xbf"


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def rows(directory, name, data):
    """Read a data file; give `(value, line, column)` of each row."""
    (directory / name).write_bytes(data)
    findings = Findings()
    (directory / "m.yaml").write_text(f"a: {{file: {name}}}\n")
    read_document(directory / "m.yaml", findings)
    table = read_table(name, ("a", "file"), findings)
    findings.raise_errors()
    return [(value, mark.line, mark.column) for value, mark in table.rows()] if table else []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_lines_of_text(tmp_path, end, mark):
    text = mark + end.join([b"# places", b"a forest", b"", b"  the fen  ", b"#x", "Ä, é".encode()])
    assert rows(tmp_path, "a.txt", text) == [("a forest", 2, 1), ("the fen", 4, 3), ("Ä, é", 6, 1)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_csv_with_lines_in_its_fields(tmp_path, end, mark):
    text = mark + end.join([b"", b" p , q", b'"one', b'two, ""three""",4', b"", b"five,", b'"",""'])
    whole = "one" + end.decode() + 'two, "three"'
    assert rows(tmp_path, "a.csv", text) == [
        ({"p": whole, "q": "4"}, 3, 1),
        ({"p": "five", "q": ""}, 6, 1),
        ({"p": "", "q": ""}, 7, 1),
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_json_by_lines(tmp_path, end, mark):
    text = mark + end.join([b'{"a": 1}', b"", b"  [1.50, null] ", b'"x"', b"1.0", b"-0.0", b"true"])
    assert rows(tmp_path, "a.jsonl", text) == [
        ({"a": 1}, 1, 1),
        ([1.5, None], 3, 3),
        ("x", 4, 1),
        (1, 5, 1),
        (0, 6, 1),
        (True, 7, 1),
    ]


@pytest.mark.parametrize("mark", [b"", BOM])
def test_json_items_have_their_lines(tmp_path, mark):
    text = mark + b'\n[1, "two\\nlines",\n\n  {"a":\n 3}, [\n4]]\n\n'
    assert rows(tmp_path, "a.json", text) == [
        (1, 2, 2),
        ("two\nlines", 2, 5),
        ({"a": 3}, 4, 3),
        ([4], 5, 6),
    ]


def test_yaml_items_have_their_lines(tmp_path):
    text = BOM + b"# values\n- fox\n- {label: x,\n   value: y}\n- |\n  text\n  of lines\n"
    assert rows(tmp_path, "a.yml", text) == [
        ("fox", 2, 3),
        ({"label": "x", "value": "y"}, 3, 3),
        ("text\nof lines\n", 5, 3),
    ]


def test_suffixes_in_capitals(tmp_path):
    assert rows(tmp_path, "A.TXT", b"fox\n") == [("fox", 1, 1)]


def test_numbers_of_request_fields_are_numbers_and_others_are_text(bench):
    (bench.directory / "a.csv").write_text("seed,n\n007,1\n 8 ,2\n", "utf-8")
    assert bench.errors("request: {prompt: '{{ n }}'}\nzip: {file: a.csv}\n") == [
        'seed must be a whole number (got "007")'
    ]
    (bench.directory / "a.csv").write_text("seed,n\n+7,1\n 8 ,2\n", "utf-8")
    assert bench.coordinates("request: {prompt: '{{ n }}'}\nzip: {file: a.csv}\n") == [
        {"seed": 7, "n": "1"},
        {"seed": 8, "n": "2"},
    ]


def test_the_type_goes_with_the_field_or_with_the_column(bench):
    (bench.directory / "a.csv").write_text("strength,noise\n0.50,3\n1.0,4\n", "utf-8")
    body = (
        "request: {prompt: '{{ s }}'}\n"
        "matrix: {seed: {file: a.csv, column: noise}, s: {file: a.csv, column: strength}}\n"
    )
    assert bench.coordinates(body)[:3] == [{"seed": 3, "s": 0.5}, {"seed": 3, "s": 1}, {"seed": 4, "s": 0.5}]


def test_one_value_twice_counts_once_and_says_where(bench):
    (bench.directory / "a.txt").write_text("fox\nowl\nfox\n")
    body = "request: {prompt: '{{ a }}'}\nmatrix: {a: {file: a.txt}}\n"
    assert [c["a"] for c in bench.coordinates(body)] == ["fox", "owl"]
    assert bench.warnings(body) == ["is there twice: fox counts once"]


def test_values_are_never_templates_and_a_warning_says_so(bench):
    (bench.directory / "a.txt").write_text("{{ 7 * 7 }}\n")
    body = "request: {prompt: '{{ a }}'}\nmatrix: {a: {file: a.txt}}\n"
    assert [request["prompt"] for request in bench.requests(body)] == ["{{ 7 * 7 }}"]
    assert "values are never templates" in bench.warnings(body)[0]


def test_loras_of_a_csv(bench):
    (bench.directory / "a.csv").write_text("word,lora\nx,film@0.5\ny,none\nz,film@0\n")
    body = LORAS + "request: {prompt: '{{ word }} {{ lora.trigger }}'}\nzip: {file: a.csv}\n"
    assert [(c["word"], c["lora.name"], c["lora.scale"]) for c in bench.coordinates(body)] == [
        ("x", "film", 0.5),
        ("y", "none", 0),
        ("z", "film", 0),
    ]
    assert [request.get("loras") for request in bench.requests(body)] == [
        [{"path": "org/film", "scale": 0.5}],
        None,
        None,
    ]


def test_a_wrong_lora_is_told_at_its_row(bench):
    (bench.directory / "a.txt").write_text("film\n\nflim@1\n")
    [finding] = bench.findings(LORAS + "request: {prompt: p}\nmatrix: {lora: {file: a.txt}}\n")
    assert finding.file.endswith("a.txt")
    assert (finding.line, finding.message, finding.hint) == (
        3,
        'no LoRA is named "flim"',
        "did you mean film?",
    )


def test_a_value_the_api_refuses_is_told_at_its_row(bench):
    (bench.directory / "a.csv").write_text('prompt,size\n"two\nlines",512*512\nfox,512x512\n')
    [finding] = bench.findings("zip: {file: a.csv}\n")
    assert (finding.file.rpartition("/")[2], finding.line) == ("a.csv", 4)
    assert finding.message.startswith('must be "width*height"')


def test_a_picture_in_a_data_file_is_looked_for_beside_it(bench):
    (bench.directory / "lists").mkdir()
    (bench.directory / "lists" / "a.txt").write_text("fox.png\n")
    [finding] = bench.findings("request: {prompt: p}\nmatrix: {image_url: {file: lists/a.txt}}\n")
    assert finding.file.endswith("lists/a.txt")
    assert finding.message == 'names no file (got "fox.png")'


def test_a_file_that_is_too_large_is_not_read_to_its_end(bench):
    with (bench.directory / "a.txt").open("wb") as stream:
        stream.truncate(MAX_DATA_BYTES * 4)
    assert bench.errors("request: {prompt: '{{ a }}'}\nmatrix: {a: {file: a.txt}}\n") == [
        'has more than 64 MB (got "a.txt")'
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_data_file(bench):
    os.mkfifo(bench.directory / "a.txt")
    assert bench.errors("request: {prompt: '{{ a }}'}\nmatrix: {a: {file: a.txt}}\n") == [
        'is no plain file (got "a.txt")'
    ]


@pytest.mark.parametrize("name", ["x\\0y.txt", "a" * 300 + ".txt"])
def test_names_that_no_file_can_have(bench, name):
    [message] = bench.errors(f'request: {{prompt: p}}\nmatrix: {{a: {{file: "{name}"}}}}\n')
    assert message.startswith(("cannot be read", "names no file"))


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" + "[" * 900 + "]" * 900 + "]", '["\\ud800"]', "[1" + "0" * 100_000 + "]"]
)
def test_hostile_json_is_a_finding(bench, text):
    (bench.directory / "a.json").write_text(text)
    [message] = bench.errors("request: {prompt: '{{ a }}'}\nmatrix: {a: {file: a.json}}\n")
    assert message.startswith("is no JSON: ")


def test_hostile_yaml_is_a_finding(bench):
    bomb = "- &a [x, x]\n" + "".join(
        f"- &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefghijklmnopq", "bcdefghijklmnopqr", strict=True)
    )
    (bench.directory / "a.yaml").write_text(bomb)
    [message] = bench.errors("request: {prompt: '{{ a }}'}\nmatrix: {a: {file: a.yaml}}\n")
    assert "aliases" in message


def test_many_bad_rows_are_counted_and_not_all_told(bench):
    (bench.directory / "a.csv").write_text("a,b\n" + "x\n" * 20_000)
    findings = bench.findings("request: {prompt: '{{ a }}'}\nzip: {file: a.csv}\n")
    assert len(findings) == 101
    assert findings[-1].message == "19,900 more problems are not listed"


def test_a_file_that_two_axes_read_is_one_source(bench):
    (bench.directory / "a.csv").write_text("p,q\n1,2\n")
    body = (
        "request: {prompt: '{{ a }} {{ b }}'}\n"
        "matrix: {a: {file: a.csv, column: p}, b: {file: a.csv, column: q}}\n"
    )
    document = load_manifest(bench.path(HEAD + body)).document
    assert [source.path.name for source in document.sources] == ["manifest.yaml", "a.csv"]


def test_many_warnings_never_hide_an_error(bench):
    (bench.directory / "a.csv").write_text("a,size\n" + "x,512*512\n" * 300 + "y,512x512\n")
    findings = bench.findings("request: {prompt: '{{ a }}'}\nzip: {file: a.csv}\n")
    assert len([finding for finding in findings if finding.severity == "warning"]) == 100
    [error] = [finding for finding in findings if finding.severity == "error"]
    assert (error.line, error.message[:21]) == (302, 'must be "width*height"'[:21])


def test_rows_of_different_columns_keep_their_places(bench):
    """Rows are held by column as long as they can be: one that differs in the middle changes nothing else."""
    lines = [f'{{"a": {n}, "b": "x"}}' for n in range(5_000)] + [
        '{"a": 5000}',
        '"bare"',
        '{"a": 5002, "b": "z"}',
    ]
    (bench.directory / "a.jsonl").write_text("\n".join(lines) + "\n")
    messages = [
        (f.line, f.message) for f in bench.findings("request: {prompt: '{{ a }}'}\nzip: {file: a.jsonl}\n")
    ]
    assert messages == [
        (5001, "rows walk together: 'b' is missing here"),
        (5002, 'must have columns, one for each axis (got "bare")'),
    ]


@pytest.mark.parametrize("rule", ["x: {}", "seed: {}"])
def test_rules_find_values_of_long_lists_at_once(bench, rule):
    """The index of a list gives what looking at each of its values gives."""
    values = "['1', 1, 2.5, true, null, {label: l, value: [1]}]"
    body = f"request: {{prompt: p}}\nmatrix: {{x: {values}, seed: {{from: 1, to: 9, step: 2}}}}\n"
    found = {}
    for value in ("'1'", "1", "1.0", "2.5", "true", "null", "[1]", "l", "3", "4", "'[1]'", "11", "-1"):
        steps = bench.steps(body + f"exclude: [{{{rule.format(value)}}}]\n")
        found[value] = {
            dict(step.cell.coordinates)[rule[: rule.index(":")]] for step in steps if step.cell.excluded_by
        }
    if rule.startswith("x"):
        assert found["'1'"] == {"1"}
        assert found["1"] == found["1.0"] == {1}
        assert found["true"] == {True}
        assert found["null"] == {None}
        assert found["2.5"] == {2.5}
        assert found["[1]"] == found["l"] == {"l"}
    else:
        assert found["1"] == found["1.0"] == {1}
        assert found["3"] == {3}
        assert found["4"] == found["11"] == found["-1"] == found["true"] == found["'1'"] == set()
