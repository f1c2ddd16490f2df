"""The fast way through a grid gives what the slow way gives, row by row, and the same counts and errors."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zbatch.errors import ManifestError, UsageError
from zbatch.expressions import compile_expression, compile_template
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.selection import Selection
from zbatch.model import Row

MANY = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LORAS = {"film": {"path": "org/film", "trigger": "grain"}, "ink": "org/ink"}
AXES = {
    "subject": st.sampled_from(["fox", "owl", 3, 'x "y" é \U0001f98a', "</script>", "Fox", "a/b", "com"]),
    "place": st.sampled_from(["wood", {"label": "far", "value": "tundra"}, None, 0.5, True]),
    "seed": st.sampled_from([0, 1, 7, 2147483647, {"label": "s", "value": 5}, -1, None]),
    "size": st.sampled_from(["512*512", "768*768", {"label": "big", "value": "1024*1024"}, "1x1"]),
    "strength": st.sampled_from([0, 0.5, 1, None, {"label": "half", "value": 0.5}]),
    "output_format": st.sampled_from(["webp", "png", "jpeg"]),
    "image_url": st.sampled_from(["https://x.org/a.png", "https://x.org/b.png", None]),
    "enable_base64_output": st.booleans(),
    "lora": st.sampled_from(
        [
            "film@0.5",
            "film",
            "ink@0",
            "film@0",
            "none",
            "film@5",
            ["film@0.2", "ink@0.3"],
            {"name": "ink", "scale": 1.5},
        ]
    ),
    "prompt": st.sampled_from(["a fox", "an owl", "", 5]),
}
PROMPTS = [
    "a fox",
    "a {{ subject | default('fox') }}",
    "{{ place }}",
    "{{ words }} {{ name }}",
    "{{ lora.trigger }} {{ subject }}",
    "{{ replica }} of {{ seed }}",
    "{{ subject if size == '512*512' else 'same' }}",  # whether cells share depends on a third axis
]
FILES = [
    *("{{ key }}", "{{ key[:12] }}", "{{ key[:2] }}", "{{ key[:1] }}", "com{{ key[:1] }}", "x{{ key[:0] }}"),
    *("{{ key[:2] }}/{{ key }}", "{{ key[:80] }}", "{{ key | upper }}", "{{ name }}-{{ key[-6:] }}"),
    "{{ subject | default('x') | slug }}/{{ key[:12] }}",
    "{{ subject }}/{{ key[:12] }}",
    "{{ subject | default('x') }}{{ key[:2] }}",
    "{{ key[:8] }}-{{ place }}",
    "{{ words | slug }}/{{ key[:12] }}",
    "{{ lora | default('no') }}/{{ key[:12] }}",
    "{{ place }}",
    "{{ subject }}",
    *("{{ replica }}-{{ seed | default(0) }}", "{{ request.seed }}", "s{{ request.seed }}", "{{ replica }}"),
    "{{ request.prompt | slug | truncate(40) }}-{{ key[:8] }}",
    "{{ request['size'] | slug }}.{{ key[:5] }}",
    "{{ request.size }}/{{ key[:9] }}",
    "{{ request.loras[0].path | slug }}/{{ key[:4] }}",
    "{{ request.strength | default('none') }}{{ request.output_format }}{{ key[:3] }}",
    "{{ request | length }}{{ key[:9] }}",
    "{% if replica > 1 %}again/{% endif %}{{ key[:6] }}",
    "{% if replica > 1 %}again/{% endif %}{{ seed | default('x') }}{{ subject | default('y') | slug }}",
    "{% if key[0] == 'a' %}a{% else %}b{% endif %}-{{ key }}",
    *("Fox.webp", "x.png/{{ key[:9] }}", "x.w{{ key[:2] }}p/{{ key }}", "nu{{ key[:2] }}", ".{{ key[:4] }}"),
    "{{ '\ufb01' }}{{ subject | default('e') }}\u0301{{ key[:2] }}",
    "{{ lora.scale }}-{{ key[:3] }}.webp",
]
WHENS = [
    *("replica > 1", "subject == 'fox'", "place == 'far'", "seed > 1 and size == 'big'", "true", "false"),
    *(
        "lora.scale > 0.4",
        "lora.name == 'ink' or seed == 7",
        "strength < 0.6",
        "subject > 2",
        "1 / seed > 0.5",
    ),
]
ONLY = [
    *("subject=fox", "subject=fox,owl", "place=far", "place=null,wood", "seed=1,7", "size=big", "lora=film"),
    *("lora.name=ink,none", "lora.scale=0", "replica=2", "include=row", "strength=half,1", "u=a", "extra=1"),
]


ALWAYS = {"name", "replica", "key", "request", "words"}


def some(draw, of=3):
    return draw(st.integers(0, of)) == 0


def mistaken(draw):
    """Now and then, so that errors are held against each other too."""
    return some(draw, 24)


def fitting(draw, texts, names, compiled=compile_template):
    """Draw a text that the axes there are can fill."""
    known = ALWAYS | set(names)
    fits = [text for text in texts if mistaken(draw) or compiled(text).names <= known]
    return draw(st.sampled_from(fits or texts))


def values(draw, name, most=4):
    listed = draw(st.lists(AXES[name], min_size=1, max_size=most, unique_by=orjson.dumps))
    bad = {"seed": (-1, None), "size": ("1x1",), "prompt": ("",), "lora": ("film@5",), "place": (None,)}
    return [value for value in listed if value not in bad.get(name, ()) or mistaken(draw)] or listed[:1]


@st.composite
def manifests(draw):
    names = draw(st.lists(st.sampled_from(sorted(AXES)), max_size=4, unique=True))
    zipped = draw(st.lists(st.sampled_from(sorted(AXES.keys() - names)), max_size=2, unique=True))
    zipped = zipped if some(draw) else []
    every = [*names, *zipped]
    words = fitting(draw, ["soft light", "{{ subject }} and {{ place }}", "{{ lora.name }}"], every)
    manifest = {
        "version": 1,
        "name": "x",
        "loras": LORAS,
        "vars": {"words": words},
        "request": draw(requests(every)),
        "replicas": draw(st.integers(1, 3)),
        "matrix": {name: values(draw, name) for name in names},
    }
    if some(draw):
        manifest["matrix"]["u"] = ["a", "b"]
    if zipped:
        columns = [values(draw, name) for name in zipped]
        manifest["zip"] = [dict(zip(zipped, row, strict=True)) for row in zip(*columns, strict=False)]
    if some(draw, 4):
        manifest["limits"] = {"unchecked": ["scale"]}
    if some(draw, 4) and ("lora" not in every or mistaken(draw)):
        manifest["model"] = "z-image-turbo"
        manifest["request"].pop("loras", None)
    return draw(around(manifest, every))


@st.composite
def around(draw, manifest, names):
    """Add what is not of the matrix itself: names of files, rules, rows, a sample."""
    if some(draw, 1):
        manifest["output"] = {"file": fitting(draw, FILES, names)}
    if some(draw, 2):
        manifest["exclude"] = draw(st.lists(excludes(names), min_size=1, max_size=3))
    if some(draw, 2):
        manifest["include"] = draw(st.lists(includes(names), min_size=1, max_size=3))
        if some(draw):
            manifest.pop("matrix")
            manifest.pop("zip", None)
            if not some(draw):
                manifest.pop("exclude", None)
    if some(draw):
        method = draw(st.sampled_from(["random", "pairwise"]))
        manifest["sample"] = {
            "method": method,
            "n": draw(st.integers(1, 12)),
            "seed": draw(st.integers(0, 3)),
        }
    return manifest


@st.composite
def requests(draw, names):
    request = {}
    if "prompt" not in names or draw(st.booleans()):
        request["prompt"] = fitting(draw, PROMPTS, names)
    if some(draw):
        request["seed"] = fitting(
            draw, ["{{ seed + 1 }}", "7", "{{ replica * 10 }}", "{{ seed * 2 }}"], names
        )
        request["seed"] = 7 if request["seed"] == "7" else request["seed"]
    if some(draw) or ("strength" in names and not mistaken(draw)):
        request["image_url"] = fitting(
            draw, ["https://x.org/{{ subject }}.png", "https://x.org/y.png"], names
        )
    if some(draw):
        scaled = [{"path": "p", "scale": "{{ seed / 10 }}"}] if "seed" in names else ["nope"]
        loras = [["film@0.8"], ["film@0"], "{{ lora }}" if "lora" in names else [], scaled]
        request["loras"] = draw(st.sampled_from(loras))
    return request


@st.composite
def excludes(draw, names):
    rule = {}
    for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else ():
        value = draw(AXES[name])
        if name == "lora":
            rule[draw(st.sampled_from(["lora.name", "lora.scale"]))] = draw(
                st.sampled_from(["ink", "none", 0, 1])
            )
        else:
            rule[name] = value["label"] if isinstance(value, dict) else value
    if not rule or some(draw, 2):
        rule["when"] = fitting(draw, WHENS, names, compile_expression)
    if some(draw, 5):
        rule["replica"] = draw(st.integers(1, 3))
    return rule


@st.composite
def includes(draw, names):
    row = {name: values(draw, name)[0] for name in names if not some(draw, 5)}
    if some(draw, 1):
        row["label"] = "row"
    left = [name for name in sorted(AXES) if name not in row]
    if left and some(draw, 1):
        inner = draw(st.sampled_from(left))
        row["matrix"] = {inner: values(draw, inner)}
        if some(draw, 1) and "seed" not in row:
            row["matrix"]["seed"] = {"from": draw(st.integers(0, 2)), "count": draw(st.integers(1, 20))}
    if some(draw, 1):
        prompts = ["by hand", "a fox", "{{ subject }}", "{{ words }}"]
        row["request"] = {"prompt": fitting(draw, prompts, [*row, *row.get("matrix", ())])}
        if "strength" in row.get("matrix", ()):
            row["request"]["image_url"] = "https://x.org/z.png"
    return row


SELECTIONS = st.one_of(
    st.just(((), None)),
    st.tuples(
        st.lists(st.sampled_from(ONLY), max_size=2).map(tuple), st.one_of(st.none(), st.integers(1, 9))
    ),
)


def counted(expansion):
    return (
        (expansion.cells, expansion.jobs, expansion.shared, expansion.selected, expansion.seeds_chosen),
        (list(expansion.notes.excluded.items()), expansion.notes.sampled_out, expansion.excluded),
        (expansion.notes.pairs, expansion.notes.covered),
        [str(warning) for warning in expansion.warnings],
    )


def outcome(path, selection, *, fast):
    try:
        manifest = load_manifest(path)
        expansion = Expansion(manifest, Selection.parse(*selection, manifest))
        if fast:
            rows = list(expansion.rows())
        else:
            rows = [Row.of(step.cell, step.job, selected=step.selected) for step in expansion.steps()]
    except (ManifestError, UsageError) as error:
        return str(error)
    return rows, counted(expansion)


@given(manifest=manifests(), selection=SELECTIONS)
@MANY
def test_the_fast_way_gives_what_the_slow_way_gives(manifest, selection, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(orjson.dumps(manifest))
    assert outcome(path, selection, fast=True) == outcome(path, selection, fast=False)


# ── manifests whose expansion must not be slow ───────────────────────────────────────────────────────────

GRID = """
version: 1
name: x
loras: {film: {path: p, trigger: grain}, ink: q}
vars: {light: "{{ place }} light"}
request: {prompt: "a {{ subject }} {{ lora.trigger }} in {{ light }}"}
replicas: 2
matrix:
  subject: [fox, owl]
  place: [wood, hill]
  lora: {name: [film, ink], scale: [0, 0.5, 1]}
  size: [512*512, {label: wide, value: 768*512}]
