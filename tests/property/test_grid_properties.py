"""What holds of every grid, every range and every text that somebody takes for a manifest."""

import math
import unicodedata
from decimal import Decimal
from itertools import product

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zbatch.errors import ManifestError
from zbatch.expressions import slugify
from zbatch.manifest.files import FileNameError, image_file, look_closely
from zbatch.manifest.findings import Findings
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import expand, load_manifest
from zbatch.manifest.ranges import read_range
from zbatch.manifest.scalars import read_scalar
from zbatch.manifest.source import read_document
from zbatch.model import Request, fold, job_key

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = st.one_of(
    st.integers(-5, 5), st.sampled_from([0.5, 1.5, True, False]), st.text("abc é", min_size=1, max_size=3)
)


def identity(value):
    return (isinstance(value, bool), value)


@st.composite
def grids(draw):
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "seed", "size"]), max_size=4, unique=True))
    pools = {
        "seed": st.integers(0, 9),
        "size": st.sampled_from(["512*512", "768*768", "1024*1024"]),
    }
    matrix = {
        name: draw(st.lists(pools.get(name, SCALARS), min_size=1, max_size=4, unique_by=identity))
        for name in names
    }
    excludes = []
    for _ in range(draw(st.integers(0, 2)) if names else 0):
        keys = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        excludes.append({key: draw(st.sampled_from(matrix[key])) for key in keys})
    includes = [{"label": f"row {n}", "seed": n} for n in range(draw(st.integers(0, 2)))]
    manifest = {
        "version": 1,
        "name": "x",
        "request": {"prompt": " ".join(["p", *(f"{{{{ {name} }}}}" for name in names if name in "abc")])},
        "replicas": draw(st.integers(1, 3)),
    }
    if matrix:
        manifest["matrix"] = matrix
    if excludes:
        manifest["exclude"] = excludes
    if includes:
        for row in includes:
            row.update({name: matrix[name][0] for name in names if name in "abc"})
        manifest["include"] = includes
    return manifest


def written(tmp_path, manifest):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(orjson.dumps(manifest))  # JSON is YAML
    return path


def points(manifest):
    """Say by hand which cells the matrix gives: (coordinates, excluded)."""
    matrix = manifest.get("matrix", {})
    if not matrix and manifest.get("include"):
        return
    for combination in product(*matrix.values()):
        point = dict(zip(matrix, combination, strict=True))
        excluded = any(
            all(identity(point[key]) == identity(value) for key, value in rule.items())
            for rule in manifest.get("exclude", [])
        )
        for replica in range(1, manifest["replicas"] + 1):
            yield ({**point, "replica": replica} if manifest["replicas"] > 1 else point), excluded


@given(manifest=grids())
@MANY
def test_a_grid_is_product_times_replicas_less_excluded_and_included(manifest, tmp_path):
    by_hand = list(points(manifest))
    kept = [point for point, excluded in by_hand if not excluded]
    rows = len(manifest.get("include", [])) * manifest["replicas"]
    if not kept and not rows:
        with pytest.raises(ManifestError, match="no cell is left"):
            expand(written(tmp_path, manifest)).check()
        return
    expansion = Expansion(load_manifest(written(tmp_path, manifest)))
    steps = list(expansion.steps())
    cells = [step.cell for step in steps if step.cell.key is not None]
    # the count, and the order of the matrix
    assert expansion.manifest.grid.count == len(by_hand)
    assert expansion.cells == len(cells) == len(kept) + rows
    assert expansion.excluded == len(by_hand) - len(kept) == len(steps) - len(cells)
    assert [dict(cell.coordinates) for cell in cells[: len(kept)]] == kept
    # jobs are distinct, each told at its first cell
    jobs = [step.job for step in steps if step.job is not None]
    assert len({job.key for job in jobs}) == len(jobs) == expansion.jobs
    assert {job.key for job in jobs} == {cell.key for cell in cells}
    firsts = {}
    for cell in cells:
        firsts.setdefault(cell.key, cell.coordinates)
    assert {job.key: job.coordinates for job in jobs} == firsts
    assert [job.key for job in jobs] == list(firsts)
    assert len({fold(job.file) for job in jobs}) == len(jobs)
    for job in jobs:
        assert job_key(job.model, job.request) == job.key
        assert (
            job_key(job.model, Request.from_body(orjson.loads(orjson.dumps(job.request.body())))) == job.key
        )
        assert 0 <= job.request.seed <= 2147483647


@given(manifest=grids())
@FEW
def test_expanding_twice_gives_the_same(manifest, tmp_path):
    path = written(tmp_path, manifest)
    try:
        assert list(expand(path).steps()) == list(expand(path).steps())
    except ManifestError as error:
        caught = str(error)
        assert "no cell is left" in caught


DECIMALS = st.decimals(-1000, 1000, places=3)


