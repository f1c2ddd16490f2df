"""YAML made to harm: each ends at once, in little memory, with the place it happened."""

import pytest
from support.bounded import bounded
from support.manifests import HEAD

BODY = HEAD + "request: {prompt: p}\n"


def _bomb(width, depth):
    lines = ["a0: &a0 [" + ",".join("x" * width) + "]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * width) + "]" for n in range(1, depth)]
    return BODY + "vars:\n  " + "\n  ".join(lines) + "\n"


HOSTILE = {
    # deep
    "lists in lists": (b"a: " + b"[" * 10**6, "1:68", "nested more than 64 levels"),
    "maps in maps": (b"{a: " * 10**6, "1:261", "nested more than 64 levels"),
    "dashes": (b"- " * 10**6, "1:131", "nested more than 64 levels"),
    "indented maps": (b"".join(b" " * n + b"a:\n" for n in range(2000)), "66:66", "nested more than 64"),
    "question marks": (b"? " * 10**6, "1:3", "a key must be plain text"),
    "closing brackets": (b"a: " + b"]" * 10**6, "1:4", "is no YAML"),
    "deep inside a value": ((BODY + "vars: {a: ").encode() + b"[" * 10**6, "4:74", "nested more than 64"),
    # aliases
    "alias bomb": (_bomb(9, 12).encode(), "9:28", "aliases up to here"),
    "wide alias bomb": (_bomb(1000, 2).encode(), "6:208", "aliases up to here"),
    "an alias of itself": (b"a: &a [1, *a]\n", "1:11", "contains itself"),
    "an alias of its map": (b"a: &a {b: {c: *a}}\n", "1:15", "contains itself"),
    "an alias of the root": (b"&r\nversion: 1\nname: *r\n", "3:7", "contains itself"),
    "an alias before its anchor": (b"a: *b\nb: &b 1\n", "1:4", "no anchor &b"),
    # large
    "a hundred megabytes": (None, "1:1", "more than 16 MB"),
    "a number of 100,000 digits": ((BODY + f"price: {'1' * 100_000}\n").encode(), "4:8", "too large"),
    "an almost number": ((BODY + f"price: {'1' * 100_000}_\n").encode(), "4:8", "too large"),
    "a date that never ends": ((BODY + f"price: 2026-01-01 {'1' * 100_000}x\n").encode(), "4:8", "a number"),
    "a key of 5,000 characters": (b"a" * 5000 + b": 1\n", "1:5001", "is no YAML"),
    "fifty thousand unknown keys": (
        "".join(f"k{n}: v\n" for n in range(50_000)).encode(),
        "2:1",
        "unknown key 'k1'",
    ),
    "a million aliases of nothing": (b"a: [" + b"*b, " * 10**6, "1:5", "no anchor"),
    "half a million values": (b"a: [" + b"1," * 500_000 + b"]", "1:500001", "at most 250,000 values"),
    "keys by the hundred thousand": (
        b"vars:\n" + b"".join(b" k%d: v\n" % n for n in range(300_000)),
        "250000:11",
        "at most 250,000 values",
    ),
    "anchors by the hundred thousand": (
        b"a: [" + b"".join(b"&a%d x," % n for n in range(100_000)) + b"]",
        "1:88895",
        "at most 10,000 anchors",
    ),
    "a key a hundred thousand times": (
        (BODY + "vars:\n" + " a: x\n" * 100_000).encode(),
        "105:2",
        "more than this was not looked for",
    ),
    "no by the hundred thousand": (b"a: [" + b"no," * 100_000 + b"]", "1:302", "more than this was not"),
    # templates
    "twenty thousand templates in a chain": (
        (
            BODY + "vars:\n" + "".join(f" v{n}: '{{{{ v{(n + 1) % 20_000} }}}}'\n" for n in range(20_000))
        ).encode(),
        "5:6",
        "uses itself",
    ),
    "a million characters of templates": (
        (BODY + "vars:\n" + "".join(f" v{n}: '{n}{'{{ w }}' * 2_400}'\n" for n in range(60))).encode(),
        "34:7",
        "is too much: all different ones up to here have more than 500,000 characters",
    ),
    # grids
    "nine hundred axes": (
        (BODY + "matrix:\n" + "".join(f" k{n}: [v, w]\n" for n in range(900))).encode(),
        "5:2",
        "the grid has more than 10^18 cells",
    ),
    "ten thousand axes": (
        (BODY + "matrix:\n" + "".join(f" k{n}: [v, w]\n" for n in range(10_000))).encode(),
        "5:2",
        "has more than 1,000 axes (got 10000)",
    ),
    "a hundred LoRAs by a hundred thousand scales": (
        (
            BODY
            + "loras: {"
            + ",".join(f"k{n}: a/b" for n in range(100))
            + "}\nmatrix: {lora: {name: ["
            + ",".join(f"k{n}" for n in range(100))
            + "], scale: {from: 0, to: 1, count: 100000}}}\n"
        ).encode(),
        "5:16",
        "gives more than 1,000,000 LoRAs",
    ),
    "fifty thousand misspelt LoRAs": (
        (BODY + "loras: {film: a/b}\nmatrix: {lora: [" + ",".join(["flim"] * 50_000) + "]}\n").encode(),
        "5:17",
        'no LoRA is named "flim"',
    ),
    "exclude rules by the ten thousand": (
        (BODY + "matrix: {seed: [1]}\nexclude: [" + "{seed: 1}," * 20_000 + "]\n").encode(),
        "5:10",
        "has more than 10,000 rules",
    ),
    "rules that ask too often": (
        (
            BODY
            + "matrix: {seed: {from: 1, count: 500000}}\nexclude: ["
            + "{when: seed > 3}," * 1_000
            + "]\n"
        ).encode(),
        "5:10",
        "ask more than 100,000,000 times",
    ),
    "include rows of a million cells each": (
        (
            BODY
            + "include: ["
            + ",".join(f"{{prompt: p{n}, matrix: {{seed: {{from: 1, count: 900000}}}}}}" for n in range(100))
            + "]\n"
        ).encode(),
        "4:87",
        "the rows up to this one have 1,800,000 cells",
    ),
    "zip with ten thousand columns": (
        (BODY + "zip: [{" + ",".join(f"c{n}: x" for n in range(10_000)) + "}]\n").encode(),
        "4:6",
        "has more than 1,000 columns",
    ),
    # bytes
    "NUL": (b'version: 1\nname: "a\x00b"\n', "2:9", "control characters"),
    "bell": (b"version: 1\nname: a\x07b\n", "2:8", "control characters"),
    "UTF-16": (BODY.encode("utf-16"), "1:1", "not UTF-8"),
    "UTF-16 without its mark": (BODY.encode("utf-16-le"), "1:2", "control characters"),
    "UTF-32": (BODY.encode("utf-32"), "1:1", "not UTF-8"),
    "Latin-1": ("version: 1\nname: ééé caf".encode() + b"\xe9\n", "2:14", "byte 0xe9"),
    "half a character": (b"version: 1\nname: \xe2\x82\n", "2:7", "byte 0xe2"),
    "a surrogate in bytes": (b'version: 1\nname: "\xed\xa0\x80"\n', "2:8", "byte 0xed"),
    "a surrogate escaped": (b'version: 1\nname: "\\ud800"\n', "2:10", "invalid Unicode"),
    "a directive of another version": (b"%YAML 9.9\n---\nversion: 1\n", "1:1", "is no YAML"),
    "zip file": (b"PK\x03\x04\x14\x00\x00\x00", "1:3", "control characters"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "1:1", "not UTF-8"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hostile")
    paths = []
    for number, (data, _, _) in enumerate(HOSTILE.values()):
        path = directory / f"{number}.yaml"
        if data is None:
            with path.open("wb") as stream:
                stream.truncate(100_000_000)
        else:
            path.write_bytes(data)
        paths.append(path)
    said = bounded([("manifest", str(path)) for path in paths])
    return {
        name: answer.replace(str(path), "") for name, path, answer in zip(HOSTILE, paths, said, strict=True)
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_at_its_place(name, answers):
    _, position, words = HOSTILE[name]
    lines = answers[name].splitlines()
    assert any(line.startswith(f":{position}: ") and words in line for line in lines), answers[name][:500]


def test_an_endless_device_is_cut_off():
    (answer,) = bounded([("manifest", "/dev/zero")])
    assert "more than 16 MB" in answer


DATA = {
    "one field": (".csv", b'a,b\n"' + b"x" * 30_000_000, "2:1", "more than 4,000,000 characters"),
    "one row of many lines": (
        ".csv",
        b"a,b\n" + b'"\n",' * 2_000_000,
        "2:1",
        "more than 4,000,000 characters",
    ),
    "one header": (".csv", b"c," * 500_000 + b"c", "1:1", "at most 1,000 columns (this one has 500,001)"),
    "empty lines": (".csv", b"a,b\n" + b"\n" * 60_000_000, "1:1", "more than 4,000,000 lines"),
    "rows that are short": (".csv", b"a,b\n" + b"x\n" * 300_000, "2:1", "the row has 1 field"),
    "wrong seeds": (".csv", b"seed\n" + b"x\n" * 300_000, "2:1", "seed must be a whole number"),
    "one line of text": (".txt", b"x" * 30_000_000, "1:1", "more than 4,000,000 characters"),
    "tiny lines": (".txt", b"x\n" * 30_000_000, "1:1", "more than 4,000,000 lines"),
    "NUL at the end": (".txt", b"abc\n" * 3_000_000 + b"\0", "3000001:1", "control character"),
    "no UTF-8 at the end": (".txt", "é\n".encode() * 3_000_000 + b"a\xff", "3000001:2", "byte 0xff"),
    "JSON of one line": (".jsonl", b"[" + b"1," * 15_000_000, "1:1", "more than 4,000,000 characters"),
    "JSON that is deep": (".jsonl", b"[" * 1_000_000, "1:1", "nested too deep"),
    "JSON of one file": (".json", b" " * 60_000_000, "", "has more than 16 MB"),
    "YAML of one file": (".yaml", b"- x\n" * 15_000_000, "", "has more than 16 MB"),
}


@pytest.fixture(scope="module")
def data_answers(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hostile-data")
    for number, (suffix, data, _, _) in enumerate(DATA.values()):
        (directory / f"{number}{suffix}").write_bytes(data)
        zipped = f"zip: {{file: {number}{suffix}}}\n"
        (directory / f"m{number}.yaml").write_text(HEAD + "request: {prompt: p}\n" + zipped)
    said = bounded([("manifest", str(directory / f"m{number}.yaml")) for number in range(len(DATA))])
    return dict(zip(DATA, said, strict=True))


@pytest.mark.parametrize("name", DATA)
def test_hostile_data_file_is_refused_at_its_place(name, data_answers):
    suffix, _, position, words = DATA[name]
    number = list(DATA).index(name)
    place = f"{number}{suffix}:{position}: " if position else f"m{number}.yaml:"
    assert any(place in line and words in line for line in data_answers[name].splitlines()), data_answers[
        name
    ][:500]


def test_what_many_axes_take_of_one_file_is_bounded(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{n}\n" for n in range(150_000)))
    axes = "".join(f" x{n}: {{file: a.txt}}\n" for n in range(200))
    (tmp_path / "m.yaml").write_text(HEAD + "request: {prompt: p}\nmatrix:\n" + axes)
    (answer,) = bounded([("manifest", str(tmp_path / "m.yaml"))])
    assert "matrix.x6.file: is too much: axes and zip take more than 1,000,000 rows" in answer


def test_what_a_manifest_extends_is_bounded_in_values(tmp_path):
    values = "loras:\n" + "".join(f"  l{n}: a/b\n" for n in range(70_000))
    for number in range(6):
        (tmp_path / f"b{number}.yaml").write_text(values)
    names = ", ".join(f"b{number}.yaml" for number in range(6))
    (tmp_path / "m.yaml").write_text(HEAD + f"extends: [{names}]\nrequest: {{prompt: p}}\n")
    (answer,) = bounded([("manifest", str(tmp_path / "m.yaml"))])
    assert "extends[4]: is too much: the files before it hold more than 250,000 values" in answer
