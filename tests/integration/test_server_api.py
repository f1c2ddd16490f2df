"""The API as documented, over ASGI and over a real socket: every field, every refusal, every shape."""

import base64
import io
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image
from support.server_http import MODEL, RESULT, data_uri, finished, over_asgi, over_socket, png_bytes, submit

from zbatch.server.app import create_app
from zbatch.server.home import Home
from zbatch.server.keys import KeyRing
from zbatch.server.rehearsal import Rehearsal, parse_latency
from zbatch.server.tasks import Limits
from zbatch.server.terms import Terms

JSON = {"Content-Type": "application/json"}


class Engine:
    """An engine whose work the test holds in its hand."""

    name = "held"

    def __init__(self):
        self.requests = []
        self.go = threading.Event()
        self.go.set()
        self.error = None

    def generate(self, request):
        self.requests.append(request)
        assert self.go.wait(20)
        if self.error:
            raise self.error
        return b"picture"


@pytest.fixture(params=[over_asgi, over_socket], ids=["asgi", "socket"])
def client(request):
    with request.param(create_app(terms=Terms(workers=2))) as client:
        yield client


def refused(client, body, model="z-image-turbo-lora"):
    answer = client.post(f"/v3/async/{model}", json=body)
    assert answer.status_code == 400, answer.text
    envelope = answer.json()
    assert set(envelope) == {"code", "reason", "message", "metadata"}
    assert (envelope["code"], envelope["reason"], envelope["metadata"]) == (400, "INVALID_REQUEST_BODY", {})
    return envelope["message"]


def test_a_task_from_submit_to_picture(client):
    body = {
        "prompt": "red fox", "size": "512*256", "seed": 7, "output_format": "png",
        "loras": [{"path": "org/film", "scale": 0.5}],
    }  # fmt: skip
    answer = client.post(MODEL, json=body)
    assert answer.status_code == 200
    assert set(answer.json()) == {"task_id"}
    result = finished(client, answer.json()["task_id"])
    assert result["task"]["task_type"] == "Z_IMAGE_TURBO_LORA"
    assert result["task"]["reason"] == ""
    assert result["extra"]["seed"] == "7"
    assert result["videos"] == result["audios"] == []
    (image,) = result["images"]
    assert image["image_type"] == "png"
    assert isinstance(image["image_url_ttl"], str)
    assert 3500 < int(image["image_url_ttl"]) <= 3601
    assert image["image_url"].startswith(str(client.base_url))
    picture = client.get(image["image_url"])
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (512, 256)


def test_the_sister_model_takes_no_loras(client):
    answer = client.post("/v3/async/z-image-turbo", json={"prompt": "fox", "size": "256*256"})
    assert finished(client, answer.json()["task_id"])["task"]["task_type"] == "Z_IMAGE_TURBO"
    assert "loras" in refused(client, {"prompt": "fox", "loras": []}, "z-image-turbo")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"size": "1024x1024"}, "size"),
        ({"size": "255*256"}, "size"),
        ({"size": "256*1537"}, "size"),
        ({"size": 1024}, "size"),
        ({"seed": -2}, "seed"),
        ({"seed": 2147483648}, "seed"),
        ({"seed": "7"}, "seed"),
        ({"seed": True}, "seed"),
        ({"loras": {}}, "loras"),
        ({"loras": [{"path": "a"}] * 4}, "loras"),
        ({"loras": [{"scale": 1}]}, r"loras\[0\].path"),
        ({"loras": [{"path": "a", "scale": 4.1}]}, r"loras\[0\].scale"),
        ({"loras": [{"path": "a"}, {"path": "b", "scale": "1"}]}, r"loras\[1\].scale"),
        ({"loras": [{"path": "a", "weight": 1}]}, r"loras\[0\].weight"),
        ({"strength": 0.5}, "strength"),
        ({"mask": data_uri(png_bytes())}, "mask"),
        ({"image_url": data_uri(png_bytes()), "strength": 1.1}, "strength"),
        ({"image_url": "ftp://example.org/a.png"}, "image_url"),
        ({"image_url": "data:image/png;base64,@@"}, "image_url"),
        ({"image_url": data_uri(png_bytes()), "mask": "file:///etc/passwd"}, "mask"),
        ({"output_format": "gif"}, "output_format"),
        ({"enable_base64_output": "yes"}, "enable_base64_output"),
        ({"steps": 8}, "steps"),
    ],
)
def test_a_wrong_field_is_named(change, field):
    with over_asgi(create_app(Engine(), Terms(workers=1))) as client:
        assert re.search(field, refused(client, {"prompt": "fox"} | change))


def test_all_wrong_fields_are_named_at_once(client):
    message = refused(client, {"size": "1x1", "seed": -5, "strength": 3})
    assert all(field in message for field in ("prompt", "size", "seed", "strength"))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"fox"', b"\xff\xfe", b'{"prompt": NaN}'])
