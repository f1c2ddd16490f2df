"""The server's queue: what outlives a restart, who is next, what is refused, what is let go."""

import sqlite3
import threading
import time

import pytest
from support.server_http import MODEL, RESULT, data_uri, finished, over_asgi, png_bytes, submit

from zbatch.errors import RunBusyError, StateError
from zbatch.server.app import create_app
from zbatch.server.home import Home
from zbatch.server.keys import KeyRing
from zbatch.server.quotas import Quota
from zbatch.server.rehearsal import Rehearsal, parse_latency
from zbatch.server.tasks import Limits
from zbatch.server.terms import Terms


class Engine:
    """An engine that the test holds back."""

    name = "held"

    def __init__(self, *, held=False):
        self.prompts = []
        self.requests = []
        self.go = threading.Event()
        if not held:
            self.go.set()

    def generate(self, request):
        self.prompts.append(request.prompt)
        self.requests.append(request)
        assert self.go.wait(20)
        return b"picture of " + request.prompt.encode()


class Living:
    """A server with a directory, that can be started again."""

    def __init__(self, path, engine, terms=None, **options):
        self._given = path, engine, terms or Terms(workers=1, grace=5), options

    def __enter__(self):
        path, engine, terms, options = self._given
        self.home = Home(path)
        self._served = over_asgi(create_app(engine, terms, home=self.home, **options))
        return self._served.__enter__()

    def __exit__(self, *error):
        try:
            self._served.__exit__(*error)
        finally:
            self.home.close()


def results(client, tasks):
    return {finished(client, task)["task"]["status"] for task in tasks}


def image_of(client, task):
    return client.get(finished(client, task)["images"][0]["image_url"]).content


def test_a_restart_loses_no_task_and_no_result(tmp_path):
    engine = Engine()
    with Living(tmp_path, engine) as client:
        done = submit(client, prompt="first")
        url = finished(client, done)["images"][0]["image_url"]
        seed = finished(client, done)["extra"]["seed"]
    engine = Engine(held=True)
    with Living(tmp_path, engine, Terms(workers=1)) as client:
        assert client.get(url).content == b"picture of first"
        assert finished(client, done)["extra"]["seed"] == seed
        waiting = [
            submit(client, prompt="running", loras=[{"path": "a/b", "scale": 0.5}]),
            submit(client, prompt="queued", image_url=data_uri(png_bytes()), strength=0.25),
        ]
        while not engine.prompts:
            time.sleep(0.005)
        asked = client.get(RESULT, params={"task_id": waiting[1]}).json()["extra"]["seed"]
    engine.go.set()
    engine = Engine()
    with Living(tmp_path, engine) as client:
        assert results(client, [done, *waiting]) == {"TASK_STATUS_SUCCEED"}
        assert engine.prompts == ["running", "queued"]
        assert finished(client, waiting[1])["extra"]["seed"] == asked
        assert image_of(client, waiting[0]) == b"picture of running"
    first, second = engine.requests
    assert [(lora.path, lora.scale) for lora in first.loras] == [("a/b", 0.5)]
    assert (second.image, second.strength, second.width) == (png_bytes(), 0.25, 256)


def test_what_is_under_way_is_finished_before_the_end_and_what_waits_is_kept(tmp_path):
    engine = Engine(held=True)
    served = Living(tmp_path, engine)
    with served as client:
        tasks = [submit(client, prompt=name) for name in ("one", "two", "three")]
        while not engine.prompts:
            time.sleep(0.005)
        threading.Timer(0.2, engine.go.set).start()
    assert engine.prompts == ["one"]
    engine = Engine()
    with Living(tmp_path, engine) as client:
        assert results(client, tasks) == {"TASK_STATUS_SUCCEED"}
    assert engine.prompts == ["two", "three"]


def test_keys_take_turns():
    engine = Engine(held=True)
    keys = {name: {"Authorization": name} for name in ("alpha", "beta", "gamma")}
    with over_asgi(create_app(engine, Terms(workers=1), keys=KeyRing(keys))) as client:
        tasks = []
        for name, count in (("alpha", 5), ("beta", 2), ("gamma", 1)):
            for number in range(count):
                answer = client.post(
                    MODEL, json={"prompt": f"{name}{number}", "size": "256*256"}, headers=keys[name]
                )
                tasks.append((name, answer.json()["task_id"]))
        while not engine.prompts:
            time.sleep(0.005)
        engine.go.set()
        for name, task in tasks:
            finished(client, task, headers=keys[name])
    assert engine.prompts == ["alpha0", "alpha1", "beta0", "gamma0", "alpha2", "beta1", "alpha3", "alpha4"]


