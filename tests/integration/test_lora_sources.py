"""Where LoRAs come from: the folder for them and nothing beside it, allowed hosts, the cache. No torch."""

import asyncio
import contextlib
import gzip
import http.server
import json
import os
import threading
import time

import pytest

from zbatch.server.engines.diffusion.lora_download import LoraError, LoraHosts
from zbatch.server.engines.diffusion.lora_files import LoraFiles

WEIGHTS = (2).to_bytes(8, "little") + b"{}" + b"\0" * 1000
REPOSITORIES = {
    "owner/one": ["README.md", "ink.safetensors"],
    "owner/usual": ["other.safetensors", "pytorch_lora_weights.safetensors"],
    "owner/several": ["b.safetensors", "a.safetensors"],
    "owner/none": ["model.bin"],
}


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as Hugging Face does, and as hosts do that are up to no good."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Authorization")))
        path, _, _ = self.path.partition("?")
        if path.startswith("/api/models/"):
            files = REPOSITORIES.get(path.removeprefix("/api/models/"))
            if files is None:
                return self.answer(404, b"")
            return self.answer(
                200, json.dumps({"siblings": [{"rfilename": name} for name in files]}).encode()
            )
        if "/resolve/main/" in path:
            return self.answer(302, b"", location=f"{server.cdn}{path.replace('/resolve/main', '')}")
        if path in ("/loop", "/to-private"):
            location = "/loop" if path == "/loop" else "http://2130706433/latest/meta-data"
            return self.answer(302, b"", location=location)
        if path == "/page":
            return self.answer(200, b"<!doctype html><p>log in")
        if path == "/gzip":
            return self.answer(200, gzip.compress(WEIGHTS), coding="gzip")
        if path in ("/broken", "/huge", "/unmeasured", "/drip"):
            return self.answer_badly(path)
        return self.answer(200, WEIGHTS)

    def answer_badly(self, path):
        self.send_response(200)
        if path != "/unmeasured":
            self.send_header("Content-Length", str(5 * 2**30) if path == "/huge" else "5000")
        self.end_headers()
        self.wfile.write(WEIGHTS)
        with contextlib.suppress(OSError):
            while path == "/drip":
                self.wfile.write(b"x")
                time.sleep(0.02)

    def answer(self, status, body, location=None, coding=None):
        self.send_response(status)
        if coding:
            self.send_header("Content-Encoding", coding)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture
def hub(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.cdn = f"http://localhost:{server.server_port}/cdn"
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "loras"
    (folder / "styles").mkdir(parents=True)
    (folder / "ink.safetensors").write_bytes(WEIGHTS)
    (folder / "styles" / "oil.safetensors").write_bytes(WEIGHTS)
    (folder / "notes.txt").write_text("no weights")
    (tmp_path / "secret.safetensors").write_bytes(WEIGHTS)
    (tmp_path / "loras-more").mkdir()
    (tmp_path / "loras-more" / "near.safetensors").write_bytes(WEIGHTS)
    (folder / "out.safetensors").symlink_to(tmp_path / "secret.safetensors")
    (folder / "outside").symlink_to(tmp_path)
    (folder / "inside.safetensors").symlink_to(folder / "ink.safetensors")
    (folder / "round.safetensors").symlink_to(folder / "round.safetensors")
    (folder / "a.safetensors").mkdir()
    return folder


def files(folder=None, *, hosts=(), cache=None, size=10**6, private=True):
    return LoraFiles(folder, LoraHosts(frozenset(hosts), allow_private=private), cache, size)


def fetched(found, path):
    asyncio.run(found.fetch(path))
    return found.find(path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("ink.safetensors", "ink.safetensors"),
        ("ink", "ink.safetensors"),
        ("styles/oil", "styles/oil.safetensors"),
        ("inside", "ink.safetensors"),
    ],
)
def test_files_of_the_folder(folder, path, name):
    assert fetched(files(folder), path) == folder / name


