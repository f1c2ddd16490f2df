"""The store against a model of it, with the process dying between any two writes, and inside any of them.

Steps come one by one and in groups, pictures are saved for real; the process dies before a commit, in the
middle of a group, and before any call that opens, renames, makes or removes a file.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from PIL import Image
from support.store_rows import MODEL, bring_to, grid, job, look

from zbatch.model import JobState
from zbatch.state.advances import Done, Submitted, Submitting, Succeeded
from zbatch.state.artifacts import Asked, save_artifact
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter

JOBS = [job(seed, f"shared-{seed % 3}" if seed % 2 else "") for seed in range(6)]
SEEDS = st.integers(0, len(JOBS) - 1)
SHOWN = st.lists(SEEDS, unique=True, min_size=1)


MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where nothing waits for a disk: what is torn here are processes; power cuts are `test_power_loss`."""


class DiedError(BaseException):
    """The process ends here: nobody may catch it and go on."""


class Mortal:
    """Lets a thread die before its nth call on files, and refuses every one after that, clean-ups too."""

    calls = ("open", "os.rename", "os.mkdir", "os.remove")

    def __init__(self) -> None:
        self.left: int | None = None
        self.thread = 0
        sys.addaudithook(self.hook)

    def hook(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.left is None or event not in self.calls or threading.get_ident() != self.thread:
            return
        if self.left <= 0:
            raise DiedError
        self.left -= 1

    @contextmanager
    def after(self, calls: int | None):
        self.thread, self.left = threading.get_ident(), calls
        try:
            yield
        finally:
            self.left = None


MORTAL = Mortal()


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (seed * 40, 9, 9)).save(file, "webp", lossless=True)
    return file.getvalue()


PICTURES = {seed: picture(seed) for seed in range(len(JOBS))}


@dataclass
class Attempt:
    task_id: str | None = None
    succeeded: bool = False
    unknown: bool = False


@dataclass
class Model:
    """What must be true of one job."""

    state: str = "pending"
    attempts: list[Attempt] = field(default_factory=list)
    retried_at: int = 0
    file: str = ""


