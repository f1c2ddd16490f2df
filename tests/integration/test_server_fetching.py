"""Input images by URL: bounded in every way, and no way into a private network."""

import asyncio
import contextlib
import gzip
import http.server
import threading
import time
import zlib

import pytest
from support.server_http import MODEL, data_uri, finished, over_asgi, png_bytes, submit

from zbatch.server.addresses import is_public
from zbatch.server.app import create_app
from zbatch.server.download import Destinations
from zbatch.server.fetch import Fetcher, InputError
from zbatch.server.terms import Terms

PICTURE = png_bytes()


class Host(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = self.path
        if seen == "/f%C3%BCchse.png":
            seen = "/a.png"
        if seen.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", seen.removeprefix("/to/"))
            self.end_headers()
        elif seen == "/loop":
            self.send_response(301)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif seen.startswith("/nonsense"):
            self.wfile.write(b"nonsense\r\n\r\n")
        elif seen == "/slow":
            self.send_response(200)
            self.end_headers()
            time.sleep(1)
        else:
            content = {"/a.png": PICTURE, "/html": b"<html>", "/big": b"x" * 5000}.get(seen.partition("?")[0])
            self.send_response(200 if content else 404)
            self.end_headers()
            self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def host():
    with served(Host) as port:
        yield f"http://127.0.0.1:{port}"


def fetch(url, **options):
    async def main():
        async with Fetcher(**options) as fetcher:
            return await fetcher.fetch("image_url", url)

    return asyncio.run(main())


def test_an_image_is_fetched_also_along_a_redirect(host):
    assert fetch(f"{host}/a.png?signature=a%2Fb", allow_private=True) == PICTURE
    assert fetch(f"{host}/to//a.png", allow_private=True) == PICTURE
    assert fetch(f"{host}/füchse.png", allow_private=True) == PICTURE


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("/html", {}, "is not an image"),
        ("/none", {}, "answered 404"),
        ("/loop", {}, "redirected more than 3"),
        ("/big", {"max_bytes": 1000}, "larger than 1000 bytes"),
        ("/a.png", {"max_pixels": 100}, "64x48 pixels"),
        ("/slow", {"timeout": 0.1}, "took longer"),
        ("/to/file:///etc/passwd", {}, "must be an http"),
    ],
)
def test_limits_of_a_fetch(host, path, options, words):
    with pytest.raises(InputError, match=words) as caught:
        fetch(host + path, allow_private=True, **options)
    assert str(caught.value).startswith("image_url: ")


def test_private_addresses_are_refused(host):
    for url in (
        f"{host}/a.png", host.replace("127.0.0.1", "localhost"), "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://192.168.1.1/", "http://0.0.0.0/",
        "http://metadata.google.internal/", "http://user:pass@example.org/",
    ):  # fmt: skip
        with pytest.raises(InputError, match="must not"):
            fetch(url)


def test_a_signature_is_not_told(host):
    with pytest.raises(InputError, match="image_url: cannot be fetched: ") as caught:
        fetch(f"{host}/nonsense?signature=planted", allow_private=True)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    "spelling",
    ["2130706433", "0x7f000001", "0X7F.1", "127.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "127.0x0.0.1",
     "1.2.3.4.5", "x.1", "\uff11\uff12\uff17.0.0.1", "127。0。0。1", "\uff4cocalhost"],
)  # fmt: skip
def test_odd_spellings_of_addresses_are_refused_before_anybody_reads_them(host, spelling, private):
    with pytest.raises(InputError, match=r"must not write an address|must write its host in ASCII"):
        fetch(host.replace("127.0.0.1", spelling) + "/a.png", allow_private=private)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]",
     "[fe80::1]", "[fd00:ec2::254]", "[::]", "[::127.0.0.1]", "[2002:7f00:1::]", "0.0.0.0", "0",
     "100.100.100.200",
     "LOCALHOST", "localhost.", "a.localhost", "metadata.google.internal."],
)  # fmt: skip
def test_private_hosts_are_refused_also_on_a_redirect(host):
    async def public(name, port):
        return ["127.0.0.1"]

    with pytest.raises(InputError, match="must not"):
        fetch(f"http://{host}/")

    # A redirect comes from a host that may be asked: its address is allowed by hand, the next one's is not.
    class Front(Destinations):
        def check(self, url):
            return "first.example.org" if "first.example.org" in url else Destinations.check(self, url)

    with redirecting(f"http://{host}/latest") as port:
        fetcher = Fetcher(resolve=public)
        downloads = fetcher._downloads  # noqa: SLF001 - only of the first hop; literals never ask the resolver
        downloads._destinations = Front()  # noqa: SLF001 - as above
        downloads._resolver._allow_private = True  # noqa: SLF001 - as above

        async def main():
            async with fetcher:
                return await fetcher.fetch("mask", f"http://first.example.org:{port}/")

        with pytest.raises(InputError, match="mask: must not"):
            asyncio.run(main())


def redirecting(location):
    class Redirect(Host):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", location)
            self.end_headers()

    return served(Redirect)


