"""The look for pictures that are gone, beside a submitter that reads pending jobs page by page."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from support.store_rows import bring_to, job, store_of

from zbatch.runner.events import Silence
from zbatch.runner.limiter import Limiter
from zbatch.runner.lookout import Lookout
from zbatch.runner.wiring import Halt, Tally
from zbatch.state.directory import RunDirectory
from zbatch.state.writer import StateWriter

GONE = 1


class Interrupted:
    """A writer's time between two steps of one caller, in which others have theirs."""

    def __init__(self, writer):
        self._writer = writer

    async def commit(self, step):
        await asyncio.sleep(0.05)
        return await self._writer.commit(step)


@pytest.fixture
def store(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    with contextlib.closing(store_of(directory.state, job(1), job(2))) as store:
        with store.transaction():
            bring_to(store, GONE, "done")
        yield store


def looked(store, *, free):
    """Look while pages are read; gives what came, in its order."""
    order = []

    async def read_pages(writer):
        while True:
            page_of = await writer.commit(lambda store: store.next_pending(-1, 500))
            if GONE in [pending.id for pending in page_of]:
                order.append("page")
                return
            await asyncio.sleep(0)

    async def main():
        writer = StateWriter(store)
        limiter = Limiter(8, None)
        wiring = SimpleNamespace(
            directory=RunDirectory(store.path.parent),
            writer=Interrupted(writer),
            limiter=limiter,
            policy=SimpleNamespace(free=free),
            listener=Silence(),
            halt=Halt(),
            tally=Tally(done=1),
            settled=asyncio.Event(),
            tell=lambda *words: None,
        )
        lookout = Lookout(
            wiring,
            lambda task: order.append(("found", task.id)),
            lambda pending: order.append(("pending", pending.id)),
        )
        reading = asyncio.create_task(read_pages(writer))
        try:
            async with asyncio.timeout(30):
                await lookout.run()
                if free:
                    await reading
        finally:
            reading.cancel()
            writer.close()
        assert not lookout.busy
        assert wiring.tally.done == 0
        return limiter.in_flight

    return asyncio.run(main()), order


def test_a_job_made_again_is_handed_over_before_any_page_has_it(store):
    """The other way round it would be taken from both, and the second time it is not pending any more."""
    assert looked(store, free=True) == (0, [("pending", GONE), "page"])


def test_a_task_asked_again_holds_a_slot(store):
    assert looked(store, free=False) == (1, [("found", GONE)])