@given(start=DECIMALS, step=DECIMALS.filter(bool), count=st.integers(1, 60))
@MANY
def test_a_range_holds_every_step_and_both_ends(start, step, count):
    exact = [start + index * step for index in range(count)]
    specs = [
        {"from": float(start), "to": float(exact[-1]), "step": float(step)},
        {"from": float(start), "count": count, "step": float(step)},
    ]
    if count > 1:
        specs.append({"from": float(start), "to": float(exact[-1]), "count": count})
    for spec in specs:
        findings = Findings()
        numbers = read_range(spec, (), findings)
        assert list(findings) == []
        got = [numbers.number(index) for index in range(numbers.count)]
        assert [Decimal(repr(value)) for value in got] == exact
        assert all(isinstance(value, int) == (Decimal(repr(value)) % 1 == 0) for value in got)


@given(start=DECIMALS, end=DECIMALS, step=DECIMALS)
@MANY
def test_a_range_lands_on_its_end_or_is_refused(start, end, step):
    findings = Findings()
    numbers = read_range({"from": float(start), "to": float(end), "step": float(step)}, (), findings)
    lands = step != 0 and (end - start) / step >= 0 and (end - start) % step == 0
    assert (numbers is not None) == lands
    assert bool(list(findings)) != lands
    if numbers is not None:
        assert Decimal(repr(numbers.number(numbers.count - 1))) == end


@given(text=st.text(max_size=40))
@MANY
def test_a_slug_is_a_file_name(text):
    slug = slugify(text)
    assert slugify(slug) == slug
    try:
        assert image_file(slug, "png") == f"images/{slug}.png"
    except FileNameError as error:
        assert "Windows" in error.message or "bytes" in error.message  # noqa: PT017 - both are fine


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
@MANY
def test_a_file_name_stays_inside(text):
    try:
        file = image_file(text, "png")
    except FileNameError:
        return
    parts = file.split("/")
    assert parts[0] == "images"
    assert not {"", ".", ".."} & set(parts)
    assert all(len(part.encode()) <= 255 for part in parts)


PIECES = [
    "con",
    "com1",
    "NUL",
    "a",
    "B-1",
    "x_y",
    ".",
    "..",
    "/",
    " ",
    "\u017f",
    "\u212a",
    "png",
    "0",
    "\n",
    "$",
    ":",
]


@given(text=st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
@MANY
def test_a_name_that_is_plainly_fine_is_fine_by_every_rule(text):
    def fine(check):
        try:
            check()
        except FileNameError:
            return False
        return True

    assert fine(lambda: image_file(text, "png")) == fine(lambda: look_closely(text))


@given(text=st.text("0123456789+-._eExXobaAfFnNyYTtuUlsr: ~", max_size=12))
@MANY
def test_a_scalar_is_a_value_json_can_hold(text):
    value, problem = read_scalar(text)
    assert value is None or isinstance(value, str | int | float)
    if isinstance(value, float):
        assert math.isfinite(value)
        assert not value.is_integer()
    if problem is None:
        assert orjson.loads(orjson.dumps(value)) == value


# ── the loader never raises anything but ManifestError, and says where ───────────────────────────────────

YAMLISH = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *"\n\n\n  ::-?,[]{}#&*!|>'\"%@`\t\r~=",
                *(
                    "version: 1\n",
                    "name: x\n",
                    "request: ",
                    "prompt: ",
                    "{prompt: p}\n",
                    "matrix:\n",
                    "  lora: ",
                ),
                *(
                    "seed",
                    "loras: ",
                    "{{ ",
                    " }}",
                    "{% if ",
                    " %}",
                    "&a ",
                    "*a",
                    "!!str ",
                    "---\n",
                    "...\n",
                    "<<: ",
                ),
                *(
                    "- ",
                    "  - ",
                    ": ",
                    "exclude: ",
                    "include: ",
                    "when: ",
                    "null",
                    "1e3",
                    "\ufeff",
                    "\x00",
                    "\u2028",
                ),
            ]
        ),
        st.text(max_size=4),
        st.integers().map(str),
    ),
    max_size=40,
).map("".join)

JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=6),
        st.sampled_from(
            [
                "{{ a }}",
                "{{ lora.scale }}",
                "{{ a",
                "{{ a.b[0] }}",
                "{% for x in a %}{{ x }}{% endfor %}",
                "film@0.5",
            ]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

WHOLE = {
    "version": 1,
    "name": "x",
    "description": "d",
    "endpoint": "preview",
    "model": "z-image-turbo-lora",
    "vars": {"v": "{{ a }} light", "w": ["{{ v }}", 3]},
    "loras": {"film": {"path": "org/film", "trigger": "t"}, "ink": "org/ink"},
    "request": {
        "prompt": "{{ lora.trigger }} {{ v }} {{ b }}",
        "size": "512*512",
        "image_url": "https://example.org/a.png",
        "strength": 0.5,
        "output_format": "png",
        "enable_base64_output": False,
    },
    "matrix": {
        "a": ["red", {"label": "l", "value": "blue"}],
        "b": {"from": 0, "to": 1, "step": 0.5},
        "lora": {"name": ["film", "none"], "scale": [0, 1]},
        "seed": {"random": 2, "seed": 3},
    },
    "replicas": 2,
    "exclude": [{"a": "red", "b": 0}, {"when": "lora.scale > 0 and b == 1"}],
    "include": [
        {"a": "x", "b": 1, "lora": "film@0.5", "seed": 7},
        {
            "label": "row",
            "request": {"prompt": "y"},
            "matrix": {"a": ["z"], "lora": [["film", "ink"]], "seed": [1]},
        },
    ],
    "limits": {"concurrency": 2, "rate": "60/min", "max_jobs": 500, "max_cost": 1, "unchecked": ["scale"]},
    "price": 0.01,
    "output": {"dir": "runs/{{ name }}", "file": "{{ a | slug }}/{{ key }}"},
    "report": {"x": "b", "y": "lora.scale", "group": ["a"]},
}


def places(value, here=()):
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*here, key))


PLACES = [place for place in places(WHOLE) if place]


def _copy(value):
    return orjson.loads(orjson.dumps(value))


@st.composite
def mutated(draw):
    manifest = _copy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(PLACES))
        inside = manifest
        for part in way:
            fits = isinstance(inside, dict) and part in inside
            fits = fits or (isinstance(inside, list) and isinstance(part, int) and part < len(inside))
            if not fits:
                break
            inside = inside[part]
        else:
            _mutate(draw, inside, last)
    return manifest


def _mutate(draw, inside, last):
    if isinstance(inside, dict) and isinstance(last, str):
        what = draw(st.sampled_from(["replace", "remove", "rename"]))
        if what == "replace":
            inside[last] = draw(JUNK)
        elif what == "remove":
            inside.pop(last, None)
        else:
            inside[draw(st.text(max_size=6))] = inside.pop(last, None)
    elif isinstance(inside, list) and isinstance(last, int) and last < len(inside):
        inside[last] = draw(JUNK)


def check_findings(path):
    """Load and expand; what is wrong is told by ManifestError alone, at places inside the file."""
    try:
        expansion = expand(path)
        for number, _ in enumerate(expansion.steps()):
            if number > 2_000:
                break
    except ManifestError as error:
        lines = path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
        lines = lines.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
        lines = lines.replace("\u2028", "\n").replace("\u2029", "\n").split("\n")
        found = error.findings
        assert len(found) > 0
        for finding in found:
            assert finding.file == str(path)
            assert 1 <= finding.line <= len(lines), finding
            assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1, finding
            assert finding.message
            said = finding.path + finding.message + finding.hint
            assert not any(unicodedata.category(character) == "Cc" for character in said), finding


@given(text=YAMLISH)
@MANY
def test_text_that_looks_like_yaml_never_breaks_the_loader(text, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    check_findings(path)


@given(data=st.binary(max_size=60))
@FEW
def test_bytes_never_break_the_loader(data, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(data)
    check_findings(path)


BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029\ufeff"}


def quoted(value):
    # JSON leaves these as they are, and YAML takes them for ends of lines.
    return orjson.dumps(value).decode().translate(BREAKS)


def as_yaml(value, indent=""):
    """Write block YAML by hand, everything quoted that could be read differently."""
    if isinstance(value, dict) and value:
        lines = []
        for key, item in value.items():
            head = f"{indent}{quoted(key)}:"
            block = isinstance(item, dict | list) and item
            lines.append(f"{head}\n{as_yaml(item, indent + '  ')}" if block else f"{head} {as_yaml(item)}")
        return "\n".join(lines)
    if isinstance(value, list) and value:
        return "\n".join(
            f"{indent}-\n{as_yaml(item, indent + '  ')}"
            if isinstance(item, dict | list) and item
            else f"{indent}- {as_yaml(item)}"
            for item in value
        )
    return repr(value) if isinstance(value, int) and not isinstance(value, bool) else quoted(value)


@given(manifest=mutated())
@MANY
def test_a_mutated_manifest_never_breaks_the_loader(manifest, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(as_yaml(manifest) + "\n", "utf-8", newline="\n")
    check_findings(path)


@given(manifest=JUNK)
@FEW
def test_what_is_written_as_yaml_is_read_back(manifest, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(as_yaml({"a": manifest}) + "\n", "utf-8", newline="\n")
    findings = Findings()
    try:
        document = read_document(path, findings)
    except ManifestError:
        return
    if not findings.failed:
        assert document.data == {"a": manifest}


def test_the_manifest_that_is_mutated_is_fine(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(as_yaml(WHOLE) + "\n")
    expansion = expand(path)
    expansion.check()
    assert expansion.cells > 20