def test_a_name_is_asked_for_once_and_the_connection_goes_to_that_answer(host):
    """DNS rebinding: the second answer would be another one, but nobody asks."""
    port, asked = int(host.rsplit(":", 1)[1]), []

    async def changing(name, port):
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.99"]  # nobody listens at the second

    url = f"http://images.example.org:{port}/a.png"
    assert fetch(url, allow_private=True, resolve=changing) == PICTURE
    assert asked == ["images.example.org"]
    # A redirect is another question, and its answer is checked as the first was.
    asked.clear()
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch(f"http://images.example.org:{port}/to/{url}", allow_private=True, resolve=changing)
    assert asked == ["images.example.org"] * 2


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["93.184.216.34", "10.0.0.1"], ["::ffff:10.0.0.1"],
     ["fe80::1%1"]],
)  # fmt: skip
def test_a_name_with_a_private_address_is_refused(answers):
    async def resolve(name, port):
        return answers

    with pytest.raises(InputError, match="is a private address"):
        fetch("http://images.example.org/a.png", resolve=resolve)


@pytest.mark.parametrize(
    "url",
    ["http://exa\tmple.org/", " http://example.org/", "http://example.org\\@127.0.0.1/", "http://[::1/", "http:///x",
     "http://example.org:99999/", "http://a@127.0.0.1/", "gopher://example.org/", "//example.org/a", "a.png", "http://",
     "http://example.org\r\nX: y/", "javascript:alert(1)", "http:example.org", "HTTP://127.0.0.1/", "blob:x"],
)  # fmt: skip
def test_urls_that_are_refused_as_they_are_written(url):
    with pytest.raises(InputError, match="image_url: must"):
        fetch(url)


def test_what_a_host_may_do_is_bounded():
    class Hostile(Host):
        def do_GET(self):
            self.send_response(200)
            if self.path == "/told":
                self.send_header("Content-Length", str(10**12))
            if self.path == "/gzip":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            with contextlib.suppress(OSError):
                if self.path == "/gzip":
                    self.wfile.write(gzip.compress(bytes(10**7)))
                while self.path == "/endless":
                    self.wfile.write(bytes(2**16))
                while self.path == "/drip":
                    self.wfile.write(b"x")
                    time.sleep(0.05)

    with served(Hostile) as port:
        for path, words in (("endless", "larger than"), ("told", "larger than"), ("drip", "took longer"),
                            ("gzip", "is not an image")):  # fmt: skip
            with pytest.raises(InputError, match=words):
                fetch(f"http://127.0.0.1:{port}/{path}", allow_private=True, max_bytes=10**6, timeout=1)


def test_a_picture_of_more_pixels_than_it_has_bytes_is_not_decoded():
    def header(width, height):
        def chunk(kind, data):
            return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

        head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"
        body = zlib.compress(bytes(1000))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")

    async def inline(data):
        return await Fetcher().inline("image_url", data_uri(data))

    for side in (8000, 10_000, 60_000):  # ours, Pillow's warning, Pillow's refusal
        with pytest.raises(InputError, match="pixels") as caught:
            asyncio.run(inline(header(side, side)))
        assert caught.value.reason == "INVALID_IMAGE_SIZE"


def test_a_format_is_seen_and_not_believed():
    async def inline(uri):
        return await Fetcher().inline("image_url", uri)

    assert asyncio.run(inline(data_uri(PICTURE, "text/html"))) == PICTURE
    for lie in (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF",
        b"II*\0",
    ):
        with pytest.raises(InputError, match="is not an image"):
            asyncio.run(inline(data_uri(lie, "image/png")))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("fe80::1%eth0", False),
        ("fc00::1", False), ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("fec0::9", False), ("3fff::9", False), ("192.0.0.192", False), ("192.88.99.9", False),
        ("168.63.129.16", False), ("100.100.100.200", False), ("fd00:ec2::254", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_is_public(address, public):
    assert is_public(address) is public


def test_a_private_address_is_refused_at_submit_and_a_redirect_to_one_fails_the_task(host):
    with over_asgi(create_app(terms=Terms(workers=1))) as client:
        answer = client.post(MODEL, json={"prompt": "x", "image_url": f"{host}/a.png"})
        assert answer.status_code == 400
        assert "image_url" in answer.json()["message"]
    with over_asgi(create_app(terms=Terms(workers=1), fetcher=Fetcher(allow_private=True))) as client:
        assert (
            finished(client, submit(client, image_url=f"{host}/a.png"))["task"]["status"]
            == "TASK_STATUS_SUCCEED"
        )
        task = finished(client, submit(client, image_url=f"{host}/none"))["task"]
        assert (task["status"], "image_url" in task["reason"]) == ("TASK_STATUS_FAILED", True)


def test_a_data_uri_is_bounded_and_may_be_percent_encoded():
    async def inline(uri, **options):
        return await Fetcher(**options).inline("mask", uri)

    encoded = "data:image/png," + "".join(f"%{byte:02x}" for byte in PICTURE)
    assert asyncio.run(inline(encoded)) == PICTURE
    with pytest.raises(InputError, match="mask: is larger"):
        asyncio.run(inline(encoded, max_bytes=10))
    assert asyncio.run(inline("https://example.org/a.png")) is None
