"""The schema as editors take it: it flags what it can see, explains everything, and raises no false alarm."""

import json
import re
from pathlib import Path
from typing import get_args

import jsonschema
import jsonschema_rs
import pytest
import yaml

from zbatch.api.contract import (
    DEFAULTS,
    FIELDS,
    MAX_LORAS,
    MAX_SCALE,
    MAX_SEED,
    MAX_SIDE,
    MIN_SIDE,
    MODELS,
    OUTPUT_FORMATS,
    Liftable,
)
from zbatch.cli import run_command_line
from zbatch.errors import ManifestError
from zbatch.manifest.findings import MAX_FINDINGS, Findings
from zbatch.manifest.limits import DEFAULT_MAX_JOBS, Limits
from zbatch.manifest.parser import DEFAULT_DIR
from zbatch.manifest.schema import check_schema, definition
from zbatch.manifest.source import read_document
from zbatch.manifest.templates import RESERVED
from zbatch.shapes import schema_text

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases"
VALID = sorted([*(CASES / "valid").glob("*.yaml"), *(ROOT / "manifests").glob("*.yaml")])
INVALID = sorted((CASES / "invalid").glob("*.yaml"))
SCHEMA = json.loads(schema_text())
DEFS = SCHEMA["$defs"]
EDITOR, WHOLE = jsonschema.Draft202012Validator(SCHEMA), jsonschema.Draft202012Validator(definition("whole"))
RUST, WHOLE_RUST = (jsonschema_rs.Draft202012Validator(schema) for schema in (SCHEMA, definition("whole")))
DRAFT_7 = jsonschema.Draft7Validator(SCHEMA)

BEYOND_A_SCHEMA = {
    "no YAML, or one that readers take in different ways: the editor's parser says so": """
        fuzz-exclude-too-large fuzz-infinity fuzz-old-line-ends fuzz-open-brace fuzz-open-quote
        yaml-alias-of-itself yaml-colon yaml-cut-off yaml-duplicate-keys yaml-empty yaml-look-alikes
        yaml-merge-key yaml-not-utf8 yaml-nul yaml-only-comments yaml-tab yaml-tags yaml-two-documents
        yaml-unknown-alias yaml-unquoted-statement yaml-unquoted-template
        yaml-unquoted-template-in-flow yaml-utf16""",
    "what templates and expressions say, and what they render to": """
        bad-expressions broken-image-needs-no-strength broken-var-names-no-more directory
        endless-expression exclude-when-fails expression-fails file-collides file-collides-by-case
        file-is-a-map file-is-null file-leaves file-like-an-image file-reserved file-too-long
        hostile-expressions image-rendered null-in-text prompt-empty rendered-loras
        seed-minus-one-rendered size-rendered""",
    "names that stand somewhere else in the manifest, or nowhere": """
        export-names export-splits lora-axis-without-loras lora-product undefined-attribute
        undefined-in-one-row undefined-in-the-matrix undefined-lora undefined-names vars-cycle
        export-split-twice zip-and-report zip-labels""",
    "other files: bases, data files, pictures": """
        data-columns data-csv-headers data-csv-ragged data-files-without-rows data-numbers
        data-numbers-of-an-axis data-rows-broken data-secrets extends-cycle extends-images-elsewhere
        extends-itself extends-removes-what-is-needed extends-secret-in-the-base image-missing
        image-outside zip-column-names zip-file-uneven zip-of-bare-values""",
    "sums": """
        a-trillion-cells exclude-leaves-nothing range-misses-its-end sample-more-than-max-jobs
        sample-of-nothing sample-too-many-cells two-million-cells""",
    "rules that limits.unchecked lifts": """
        lora-scale""",
}
"""Cases no schema can flag, by what it would have to know."""

UNSEEN = {name for names in BEYOND_A_SCHEMA.values() for name in names.split()}


def as_an_editor_reads(path):
    """Give the data of one file by itself; `None` where it is no YAML."""
    try:
        return read_document(path, Findings()).data
    except ManifestError:
        return None


def alarms(data):
    return [(tuple(error.absolute_path), error.message) for error in EDITOR.iter_errors(data)]


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_the_schema_takes_every_valid_case(path):
    assert alarms(as_an_editor_reads(path)) == []


