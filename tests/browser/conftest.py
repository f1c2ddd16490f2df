from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser import Watch, address, chromium
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

expect.set_options(timeout=20_000)  # the machines are busy: what holds is not a matter of seconds


# One browser a module: while Playwright's loop runs in a thread, asyncio.run() of other tests cannot.
@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def visit(browser, watch):
    """Open a page in a fresh context; whatever it did wrong fails the test at its end."""
    contexts = []

    def open_page(index: Path, fragment: str = "", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        watch.over(page)
        page.goto(address(index, fragment))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert watch.problems == []


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """48 cells: two subjects, two LoRAs, four scales, three seeds; every state among them."""
    return write_sheet(write_sample(tmp_path_factory.mktemp("small") / "run"))


@pytest.fixture(scope="session")
def calm(tmp_path_factory):
    """Everything done: two subjects, two LoRAs, scales 0 to 1.2, two seeds."""
    sample = Sample(seeds=2, troubles=False, excluded=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("calm") / "run", sample))


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """2,080 cells in mixed sizes."""
    sample = Sample(
        subjects=tuple(f"subject {number}" for number in range(4)),
        scales=tuple(number / 10 for number in range(13)),
        seeds=10,
        sizes=("768*768", "832*1216"),
        troubles=False,
        pictures=6,
    )
    return write_sheet(write_sample(tmp_path_factory.mktemp("large") / "run", sample))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """Texts that would do harm as markup or script, in every place a text can come from."""
    sample = Sample(
        hostile=True,
        title="</title><script>document.title='owned'</script>",
        description="<img src=x onerror=\"document.title='owned'\">",
    )
    return write_sheet(write_sample(tmp_path_factory.mktemp("hostile") / "run", sample))