def test_a_body_that_is_no_json_object(client, raw):
    answer = client.post(MODEL, content=raw, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["reason"] == "INVALID_REQUEST_BODY"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('{"prompt": "a", "prompt": "b"}', "prompt is given twice"),
        ('{"prompt": "a", "loras": [{"path": "x", "scale": 1, "scale": 2}]}', "scale is given twice"),
        ('{"prompt": "a", "seed": 1.5}', "seed must be an integer, got 1.5"),
        ('{"prompt": "a", "seed": 1e10}', "seed must be 0 to 2147483647"),
        ('{"prompt": "a", "seed": 99999999999999999999}', "seed"),
        ('{"prompt": "a", "seed": ' + "9" * 5000 + "}", "JSON"),
        ('{"prompt": "a", "seed": 1e400}', "JSON"),
        ('{"prompt": "a", "seed": 007}', "JSON"),
        ('{"prompt": "a", "strength": Infinity}', "JSON"),
        ('{"prompt": "a", "loras": [{"path": "x", "scale": true}]}', r"loras\[0\].scale must be a number"),
        ('{"prompt": "a", "loras": [{"path": "x", "scale": 1e308}]}', r"loras\[0\].scale must be"),
        ('{"prompt": "a", "loras": [{"path": "' + "x" * 5000 + '"}]}', r"loras\[0\].path must have at most"),
        ('{"prompt": "a", "loras": [null]}', r"loras\[0\] must be"),
        ('{"prompt": "\\ud800"}', "JSON"),
        ('{"prompt": "a\nb"}', "JSON"),
        ('{"prompt": " \\t\\u3000"}', "prompt must not be empty"),
        ('{"prompt": ["a"]}', "prompt must be text"),
        ('{"prompt": "' + "a" * 10**6 + '"}', "prompt must have at most 100000 characters"),
        ('{"prompt": "a", "size": "\uff15\uff11\uff12*\uff15\uff11\uff12"}', "size must be"),
        ('{"prompt": "a", "size": "0512*512"}', "size must be"),
        ('{"prompt": "a", "size": "512*512\\n"}', "size must be"),
        ('{"prompt": "a", "image_url": "https://example.org/' + "a" * 9000 + '"}', "image_url must have"),
        ('{"prompt": "a", "image_url": ""}', "image_url"),
        ('{"prompt": "a", "image_url": " https://example.org/a.png"}', "image_url"),
        ('{"Prompt": "a"}', "prompt is required; Prompt is not a field"),
        ('{"prompt": "a", "": 1}', "is not a field"),
        ('{"prompt": "a"} {}', "JSON"),
        ('{"prompt": "a",}', "JSON"),
        ("\ufeff" + '{"prompt": "a"}', "JSON"),
        ("[" * 100_000, "JSON"),
        ('{"prompt":' + "[" * 1000 + "]" * 1000 + "}", "depth limit|prompt must be text"),
    ],
)  # fmt: skip
def test_odd_json_is_refused_with_the_field_in_words(raw, words):
    with over_asgi(create_app(Engine(), Terms(workers=1))) as client:
        answer = client.post(MODEL, content=raw.encode(), headers=JSON)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST_BODY")
    assert re.search(words, answer.json()["message"])
    assert len(answer.text) < 2500


def test_a_whole_number_is_one_however_it_is_written():
    engine = Engine()
    with over_asgi(create_app(engine, Terms(workers=1))) as client:
        for raw in (
            b'{"prompt": "a", "seed": 7.0}',
            b'{"prompt": "a", "seed": 1e3}',
            b'{"prompt": "a", "seed": -0}',
        ):
            finished(client, client.post(MODEL, content=raw, headers=JSON).json()["task_id"])
    assert [request.seed for request in engine.requests] == [7, 1000, 0]


def test_odd_prompts_are_taken_as_they_are():
    engine = Engine()
    prompts = [
        "a\0b",
        "\u202egnp.exe",
        "\x1b[31mred",
        "字" * 100_000,
        "<script>",
        "🦊",
        "'; DROP TABLE tasks",
    ]
    with over_asgi(create_app(engine, Terms(workers=1))) as client:
        for prompt in prompts:
            finished(client, submit(client, prompt=prompt))
    assert [request.prompt for request in engine.requests] == prompts


def test_null_optional_fields_count_as_absent(client):
    nulls = dict.fromkeys(
        ["size", "seed", "loras", "image_url", "strength", "mask", "output_format", "enable_base64_output"]
    )
    answer = client.post(MODEL, json={"prompt": "fox"} | nulls)
    result = finished(client, answer.json()["task_id"])
    assert result["images"][0]["image_type"] == "webp"
    finished(client, submit(client, loras=[{"path": "a", "scale": None}]))