def test_the_children_among_the_valid_cases_are_read_alone():
    assert sum("extends" in as_an_editor_reads(path) for path in VALID) >= 8


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_the_schema_flags_every_invalid_case_that_it_can_see(path, monkeypatch, capfd):
    data = as_an_editor_reads(path)
    flagged = alarms(data) if data is not None else []
    if path.stem in UNSEEN:
        assert flagged == [], "the schema sees it after all: take it off the list"
        return
    assert flagged, "can a schema see it? If not, say why in BEYOND_A_SCHEMA"
    # No false alarm beside the true one: the loader complains of each of these places, too.
    monkeypatch.chdir(path.parent)
    run_command_line(["validate", "--json", path.name])
    findings = json.loads(capfd.readouterr().out)
    told = [re.sub(r"\[\d+\]", "", finding["path"]).split(".") for finding in findings]
    for place, message in flagged:
        where = [part for part in place if isinstance(part, str)]
        assert any(there[: len(where)] == where[: len(there)] for there in told), (place, message)


def test_every_case_beyond_the_schema_is_one():
    assert {path.stem for path in INVALID} >= UNSEEN


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=lambda path: path.name)
def test_validators_of_both_drafts_and_both_kinds_agree(path):
    data = as_an_editor_reads(path)
    verdict = EDITOR.is_valid(data)
    assert DRAFT_7.is_valid(data) == verdict
    assert RUST.is_valid(data) == verdict
    assert WHOLE_RUST.is_valid(data) == WHOLE.is_valid(data)


# ── the schema itself ────────────────────────────────────────────────────────────────────────────────────

PLAIN = set(
    """$ref $defs $schema $id title description default examples type const enum allOf anyOf not if then else
    properties patternProperties additionalProperties propertyNames required minProperties maxProperties items
    minItems maxItems pattern minLength minimum maximum""".split()
)
FOR_EDITORS = {"errorMessage", "patternErrorMessage", "defaultSnippets", "enumDescriptions"}
OURS = {"whenEmpty"}
RULES = {name for name in DEFS if name.endswith(("Rule", "Rules", "rules")) and name != "excludeRule"}


def schemas(node, path=()):
    """Give every schema inside a schema, with its path."""
    if not isinstance(node, dict):
        return
    yield path, node
    for key in ("properties", "patternProperties", "$defs"):
        for name, inner in node.get(key, {}).items():
            yield from schemas(inner, (*path, key, name))
    for key in ("allOf", "anyOf"):
        for number, inner in enumerate(node.get(key, ())):
            yield from schemas(inner, (*path, key, number))
    for key in ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else"):
        yield from schemas(node.get(key), (*path, key))


ALL = list(schemas(SCHEMA))
EXPLAINED = [(path, node) for path, node in ALL if not (set(path) & RULES)]


def resolved(node):
    while "$ref" in node:
        target = SCHEMA
        for part in node["$ref"].split("/")[1:]:
            target = target[part]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def by_itself(node):
    return jsonschema.Draft202012Validator({**node, "$defs": DEFS})


def test_it_is_a_schema_of_plain_words():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    used = {key for _, node in ALL for key in node}
    assert used <= PLAIN | FOR_EDITORS | OURS


def test_every_definition_is_used():
    text = json.dumps(SCHEMA)
    assert [name for name in DEFS if f'"#/$defs/{name}"' not in text and f"#/$defs/{name}/" not in text] == []


def test_every_key_value_and_branch_is_explained():
    dumb = []
    for path, node in EXPLAINED:
        keys = [("properties", name) for name in node.get("properties", {})]
        inner = [(*path, *key, resolved(node["properties"][key[1]])) for key in keys]
        inner += [(*path, "anyOf", n, resolved(part)) for n, part in enumerate(node.get("anyOf", ()))]
        if isinstance(node.get("items"), dict):
            inner.append((*path, "items", resolved(node["items"])))
        dumb += [where for *where, part in inner if not part.get("description")]
    assert dumb == []


def test_every_branch_of_a_choice_has_a_title():
    branches = [
        (path, part) for path, node in EXPLAINED if "part" not in path for part in node.get("anyOf", ())
    ]
    assert [(path, part) for path, part in branches if "title" not in resolved(part)] == []


def test_every_default_and_example_is_right():
    offered = [(node, value) for _, node in ALL for value in node.get("examples", ())]
    offered += [(node, node["default"]) for _, node in ALL if "default" in node]
    assert len(offered) > 60
    for node, value in offered:
        assert by_itself(node).is_valid(value), (node, value)


def test_every_snippet_is_right_once_its_gaps_are_filled_with_what_they_offer():
    for _, node in ALL:
        for snippet in node.get("defaultSnippets", ()):
            body = re.sub(
                r"\$\{\d+:([^}]*)\}|\$\d+", lambda match: match[1] or "text", json.dumps(snippet["body"])
            )
            value = yaml.safe_load(re.sub(r'"(-?[0-9.]+)"', r"\1", body))
            assert by_itself(node).is_valid(value), (snippet, value)


