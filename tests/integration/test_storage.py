"""A place in an object store, held against moto's S3, well and through a proxy that misbehaves."""

import os
import subprocess
import sys

import pytest
from support.object_store import KEY_ID, SECRET, misbehaving, objects

from zbatch.errors import StorageError, UsageError
from zbatch.storage import Bucket, parse_location


@pytest.fixture
def place(s3, monkeypatch):
    """A fresh place in a well store."""
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return parse_location(f"s3://{s3.new_bucket()}/some runs/füchse")


@pytest.fixture
def through(s3, place, monkeypatch):
    """The same place through a proxy that does what it is told."""
    with misbehaving(s3) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


def first(many, does):
    """Do that to the first puts, and pass the rest."""
    left = [many]

    def behave(method, _path):
        if method != "PUT" or not left[0]:
            return "pass"
        left[0] -= 1
        return does

    return behave


def test_put_read_list_move(place):
    bucket = Bucket(place)
    assert bucket.get("a/b c.webp") is None
    assert bucket.length("a/b c.webp") is None
    bucket.put("a/b c.webp", b"one", media_type="image/webp")
    bucket.put("a/b c.webp", b"two", media_type="image/webp")
    bucket.put("z/empty", b"")
    assert bucket.get("a/b c.webp") == b"two"
    assert b"".join(bucket.pieces("a/b c.webp")) == b"two"
    assert b"".join(bucket.pieces("z/empty")) == b""
    assert list(bucket.pieces("nothing")) == []
    assert bucket.length("a/b c.webp") == 3
    assert [one[:2] for one in bucket.list()] == [("a/b c.webp", 3), ("z/empty", 0)]
    assert [one[:2] for one in bucket.list("a")] == [("a/b c.webp", 3)]
    bucket.move("a/b c.webp", "aside/b.webp")
    assert objects(str(place)) == {"aside/b.webp": b"two", "z/empty": b""}


def test_what_lies_beside_a_prefix_is_not_below_it(s3, place):
    Bucket(place).put("x", b"1")
    Bucket(parse_location(f"{place}-more")).put("y", b"2")
    assert [one.name for one in Bucket(place).list()] == ["x"]
    assert Bucket(parse_location(f"s3://{place.bucket}")).get(f"{place.prefix}/x") == b"1"


def test_created_once(place):
    bucket = Bucket(place)
    assert bucket.create("claim", b"mine")
    assert not bucket.create("claim", b"theirs")
    assert bucket.get("claim") == b"mine"


def test_large_objects_go_in_parts_and_come_in_parts(place, through):
    data = os.urandom(9 * 2**20)
    bucket = Bucket(place)
    bucket.put("large", data)
    assert b"".join(bucket.pieces("large")) == data
    pieces = (data[start : start + 100_000] for start in range(0, len(data), 100_000))
    assert bucket.put_pieces("streamed", pieces) == len(data)
    assert bucket.get("streamed") == data
    assert any(method == "POST" and "uploads" in path for method, path, _ in through.seen)


def test_what_breaks_off_while_it_is_made_leaves_nothing(place):
    def pieces():
        yield b"1" * 6_000_000
        yield b"2" * 6_000_000
        raise ZeroDivisionError

    bucket = Bucket(place)
    bucket.put("shard.tar", b"as it was")
    with pytest.raises(ZeroDivisionError):
        bucket.put_pieces("shard.tar", pieces())
    assert objects(str(place)) == {"shard.tar": b"as it was"}


@pytest.mark.parametrize("does", ["503", "reset", "unanswered"])
def test_what_passes_is_tried_again(place, through, does):
    through.behave = first(2, does)
    Bucket(place).put("x", b"1234")
    assert objects(str(place)) == {"x": b"1234"}
    assert [did for method, _, did in through.seen if method == "PUT"] == [does, does, "pass"]


