"""Input images by URL: bounded in every way, and no way into a private network."""

import asyncio
import http.server
import socket
import threading
import time

import pytest
from support.server_http import MODEL, finished, over_asgi, png_bytes, submit

from zbatch.server.app import create_app
from zbatch.server.fetch import Fetcher, InputError, is_public
from zbatch.server.terms import Terms

PICTURE = png_bytes()


class Host(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = self.path
        if seen.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", seen.removeprefix("/to/"))
            self.end_headers()
        elif seen == "/loop":
            self.send_response(301)
            self.send_header("Location", "/loop")
            self.end_headers()
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


@pytest.fixture(scope="module")
def host():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(url, **options):
    async def main():
        async with Fetcher(**options) as fetcher:
            return await fetcher.fetch("image_url", url)

    return asyncio.run(main())


def test_an_image_is_fetched_also_along_a_redirect(host):
    assert fetch(f"{host}/a.png?signature=a%2Fb", allow_private=True) == PICTURE
    assert fetch(f"{host}/to//a.png", allow_private=True) == PICTURE


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


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f000001", "127.1"])
def test_odd_spellings_of_loopback_are_refused_where_they_resolve(host, spelling):
    try:
        socket.getaddrinfo(spelling, 80)
    except OSError:
        pytest.skip("this machine does not read such an address")
    with pytest.raises(InputError, match=r"private address|not a canonical"):
        fetch(host.replace("127.0.0.1", spelling) + "/a.png")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("fe80::1%eth0", False),
        ("fc00::1", False), ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("nonsense", False),
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
