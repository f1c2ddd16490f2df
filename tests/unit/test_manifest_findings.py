"""Findings: all at once, each once, where it is, with what helps; secrets are not repeated."""

import pytest
from support.manifests import HEAD, LORAS

from zbatch.manifest.findings import Findings, Mark, dotted, named, nearest, shown
from zbatch.manifest.secrets import names_a_secret

P = "request: {prompt: p}\n"


def test_findings_are_sorted_by_position(bench):
    found = bench.findings("zzz: 1\nrequest: {size: 1x1, prompt: '{{ a }}'}\nmatrix: {b: []}\nnope: 2\n")
    positions = [(finding.line, finding.column) for finding in found]
    assert positions == sorted(positions)
    assert len(found) == 5


def test_a_hundred_findings_and_the_number_of_the_rest(bench):
    found = bench.findings(P + "matrix: {size: [" + ",".join(f"{n}x1" for n in range(150)) + "]}\n")
    assert len(found) == 101
    assert found[-1].message == "50 more problems are not listed"


@pytest.mark.parametrize(
    ("body", "count"),
    [
        # what uses something broken is not wrong too
        (
            "request: {prompt: '{{ a }}'}\nmatrix: {a: 3}\nexclude: [{a: 1}, {when: a}]\nreport: {x: a}\n",
            1,
        ),
        ("request: {prompt: '{{ a }}'}\nmatrix: {a: {from: 0, to: 1, step: 0.3}}\nexclude: [{a: 1}]\n", 1),
        ("request: {prompt: '{{ a }}'}\nmatrix: [a]\nexclude: [{a: 1}]\nreport: {x: a}\n", 1),
        ("request: {prompt: '{{ a }}'}\nvars: [a]\n", 1),
        ("request: {prompt: '{{ a }}'}\nvars: {a: '{{ b'}\n", 1),
        ("request: {prompt: '{{ lora.name }}'}\nmatrix: {lora: [film]}\n", 1),
        ("request: {prompt: p}\nloras: [film]\nmatrix: {lora: [film, ink@0.5]}\n", 1),
        ("request: {prompt: p, loras: [film]}\nloras: {film: {paht: x}}\n", 1),
        ("request: {prompt: p, strength: 0.5, image_url: 3}\n", 1),
        ("request: {prompt: 3, strength: 0.5, image_url: '{{ x'}\n", 2),
        ("request: {promt: p}\n", 1),
        ("requst: {prompt: p}\n", 1),
        ("prompt: p\n", 1),
        ("request: {prompt: '{{ a }}'}\nmatirx: {a: [1]}\nexclude: [{a: 1}]\n", 1),
        ("request: {prompt: '{{ a }}'}\nvras: {a: x}\n", 1),
        ("request: {prompt: '{{ a }}'}\ninclude: [{a: x, request: 3}]\n", 1),
        ("request: {prompt: p}\nlimits: {max_cost: 3}\nprice: free\n", 1),
        ("request: {prompt: p}\nexclude: [{a: 1, when: b == 1}]\n", 2),
    ],
)
def test_one_mistake_is_one_finding(bench, body, count):
    found = bench.findings(body)
    assert len([finding for finding in found if finding.severity == "error"]) == count, found


def test_two_undefined_names_of_one_template_are_one_finding(bench):
    (error,) = bench.errors("request: {prompt: '{{ a }} {{ b.c }} {{ d }}'}\n")
    assert error == "the template uses 'a', 'b' and 'd', which nothing defines"


def test_problems_of_every_stage_come_together(bench):
    body = LORAS.replace("org/ink", "https://example.org/?token=abcdef") + (
        "request: {prompt: '{{ nope }}', size: 1x1, loras: [flim], image_url: gone.png}\n"
        "matrix: {seed: [-1], a: {from: 1}}\nexclude: [{b: 1}]\ninclude: [{zzz: 1}]\n"
        "limits: {rate: fast, max_cost: 1}\noutput: {file: '{{ x', dir: '{{ y }}'}\n"
        "report: {x: c}\nendpoint: nowhere\n"
    )
    assert [finding.path for finding in bench.findings(body)] == [
        "loras.ink.path",
        "request.prompt",
        "request.size",
        "request.loras[0]",
        "request.image_url",
        "matrix.seed[0]",
        "matrix.a",
        "exclude[0].b",
        "include[0].zzz",
        "limits.rate",
        "limits.max_cost",
        "output.file",
        "output.dir",
        "report.x",
        "endpoint",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "sk-abcdefghijklmnop1234",
        "rk_abcdefghijklmnop1234",
        "Bearer abcdefghijklmnop",
        "Authorization: bearer abcdefghijklmnop",
        "hf_abcdefghijklmnopqrstuv",
        "https://me:secretword@example.org/a",
        "https://civitai.com/api/download/models/1?type=Model&token=secretword",
        "https://x.s3.amazonaws.com/a?X-Amz-Signature=secretword",
    ],
)
@pytest.mark.parametrize(
    "place", ["vars: {a: %s}", "loras: {a: %s}", "loras: {a: {path: %s}}", "description: %s"]
)
def test_a_secret_is_an_error_that_does_not_repeat_it(bench, text, place):
    found = bench.findings(P + place % f"'{text}'" + "\n")
    said = "\n".join(str(finding) for finding in found)
    assert "ZBATCH_API_KEY" in said
    assert "secretword" not in said
    assert "abcdefghijklmnop" not in said


