"""What holds of every sample, every merge and every zip: prefixes, coverage, order."""

import itertools
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zbatch.manifest import sampling
from zbatch.manifest.document import Document
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.merging import DEEP, merge
from zbatch.manifest.sampling import ranks, sample_pairwise, sample_random

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def allowed_grids(draw):
    """Sizes of axes, a rank for every cell, and which cells the rules leave."""
    sizes = draw(st.lists(st.integers(1, 5), max_size=5))
    seed = draw(st.integers(0, 9))
    count = int(np.prod(sizes, dtype=np.int64))
    axes = [[((f"a{n}", value),) for value in range(size)] for n, size in enumerate(sizes)]
    allowed = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    if draw(st.booleans()):
        allowed[:] = True
    return sizes, ranks(axes, seed), allowed


def pairs_of(cells, sizes):
    points = [np.unravel_index(cell, sizes) if sizes else () for cell in cells]
    return {
        (left, right, int(point[left]), int(point[right]))
        for point in points
        for left, right in itertools.combinations(range(len(sizes)), 2)
    }


@given(grid=allowed_grids(), n=st.integers(1, 60), more=st.integers(0, 60))
@MANY
def test_random_keeps_the_first_when_n_grows(grid, n, more):
    _, order, allowed = grid
    few, many = sample_random(order, allowed, n), sample_random(order, allowed, n + more)
    assert set(few) <= set(many) <= set(np.flatnonzero(allowed))
    assert len(few) == min(n, allowed.sum())
    assert list(few) == sorted(few)
    ranked = np.flatnonzero(allowed)[np.argsort(order[allowed])]
    assert set(few) == set(ranked[:n])


@given(grid=allowed_grids(), n=st.integers(1, 60), more=st.integers(0, 60))
@MANY
def test_pairwise_keeps_the_first_when_n_grows(grid, n, more):
    sizes, order, allowed = grid
    few, covered, total = sample_pairwise(sizes, order, allowed, n)
    many, covered_by_many, _ = sample_pairwise(sizes, order, allowed, n + more)
    assert set(few) <= set(many) <= set(np.flatnonzero(allowed))
    assert len(few) == len(set(few)) == min(n, allowed.sum())
    assert list(few) == sorted(few)
    assert covered == len(pairs_of(few, sizes)) <= covered_by_many <= total
    assert total == len(pairs_of(np.flatnonzero(allowed), sizes))


@given(grid=allowed_grids())
@MANY
def test_pairwise_covers_every_pair_before_anything_else(grid):
    sizes, order, allowed = grid
    n, covered = 0, -1
    for n in range(1, int(allowed.sum()) + 1):
        before, (_, covered, total) = covered, sample_pairwise(sizes, order, allowed, n)
        if covered == total:
            break
        assert covered > before  # every cell shows something new until all is shown
    assert pairs_of(sample_pairwise(sizes, order, allowed, max(n, 1))[0], sizes) == pairs_of(
        np.flatnonzero(allowed), sizes
    )


@given(grid=allowed_grids(), n=st.integers(1, 40))
@MANY
def test_pairwise_is_the_plain_greedy_choice(grid, n):
    sizes, order, allowed = grid
    left = {int(cell): pairs_of([cell], sizes) for cell in np.flatnonzero(allowed)}
    shown, chosen = set(), []
    while left and len(chosen) < n:
        best = min(left, key=lambda cell: (-len(left[cell] - shown), order[cell]))
        shown |= left.pop(best)
        chosen.append(best)
    assert sample_pairwise(sizes, order, allowed, n)[0].tolist() == sorted(chosen)


@given(grid=allowed_grids(), n=st.integers(1, 60), pool=st.integers(1, 20))
@MANY
def test_pools_change_neither_coverage_nor_prefixes(grid, n, pool):
    sizes, order, allowed = grid
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "_POOL", pool)
        patch.setattr(sampling, "_STEP", 3)
        few, covered, total = sample_pairwise(sizes, order, allowed, n)
        assert set(few) <= set(sample_pairwise(sizes, order, allowed, n + 7)[0])
        everything, all_covered, _ = sample_pairwise(sizes, order, allowed, max(total, 1))
    assert len(few) == min(n, allowed.sum())
    assert covered == len(pairs_of(few, sizes))
    assert all_covered == total  # as many cells as there are pairs are always enough
    assert len(everything) <= max(total, 1)


