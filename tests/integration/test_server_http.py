"""HTTP as such: methods, paths, ranges, caching, browsers, hosts. Over a real socket."""

import json

import httpx
import pytest
from support.server_http import MODEL, RESULT, finished, over_asgi, over_socket, submit
from support.wire import exchange, parts

from zbatch.server.app import create_app
from zbatch.server.keys import KeyRing
from zbatch.server.terms import Terms


@pytest.fixture(scope="module")
def client():
    with over_socket(create_app(terms=Terms(workers=1))) as client:
        yield client


@pytest.fixture(scope="module")
def image_url(client):
    return finished(client, submit(client))["images"][0]["image_url"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", MODEL, {"POST"}), ("HEAD", MODEL, {"POST"}), ("OPTIONS", MODEL, {"POST"}),
        ("PUT", MODEL, {"POST"}), ("POST", RESULT, {"GET", "HEAD"}), ("DELETE", RESULT, {"GET", "HEAD"}),
        ("OPTIONS", RESULT, {"GET", "HEAD"}), ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/v3/files/a/b", {"GET", "HEAD"}), ("TRACE", "/metrics", {"GET", "HEAD"}),
    ],
)  # fmt: skip
def test_a_wrong_method_is_told_the_right_ones(client, method, path, allowed):
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert {one.strip() for one in answer.headers["allow"].split(",")} == allowed
    if method != "HEAD":
        assert answer.json() | {"message": ""} == {
            "code": 405, "reason": "METHOD_NOT_ALLOWED", "message": "", "metadata": {},
        }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/", "/nope", "/healthz/", RESULT + "/", MODEL + "/", "//healthz", "/v3", "/V3/ASYNC/task-result"],
)
def test_a_path_is_what_it_is(client, path):
    for method in ("GET", "POST"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["reason"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/metrics"])
def test_head_is_get_without_a_body(client, path):
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == client.get(path).headers["content-type"]


def test_an_image_comes_whole_and_may_be_kept(client, image_url):
    whole = client.get(image_url)
    assert whole.headers["content-type"] == "image/webp"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["cache-control"].startswith("private, max-age=3")
    assert whole.headers["accept-ranges"] == "none"
    for ranges in ("bytes=0-9", "bytes=-1", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2"):
        part = client.get(image_url, headers={"Range": ranges})
        assert (part.status_code, part.content) == (200, whole.content)
    head = client.head(image_url)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))


def test_nothing_else_is_kept_or_guessed_and_no_other_origin_reads(client):
    answers = [
        client.get(path, headers={"Origin": "https://example.org"}) for path in ("/healthz", "/nope", RESULT)
    ]
    answers.append(client.post(MODEL, json={"prompt": ""}, headers={"Origin": "null"}))
    answers.append(client.options(MODEL, headers={"Access-Control-Request-Method": "POST", "Origin": "null"}))
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/v3/files/../../../etc/passwd", "/v3/files/..%2f..%2fetc/passwd",
        "/v3/files/a/..%2f..%2f..%2fsecret",
        "/v3/files/%2e%2e/%2e%2e/secret", "/v3/files/a%00/0.webp", "/v3/files/a/..\\..\\secret",
        "/v3/files//etc",
    ],
)  # fmt: skip
@pytest.mark.parametrize("query", ["", "?expires=99999999999&signature=" + "0" * 64])
def test_no_way_out_of_the_images(client, path, query):
    status, _, body = parts(exchange(client, f"GET {path}{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
    assert status in (403, 404)
    assert json.loads(body)["code"] == status


@pytest.mark.parametrize(
    "host", ["localhost:8788", "127.0.0.1", "[::1]:8788", "gpu", "host.docker.internal:1"]
)
def test_names_of_this_machine_are_served(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_name_that_could_be_anybodys_is_not_served_without_keys(client):
    for host in ("evil.example.org", "127.0.0.1.nip.io:8788"):
        answer = client.get("/healthz", headers={"Host": host})
        assert (answer.status_code, answer.json()["reason"]) == (403, "ACCESS_DENY")
    with over_asgi(create_app(terms=Terms(workers=1), keys=KeyRing(["k"]))) as keyed:
        assert keyed.get("/healthz", headers={"Host": "gpu.example.org"}).status_code == 200


@pytest.mark.parametrize("host", ["a b", "x/y", "u@x", "x?", "x#", '"', "[::1", "x:port", "<b>"])
def test_what_is_no_host_is_refused(client, host):
    answer = client.get("/healthz", headers={"Host": host})
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST")


def test_http_1_0_without_a_host(client):
    status, headers, _ = parts(exchange(client, b"GET /healthz HTTP/1.0\r\n\r\n"))
    assert (status, headers["content-type"]) == (200, "application/json")


def test_image_urls_name_the_host_that_was_called(client):
    task = submit(client)
    finished(client, task)
    answer = client.get(RESULT, params={"task_id": task}, headers={"Host": "gpu:99"}).json()
    assert httpx.URL(answer["images"][0]["image_url"]).netloc == b"gpu:99"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/jsonp"}, {"Content-Type": ""},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)  # fmt: skip
def test_a_body_must_be_called_json_and_be_sent_as_it_is(client, headers):
    answer = client.post(MODEL, content=b'{"prompt": "fox", "size": "256*256"}', headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST_BODY")
    assert "Content-" in answer.json()["message"]


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf8"']
)
def test_ways_to_say_json(client, kind):
    body = b'{"prompt": "fox", "size": "256*256"}'
    assert client.post(MODEL, content=body, headers={"Content-Type": kind}).status_code == 200