def test_rules_for_editors_offer_no_keys():
    """What stands in `properties` is offered as a key: twice, if rules had it too."""
    assert [path for path, node in ALL if set(path) & RULES and "properties" in node] == []


def test_a_part_is_a_whole_whose_entries_may_be_null():
    whole, part = DEFS["whole"]["properties"], DEFS["part"]["properties"]
    assert list(part) == list(whole)
    must = {"version", "name", "extends"}
    removable = {name for name in whole if by_itself(part[name]).is_valid(None)}
    assert removable == whole.keys() - must
    for name in ("request", "matrix", "limits", "output", "report"):
        entries = DEFS[name]["properties"]
        assert list(part[name]["properties"]) == list(entries)
        for key, entry in part[name]["properties"].items():
            assert entry["anyOf"] == [
                {"$ref": f"#/$defs/{name}/properties/{key}"},
                {"$ref": "#/$defs/removed"},
            ]
            assert entry["description"] == resolved(entries[key])["description"]


# ── what it says of the API is what the contract says ────────────────────────────────────────────────────

VALUES = [
    *(
        "1024*1024",
        "100*9999",
        "0*5",
        "1x1",
        "512*512 ",
        "*5",
        "99999*1",
        "100000*1",
        "",
        " ",
        "png",
        "jpg",
        "PNG",
    ),
    *(0, 1, -1, 0.5, 1.5, MAX_SEED, MAX_SEED + 1, True, False, [1], {"a": 1}, "7", "true", "a.png"),
]


def refused_by_contract(field, value):
    unliftable = [violation for violation in FIELDS[field](value) if violation.liftable is None]
    return bool(unliftable) or (field == "seed" and value == -1)


def test_fields_models_and_defaults_are_those_of_the_contract():
    request = DEFS["request"]["properties"]
    assert list(request) == list(FIELDS)
    assert DEFS["model"]["enum"] == list(MODELS)
    assert {name: node["default"] for name, node in request.items() if "default" in node} == {
        name: value for name, value in DEFAULTS.items() if name != "loras"
    }
    assert set(DEFS["limits"]["properties"]["unchecked"]["items"]["enum"]) == set(get_args(Liftable))
    limits = Limits()
    defaults = {name: node.get("default") for name, node in DEFS["limits"]["properties"].items()}
    assert (defaults["concurrency"], defaults["attempts"]) == (limits.concurrency, limits.attempts)
    assert (defaults["max_jobs"], defaults["on_unknown"]) == (DEFAULT_MAX_JOBS, limits.on_unknown)
    assert (defaults["job_deadline"], limits.job_deadline) == ("30m", 1800)
    assert DEFS["output"]["properties"]["dir"]["default"] == DEFAULT_DIR


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "loras"])
def test_constants_axes_and_rows_are_judged_as_the_contract_does(field):
    top = {"version": 1, "name": "x"}
    picture = {} if field == "image_url" else {"image_url": "a.png"}
    others = {"prompt": "p", **picture}
    others.pop(field, None)
    for value in VALUES:
        refused = refused_by_contract(field, value)
        number_as_prompt = (
            field == "prompt" and isinstance(value, int | float) and not isinstance(value, bool)
        )
        # A number is a prompt where an axis fills it, and text to be quoted where a request has it.
        here = {**top, "request": {"prompt": "p", **others, field: value}}
        assert RUST.is_valid(here) != refused, (field, value)
        if isinstance(value, list | dict):
            continue
        refused = refused and not number_as_prompt
        axis = {**top, "request": others, "matrix": {field: [value]}}
        assert RUST.is_valid(axis) != refused, (field, value)
        named = {**top, "request": others, "matrix": {field: [{"label": "l", "value": value}]}}
        assert RUST.is_valid(named) != refused, (field, value)
        row = {**top, "request": others, "zip": [{field: value}]}
        assert RUST.is_valid(row) != refused, (field, value)


def test_an_axis_that_a_template_turns_into_a_field_is_free():
    request = {"prompt": "p", "size": "{{ size }}*512", "seed": "{{ seed + 1 }}"}
    assert (
        alarms({"version": 1, "name": "x", "request": request, "matrix": {"size": [512], "seed": ["x"]}})
        == []
    )
    assert alarms({"version": 1, "name": "x", "extends": "base.yaml", "matrix": {"size": [512]}}) == []


