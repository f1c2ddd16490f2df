"""`extends`: what stands after merging, where each value was written, and bases that cannot be taken."""

import os

import pytest
from support.manifests import HEAD, Bench

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.merging import MAX_BASES, MAX_CHAIN, read_with_bases


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def write(directory, **files):
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path = path.with_name(f"{path.name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def merged(directory, **files):
    write(directory, **files)
    findings = Findings()
    document = read_with_bases(directory / "child.yaml", findings)
    findings.raise_errors()
    return document


def where(document, *place, key=False):
    mark = document.mark(place, key=key)
    return mark.file.rpartition("/")[2], mark.line, mark.column


def test_every_value_names_the_file_it_was_written_in(tmp_path):
    document = merged(
        tmp_path,
        base="request:\n  prompt: base\n  size: 512*512\nmatrix: {a: [1, 2]}\nlimits: {unchecked: [size]}\n",
        child="extends: base.yaml\nrequest:\n  prompt: child\nmatrix: {b: [3]}\n",
    )
    assert document.data == {
        "request": {"prompt": "child", "size": "512*512"},
        "matrix": {"a": [1, 2], "b": [3]},
        "limits": {"unchecked": ["size"]},
    }
    assert where(document, "request", "prompt") == ("child.yaml", 3, 11)
    assert where(document, "request", "prompt", key=True) == ("child.yaml", 3, 3)
    assert where(document, "request", "size") == ("base.yaml", 3, 9)
    assert where(document, "matrix", "a", 1) == ("base.yaml", 4, 17)
    assert where(document, "matrix", "b", 0) == ("child.yaml", 4, 14)
    assert where(document, "limits", "unchecked", 0) == ("base.yaml", 5, 22)


def test_what_is_replaced_whole_keeps_no_position_of_the_base(tmp_path):
    document = merged(
        tmp_path,
        base="matrix: {a: [1, 2, {label: x, value: 3}]}\nexclude: [{a: 1}, {a: 2}]\n",
        child="extends: base.yaml\nmatrix:\n  a: [9, 8, 7]\nexclude:\n  - {a: 9}\n",
    )
    assert where(document, "matrix", "a", 2) == ("child.yaml", 3, 13)
    assert where(document, "matrix", "a", 2, "label") == ("child.yaml", 3, 13)
    assert where(document, "exclude", 1) == ("child.yaml", 5, 3)  # none of its own: the nearest round it


def test_order_of_axes(tmp_path):
    document = merged(
        tmp_path,
        base="matrix: {a: [1], b: [1], c: [1], d: [1]}\n",
        child="extends: base.yaml\nmatrix: {e: [2], c: [2], a: null, b: [2], zero: null}\n",
    )
    assert list(document.data["matrix"]) == ["b", "c", "d", "e"]


@pytest.mark.parametrize(
    "section", ["vars", "loras", "request", "limits", "output", "report", "export", "matrix"]
)
def test_null_removes_key_by_key_and_whole(tmp_path, section):
    base = f"{section}: {{a: 1, b: 2}}\nname: x\n"
    document = merged(tmp_path, base=base, child=f"extends: base.yaml\n{section}: {{a: null, c: 3}}\n")
    assert document.data[section] == {"b": 2, "c": 3}
    document = merged(tmp_path, base=base, child=f"extends: base.yaml\n{section}: null\n")
    assert section not in document.data
    document = merged(tmp_path, base="name: x\n", child=f"extends: base.yaml\n{section}: {{a: null, c: 3}}\n")
    assert document.data[section] == {"c": 3}


@pytest.mark.parametrize("section", ["zip", "exclude", "include", "sample", "description"])
def test_the_rest_is_replaced_whole(tmp_path, section):
    document = merged(
        tmp_path, base=f"{section}: {{a: 1, b: 2}}\n", child=f"extends: base.yaml\n{section}: {{b: 3}}\n"
    )
    assert document.data[section] == {"b": 3}


def test_depth_ends_below_the_section(tmp_path):
    document = merged(
        tmp_path,
        base="loras: {film: {path: a, trigger: t}}\nvars: {v: {x: 1, y: 2}}\n",
        child="extends: base.yaml\nloras: {film: {path: b}}\nvars: {v: {x: 3}}\n",
    )
    assert document.data == {"loras": {"film": {"path": "b"}}, "vars": {"v": {"x": 3}}}


def test_a_base_in_another_directory_names_its_own_bases_from_there(tmp_path):
    document = merged(
        tmp_path,
        shared__deep__root="vars: {a: 1}\n",
        shared__base="extends: deep/root.yaml\nvars: {b: 2}\n",
        child="extends: shared/base.yaml\nvars: {c: 3}\n",
    )
    assert document.data == {"vars": {"a": 1, "b": 2, "c": 3}}
    assert [source.path.name for source in document.sources] == ["child.yaml", "base.yaml", "root.yaml"]


def test_the_fingerprint_sees_every_file(tmp_path):
    files = {"base": "vars: {a: 1}\n", "child": "extends: base.yaml\n"}
    before = merged(tmp_path, **files).fingerprint
    assert merged(tmp_path, **files).fingerprint == before
    assert merged(tmp_path, base="vars: {a: 1} # said\n", child=files["child"]).fingerprint != before
    alone = merged(tmp_path, child="name: x\n")
    assert alone.fingerprint == alone.sources[0].sha256


def test_an_axis_file_is_part_of_the_fingerprint(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text(HEAD + "request: {prompt: '{{ a }}'}\nmatrix: {a: {file: a.txt}}\n")
    (tmp_path / "a.txt").write_text("x\n")
    before = load_manifest(path).document.fingerprint
    (tmp_path / "a.txt").write_text("y\n")
    assert load_manifest(path).document.fingerprint != before


def errors(directory, **files):
    with pytest.raises(ManifestError) as caught:
        merged(directory, **files)
    return [(finding.file.rpartition("/")[2], finding.message) for finding in caught.value.findings]


def test_cycles_name_the_files_of_the_cycle_alone(tmp_path):
    assert errors(
        tmp_path,
        a="extends: b.yaml\n",
        b="extends: [c.yaml]\n",
        c="extends: b.yaml\n",
        child="extends: a.yaml\n",
    ) == [("c.yaml", 'extends itself: b.yaml -> c.yaml -> b.yaml (got "b.yaml")')]


def test_a_cycle_through_a_link_is_one(tmp_path):
    write(tmp_path, child="extends: other.yaml\n")
    (tmp_path / "other.yaml").symlink_to(tmp_path / "child.yaml")
    findings = Findings()
    read_with_bases(tmp_path / "child.yaml", findings)
    assert findings.failed


def test_a_chain_ends(tmp_path):
    for number in range(MAX_CHAIN + 2):
        write(tmp_path, **{f"n{number}": f"extends: n{number + 1}.yaml\n"})
    [(file, message)] = errors(tmp_path, child="extends: n0.yaml\n")
    assert file == f"n{MAX_CHAIN - 2}.yaml"
    assert "a chain of more than 32 files" in message


def test_many_roads_to_one_file_are_one_reading(tmp_path):
    for number in range(24):  # 2^24 roads
        write(
            tmp_path,
            **{f"n{number}": f"extends: [n{number + 1}.yaml, n{number + 1}.yaml]\nvars: {{v{number}: 1}}\n"},
        )
    document = merged(tmp_path, n24="vars: {end: 1}\n", child="extends: n0.yaml\n")
    assert len(document.data["vars"]) == 25
    assert len(document.sources) == 26


def test_more_bases_than_anybody_means(tmp_path):
    names = ", ".join(f"n{number}.yaml" for number in range(MAX_BASES + 1))
    [(_, message)] = errors(tmp_path, child=f"extends: [{names}]\n")
    assert "more than 256 files" in message


def test_every_base_that_is_broken_is_told_of(tmp_path):
    found = errors(
        tmp_path,
        a="vars: [\n",
        b="x: 1\n---\ny: 2\n",
        c="c: no\n",
        child="extends: [a.yaml, b.yaml, c.yaml]\n",
    )
    assert [file for file, _ in found] == ["a.yaml", "b.yaml", "c.yaml"]


@pytest.mark.parametrize("name", ["x\\0y", "a" * 300, "https://example.org/base.yaml", "/dev/null", "."])
def test_names_of_no_file(tmp_path, name):
    assert len(errors(tmp_path, child=f'extends: "{name}"\n')) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_base(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    assert errors(tmp_path, child="extends: pipe.yaml\n") == [
        ("child.yaml", 'is no plain file (got "pipe.yaml")')
    ]


def test_nulls_are_no_values_where_nothing_is_extended(bench):
    assert bench.errors("request: {prompt: p}\nmatrix: {a: null}\n")


def test_only_and_first_see_the_merged_grid(bench):
    write(bench.directory, base="request: {prompt: '{{ a }} {{ b }}'}\nmatrix: {a: [1, 2]}\n")
    body = "extends: base.yaml\nmatrix: {b: [3, 4]}\n"
    steps = bench.steps(body, only=("b=4",), first=1)
    assert [step.cell.coordinates for step in steps if step.selected] == [{"a": 1, "b": 4}]


def test_what_a_base_says_of_output_is_merged_key_by_key(tmp_path):
    (tmp_path / "base.yaml").write_text("output: {embed: false, sidecars: [json]}\nrequest: {prompt: p}\n")
    child = tmp_path / "child.yaml"
    for said, embed, sidecars in (
        ("{file: x}", False, ("json",)),
        ("{embed: null, sidecars: [txt]}", True, ("txt",)),
        ("{embed: true, sidecars: null}", True, ()),
        ("null", True, ()),
    ):
        child.write_text(f"version: 1\nname: child\nextends: base.yaml\noutput: {said}\n")
        output = load_manifest(child).output
        assert (output.embed, output.sidecars) == (embed, sidecars)
