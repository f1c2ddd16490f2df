"""Jobs: seeds, keys that never change, sharing, file names, selection."""

import json
import unicodedata

import pytest
from support.manifests import HEAD, LORAS

from zbatch.errors import UsageError
from zbatch.manifest.files import FileNameError, image_file
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.requests import derived_seed
from zbatch.manifest.selection import Selection
from zbatch.model import InputImage, Lora, Request, job_key

P = "request: {prompt: p}\n"
IMAGE = InputImage("inputs/a.png", "ab" * 32)

# Pinned: a key is the identity of a picture somebody paid for. Never change one.
KEYS = {
    "plain": (
        Request("a red fox", 7),
        "e69ff5a442a74e394cf599a71fe9b8cb8e4ca4bced7ee8f6da219afa6e859606",
    ),
    "every field": (
        Request(
            "a red fox",
            2147483647,
            size="832*1216",
            loras=(Lora("org/film", 0.8), Lora("https://example.org/ink.safetensors", 1)),
            output_format="png",
            image_url="https://example.org/a.png",
            strength=0.35,
            mask="https://example.org/m.png",
        ),
        "6635fcd8a25eef801f1cb6d5fea7618cda93f17cfe3cb63f82e05e0752e866aa",
    ),
    "local images": (
        Request("é 狐", 0, image_url=IMAGE, strength=1, mask=IMAGE),
        "ac4eef3ccb7ea422d26574a1e20cfad061abc2a65183510b78a95f268438ce1e",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_job_keys_never_change(name):
    request, key = KEYS[name]
    assert job_key("z-image-turbo-lora", request) == key


def test_a_key_is_of_the_model_and_the_canonical_request():
    plain = Request("p", 1)
    key = job_key("z-image-turbo-lora", plain)
    assert key != job_key("z-image-turbo", plain)
    assert key == job_key(
        "z-image-turbo-lora", Request("p", 1, size="1024*1024", output_format="webp", loras=())
    )
    assert key == job_key("z-image-turbo-lora", Request("p", 1, enable_base64_output=True))
    moved = (InputImage("a.png", "ab" * 32), InputImage("elsewhere/b.png", "ab" * 32))
    assert len({job_key("z-image-turbo-lora", Request("p", 1, image_url=image)) for image in moved}) == 1
    changed = InputImage("a.png", "cd" * 32)
    assert job_key("z-image-turbo-lora", Request("p", 1, image_url=changed)) != job_key(
        "z-image-turbo-lora", Request("p", 1, image_url=moved[0])
    )
    orders = (Lora("a", 1), Lora("b", 1)), (Lora("b", 1), Lora("a", 1))
    assert len({job_key("z-image-turbo-lora", Request("p", 1, loras=order)) for order in orders}) == 2


@pytest.mark.parametrize(
    "fields",
    ["size: 1024*1024", "output_format: webp", "loras: []", "enable_base64_output: true", "strength: null"],
)
def test_what_is_written_out_and_what_is_documented_are_one_job(bench, fields):
    plain = bench.jobs("request: {prompt: p, seed: 1}\n")[0].key
    assert bench.jobs(f"request: {{prompt: p, seed: 1, {fields}}}\n")[0].key == plain


def test_numbers_have_one_spelling_in_keys(bench):
    keys = {
        bench.jobs(f"request: {{prompt: p, seed: 1, loras: [{{path: a, scale: {scale}}}]}}\n")[0].key
        for scale in ("1", "1.0", "'{{ 1 }}'", "'{{ 2 / 2 }}'")
    }
    assert len(keys) == 1


# ── seeds ────────────────────────────────────────────────────────────────────────────────────────────────


def test_derived_seeds_never_change():
    assert derived_seed({}, 1) == 766148753
    assert derived_seed({"subject": "red fox"}, 1) == 721541426
    assert derived_seed({"subject": "red fox", "n": 0.5}, 2) == 1682931624


def test_derived_seeds_hold_still_along_what_is_compared(bench):
    body = LORAS + (
        "request: {prompt: 'a {{ animal }}', image_url: 'https://example.org/a.png'}\n"
        "matrix: {animal: [fox, owl], lora: [film@0.5, none, [film, ink]], size: [512*512, 768*768], "
        "strength: [0.2, 0.8], output_format: [png, webp]}\n"
    )
    seeds = {}
    for job in bench.jobs(body):
        seeds.setdefault(job.coordinates["animal"], set()).add(job.request.seed)
    assert [len(found) for found in seeds.values()] == [1, 1]
    assert seeds["fox"] != seeds["owl"]


def test_derived_seeds_hold_still_when_such_an_axis_is_added(bench):
    before = bench.requests("request: {prompt: p}\nmatrix: {a: [1, 2]}\n")
    after = bench.requests("request: {prompt: p}\nmatrix: {a: [1, 2], size: [1024*1024]}\n")
    assert before == after


def test_replicas_differ_and_the_first_keeps_the_seed(bench):
    body = P + "replicas: 3\nmatrix: {seed: [5, 6]}\n"
    seeds = [request["seed"] for request in bench.requests(body)]
    assert len(set(seeds)) == 6
    assert (seeds[0], seeds[3]) == (5, 6)
    derived = [request["seed"] for request in bench.requests(P + "replicas: 3\n")]
    assert len(set(derived)) == 3
    assert derived[0] == bench.requests(P)[0]["seed"]


def test_more_replicas_change_nothing_that_was(bench):
    few = bench.requests(P + "replicas: 2\nmatrix: {a: [1, 2]}\n")
    many = bench.requests(P + "replicas: 3\nmatrix: {a: [1, 2]}\n")
    assert all(request in many for request in few)


@pytest.mark.parametrize(
    "body",
    [
        "request: {prompt: p, seed: -1}\n",
        "request: {prompt: p, seed: '{{ 0 - 1 }}'}\n",
        "request: {prompt: p}\nmatrix: {seed: [-1]}\n",
        "request: {prompt: p}\nreplicas: 2\nmatrix: {seed: [-1]}\n",
        "request: {prompt: p}\ninclude: [{seed: -1}]\n",
        "request: {prompt: p}\ninclude: [{label: a, request: {seed: -1}}]\n",
    ],
)
def test_a_random_seed_is_refused_wherever_it_is_written(bench, body):
    (error,) = bench.findings(body)
    assert "must not be -1" in error.message
    assert "seed" in error.hint


def test_random_seeds_are_the_same_for_ever_and_a_prefix(bench):
    four = [request["seed"] for request in bench.requests(P + "matrix: {seed: {random: 4, seed: 42}}\n")]
    assert four == [891936573, 2088935089, 2074665630, 1121784359]
    ten = [request["seed"] for request in bench.requests(P + "matrix: {seed: {random: 10, seed: 42}}\n")]
    assert ten[:4] == four
    other = [request["seed"] for request in bench.requests(P + "matrix: {seed: {random: 4, seed: 43}}\n")]
    assert set(other).isdisjoint(four)


# ── sharing and order ────────────────────────────────────────────────────────────────────────────────────


def test_the_first_cell_in_grid_order_names_the_file(bench):
    body = "request: {prompt: p, seed: 1}\nmatrix: {mood: [calm, harsh]}\noutput: {file: '{{ mood }}'}\n"
    (job,) = bench.jobs(body)
    assert job.file == "images/calm.webp"
    assert job.coordinates == {"mood": "calm"}
    assert len(bench.coordinates(body)) == 2


def test_a_request_reads_back_as_it_was(bench):
    for job in bench.jobs(LORAS + P + "matrix: {lora: [film@0.5, none], seed: [1, 2]}\n"):
        body = json.loads(json.dumps(job.request.body()))
        assert Request.from_body(body) == job.request
        assert job_key(job.model, Request.from_body(body)) == job.key


# ── file names ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("stem", "file"),
    [
        ("a", "images/a.webp"),
        ("a/b c", "images/a/b c.webp"),
        ("a.b", "images/a.b.webp"),
        ("狐", "images/狐.webp"),
        ("x" * 240, f"images/{'x' * 240}.webp"),
        ("console", "images/console.webp"),
    ],
)
def test_file_names(stem, file):
    assert image_file(stem, "webp") == file


@pytest.mark.parametrize(
    "stem",
    [
        "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "~a\0", "a\nb", "a\x85b",
        "a:b", "a\\b", "a*b", "a?b", 'a"b', "a<b", "a|b", " a", "a ", "a.", "a/b./c", ".hidden", "a/.b",
        "con", "CON", "aux.x", "a/nul", "Com1", "lpt9.tar", "com\u00b9", "con .x", "conin$", "x" * 241,
        "狐" * 81, "/".join(["x" * 200] * 6), "a.webp/b", "a/B.JPG/c",
    ],
)  # fmt: skip
def test_file_names_that_some_file_system_refuses(stem):
    with pytest.raises(FileNameError):
        image_file(stem, "webp")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fox", "FOX"),
        (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")),
        ("\u2126", "\u03c9"),
        ("straße", "STRASSE"),
        ("İ", "i\u0307"),
    ],
)
def test_names_that_some_file_system_takes_for_one_collide(bench, one, other):
    body = P + f"matrix: {{a: [{json.dumps(one)}, {json.dumps(other)}]}}\noutput: {{file: '{{{{ a }}}}'}}\n"
    (error,) = bench.findings(body)
    assert "two jobs would write" in error.message


