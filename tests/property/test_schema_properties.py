"""The schema raises no false alarm: whatever the loader accepts, it accepts, rules for editors included."""

import json
from pathlib import Path

import jsonschema_rs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zbatch.errors import ManifestError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest
from zbatch.shapes import schema_text

EDITOR = jsonschema_rs.Draft202012Validator(json.loads(schema_text()))
PICTURE = (Path(__file__).parents[1] / "cases" / "valid" / "inputs" / "reference.png").read_bytes()

TEXT = st.sampled_from(["", "  ", "x y"]) | st.sampled_from(
    """p film film@0.5 film@x none 512*512 1x1 png jpg a.png https://x.org/a.png data:x ftp://x preview lora
    lora.name a label square 0 words.txt {{a}} {{size}}*512 {{lora}} {{none}} {{strength}}""".split()
)
NUMBER = st.sampled_from([0, 1, -1, 3, 0.5, 1.5, 512, 2147483647, 2147483648])
ODD = TEXT | NUMBER | st.booleans() | st.none()
RIGHT = {
    "prompt": ["p", "{{ a }}", "fox"],
    "size": ["512*512", "{{ size }}*512", "2000*100"],
    "seed": [1, 0, "{{ seed }}", -1],
    "image_url": ["a.png", "https://x.org/a.png", "{{ image_url }}"],
    "strength": [0.5, 1, "{{ strength }}"],
    "mask": ["a.png", "{{ mask }}"],
    "output_format": ["png", "webp", "{{ output_format }}"],
    "enable_base64_output": [True, False],
    "a": ["fox", "owl", 3],
}


def mostly(usual, odd):
    return st.integers(0, 24).flatmap(lambda n: odd if n == 0 else usual)


def maps(keys, values, most):
    """Maps of a few keys, each with a value of its own kind."""
    names = st.lists(st.sampled_from(list(keys)), max_size=most, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: values(name) for name in chosen}))


def value(name):
    if name == "lora":
        return LORA
    plain = mostly(st.sampled_from(RIGHT[name]), ODD)
    labels = st.sampled_from(["square", "l1", "", 3])
    return plain | plain | plain | st.fixed_dictionaries({"label": labels, "value": plain})


ODD_LORA = st.recursive(
    ODD | maps(("name", "path", "scale", "label", "value"), lambda _: ODD, 3),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=4,
)
LORA = mostly(
    st.sampled_from(
        ["film@0.5", "none", "ink", "film@0", {"name": "ink", "scale": 2}, ["film", "ink@0.5"], ["film"] * 3]
    )
    | st.sampled_from([{"label": "l", "value": "film"}, {"label": "s", "value": ["film", "ink"]}]),
    ODD_LORA,
)
FILE = st.sampled_from(
    [{"file": "words.txt"}, {"file": "sizes.csv"}, {"file": "sizes.csv", "column": "size"}]
)
RANGE = st.fixed_dictionaries(
    {"from": NUMBER}, optional={"to": NUMBER, "step": NUMBER, "count": st.integers(0, 3)}
)


def axis(name):
    lists = st.lists(value(name), min_size=1, max_size=2, unique_by=str)
    product = st.fixed_dictionaries({"name": st.just(["film", "none"]), "scale": RANGE | st.just([0, 1])})
    odd = FILE | RANGE | st.just({"random": 2, "seed": 1}) | st.just([])
    return mostly(lists, odd) if name != "lora" else lists | product


LORAS = (
    st.lists(LORA | st.sampled_from([{"path": "org/x"}, {"path": "org/y", "scale": 0}]), max_size=5) | TEXT
)
REQUEST = st.builds(
    lambda prompt, fields, loras: {**prompt, **fields, **loras},
    st.sampled_from([{"prompt": "p"}] * 4 + [{"prompt": "x {{ a }}"}, {}]),
    maps(RIGHT.keys() - {"prompt", "a"}, lambda name: mostly(st.sampled_from(RIGHT[name]), ODD), 2),
    st.just({}) | st.just({}) | st.fixed_dictionaries({"loras": LORAS}),
)
MATRIX = maps([*RIGHT, "lora", "a"], axis, 2)
ROW = st.builds(
    lambda values, more: {**values, **more},
    maps([*RIGHT, "lora"], value, 3),
    maps(("label", "request", "matrix"), {"label": TEXT, "request": REQUEST, "matrix": MATRIX}.get, 1),
)
ZIP = FILE | maps([*RIGHT, "lora"], value, 2).map(lambda row: [row])
CONDITIONS = {
    "a": ODD,
    "size": TEXT,
    "lora": TEXT,
    "lora.name": TEXT,
    "when": st.sampled_from(["a == 1", "false", "{{ a }}"]),
}
LIMITS = {
    "rate": st.sampled_from(["60/min", "0/min", " 2/s "]),
    "job_deadline": st.sampled_from(["30m", "0s"]),
    "max_cost": NUMBER,
    "unchecked": st.just(["size", "scale"]),
}
SECTIONS = {
    "matrix": MATRIX,
    "zip": ZIP,
    "include": st.lists(ROW, max_size=2),
    "exclude": st.lists(maps(CONDITIONS, CONDITIONS.get, 2), max_size=1),
    "limits": maps(LIMITS, LIMITS.get, 2),
    "price": NUMBER,
    "replicas": st.integers(1, 2),
    "model": st.sampled_from(["z-image-turbo-lora", "z-image-turbo"]),
    "output": maps(
        ("file", "dir"), lambda _: st.sampled_from(["runs/{{ name }}", "{{ key }}", "/x", ".x", "~x"]), 1
    ),
    "report": maps(("x", "y", "group", "title"), lambda _: TEXT, 2),
    "vars": maps(("v", "w", "name"), lambda _: ODD, 1),
    "endpoint": st.sampled_from(["preview", "https://x.org", "http://x.org", "http://127.0.0.1:1"]),
}
HEAD = {"version": 1, "name": "x", "loras": {"film": "org/film", "ink": {"path": "org/ink", "trigger": "i"}}}
MANIFEST = st.builds(
    lambda request, sections: {**HEAD, "request": request, **sections},
    REQUEST,
    maps([*SECTIONS, "matrix", "include"], SECTIONS.__getitem__, 3),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifest=MANIFEST)
def test_what_the_loader_accepts_the_schema_accepts(manifest, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    (folder / "a.png").write_bytes(PICTURE)
    (folder / "words.txt").write_text("fox\nowl\n")
    (folder / "sizes.csv").write_text("size,seed\n512*512,1\n768*512,2\n")
    path = folder / "manifest.yaml"
    path.write_text(json.dumps(manifest))
    try:
        Expansion(load_manifest(path)).check()
    except ManifestError:
        return
    assert [(error.instance_path, error.message) for error in EDITOR.iter_errors(manifest)] == []