@pytest.mark.parametrize(
    "path",
    [
        "", ".", "..", "/", "absent", "absent.safetensors", "../secret", "../secret.safetensors",
        "styles/../../secret", "styles/../ink", "/etc/passwd", "./ink", "styles//oil", "notes.txt", "out",
        "out.safetensors", "outside/secret", "outside/loras/../secret", "../loras-more/near", "a", "styles",
        "round", "ink\0", "ink.safetensors\0", "..\\secret", "a" * 5000, "\ud800", "~/secret", "C:/secret",
    ],
)  # fmt: skip
def test_nothing_beside_the_folder_is_a_lora(folder, path):
    found = files(folder)
    with pytest.raises(LoraError, match=r"missing|may not be fetched|leads out of this server's --lora-dir"):
        asyncio.run(found.fetch(path))
    with pytest.raises(LoraError):
        found.find(path)


def test_without_a_folder_and_without_hosts_nothing_is_found(tmp_path):
    found = files(cache=tmp_path / "cache")
    with pytest.raises(LoraError, match="has no --lora-dir"):
        asyncio.run(found.fetch("ink"))
    for path in ("owner/one", "https://example.com/a.safetensors"):
        with pytest.raises(LoraError, match=r"may not be fetched.*--allow-lora-hosts"):
            asyncio.run(found.fetch(path))


def test_a_repository_of_hugging_face_is_fetched_once(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf-planted")
    found = files(hosts=["127.0.0.1"], cache=tmp_path)
    file = fetched(found, "owner/one")
    assert file.read_bytes() == WEIGHTS
    assert hub.asked == [
        ("/api/models/owner/one", "Bearer hf-planted"),
        ("/owner/one/resolve/main/ink.safetensors", "Bearer hf-planted"),
        ("/cdn/owner/one/ink.safetensors", None),
    ]
    assert fetched(files(hosts=["127.0.0.1"], cache=tmp_path), "owner/one") == file
    assert len(hub.asked) == 3
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_a_file_of_the_folder_comes_before_a_repository(hub, folder, tmp_path):
    found = files(folder, hosts=["127.0.0.1"], cache=tmp_path / "cache")
    assert fetched(found, "styles/oil") == folder / "styles" / "oil.safetensors"
    assert hub.asked == []
    assert fetched(found, "owner/one").parent == tmp_path / "cache"


@pytest.mark.parametrize(
    ("path", "file"),
    [("owner/usual", "pytorch_lora_weights.safetensors"), ("owner/several/b.safetensors", "b.safetensors")],
)
def test_which_file_of_a_repository(hub, tmp_path, path, file):
    fetched(files(hosts=["127.0.0.1"], cache=tmp_path), path)
    assert hub.asked[-1][0].endswith(f"/{file}")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("owner/several", "several files; name one as in owner/several/a.safetensors"),
        ("owner/none", "has no .safetensors file"),
        ("owner/absent", "is not there, or not for everyone: 127.0.0.1 answered 404"),
        ("{hub}/page", "is not a safetensors file"),
        ("{hub}/loop", "redirected more than 6 times"),
        ("{hub}/broken", "cannot be fetched"),
        ("{hub}/unmeasured", "127.0.0.1 does not say where it ends"),
        ("{hub}/huge", "is larger than 4294967296 bytes"),
        ("{hub}/gzip", "is not a safetensors file"),
        ("{hub}/blank in it", "must be a URL without blanks"),
        ("{hub}\\@127.0.0.1/x", "must be a URL without blanks, control characters and backslashes"),
        ("{hub}/to-private", "must not write an address as 2130706433"),
        ("http://localhost:1/x.safetensors", "does not fetch LoRAs from localhost"),
        ("http://user:word@127.0.0.1/x", "must not carry a user name"),
        ("http://[::1/x", "must be a URL"),
        ("file:///etc/passwd", "only https URLs"),
        ("ftp://127.0.0.1/x", "only https URLs"),
    ],
)
def test_what_cannot_be_fetched_is_told_and_leaves_nothing(hub, tmp_path, path, said):
    found = files(hosts=["127.0.0.1"], cache=tmp_path / "cache")
    with pytest.raises(LoraError) as failed:
        asyncio.run(found.fetch(path.format(hub=hub.url)))
    assert said in str(failed.value)
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://huggingface.co/x", "https://127.0.0.1/x", "https://169.254.169.254/x", "https://[::1]/x",
        "https://localhost/x", "https://10.0.0.8/x", "https://metadata.google.internal/x",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_even_where_they_are_allowed_by_name(tmp_path, url):
    hosts = ("127.0.0.1", "169.254.169.254", "::1", "localhost", "10.0.0.8", "huggingface.co")
    found = files(hosts=hosts, cache=tmp_path, private=False)
    with pytest.raises(LoraError, match=r"private address|only https"):
        asyncio.run(found.fetch(url))