def test_one_job_shown_twice_is_no_collision(bench):
    body = "request: {prompt: p, seed: 1}\nmatrix: {a: [x, X]}\noutput: {file: '{{ a }}'}\n"
    assert [job.file for job in bench.jobs(body)] == ["images/x.webp"]


def test_formats_do_not_tell_names_apart(bench):
    body = "request: {prompt: p, seed: 1}\nmatrix: {output_format: [png, webp]}\noutput: {file: x}\n"
    (error,) = bench.findings(body)
    assert "two jobs would write" in error.message


def test_a_name_that_is_a_number_is_text(bench):
    body = "request: {prompt: p, seed: 1}\nmatrix: {a: [7]}\noutput: {file: '{{ a }}'}\n"
    assert bench.jobs(body)[0].file == "images/7.webp"


def test_names_may_use_vars_request_and_key(bench):
    body = (
        "request: {prompt: '{{ a }} fox', seed: 1}\n"
        "vars: {b: '{{ a }}-{{ name }}', c: '{{ b }}!'}\n"
        "matrix: {a: [x]}\n"
        "output: {file: '{{ c }}/{{ request.size | slug }}/{{ request.seed }}-{{ key[:4] }}'}\n"
    )
    (job,) = bench.jobs(body)
    assert job.file == f"images/x-x!/1024-1024/1-{job.key[:4]}.webp"