class StoreMachine(RuleBasedStateMachine):
    """Each rule is one transaction. `dies` makes the process end before the commit: then nothing of it is."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="zbatch-machine-", dir=MEMORY))
        self.path = self.folder / "state.sqlite3"
        self.directory = RunDirectory(self.folder)
        self.directory.create()
        self.store = Store(self.path)
        self.model: dict[int, Model] = {}
        self.shown: list[int] = []
        self.selected: set[int] = set()
        self.tasks = 0

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # ── helpers ──────────────────────────────────────────────────────────────────────────────────────────

    def ids(self) -> dict[str, int]:
        return dict(look(self.store, "SELECT key, id FROM jobs"))

    def id_of(self, seed: int) -> int:
        return self.ids()[JOBS[seed].key]

    def write(self, step, *, dies: bool) -> bool:
        """Make a transaction, or die in it just before its commit; tell whether it was committed."""
        try:
            with self.store.transaction():
                step()
                if dies:
                    self.keep_files()
                    raise DiedError
        except DiedError:
            self.come_back()
            return False
        return True

    def keep_files(self) -> None:
        """Copy the files as they lie at this instant: what the next process finds after a kill -9."""
        copy = self.folder / "copy"
        copy.mkdir()
        for name in ("state.sqlite3", "state.sqlite3-wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, copy / name)

    def come_back(self) -> None:
        self.store.close()
        for file in self.folder.glob("state.sqlite3*"):
            file.unlink()
        for file in (self.folder / "copy").iterdir():
            file.rename(self.folder / file.name)
        (self.folder / "copy").rmdir()
        self.store = Store(self.path)
        # What the next process does before anything else.
        self.directory.create()
        self.directory.clear_parts()
        with self.store.transaction():
            self.store.replace_grid(grid([JOBS[seed] for seed in self.shown], self.selected), MODEL)

    def in_state(self, state: str) -> list[int]:
        return [seed for seed, model in self.model.items() if model.state == state]

    def pick(self, state: str, data) -> int:
        return data.draw(st.sampled_from(self.in_state(state)))

    # ── the rules ────────────────────────────────────────────────────────────────────────────────────────

    @initialize(
        shown=SHOWN,
        begun=st.lists(st.sampled_from(["pending", "submitting", "submitted", "submitted"]), min_size=6),
    )
    def first_manifest(self, shown, begun) -> None:
        """Everything is shown and selected at first; some of it is under way."""
        self.manifest(shown, set(shown), dies=False)
        with self.store.transaction():
            for seed, state in zip(shown, begun, strict=False):
                model = self.model[seed]
                bring_to(self.store, self.id_of(seed), state)
                model.state = state
                if state != "pending":
                    model.attempts.append(Attempt())
                if state == "submitted":
                    model.attempts[-1].task_id = f"task-{self.id_of(seed)}"

    @rule(shown=SHOWN, chosen=st.sets(SEEDS), dies=st.booleans())
    def manifest(self, shown, chosen, dies) -> None:
        if not self.write(
            lambda: self.store.replace_grid(grid([JOBS[seed] for seed in shown], chosen), MODEL), dies=dies
        ):
            return
        self.shown, self.selected = shown, chosen & set(shown)
        for seed in shown:
            self.model.setdefault(seed, Model())

    @rule()
    def kill(self) -> None:
        self.keep_files()
        self.come_back()

    @rule(dies=st.booleans(), resubmit=st.sampled_from([0, 1, 2, None]))
    def begin(self, dies, resubmit) -> None:
        """What a run begins with, in one transaction as in the session."""

        def step() -> None:
            self.store.hold_again()
            self.store.recover()
            if resubmit != 0:
                self.store.retry_unknown(resubmit)
            self.store.retry_failed(2)

        if not self.write(step, dies=dies):
            return
        for seed, model in self.model.items():
            if model.state == "pending" and model.attempts and model.attempts[-1].unknown:
                model.state = "unknown"  # a permission is for one run
            if model.state == "submitting":
                model.state, model.attempts[-1].unknown = "unknown", True
            left = len(model.attempts) - model.retried_at
            if seed not in self.selected:
                continue
            within = resubmit is None or left < resubmit
            if model.state == "unknown" and resubmit != 0 and within and not model.attempts[-1].succeeded:
                model.state = "pending"
            if model.state == "failed" and left < 2:
                model.state = "pending"

    @rule(states=st.sets(st.sampled_from(["failed", "rejected", "unknown"]), min_size=1))
    def person_says_retry(self, states) -> None:
        self.write(lambda: self.store.retry([JobState(state) for state in states]), dies=False)
        for seed in self.selected:
            model = self.model[seed]
            if model.state in states:
                model.state, model.retried_at = "pending", len(model.attempts)

    @precondition(lambda self: [seed for seed in self.in_state("pending") if seed in self.selected])
    @rule(data=st.data(), dies=st.booleans())
    def submit(self, data, dies) -> None:
        able = [seed for seed in self.in_state("pending") if seed in self.selected]
        seed = data.draw(st.sampled_from(able))
        assert {found.request.seed for found in self.store.next_pending(-1, 99)} == set(able)
        id_ = self.id_of(seed)
        if self.write(lambda: self.store.advance(Submitting(id_)), dies=dies):
            self.model[seed].state = "submitting"
            self.model[seed].attempts.append(Attempt())

    @precondition(lambda self: self.in_state("submitting"))
    @rule(
        data=st.data(),
        dies=st.booleans(),
        answer=st.sampled_from(["back", "rejected", "unknown", "submitted"]),
    )
    def answered(self, data, dies, answer) -> None:
        seed = self.pick("submitting", data)
        id_, model = self.id_of(seed), self.model[seed]
        task = f"own-{self.tasks}"
        steps = {
            "back": lambda: self.store.set_back(id_, "RATE_LIMIT_EXCEEDED", "slow"),
            "rejected": lambda: self.store.set_rejected(id_, "ILLEGAL_PROMPT", "no"),
            "unknown": lambda: self.store.set_unknown(id_, "TIMEOUT", "no answer"),
            "submitted": lambda: self.store.advance(Submitted(id_, task)),
        }
        if not self.write(steps[answer], dies=dies):
            return
        model.state = {"back": "pending"}.get(answer, answer)
        if answer in ("back", "rejected"):
            model.attempts.pop()
        if answer == "unknown":
            model.attempts[-1].unknown = True
        if answer == "submitted":
            self.tasks += 1
            model.attempts[-1].task_id = task

    @precondition(lambda self: self.in_state("submitted"))
    @rule(data=st.data(), dies=st.booleans())
    def succeeded(self, data, dies) -> None:
        seed = self.pick("submitted", data)
        id_ = self.id_of(seed)
        if self.write(lambda: self.store.advance(Succeeded(id_)), dies=dies):
            self.model[seed].attempts[-1].succeeded = True

    @precondition(lambda self: self.in_state("submitted"))
    @rule(data=st.data(), dies=st.booleans(), end=st.sampled_from(["failed", "unknown"]))
    def ended(self, data, dies, end) -> None:
        seed = self.pick("submitted", data)
        id_, model = self.id_of(seed), self.model[seed]
        steps = {
            "failed": lambda: self.store.set_failed(id_, "TASK_STATUS_FAILED", "oom"),
            "unknown": lambda: self.store.set_unknown(id_, "TASK_NOT_FOUND", "gone"),
        }
        if end == "failed" and model.attempts[-1].succeeded:
            end = "unknown"
        if self.write(steps[end], dies=dies):
            model.state, model.attempts[-1].unknown = end, end == "unknown"

    @precondition(lambda self: self.in_state("submitted"))
    @rule(data=st.data(), dies=st.just(False), calls=st.none())
    def saved(self, data, dies, calls) -> None:
        """A picture is saved; the process may die before any call on a file, or before the commit."""
        seed = self.pick("submitted", data)
        (task,) = self.store.open_tasks([self.id_of(seed)])
        asked = Asked(task.key, task.file, "webp", 8, 8)
        try:
            with MORTAL.after(calls):
                kept = save_artifact(self.directory, asked, PICTURES[seed])
        except DiedError:
            self.keep_files()
            self.come_back()
            return
        if self.write(lambda: self.store.advance(Done(task.id, kept, None)), dies=dies):
            self.model[seed].state, self.model[seed].file = "done", kept.file

    @precondition(lambda self: self.in_state("submitted"))
    @rule(data=st.data(), calls=st.integers(0, 12))
    def saved_by_one_that_dies(self, data, calls) -> None:
        self.saved(data, dies=True, calls=calls)

    @precondition(lambda self: self.in_state("done"))
    @rule(data=st.data(), dies=st.booleans(), free=st.booleans())
    def gone(self, data, dies, free) -> None:
        """A picture is deleted by somebody; its task is asked again, or made again where that is free."""
        seed = self.pick("done", data)
        id_, model = self.id_of(seed), self.model[seed]
        if self.write(lambda: self.store.ask_again(id_, free=free), dies=dies):
            model.state = "pending" if free else "submitted"
            model.attempts[-1].unknown = free

    @precondition(lambda self: self.in_state("submitted"))
    @rule(data=st.data(), dies=st.booleans())
    def let_go(self, data, dies) -> None:
        """An earlier run gave a task up, and a person lets go of it: of this one and no other."""
        seed = self.pick("submitted", data)
        id_, model = self.id_of(seed), self.model[seed]

        def step() -> None:
            self.store.note(id_, "job_deadline", "not finished")
            self.store.retry([JobState.SUBMITTED])

        others = look(self.store, "SELECT 1 FROM jobs WHERE reason = 'file_missing' AND id <> ?", id_)
        if not others and seed in self.selected and self.write(step, dies=dies):
            model.state, model.retried_at = "pending", len(model.attempts)
            model.attempts[-1].unknown = True

    @rule(data=st.data(), dies=st.booleans(), spoilt=st.booleans())
    def group(self, data, dies, spoilt) -> None:
        """Steps of several jobs in one commit: all, or after a death none; a bad one alone is undone."""
        able = [
            seed
            for seed, model in self.model.items()
            if model.state in ("submitting", "submitted")
            or (model.state == "pending" and seed in self.selected)
        ]
        chosen = data.draw(st.lists(st.sampled_from(able), unique=True)) if able else []
        steps = [self.step_of(seed) for seed in chosen]
        if spoilt and chosen:
            # Legal, then illegal: what it did first must go with it.
            steps.insert(1, self.spoil)
        results = asyncio.run(self.commit_together(steps, dies=dies))
        if dies:
            self.come_back()
            return
        bad = [result for result in results if isinstance(result, BaseException)]
        assert len(bad) == (spoilt and bool(chosen)), bad
        for seed in chosen:
            model = self.model[seed]
            if model.state == "pending":
                model.attempts.append(Attempt())
                model.state = "submitting"
            elif model.state == "submitting":
                model.attempts[-1].task_id = f"group-{self.id_of(seed)}-{len(model.attempts)}"
                model.state = "submitted"
            else:
                model.attempts[-1].succeeded = True

    def spoil(self, store: Store) -> None:
        store.set_meta(Meta.DESCRIPTION, "spoilt")
        store.set_rejected(-1, "r", "there is no such job")

    def step_of(self, seed: int):
        id_, model = self.id_of(seed), self.model[seed]
        task = f"group-{id_}-{len(model.attempts)}"
        steps = {
            "pending": Submitting(id_),
            "submitting": Submitted(id_, task),
            "submitted": Succeeded(id_),
        }
        return steps[model.state]

    async def commit_together(self, steps, *, dies: bool):
        """Hold the writer until all steps wait: then they are one group. Files are kept before its commit."""
        gate = threading.Event()
        writer = StateWriter(self.store)
        try:
            first = asyncio.create_task(writer.commit(lambda _: gate.wait(10)))
            await asyncio.sleep(0)
            if dies:
                steps = [*steps, lambda _: self.keep_files()]
            writing = [writer.commit(step) for step in steps]
            waiting = [asyncio.create_task(one) for one in writing]
            await asyncio.sleep(0)
            gate.set()
            await first
            return await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            gate.set()
            writer.close()

    @precondition(lambda self: self.in_state("failed") + self.in_state("unknown"))
    @rule(data=st.data(), bound=st.sampled_from([1, 2, None]))
    def try_again(self, data, bound) -> None:
        seed = data.draw(st.sampled_from(self.in_state("failed") + self.in_state("unknown")))
        model, id_, told = self.model[seed], self.id_of(seed), []
        self.write(lambda: told.append(self.store.try_again(id_, bound, JobState(model.state))), dies=False)
        within = bound is None or len(model.attempts) - model.retried_at < bound
        may = within and seed in self.selected and not model.attempts[-1].succeeded
        assert told == [may]
        if may:
            model.state = "pending"

    # ── what is true at every instant ────────────────────────────────────────────────────────────────────

    @invariant()
    def the_state_is_the_model(self) -> None:
        with Run(self.folder) as run:
            records = {record.request.seed: record for record in run.jobs()}
            assert [cell.coordinates["seed"] for cell in run.cells()] == self.shown
            assert run.about(Meta.DESCRIPTION) is None
        assert set(records) == set(self.model)
        for seed, model in self.model.items():
            record = records[seed]
            assert record.state == model.state
            assert record.shown == (seed in self.shown)
            assert record.attempts == len(model.attempts)
            assert record.task_ids == tuple(one.task_id for one in model.attempts if one.task_id)
            if model.state == "done":
                assert record.file == model.file

    @invariant()
    def every_task_in_flight_is_polled_and_every_attempt_paid_for(self) -> None:
        in_flight = {self.model[seed].attempts[-1].task_id for seed in self.in_state("submitted")}
        assert {task.task_id for task in self.store.open_tasks()} == in_flight
        assert self.store.attempts_made() == sum(len(model.attempts) for model in self.model.values())

    @invariant()
    def a_reader_sees_whole_pictures_only_and_every_done_one(self) -> None:
        whole = set(PICTURES.values())
        for path in self.directory.images.rglob("*"):
            assert path.is_dir() or path.read_bytes() in whole
        with Run(self.folder) as run:
            for record in run.jobs():
                if record.artifact is not None:
                    data = (self.folder / record.file).read_bytes()
                    assert data == PICTURES[record.request.seed]
                    assert hashlib.sha256(data).hexdigest() == record.artifact.sha256
                    with Image.open(self.folder / record.artifact.thumb) as thumb:
                        thumb.load()

    @invariant()
    def no_two_pictures_share_a_file(self) -> None:
        folds = [
            fold for (fold,) in look(self.store, "SELECT fold FROM jobs WHERE state = 'done' OR attempts > 0")
        ]
        assert len(folds) == len(set(folds))


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