@pytest.mark.parametrize("does", ["503", "reset", "unanswered"])
def test_a_claim_is_tried_again_too(place, through, does):
    through.behave = first(2, does)
    assert Bucket(place).create("x", b"1234") is (does != "unanswered")
    assert objects(str(place)) == {"x": b"1234"}


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("503", "not able to answer just now: 503 SlowDown: Please reduce your request rate."),
        ("reset", "broke"),
    ],
)
def test_what_stays_is_told_in_the_stores_words(place, through, does, words):
    through.behave = lambda method, path: does
    with pytest.raises(StorageError) as caught:
        Bucket(place, patience=0.3).put("x", b"1")
    assert caught.value.message.startswith(f"cannot write {place}/x: ")
    assert words in caught.value.message
    assert "give the command again" in caught.value.hint


def test_no_bucket(s3, place):
    bucket = Bucket(parse_location("s3://not-made-yet/x"), patience=0.3)
    for call in (lambda: bucket.put("x", b""), lambda: bucket.get("x"), lambda: list(bucket.list())):
        with pytest.raises(StorageError, match=r"there is no bucket not-made-yet .*NoSuchBucket"):
            call()


def test_nobody_there_and_no_such_host(place, monkeypatch):
    for url, words in (("http://127.0.0.1:9", "connection refused"), ("http://host.invalid", "plain http")):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(StorageError, match=words):
            Bucket(place, patience=0.3).put("x", b"1")


def test_no_credentials(place, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StorageError, match="no credentials") as caught:
        Bucket(place, patience=0.3).put("x", b"1")
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_refused_and_no_secrets_in_words(place, through, monkeypatch):
    said = (
        f"<Error><Code>AccessDenied</Code><Message>{KEY_ID} may not\x1b[31m, {SECRET}: "
        "https://h/x?sig=abc</Message></Error>"
    )
    through.behave = lambda method, path: "403"
    through.refusal = said.encode()
    with pytest.raises(StorageError) as caught:
        Bucket(place).put("x", b"1")
    message = str(caught.value)
    assert "the store refused: 403 AccessDenied: *** may not[31m, ***: https://h/x" in message
    assert not any(word in message for word in (KEY_ID, SECRET, "sig=", "\x1b"))


def test_the_stores_of_google_and_azure_are_opened(monkeypatch):
    """Opened only: there is no server of theirs here."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    assert Bucket(parse_location("az://container/x")).location.url("y") == "az://container/x/y"
    assert Bucket(parse_location("gs://bucket/x")).location.url("y") == "gs://bucket/x/y"
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    with pytest.raises(StorageError, match="no credentials") as caught:
        Bucket(parse_location("az://container/x"))
    assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.hint


def test_without_the_package(tmp_path):
    (tmp_path / "obstore.py").write_text("raise ImportError")
    code = "import zbatch.storage as s; s.Bucket(s.parse_location('s3://b/x'))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "needs the package obstore" in done.stderr
    assert "pip install 'zbatch[cloud]'" in done.stderr


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket", "s3://bucket"),
        ("S3://bucket/", "s3://bucket"),
        ("gs://a.b-c/runs/füchse 2/", "gs://a.b-c/runs/füchse 2"),
        ("az://container/x@y", "az://container/x@y"),
    ],
)
def test_urls(text, url):
    assert str(parse_location(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        "s3://", "s3:///x", "https://bucket/x", "file:///tmp", "s3://b//x", "s3://b/../x", "s3://b/./x",
        "s3://b/a\nb", "s3:// b/x", "s3://-b/x",
    ],
)  # fmt: skip
def test_no_urls(text):
    with pytest.raises(UsageError) as caught:
        parse_location(text)
    assert "s3://BUCKET/PREFIX" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["s3://AKID:sesame@bucket/x", "s3://bucket/x?sig=sesame", "az://c/x#sesame", "http://u:sesame@h/"]
)
def test_keys_in_urls_are_refused_and_not_repeated(text):
    with pytest.raises(UsageError, match="keys do not belong there") as caught:
        parse_location(text)
    assert "sesame" not in str(caught.value)