# ── selection ────────────────────────────────────────────────────────────────────────────────────────────

GRID = (
    LORAS
    + P
    + (
        "matrix: {a: [1, 2.5, true, null, 'x, y'], size: [{label: tall, value: 512*768}, 512*512], "
        "lora: [film@0.5, none]}\n"
    )
)


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ((), 20),
        (("a=1",), 4),
        (("a=1.0",), 4),
        (("a=2.5,1",), 8),
        (("a= 1 , 2.5",), 8),
        (("a=true",), 4),
        (("a=null",), 4),
        (("a=x, y",), 4),
        (('a="x, y"',), 4),
        (('a="x, y",1',), 8),
        (('a= "1" , 2.5',), 8),
        (("size=tall",), 10),
        (("size=512*768",), 10),
        (("size=tall,512*512",), 20),
        (("lora=film",), 10),
        (("lora=film@0.5",), 10),
        (("lora.name=none",), 10),
        (("lora.scale=0.5",), 10),
        (("lora.scale=0.50",), 10),
        (("a=1", "size=tall"), 2),
        (("a=1", "a=2.5,1"), 4),
    ],
)
def test_only_selects_by_label_or_value(bench, only, count):
    steps = bench.steps(GRID, only=only)
    assert len(steps) == 20
    assert sum(step.selected for step in steps) == count


def test_only_in_double_quotes_is_one_value(bench):
    grid = P + """matrix: {a: ['fox', 'fox, oil', ' fox', '"fox"', '']}\n"""

    def selected(only):
        return [dict(step.cell.coordinates)["a"] for step in bench.steps(grid, only=(only,)) if step.selected]

    assert selected("a=fox, oil") == ["fox", "fox, oil"]  # without quotes it may mean either
    assert selected('a="fox, oil"') == ["fox, oil"]
    assert selected('a=" fox"') == [" fox"]
    assert selected('a="""fox"""') == ['"fox"']
    assert selected('a=""') == [""]
    assert selected('a="fox","fox, oil"') == ["fox", "fox, oil"]


def test_only_that_selects_nothing_is_an_error(bench):
    with pytest.raises(UsageError, match="selects no cell"):
        bench.steps(GRID, only=("a=1", "a=2.5"))


@pytest.mark.parametrize("only", ["a", "a=", "=1", "b=1", "sise=tall", ""])
def test_only_is_axis_equals_value(bench, only):
    with pytest.raises(UsageError, match="--only"):
        bench.steps(GRID, only=(only,))


def test_first_counts_jobs_and_not_cells(bench):
    body = (
        LORAS
        + "request: {prompt: '{{ lora.trigger }}p'}\nmatrix: {lora: {name: [film, ink], scale: [0, 1]}}\n"
    )
    assert [step.selected for step in bench.steps(body, first=1)] == [True, False, True, False]
    assert [step.selected for step in bench.steps(body, first=2)] == [True, True, True, False]
    assert [step.selected for step in bench.steps(body, first=9)] == [True] * 4


def test_first_counts_among_those_that_only_selects(bench):
    steps = bench.steps(GRID, only=("a=2.5",), first=2)
    assert [dict(step.cell.coordinates)["a"] for step in steps if step.selected] == [2.5, 2.5]


def test_first_is_at_least_one(bench):
    manifest = load_manifest(bench.path(HEAD + P))
    with pytest.raises(UsageError, match="at least 1"):
        Selection.parse((), 0, manifest)


def test_long_prompts_are_made_one_by_one_in_little_memory(bench):
    body = "vars: {v: xxxxxxxxxx}\nrequest: {prompt: '{{ v * 1000 }}{{ a }}'}\nmatrix: {a: [1, 2, 3]}\n"
    expansion = Expansion(load_manifest(bench.path(HEAD + body)))
    rows = list(expansion.rows())
    assert not expansion.fast
    assert [len(json.loads(row.request)["prompt"]) for row in rows] == [10_001] * 3
