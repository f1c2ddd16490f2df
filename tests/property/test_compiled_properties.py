"""The fast way through a grid gives what the slow way gives, row by row, and the same errors."""

from __future__ import annotations

import itertools

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zbatch.errors import ManifestError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import expand, load_manifest
from zbatch.model import Row

MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LORAS = {"film": {"path": "org/film", "trigger": "grain"}, "ink": "org/ink"}
AXES = {
    "subject": st.sampled_from(["fox", "owl", 3, 'x "y" é \U0001f98a', "</script>"]),
    "place": st.sampled_from(["wood", {"label": "far", "value": "tundra"}, None, 0.5]),
    "seed": st.sampled_from([0, 1, 7, 2147483647, {"label": "s", "value": 5}, -1]),
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
]


@st.composite
def manifests(draw):
    names = draw(st.lists(st.sampled_from(sorted(AXES)), max_size=4, unique=True))
    request = {}
    if draw(st.booleans()) or "prompt" not in names:
        request["prompt"] = draw(st.sampled_from(PROMPTS))
    if draw(st.integers(0, 3)) == 0:
        request["seed"] = draw(st.sampled_from(["{{ seed + 1 }}", 7, "{{ replica * 10 }}", "{{ subject }}"]))
    if draw(st.integers(0, 3)) == 0:
        request["image_url"] = "https://x.org/{{ subject }}.png"
    if draw(st.integers(0, 3)) == 0:
        request["loras"] = draw(
            st.sampled_from(
                [
                    ["film@0.8"],
                    ["film@0"],
                    [{"path": "p", "scale": "{{ seed / 10 }}"}],
                    "{{ lora }}",
                    ["nope"],
                ]
            )
        )
    manifest = {
        "version": 1,
        "name": "x",
        "loras": LORAS,
        "vars": {
            "words": draw(st.sampled_from(["soft light", "{{ subject }} and {{ place }}", "{{ lora.name }}"]))
        },
        "request": request,
        "replicas": draw(st.integers(1, 3)),
        "matrix": {name: draw(st.lists(AXES[name], min_size=1, max_size=4)) for name in names},
    }
    if draw(st.integers(0, 4)) == 0:
        manifest["model"] = "z-image-turbo"
    if draw(st.integers(0, 4)) == 0:
        manifest["limits"] = {"unchecked": ["scale"]}
    return manifest


def slow_rows(path):
    expansion = expand(path)
    rows = [Row.of(step.cell, step.job, selected=step.selected) for step in expansion.steps()]
    return rows, counts(expansion)


def counts(expansion):
    return (expansion.cells, expansion.jobs, expansion.shared, expansion.selected, expansion.seeds_chosen)


def outcome(make):
    try:
        return make()
    except ManifestError as error:
        return str(error)


@given(manifest=manifests())
@MANY
def test_the_fast_way_gives_what_the_slow_way_gives(manifest, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(orjson.dumps(manifest))

    def fast():
        expansion = expand(path)
        return list(expansion.rows()), counts(expansion)

    assert outcome(fast) == outcome(lambda: slow_rows(path))


def test_the_fast_way_is_taken_by_ordinary_manifests(tmp_path):
    """Were it never taken, the property above would say nothing."""
    path = tmp_path / "manifest.yaml"
    path.write_text(
        "version: 1\nname: x\nloras: {film: {path: p, trigger: grain}, ink: q}\n"
        "request: {prompt: 'a {{ subject }} {{ lora.trigger }}'}\nreplicas: 2\n"
        "matrix:\n  subject: [fox, owl]\n  lora: {name: [film, ink], scale: [0, 0.5, 1]}\n"
        "  size: [512*512, 768*768]\n"
    )
    manifest = load_manifest(path)
    rows = list(itertools.chain.from_iterable(Expansion(manifest).compiled().batches()))
    assert rows == slow_rows(path)[0]
    assert len(rows) == 48
    assert sum(row.request is not None for row in rows) == 40


def test_a_slow_cell_after_fast_ones_gives_no_row_twice(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(
        "version: 1\nname: x\nrequest: {prompt: '{{ 1 / n }}'}\nmatrix: {n: [1, 2, 0], m: [1, 2]}\n"
    )
    rows = []

    def take():
        for row in expand(path).rows():
            rows.append(row)  # noqa: PERF402 - what came before the error is what is asked

    with pytest.raises(ManifestError, match="divides by zero"):
        take()
    assert len(rows) == len({row.coordinates for row in rows}) == 4