def test_each_key_has_its_own_rate_and_its_own_tasks():
    engine = Engine(held=True)
    terms = Terms(workers=1, quota=Quota(rate=0.5, tasks=3))
    keys = {name: {"Authorization": name} for name in ("alpha", "beta")}

    def post(client, name):
        return client.post(MODEL, json={"prompt": name, "size": "256*256"}, headers=keys[name])

    with over_asgi(create_app(engine, terms, keys=KeyRing(keys))) as client:
        answers = [post(client, "alpha") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert "3 tasks in flight" in answers[-1].json()["message"]
        assert post(client, "beta").status_code == 200
        engine.go.set()
        for answer in answers[:3]:
            finished(client, answer.json()["task_id"], headers=keys["alpha"])
        assert [post(client, "alpha").status_code for _ in range(2)] == [200, 200]
        refused = post(client, "alpha")
        assert (refused.status_code, refused.json()["reason"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert "30 times a minute" in refused.json()["message"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 2


def test_a_rehearsed_latency_takes_no_worker_and_some_tasks_fail():
    terms = Terms(workers=1, rehearsal=Rehearsal(latency=parse_latency("400ms"), fail=0.5))
    with over_asgi(create_app(Engine(), terms)) as client:
        began = time.monotonic()
        tasks = [submit(client, prompt=str(number)) for number in range(40)]
        answers = [finished(client, task)["task"] for task in tasks]
        took = time.monotonic() - began
    assert 0.4 <= took < 10
    reasons = [answer["reason"] for answer in answers]
    assert set(reasons) == {"", "rehearsed failure (--fail)"}
    assert {answer["status"] for answer in answers} == {"TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"}


def test_results_go_with_their_files_when_their_time_is_over(tmp_path):
    now = [1000.0]
    terms = Terms(Limits(result_ttl=60), workers=1, grace=5)
    with Living(tmp_path, Engine(), terms, clock=lambda: now[0]) as client:
        task = submit(client)
        url = finished(client, task)["images"][0]["image_url"]
        assert client.get(url).status_code == 200
        assert len(list((tmp_path / "images").glob("*/*"))) == 1
        now[0] += 61.5
        assert client.get(RESULT, params={"task_id": task}).status_code == 404
        assert client.get(url).status_code == 403
    with Living(tmp_path, Engine(), terms, clock=lambda: now[0]) as client:
        deadline = time.monotonic() + 20
        while list((tmp_path / "images").glob("*/*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert client.get(RESULT, params={"task_id": task}).status_code == 404
    with sqlite3.connect(tmp_path / "tasks.sqlite3") as state:
        assert state.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
    state.close()


def test_a_directory_serves_one_server_and_a_strange_file_is_told(tmp_path):
    home = Home(tmp_path / "a")
    with pytest.raises(RunBusyError, match="another server uses"):
        Home(tmp_path / "a")
    home.close()
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "tasks.sqlite3").write_text("not a database, and long enough to be looked at")
    with pytest.raises(StateError, match="damaged or not the tasks of a server"):
        Home(tmp_path / "b")


def test_ready_and_metrics(tmp_path):
    with over_asgi(create_app(Engine(), Terms(workers=1), keys=KeyRing(["alpha"]))) as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/metrics").status_code == 401
        key = {"Authorization": "Bearer alpha"}
        answer = client.post(MODEL, json={"prompt": "fox"}, headers=key)
        finished(client, answer.json()["task_id"], headers=key)
        client.get("/a/path/that/nobody/serves")
        page = client.get("/metrics", headers=key)
        assert page.headers["content-type"].startswith("text/plain")
        assert 'zbatch_tasks_total{outcome="succeeded"} 1.0' in page.text
        assert 'zbatch_requests_total{method="POST",route="/v3/async/{model}",status="200"} 1.0' in page.text
        assert 'route="other",status="404"' in page.text
        assert "zbatch_results 1.0" in page.text
        assert "zbatch_tasks_open 0.0" in page.text
        assert "alpha" not in page.text


def test_an_end_that_cannot_be_written_down_is_not_told_until_it_can(tmp_path):
    engine = Engine(held=True)
    served = Living(tmp_path, engine)
    with served as client:
        task = submit(client, prompt="late")
        while not engine.prompts:
            time.sleep(0.005)
        state = served.home.ledger._db  # noqa: SLF001 - a disk that takes nothing
        state.execute("PRAGMA query_only = ON")
        engine.go.set()
        time.sleep(0.6)
        told = client.get(RESULT, params={"task_id": task}).json()["task"]["status"]
        assert told == "TASK_STATUS_PROCESSING"
        state.execute("PRAGMA query_only = OFF")
        assert results(client, [task]) == {"TASK_STATUS_SUCCEED"}
    with Living(tmp_path, Engine()) as client:
        assert results(client, [task]) == {"TASK_STATUS_SUCCEED"}


def test_old_results_that_the_disk_does_not_let_go_of_go_later_with_their_files(tmp_path):
    now = [1000.0]
    terms = Terms(Limits(result_ttl=60), workers=1, grace=5)
    served = Living(tmp_path, Engine(), terms, clock=lambda: now[0])
    with served as client:
        task = submit(client)
        finished(client, task)
        state = served.home.ledger._db  # noqa: SLF001 - a disk that takes nothing
        state.execute("PRAGMA query_only = ON")
        now[0] += 61
        deadline = time.monotonic() + 6.5  # a sweep comes every five seconds
        while time.monotonic() < deadline:
            assert len(list((tmp_path / "images").glob("*/*"))) == 1
            time.sleep(0.5)
        state.execute("PRAGMA query_only = OFF")
        while list((tmp_path / "images").glob("*/*")):
            assert time.monotonic() < deadline + 20
            time.sleep(0.05)
        assert client.get(RESULT, params={"task_id": task}).status_code == 404
