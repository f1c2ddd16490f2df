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
