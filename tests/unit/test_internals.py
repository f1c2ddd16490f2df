"""What the fast paths lean on in other people's libraries: should it change, these say so."""

import subprocess
import sys

import pytest
from jinja2 import Environment

from zbatch.expressions import compile_template

KEPT = """
import itertools, sys
from pathlib import Path
from zbatch.manifest.loader import expand

def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096

expansion = expand(sys.argv[1])
rows = expansion.rows()
first = next(rows)
before = resident()
kept = list(itertools.islice(rows, 50_000))
assert expansion.fast
print((resident() - before) // len(kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_rows_that_are_kept_hold_no_buffers_of_orjson(bench):
    """What orjson has just made can hold 4 kB until it is copied: 50,000 rows would hold 400 MB and more."""
    path = bench.path("version: 1\nname: x\nrequest: {prompt: p}\nmatrix: {seed: {from: 1, count: 60000}}\n")
    done = subprocess.run(
        [sys.executable, "-c", KEPT, path], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1_500


@pytest.mark.parametrize(
    "source",
    [
        "a {{ x }} b",
        "{{ x }}{% if x %} yes{% endif %}",
        "{% for i in items %}{{ loop.index }}{{ i }}{% endfor %}",
        "{% set y = x ~ '!' %}{{ y }} {{ y }}",
        "{{ range(3) | join('-') }} {{ x | upper }}",
    ],
)
def test_the_root_render_function_gives_what_render_gives(source):
    plain = Environment(autoescape=False).from_string(source)
    template = compile_template(source)
    for context in ({"x": "fox", "items": ["a", "b"]}, {"x": "", "items": []}, {"x": "owl", "items": ["c"]}):
        assert template.render(context) == plain.render(context)


def test_nothing_of_a_render_is_left_for_the_next():
    template = compile_template("{% if x %}{% set y = x %}{% endif %}{{ y | default('nothing') }}.")
    assert template.render({"x": "fox"}) == "fox."
    assert template.render({"x": ""}) == "nothing."
