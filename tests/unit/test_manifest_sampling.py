"""Zip and sample as manifests have them: rules, --only and --first, limits, what is counted."""

import pytest
from support.manifests import HEAD, LORAS, Bench

from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest

GRID = (
    "request: {prompt: '{{ a }} {{ b }} {{ c }}'}\n"
    "matrix: {a: {from: 1, count: 6}, b: {from: 1, count: 5}, c: {from: 1, count: 4}}\n"
)
ZIP = (
    LORAS + "request: {prompt: '{{ time }} {{ mood }} {{ a }}'}\nmatrix: {a: [1, 2]}\n"
    "zip:\n"
    "  - {time: dawn, mood: {label: calm, value: calm and quiet}, lora: film@0.5}\n"
    "  - {time: noon, mood: harsh, lora: none}\n"
)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def expansion(bench, body):
    found = Expansion(load_manifest(bench.path(HEAD + body)))
    found.check()
    return found


def sampled(bench, n, *, method="random", body=GRID, seed=1):
    return bench.coordinates(f"{body}sample: {{method: {method}, n: {n}, seed: {seed}}}\n")


@pytest.mark.parametrize("method", ["random", "pairwise"])
def test_the_first_stay_when_n_grows(bench, method):
    before = []
    for n in (1, 7, 30, 31, 80, 120):
        cells = sampled(bench, n, method=method)
        assert len(cells) == n
        assert all(cell in cells for cell in before)
        before = cells


def test_random_stays_when_values_are_added(bench):
    more = GRID.replace("a: {from: 1, count: 6}", "a: {from: 1, count: 9}").replace(
        "c: {from: 1, count: 4}", "c: {from: 0, count: 5}"
    )
    assert len(bench.coordinates(more)) == 9 * 5 * 5
    old = sampled(bench, 20)
    new = sampled(bench, 225, body=more)
    ranked = sampled(bench, 40, body=more)
    assert all(cell in new for cell in old)
    kept = [cell for cell in ranked if 1 <= cell["a"] <= 6 and cell["c"] >= 1]
    assert all(cell in sampled(bench, 120) for cell in kept)
    # those of the old grid that are kept of the new one are the ones that ranked first in the old one
    assert all(cell in sampled(bench, len(kept)) for cell in kept)


def test_another_seed_is_another_sample(bench):
    assert sampled(bench, 10) != sampled(bench, 10, seed=2)
    assert sampled(bench, 10) == sampled(bench, 10)


def test_pairwise_covers_and_says_how_much(bench):
    small = expansion(bench, GRID + "sample: {method: pairwise, n: 10}\n").notes
    large = expansion(bench, GRID + "sample: {method: pairwise, n: 40}\n").notes
    assert small.pairs == large.pairs == 6 * 5 + 6 * 4 + 5 * 4
    assert small.covered == 30  # three new pairs a cell
    assert large.covered == large.pairs
    assert (small.sampled_out, large.sampled_out) == (110, 80)


def test_pairs_that_rules_keep_apart_are_not_missed(bench):
    body = GRID + "exclude: [{a: 1, b: 1}, {when: 'c > a'}]\nsample: {method: pairwise, n: 60}\n"
    found = expansion(bench, body)
    assert found.notes.covered == found.notes.pairs < 74
    assert sum(found.notes.excluded.values()) == found.excluded
    cells = bench.coordinates(body)
    assert not [cell for cell in cells if (cell["a"], cell["b"]) == (1, 1) or cell["c"] > cell["a"]]


@pytest.mark.parametrize("method", ["random", "pairwise"])
def test_included_cells_are_never_sampled_out(bench, method):
    body = GRID + f"sample: {{method: {method}, n: 3}}\n"
    rows = "include:\n  - {a: 9, b: 9, c: 9}\n  - {a: 8, label: own, matrix: {b: [1, 2], c: [1]}}\n"
    assert bench.coordinates(body + rows)[:3] == bench.coordinates(body)
    assert len(bench.coordinates(body + rows)) == 6


def test_replicas_are_cells_of_their_own(bench):
    body = GRID + "replicas: 2\n"
    cells = sampled(bench, 240, body=body)
    assert len(cells) == 240
    some = sampled(bench, 50, body=body)
    assert {cell["replica"] for cell in some} == {1, 2}
    assert [cell for cell in cells if cell in some] == some


@pytest.mark.parametrize("method", ["random", "pairwise"])
def test_a_sample_of_more_than_there_is_is_everything(bench, method):
    assert sampled(bench, 10_000, method=method) == bench.coordinates(GRID)


def test_one_axis_and_none(bench):
    assert (
        len(
            sampled(
                bench, 2, method="pairwise", body="request: {prompt: '{{ a }}'}\nmatrix: {a: [1, 2, 3]}\n"
            )
        )
        == 2
    )
    assert sampled(bench, 2, method="pairwise", body="request: {prompt: p}\n") == [{}]


def test_many_axes_of_one_value(bench):
    axes = ", ".join(f"a{n}: [1]" for n in range(70))
    body = f"request: {{prompt: '{{{{ b }}}}'}}\nmatrix: {{{axes}, b: [1, 2]}}\n"
    assert len(sampled(bench, 5, method="pairwise", body=body)) == 2