def test_the_cache_lets_go_what_was_used_longest_ago(hub, tmp_path):
    found = files(hosts=["127.0.0.1"], cache=tmp_path, size=2 * len(WEIGHTS))
    first, second = (fetched(found, f"{hub.url}/{name}") for name in "ab")
    fetched(found, f"{hub.url}/a")
    fetched(found, f"{hub.url}/c")
    assert first.exists()
    assert not second.exists()
    with pytest.raises(LoraError, match="gone from the cache"):
        found.find(f"{hub.url}/b")
    assert fetched(found, f"{hub.url}/b").exists()


def test_one_that_many_ask_for_at_once_is_fetched_once(hub, tmp_path):
    found = files(hosts=["127.0.0.1"], cache=tmp_path)

    async def many():
        await asyncio.gather(*(found.fetch(f"{hub.url}/same") for _ in range(8)))

    asyncio.run(many())
    assert [path for path, _ in hub.asked] == ["/same"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_token_in_a_url_is_not_told(hub, tmp_path, host):
    found = files(hosts=["127.0.0.1"], cache=tmp_path)
    with pytest.raises(LoraError, match=rf"^LoRA 'http://{host}:[0-9]+/page' ") as failed:
        asyncio.run(found.fetch(f"{hub.url}/page?token=planted".replace("127.0.0.1", host)))
    assert "planted" not in str(failed.value)


def test_one_that_comes_a_byte_at_a_time_is_given_up(hub, tmp_path):
    hosts = LoraHosts(frozenset(["127.0.0.1"]), allow_private=True, patience=0.3)
    found = LoraFiles(None, hosts, tmp_path, 10**6)
    with pytest.raises(LoraError, match="it comes too slowly"):
        asyncio.run(found.fetch(f"{hub.url}/drip"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_half_fetched_goes_and_what_is_being_fetched_stays(hub, tmp_path):
    left, under_way = tmp_path / "left.part", tmp_path / "under-way.part"
    for part in (left, under_way):
        part.write_bytes(b"half")
    os.utime(left, (1, 1))
    assert fetched(files(hosts=["127.0.0.1"], cache=tmp_path), f"{hub.url}/a").exists()
    assert not left.exists()
    assert under_way.exists()


def test_a_cache_that_cannot_be_written_is_told_without_its_path(hub, tmp_path):
    (tmp_path / "file").write_text("in the way")
    found = files(hosts=["127.0.0.1"], cache=tmp_path / "file" / "cache")
    with pytest.raises(LoraError, match=r"cannot be kept: (File exists|Not a directory)") as failed:
        asyncio.run(found.fetch(f"{hub.url}/a"))
    assert str(tmp_path) not in str(failed.value)


def test_what_is_said_of_a_url_has_neither_user_nor_query():
    said = str(LoraError("https://me:secret@example.org/a.safetensors?token=secret", "is missing"))
    assert said == "LoRA 'https://example.org/a.safetensors' is missing"