"""
MORE = [
    "",
    'output: {file: "{{ subject | slug }}/{{ key[:12] }}"}',
    'output: {file: "{{ key[:2] }}/{{ key }}"}',
    'output: {file: "{{ light | slug }}-{{ request.seed }}-{{ key[:8] }}-{{ size | slug }}"}',
    'output: {file: "{{ subject }}-{{ place }}-{{ lora }}-{{ size | slug }}-{{ replica }}"}',
    "exclude: [{subject: fox, lora.name: ink}, {when: lora.scale > 0.5 and size == 'wide'}]",
    "sample: {method: random, n: 30}",
    "sample: {method: pairwise, n: 30}\nexclude: [{place: hill, replica: 2}]",
    "include: [{subject: cat, place: den, lora: film, size: 512*512}]",
    "include: [{label: many, request: {prompt: p}, matrix: {seed: {from: 1, count: 50}}}]",
]


@pytest.mark.parametrize("more", MORE)
def test_jobs_are_those_of_the_steps(more, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(GRID + more + "\n")
    expansion = Expansion(load_manifest(path))
    jobs = list(expansion)
    assert expansion.fast
    assert jobs == [step.job for step in Expansion(load_manifest(path)).steps() if step.job]
    assert jobs == list(expansion)


def both(path, selection=((), None)):
    fast, slow = outcome(path, selection, fast=True), outcome(path, selection, fast=False)
    assert fast == slow
    return fast


@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize("selection", [((), None), (("subject=fox", "size=wide"), 7)])
def test_ordinary_manifests_go_the_fast_way(more, selection, tmp_path):
    """Were it never taken, the property above would say nothing."""
    path = tmp_path / "manifest.yaml"
    path.write_text(GRID + more + "\n")
    manifest = load_manifest(path)
    expansion = Expansion(manifest, Selection.parse(*selection, manifest))
    list(expansion.rows())
    assert expansion.fast
    both(path, selection)


@pytest.mark.parametrize(
    "more",
    [
        "",
        'output: {file: "{{ a }}/{{ key[:12] }}"}',
        'output: {file: "{{ a }}/{{ b }}-{{ c }}-{{ seed }}"}\nexclude: [{b: 3}, {when: a > 4 and c == 1}]',
        "sample: {method: random, n: 5000}\nexclude: [{when: a == b}]",
        "include: [{a: 1, b: 1, c: 1, seed: 5}, {a: x, b: y, c: z, matrix: {seed: {from: 0, count: 4100}}}]",
    ],
)
def test_batches_meet_without_a_seam(more, tmp_path):
    path = tmp_path / "manifest.yaml"
    matrix = (
        "matrix: {a: {from: 1, count: 10}, b: {from: 1, count: 41}, c: [1, 2], seed: {from: 0, count: 10}}"
    )
    path.write_text(
        f"version: 1\nname: x\nrequest: {{prompt: '{{{{ a }}}} {{{{ b }}}}', seed: 7}}\n{matrix}\n"
        f"limits: {{max_jobs: 9000}}\n{more}\n".replace("seed: 7}", "seed: '{{ seed + 1 }}'}")
    )
    assert not isinstance(both(path, (("a=2,9", "c=1"), None)), str)


def test_a_slow_cell_after_fast_ones_gives_no_row_twice(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(
        "version: 1\nname: x\nrequest: {prompt: '{{ 1 / n }}'}\n"
        "matrix: {n: [1, 2, 0], m: {from: 1, count: 3000}}\n"
    )
    rows = []

    def take():
        for row in Expansion(load_manifest(path)).rows():
            rows.append(row)  # noqa: PERF402 - what came before the error is what is asked

    with pytest.raises(ManifestError, match="divides by zero"):
        take()
    assert len(rows) == len({row.coordinates for row in rows}) == 6000


def test_two_names_in_different_batches_are_told_apart(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(
        "version: 1\nname: x\nrequest: {prompt: '{{ n }} {{ m }}'}\noutput: {file: '{{ m }}'}\n"
        "matrix: {n: [1, 2], m: {from: 1, count: 3000}}\n"
    )
    assert "two jobs would write images/1.webp, one of them that of the cell n=2, m=1" in both(path)