def test_ten_million_cells_are_the_most(bench):
    body = "request: {{prompt: '{{{{ a }}}}'}}\nmatrix: {{a: {{from: 1, count: {}}}}}\n"
    body += "limits: {{max_jobs: {}}}\n"
    sample = "sample: {method: random, n: 5}\n"
    manifest = load_manifest(bench.path(HEAD + body.format(10_000_000, 5) + sample))
    assert manifest.grid.count == 10_000_000
    [message] = bench.errors(body.format(10_000_001, 10**8) + sample)
    assert message == "is taken from grids of up to 10,000,000 cells (this one has 10,000,001: a 10,000,001)"


def test_max_jobs_holds_for_what_is_kept(bench):
    assert len(sampled(bench, 10, body=GRID + "limits: {max_jobs: 10}\n")) == 10
    assert bench.errors(GRID + "limits: {max_jobs: 10}\nsample: {method: random, n: 11}\n") == [
        "is more than limits.max_jobs allows (10) (got 11)"
    ]
    # no more than there are, however many are asked for
    assert len(sampled(bench, 500, body=GRID + "limits: {max_jobs: 120}\n")) == 120


def test_a_rule_that_matches_nothing_is_told_in_a_sample_too(bench):
    body = GRID + "exclude: [{when: 'a > 99'}]\nsample: {method: random, n: 3}\n"
    assert bench.warnings(body) == ["this exclude rule matches no cell: when: a > 99"]


@pytest.mark.parametrize("method", ["random", "pairwise"])
def test_only_and_first_choose_among_what_is_kept(bench, method):
    body = GRID + f"sample: {{method: {method}, n: 30}}\n"
    kept = bench.coordinates(body)
    steps = bench.steps(body, only=("a=2,3",), first=4)
    chosen = [step.cell.coordinates for step in steps if step.selected]
    assert len(steps) == 30
    assert chosen == [cell for cell in kept if cell["a"] in (2, 3)][:4]


# ── zip ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("only", "times"),
    [
        ("time=noon", {"noon"}),
        ("mood=calm", {"dawn"}),
        ("mood=calm and quiet", {"dawn"}),
        ("lora=film@0.5", {"dawn"}),
        ("lora.name=none", {"noon"}),
        ("lora.scale=0.5,0", {"dawn", "noon"}),
    ],
)
def test_only_sees_the_columns_of_zip(bench, only, times):
    chosen = [step.cell.coordinates for step in bench.steps(ZIP, only=(only,)) if step.selected]
    assert {cell["time"] for cell in chosen} == times
    assert len(chosen) == 2 * len(times)


@pytest.mark.parametrize(
    "rule",
    [
        "{time: dawn}",
        "{mood: calm}",
        "{mood: calm and quiet}",
        "{lora: film@0.5}",
        "{lora.name: film, time: dawn}",
        "{when: \"mood == 'calm'\"}",
        "{when: \"lora.scale > 0 and time == 'dawn'\"}",
        "{a: [1, 2]}",
    ],
)
def test_rules_see_the_columns_of_zip(bench, rule):
    cells = bench.coordinates(ZIP + f"exclude: [{rule}]\n")
    expected = 4 if rule.startswith("{a") else 2  # a list is a value, not a choice
    assert len(cells) == expected


def test_columns_of_different_rows_match_nothing_together(bench):
    assert len(bench.coordinates(ZIP + "exclude: [{time: dawn, mood: harsh}]\n")) == 4
    assert bench.warnings(ZIP + "exclude: [{time: dawn, mood: harsh}]\n")


def test_include_gives_zip_columns_by_label(bench):
    rows = "include: [{a: 3, time: dusk, mood: calm, lora: none}]\n"
    assert bench.coordinates(ZIP + rows)[-1] == {
        "a": 3,
        "time": "dusk",
        "mood": "calm",
        "lora.name": "none",
        "lora.scale": 0,
    }
    assert bench.requests(ZIP + rows)[-1]["prompt"] == "dusk calm and quiet 3"


def test_coordinates_come_in_the_order_of_the_grid(bench):
    manifest = load_manifest(
        bench.path(HEAD + ZIP + "replicas: 2\nreport: {x: time, y: lora.scale, group: mood}\n")
    )
    assert manifest.coordinate_names == ("a", "time", "mood", "lora.name", "lora.scale", "replica")


def test_a_row_under_another_label_is_another_row(bench):
    body = "request: {prompt: '{{ m }}'}\n"
    body += "zip: [{m: {label: x, value: same}}, {m: {label: y, value: same}}, {m: same}]\n"
    assert [cell["m"] for cell in bench.coordinates(body)] == ["x", "y", "same"]
    assert len(bench.jobs(body)) == 3  # their derived seeds differ


def test_zip_walks_inside_the_matrix(bench):
    assert [(cell["a"], cell["time"]) for cell in bench.coordinates(ZIP)] == [
        (1, "dawn"),
        (1, "noon"),
        (2, "dawn"),
        (2, "noon"),
    ]


def test_a_sample_of_zip_rows_keeps_rows_whole(bench):
    cells = bench.coordinates(ZIP + "sample: {method: pairwise, n: 3}\n")
    assert {(cell["time"], cell["mood"]) for cell in cells} == {("dawn", "calm"), ("noon", "harsh")}