@given(values=st.lists(st.integers(0, 30), min_size=2, max_size=9, unique=True), kept=st.integers(1, 8))
@MANY
def test_a_cell_ranks_the_same_whatever_else_there_is(values, kept):
    axes = [[(("a", value),) for value in values], [(("b", value),) for value in "xyz"]]
    fewer = [axes[0][:kept], axes[1]]
    assert ranks(axes, 3)[: 3 * len(fewer[0])].tolist() == ranks(fewer, 3).tolist()
    assert ranks([axes[1], axes[0]], 3).reshape(3, -1).T.ravel().tolist() == ranks(axes, 3).tolist()


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    method=st.sampled_from(["random", "pairwise"]),
    n=st.integers(1, 40),
    replicas=st.integers(1, 2),
    rows=st.integers(0, 2),
)
@FEW
def test_a_sampled_manifest_is_a_part_of_the_whole_in_its_order(tmp_path, sizes, method, n, replicas, rows):
    names = "abcd"[: len(sizes)]
    manifest = {
        "version": 1,
        "name": "x",
        "request": {"prompt": "p" + "".join(f" {{{{ {name} }}}}" for name in names)},
        "matrix": {name: list(range(size)) for name, size in zip(names, sizes, strict=True)},
        "replicas": replicas,
        "exclude": [{"a": 0, names[-1]: 0}] if sizes[0] > 1 else [],
        "include": [{**dict.fromkeys(names, 9), "label": f"row {row}"} for row in range(rows)],
    }

    def keys(**more):
        (tmp_path / "m.yaml").write_bytes(orjson.dumps({**manifest, **more}))
        expansion = Expansion(load_manifest(tmp_path / "m.yaml"))
        return [(row.coordinates, row.key) for row in expansion.rows() if row.key], expansion

    whole, unsampled = keys()
    sampled, expansion = keys(sample={"method": method, "n": n})
    there, left_out = set(sampled), expansion.notes.sampled_out
    assert [cell for cell in whole if cell in there] == sampled
    assert len(sampled) == min(n, len(whole) - rows * replicas) + rows * replicas
    assert sampled[len(sampled) - rows * replicas :] == whole[len(whole) - rows * replicas :]
    assert left_out == len(whole) - len(sampled)
    assert expansion.excluded == unsampled.excluded


# ── merging ──────────────────────────────────────────────────────────────────────────────────────────────

KEYS = st.sampled_from(["vars", "request", "matrix", "zip", "name", "exclude"])


def layers(*, nulls):
    leaf = st.integers(0, 9) | st.lists(st.integers(0, 3), max_size=2)
    leaf = leaf | st.none() if nulls else leaf
    inner = st.dictionaries(st.sampled_from("abcd"), leaf, max_size=4)
    return st.dictionaries(KEYS, st.one_of(inner, leaf), max_size=5)


def document(data):
    return Document(Path("x.yaml"), "", data)


def plain(base, child):
    """Merge as the specification says, in a few words."""
    merged = dict(base)
    for key, value in child.items():
        if key in DEEP and isinstance(value, dict):
            old = base.get(key) if isinstance(base.get(key), dict) else {}
            both = {**old, **value}
            merged[key] = {name: item for name, item in both.items() if value.get(name, 0) is not None}
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


@given(base=layers(nulls=False), child=layers(nulls=True))
@MANY
def test_merging_is_what_the_specification_says(base, child):
    before = orjson.dumps([base, child])
    merged = merge(document(base), document(child)).data
    assert merged == plain(base, child)
    assert orjson.dumps([base, child]) == before
    for key in merged:
        if key in DEEP and isinstance(merged[key], dict) and isinstance(base.get(key), dict):
            kept = [name for name in base[key] if name in merged[key]]
            assert list(merged[key])[: len(kept)] == kept  # base entries keep their place


@given(a=layers(nulls=False), b=layers(nulls=False), c=layers(nulls=False))
@MANY
def test_without_nulls_it_does_not_matter_where_a_chain_is_cut(a, b, c):
    one, two, three = document(a), document(b), document(c)
    deep = {key for key in DEEP if all(isinstance(layer.get(key, {}), dict) for layer in (a, b, c))}
    left = merge(merge(one, two), three).data
    right = merge(one, merge(two, three)).data
    assert {key: left.get(key) for key in deep} == {key: right.get(key) for key in deep}
    assert {key: left.get(key) for key in left if key not in DEEP} == {
        key: right.get(key) for key in right if key not in DEEP
    }


@given(base=layers(nulls=False), child=layers(nulls=True))
@MANY
def test_no_null_of_a_child_survives(base, child):
    merged = merge(document(base), document(child)).data
    assert None not in merged.values()
    assert all(
        None not in merged[key].values() for key in merged if key in DEEP and isinstance(merged[key], dict)
    )
    assert merge(document(base), document({})).data == base
    assert merge(document(merged), document(child)).data == merged  # once more changes nothing