def test_the_numbers_in_words_are_those_of_the_contract():
    sizes = [DEFS["request"]["properties"]["size"], DEFS["matrix"]["properties"]["size"]]
    assert all(f"{MIN_SIDE} to {MAX_SIDE} a side" in node["description"] for node in sizes)
    scales = [
        node["description"] for _, node in EXPLAINED if "Strength of the LoRA" in node.get("description", "")
    ]
    assert len(scales) >= 3
    assert all(f"0 to {MAX_SCALE}" in text for text in scales)
    assert str(MAX_SEED) in DEFS["request"]["properties"]["seed"]["description"]
    assert all(
        name in DEFS["request"]["properties"]["output_format"]["description"] for name in OUTPUT_FORMATS
    )
    bounds = {node["maxItems"] for path, node in ALL if "maxItems" in node and "extends" not in path}
    assert bounds == {MAX_LORAS}


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_with_a_meaning_of_their_own_are_flagged(name):
    manifest = {"version": 1, "name": "x", "request": {"prompt": "p"}}
    assert alarms({**manifest, "matrix": {name: [1]}})
    assert alarms({**manifest, "zip": [{name: 1}]})
    assert alarms({**manifest, "vars": {name: 1}})


def test_loras_that_are_off_do_not_count():
    manifest = {"version": 1, "name": "x"}
    on = [{"path": letter} for letter in "abc"]
    assert (
        alarms({**manifest, "request": {"prompt": "p", "loras": [*on, "none", {"path": "d", "scale": 0}]}})
        == []
    )
    assert alarms({**manifest, "request": {"prompt": "p", "loras": [*on, "d@0"]}}) == []
    assert alarms({**manifest, "request": {"prompt": "p", "loras": [*on, "d"]}})


# ── long manifests ───────────────────────────────────────────────────────────────────────────────────────


def told(data):
    findings = Findings()
    broken = check_schema(data, findings)
    return broken, [(finding.path, finding.message, finding.hint) for finding in findings], findings.left_out


@pytest.mark.parametrize(
    ("section", "good", "bad"),
    [
        (("matrix", "a"), "fox", [1]),
        (("matrix", "a"), "fox", {"label": 3, "value": 1}),
        (("matrix", "lora"), "film", {"nme": "film"}),
        (("zip",), {"a": 1}, {"a b": 1}),
        (("exclude",), {"a": 1}, {}),
        (("include",), {"a": 1}, {"request": {"sise": "512*512"}}),
        (("include",), {"a": 1}, {"matrix": {"seed": []}}),
    ],
)
def test_a_mistake_in_a_long_list_is_told_as_in_a_short_one(section, good, bad):
    def manifest(number):
        items = [good] * number + [bad]
        part = items if len(section) == 1 else {section[1]: items}
        return {"version": 1, "name": "x", section[0]: part, "zzz": 1}

    few, words, _ = told(manifest(7))
    many, same_words, _ = told(manifest(5000))
    assert len(words) == 2
    assert [(path.replace("[5000]", "[7]"), *more) for path, *more in same_words] == words
    assert {tuple(7 if part == 5000 else part for part in place) for place in many} == few


@pytest.mark.parametrize(
    ("section", "entry", "bad"),
    [
        ("vars", "x", ("a b", 1)),
        ("loras", "org/x", ("a@b", "org/y")),
        ("loras", {"path": "org/x"}, ("film", {"pth": "org/y"})),
        ("matrix", [1], ("a", "fox")),
        ("matrix", [1], ("a", [1] * 200 + [[2]])),
        ("matrix", {"from": 0, "count": 3}, ("n", {"form": 0, "count": 3})),
    ],
)
def test_a_mistake_in_a_long_map_is_told_as_in_a_short_one(section, entry, bad):
    def manifest(number):
        entries = {f"e{n}": entry for n in range(number)}
        return {"version": 1, "name": "x", section: {**entries, bad[0]: bad[1]}, "zzz": 1}

    few = told(manifest(3))
    assert told(manifest(3000)) == few
    assert len(few[1]) == 2


def test_a_mistake_in_a_long_axis_of_a_row_is_told_by_its_place():
    row = {
        "label": "r",
        "loras": dict.fromkeys("ab" * 200),
        "matrix": {"a": [1] * 200 + [[1]], "b": {"from": "x"}},
    }
    broken, words, _ = told({"version": 1, "name": "x", "include": [row]})
    assert broken == {("include", 0, "matrix", "a", 200), ("include", 0, "matrix", "b", "from")}
    assert len(words) == 2


def test_of_very_many_mistakes_the_first_are_told_and_all_are_known():
    data = {"version": 1, "name": "x", "include": [3] * 5000}
    broken, words, left_out = told(data)
    assert len(words) == MAX_FINDINGS
    assert left_out == 5000 - MAX_FINDINGS
    assert broken == {("include", number) for number in range(5000)}