def test_an_input_that_is_no_image_is_refused_at_once(client):
    answer = client.post(MODEL, json={"prompt": "fox", "image_url": data_uri(b"no image")})
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_IMAGE_FORMAT")
    assert "image_url" in answer.json()["message"]


@pytest.mark.parametrize("seed", [-1, None])
def test_a_random_seed_is_chosen_and_told(seed):
    engine = Engine()
    with over_asgi(create_app(engine, Terms(workers=1))) as client:
        told = {finished(client, submit(client, seed=seed))["extra"]["seed"] for _ in range(4)}
    assert told == {str(request.seed) for request in engine.requests}
    assert len(told) == 4
    assert all(0 <= int(one) <= 2147483647 for one in told)


def test_what_the_engine_gets():
    engine = Engine()
    image, mask = png_bytes(), png_bytes(mode="L", colour=255)
    with over_asgi(create_app(engine, Terms(workers=1))) as client:
        finished(
            client,
            submit(client, image_url=data_uri(image), mask=data_uri(mask), strength=0.25, seed=0,
                   loras=[{"path": "a"}, {"path": "b", "scale": 0}], output_format="jpeg"),
        )  # fmt: skip
    (got,) = engine.requests
    assert (got.image, got.mask, got.strength, got.seed) == (image, mask, 0.25, 0)
    assert [(lora.path, lora.scale) for lora in got.loras] == [("a", 1), ("b", 0)]
    assert (got.width, got.height, got.output_format) == (256, 256, "jpeg")


def test_base64_output(client):
    url = finished(client, submit(client, enable_base64_output=True, output_format="jpeg"))["images"][0][
        "image_url"
    ]
    head, _, payload = url.partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(payload))).format == "JPEG"


def test_a_failed_task_says_why():
    engine = Engine()
    engine.error = RuntimeError("out of memory")
    with over_asgi(create_app(engine, Terms(workers=1))) as client:
        result = finished(client, submit(client))
        assert (result["task"]["status"], result["task"]["reason"]) == ("TASK_STATUS_FAILED", "out of memory")
        assert result["images"] == []
        engine.error = ValueError()
        assert finished(client, submit(client))["task"]["reason"] == "ValueError"


def test_a_failed_task_tells_nothing_of_the_inside():
    engine = Engine()
    with over_asgi(create_app(engine, Terms(workers=1))) as client:
        for error in (KeyError("secret-name"), PermissionError(13, "Permission denied", "/home/me/secret"),
                      TypeError("secret() takes 2"), RuntimeError("x" * 10**6)):  # fmt: skip
            engine.error = error
            reason = finished(client, submit(client))["task"]["reason"]
            assert reason
            assert "secret" not in reason
            assert len(reason) <= 1000


def test_statuses_before_the_end():
    engine = Engine()
    engine.go.clear()
    with over_asgi(create_app(engine, Terms(workers=1))) as client:
        first, second = submit(client), submit(client)
        while not engine.requests:
            time.sleep(0.005)
        answers = [client.get(RESULT, params={"task_id": one}).json() for one in (first, second)]
        engine.go.set()
        finished(client, second)
    assert [one["task"]["status"] for one in answers] == ["TASK_STATUS_PROCESSING", "TASK_STATUS_QUEUED"]
    assert all(one["images"] == [] and isinstance(one["extra"], dict) for one in answers)


