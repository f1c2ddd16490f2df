"""Engines that take their time: progress, notes, what they prepare, and fair batches."""

import asyncio
import sqlite3
import threading
import time

from support.server_http import MODEL, RESULT, finished, over_asgi, submit

from zbatch.server.app import create_app
from zbatch.server.engines import ImageRequest
from zbatch.server.fair import FairQueue
from zbatch.server.home import Home
from zbatch.server.keys import KeyRing
from zbatch.server.ledger import Ledger
from zbatch.server.tasks import Order, Task
from zbatch.server.terms import Terms

ORDERED = """\
{"model": "z-image-turbo", "owner": "", "image_url": null, "mask": null, "base64": false, "prompt": "fox",
"seed": 1, "size": [256, 256], "loras": [], "output_format": "webp", "strength": null}
"""


class Stepped:
    """An engine that makes up to three at once, in steps that the test allows."""

    name = "stepped"
    max_batch = 3

    def __init__(self):
        self.batches = []
        self.prepared = []
        self.given_up = threading.Event()
        self.go = threading.Event()

    def batch_key(self, request):
        return request.width

    async def prepare(self, request):
        self.prepared.append(request.prompt)
        if "missing" in [lora.path for lora in request.loras]:
            raise ValueError("LoRA 'missing' is missing")

    def generate(self, request):
        raise NotImplementedError

    def generate_many(self, requests, watches):
        self.batches.append([request.prompt for request in requests])
        for watch in watches:
            watch.percent = 40
            watch.notes["batched"] = str(len(requests))
        while not self.go.wait(0.01):
            if all(watch.given_up for watch in watches):
                self.given_up.set()
                raise ValueError("given up")
        return [
            ValueError("a bad picture")
            if request.prompt == "bad"
            else b"picture of " + request.prompt.encode()
            for request in requests
        ]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_alike_tasks_are_made_at_once_and_the_answer_tells_how_far_they_are():
    engine = Stepped()
    with over_asgi(create_app(engine)) as client:
        first = submit(client, prompt="alone")
        wait_for(lambda: engine.batches)
        tasks = {name: submit(client, prompt=name) for name in ("a", "b", "bad", "c")}
        other = submit(client, prompt="wide", size="512*256")
        running = client.get(RESULT, params={"task_id": first}).json()
        assert running["task"]["status"] == "TASK_STATUS_PROCESSING"
        assert running["task"]["progress_percent"] == 40
        engine.go.set()
        answers = {name: finished(client, task) for name, task in tasks.items()}
        finished(client, other)
    assert engine.batches == [["alone"], ["a", "b", "bad"], ["c"], ["wide"]]
    assert answers["bad"]["task"]["reason"] == "a bad picture"
    assert answers["a"]["task"]["progress_percent"] == 100
    assert answers["a"]["extra"]["batched"] == "3"
    assert answers["c"]["extra"]["batched"] == "1"
    assert answers["c"]["extra"]["seed"].isdigit()


def test_what_cannot_be_prepared_fails_before_it_takes_a_worker():
    engine = Stepped()
    with over_asgi(create_app(engine)) as client:
        submit(client, prompt="holds the worker")
        wait_for(lambda: engine.batches)
        lost = submit(client, prompt="lost", loras=[{"path": "missing"}])
        assert finished(client, lost)["task"]["reason"] == "LoRA 'missing' is missing"
        engine.go.set()
    assert engine.prepared == ["lost"]


def test_a_server_that_ends_gives_up_what_is_under_way_and_makes_it_after_a_restart(tmp_path):
    engine = Stepped()
    home = Home(tmp_path)
    with over_asgi(create_app(engine, Terms(grace=0.1), home=home)) as client:
        task = submit(client, prompt="long")
        wait_for(lambda: engine.batches)
    assert engine.given_up.wait(20)
    home.close()
    home, engine = Home(tmp_path), Stepped()
    engine.go.set()
    with over_asgi(create_app(engine, Terms(grace=5), home=home)) as client:
        assert finished(client, task)["extra"]["batched"] == "1"
    home.close()
    home = Home(tmp_path)
    with over_asgi(create_app(Stepped(), home=home)) as client:
        assert finished(client, task)["extra"]["batched"] == "1"
    home.close()


def test_a_ledger_of_the_version_before_is_taken_over(tmp_path):
    path = tmp_path / "tasks.sqlite3"
    Ledger(path).let_go()
    with sqlite3.connect(path) as state:
        state.execute("ALTER TABLE tasks DROP COLUMN notes")
        state.execute("PRAGMA user_version = 1")
        state.execute(
            "INSERT INTO tasks (task_id, ordered, accepted_at, status) VALUES (?, ?, ?, ?)",
            ("a-b", ORDERED, 1.0, "TASK_STATUS_QUEUED"),
        )
    state.close()
    ledger = Ledger(path)
    (task,) = ledger.load()
    assert (task.task_id, task.order.request.prompt, task.watch.notes) == ("a-b", "fox", {})
    ledger.let_go()


def test_a_batch_is_taken_in_turn_and_those_who_gave_wait_for_the_others():
    async def taken():
        queue = FairQueue()
        for owner, widths in (("a", [1, 1, 1, 1]), ("b", [2, 1]), ("c", [2]), ("d", [1, 1])):
            for number, width in enumerate(widths):
                request = ImageRequest("", 0, width)
                await queue.put(Task(f"{owner}{number}", Order("m", request, owner), 0.0))
        first = await queue.take()
        alike = await queue.take_alike(first, 4, lambda task: task.order.request.width)
        left = [(await queue.take()).task_id for _ in range(len(queue))]
        return first.task_id, [task.task_id for task in alike], left, len(queue), queue.weight

    first, alike, left, length, weight = asyncio.run(taken())
    assert first == "a0"
    assert alike == ["b1", "d0", "a1", "d1"]
    assert left == ["c0", "b0", "a2", "a3"]
    assert (length, weight) == (0, 0)


def test_no_key_waits_for_more_than_one_batch_of_anothers():
    engine = Stepped()
    keys = {name: {"Authorization": name} for name in ("alpha", "beta")}
    with over_asgi(create_app(engine, keys=KeyRing(keys))) as client:
        tasks = []

        def post(name, prompt, size="256*256"):
            answer = client.post(MODEL, json={"prompt": prompt, "size": size}, headers=keys[name])
            tasks.append((name, answer.json()["task_id"]))

        post("alpha", "first")
        wait_for(lambda: engine.batches)
        for number in range(9):
            post("alpha", f"alpha{number}")
        post("beta", "beta", "512*512")
        engine.go.set()
        for name, task in tasks:
            finished(client, task, headers=keys[name])
    assert engine.batches[1:3] == [["alpha0", "alpha1", "alpha2"], ["beta"]]