@pytest.mark.parametrize(
    "key", ["api_key", "apikey", "API-KEY", "token", "authorization", "password", "secret"]
)
def test_a_key_called_like_a_secret_is_told_where_it_belongs(bench, key):
    (finding,) = bench.findings(P + f"{key}: sk-abcdefghijklmnop1234\n")
    assert "ZBATCH_API_KEY" in finding.hint
    assert "abcdefgh" not in str(finding)


@pytest.mark.parametrize(
    "text", ["a risk-free sketch", "token ring", "https://example.org/a?size=2", "sk-short", "key light"]
)
def test_harmless_words_are_no_secrets(bench, text):
    assert bench.jobs(f"request: {{prompt: {text!r}}}\n")
    assert not names_a_secret("keyword")


def test_a_place_is_written_as_people_do():
    assert dotted(("matrix", "lora", "scale", 2)) == "matrix.lora.scale[2]"
    assert dotted(()) == ""
    assert dotted((0, "a")) == "[0].a"


def test_names_in_a_sentence():
    assert named(["a"]) == "'a'"
    assert named(["a", "b"]) == "'a' and 'b'"
    assert named(["a", "b", "c"]) == "'a', 'b' and 'c'"


def test_values_are_shown_in_short():
    assert shown("x" * 200) == '"' + "x" * 49 + "..." + "x" * 19 + '"'
    assert shown(10**30) == str(10**30)
    assert shown({"a": [1, None]}) == '{"a":[1,null]}'


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("promt", "did you mean prompt?"),
        ("PROMPT", "did you mean prompt?"),
        ("lora", "did you mean lora.name?"),
        ("zzz", "there are: lora.name, prompt, size"),
        ("", "there are: lora.name, prompt, size"),
    ],
)
def test_the_nearest_spelling(word, hint):
    assert nearest(word, ["prompt", "size", "lora.name"]) == hint


def test_of_very_many_words_the_nearest_is_still_found():
    assert nearest("wolv", [f"v{n}" for n in range(100_000)] + ["wolf"]) == "did you mean wolf?"
    assert nearest("x", []) == ""


def test_of_several_findings_at_one_place_the_first_counts():
    findings = Findings()
    findings.at(Mark("a", 1, 2), "x", "first")
    findings.at(Mark("a", 1, 2), "x", "second")
    findings.at(Mark("a", 1, 2), "y", "another place")
    assert [finding.message for finding in findings] == ["first", "another place"]


def test_warnings_stop_nothing_and_come_along(bench):
    found = bench.findings(HEAD and P + "matrix: {a: [x, x], size: [1x1]}\nexclude: [{a: y}]\n")
    assert sorted(finding.severity for finding in found) == ["error", "warning", "warning"]


def test_what_is_wrong_in_different_ways_in_different_cells_is_told_in_one_go(bench):
    body = "request: {prompt: '{{ f }}'}\nmatrix: {f: [CON, ../z, 'a/', fine]}\noutput: {file: '{{ f }}'}\n"
    assert [finding.message.partition(" (got")[0] for finding in bench.findings(body)] == [
        "the file name 'CON' is a reserved name on Windows",
        "the file name leaves the run directory",
        "the file name has an empty or `.` part",
    ]


def test_cells_that_are_all_wrong_are_not_looked_at_to_the_end(bench):
    body = (
        "request: {prompt: p, image_url: 'https://example.org/a.png', strength: '{{ s * n }}'}\n"
        "matrix: {s: [2], n: {from: 1, count: 1000000}}\n"
    )
    [finding] = bench.findings(body)
    assert finding.message == "must be a number from 0 to 1 (got 2) in the cell s=2, n=1"


def test_columns_of_a_broken_data_file_are_not_missed(bench):
    (bench.directory / "d.csv").write_text("prompt,seed,strength\na,007,1e-1\n", "utf-8")
    found = bench.findings("zip: {file: d.csv}\nrequest: {image_url: 'https://example.org/a.png'}\n")
    assert [(finding.message, finding.hint) for finding in found] == [
        ('seed must be a whole number (got "007")', "write 7"),
        ('strength must be a number (got "1e-1")', "write 0.1"),
    ]