def test_a_full_queue_answers_429_with_retry_after():
    engine = Engine()
    engine.go.clear()
    with over_socket(create_app(engine, Terms(Limits(max_waiting=2), workers=1))) as client:
        tasks = [submit(client)]
        while not engine.requests:
            time.sleep(0.005)
        tasks += [submit(client), submit(client)]
        answer = client.post(MODEL, json={"prompt": "one too many"})
        assert (answer.status_code, answer.json()["reason"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert int(answer.headers["retry-after"]) >= 1
        engine.go.set()
        assert {finished(client, task)["task"]["status"] for task in tasks} == {"TASK_STATUS_SUCCEED"}


def test_submits_that_come_at_once_do_not_overrun_the_queue(tmp_path):
    engine = Engine()
    engine.go.clear()
    home = Home(tmp_path / "home")  # writing a task down takes a moment
    with over_socket(create_app(engine, Terms(Limits(max_waiting=5), workers=1), home=home)) as client:

        def ask(_):
            return client.post(MODEL, json={"prompt": "x"}).status_code

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(ask, range(40)))
        assert answers.count(200) + answers.count(429) == 40
        assert 5 <= answers.count(200) <= 6  # one of them is in the engine's hands
        engine.go.set()
    home.close()


def test_what_a_rehearsed_latency_holds_back_waits_as_well():
    rehearsal = Rehearsal(latency=parse_latency("30s"))
    with over_asgi(
        create_app(Engine(), Terms(Limits(max_waiting=3), workers=1, rehearsal=rehearsal))
    ) as client:
        answers = []
        for _ in range(6):
            answers.append(client.post(MODEL, json={"prompt": "x"}).status_code)
            time.sleep(0.05)
        assert answers.count(200) == 3
        assert answers[-1] == 429


def test_what_is_not_there(client):
    answer = client.post("/v3/async/flux", json={"prompt": "fox"})
    assert (answer.status_code, answer.json()["reason"]) == (404, "MODEL_NOT_FOUND")
    answer = client.get(RESULT, params={"task_id": "nope"})
    assert (answer.status_code, answer.json()["reason"]) == (404, "TASK_NOT_FOUND")
    assert client.get(RESULT).status_code == 400
    assert client.get("/nope").json()["code"] == 404
    assert client.get(MODEL).json()["code"] == 405


def test_a_signed_url_cannot_be_forged_and_expires():
    now = [1000.0]
    app = create_app(terms=Terms(Limits(result_ttl=60), workers=1), clock=lambda: now[0])
    with over_asgi(app) as client:
        task = submit(client)
        (image,) = finished(client, task)["images"]
        url = httpx.URL(image["image_url"])
        assert image["image_url_ttl"] == "61"
        assert client.get(url).status_code == 200
        for change in (
            {"expires": "99999999999"},
            {"signature": "0" * 64},
            {"expires": "x"},
            {"signature": "é"},
        ):
            assert client.get(url.copy_merge_params(change)).status_code == 403
        assert client.get(url.copy_with(query=None)).status_code == 403
        other = url.copy_with(path=url.path.replace("0.webp", "1.webp"))
        assert client.get(other).status_code == 403
        now[0] += 62
        assert client.get(url).status_code == 403
        assert client.get(RESULT, params={"task_id": task}).status_code == 404


def test_finished_tasks_are_bounded_and_the_fetched_ones_go_first():
    with over_asgi(create_app(Engine(), Terms(Limits(max_finished=2), workers=1))) as client:
        first, second = submit(client), submit(client)
        finished(client, first)
        assert client.get(finished(client, second)["images"][0]["image_url"]).content == b"picture"
        third = submit(client)
        finished(client, third)
        known = [client.get(RESULT, params={"task_id": one}).status_code for one in (first, second, third)]
    assert known == [200, 404, 200]


def test_keys_are_asked_for_where_there_are_any():
    with over_asgi(create_app(Engine(), Terms(workers=1), keys=KeyRing(["alpha", "beta"]))) as client:
        for headers in (
            {},
            {"Authorization": "Bearer gamma"},
            {"Authorization": "Bearer "},
            {"Authorization": ""},
        ):
            for answer in (client.post(MODEL, json={"prompt": "x"}, headers=headers),
                           client.get(RESULT, params={"task_id": "x"}, headers=headers)):  # fmt: skip
                assert (answer.status_code, answer.json()["reason"]) == (401, "FAILED_TO_AUTH")
        alpha, beta = {"Authorization": "Bearer alpha"}, {"Authorization": "beta"}
        mine = client.post(MODEL, json={"prompt": "x"}, headers=alpha).json()["task_id"]
        result = finished(client, mine, headers={"Authorization": "alpha"})
        assert client.get(RESULT, params={"task_id": mine}, headers=beta).status_code == 404
        assert client.get(result["images"][0]["image_url"]).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_a_body_that_is_too_large():
    with over_socket(create_app(Engine(), Terms(workers=1))) as client:
        answer = client.post(MODEL, content=(b" " * 2**20 for _ in range(65)), headers=JSON)
        assert (answer.status_code, answer.json()["reason"]) == (413, "INVALID_REQUEST_BODY")


def test_openapi_tells_what_the_contract_says(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        MODEL, "/v3/async/z-image-turbo", RESULT, "/v3/files/{task_id}/{name}", "/healthz", "/readyz",
        "/metrics", "/openapi.json",
    }  # fmt: skip
    schema = document["paths"][MODEL]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {
        "prompt", "size", "seed", "loras", "image_url", "strength", "mask", "output_format",
        "enable_base64_output",
    }  # fmt: skip


def test_image_urls_begin_with_what_a_proxy_is_reached_by():
    app = create_app(Engine(), Terms(workers=1, public_url="https://images.example.org/api"))
    with over_asgi(app) as client:
        url = finished(client, submit(client))["images"][0]["image_url"]
        assert url.startswith("https://images.example.org/api/v3/files/")
        assert client.get(url.removeprefix("https://images.example.org/api")).content == b"picture"
        assert client.get("/openapi.json").json()["servers"] == [{"url": "https://images.example.org/api"}]


def test_healthz(client):
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/healthz").json()["engine"] == "preview"
