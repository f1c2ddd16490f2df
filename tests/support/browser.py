"""A real Chromium that opens sheets from `file://`, and watches for what must never happen."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@dataclass
class Watch:
    """What pages did that they must not: console errors, exceptions, requests that leave the disk."""

    problems: list[str] = field(default_factory=list)
    forgiven: tuple[str, ...] = ()

    def over(self, page: Page) -> None:
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("request", lambda request: self._note_request(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(words in text for words in self.forgiven):
            self.problems.append(f"{kind}: {text}")

    def _note_request(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.problems.append(f"request: {url}")


def find_chromium() -> str:
    """Give the path of a browser; skips the test where there is none, and fails it in CI."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = f"no browser found (looked for {', '.join(NAMES)}): install Debian's chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser of its own, with a fresh profile."""
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def address(page: Path, fragment: str = "") -> str:
    """Give the `file://` address of a page."""
    return page.resolve().as_uri() + fragment


def until(page: Page, expression: str, seconds: float = 8.0) -> None:
    """Wait until an expression holds. Playwright's own way needs `eval`, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(20)


def reload(page: Page) -> None:
    """Load a sheet anew once it has come to rest: a step back still under way would cancel the loading."""
    opened = "Boolean(document.querySelector('#lightbox[open], .blind[open]'))"
    until(page, f"Boolean(history.state?.picture) === {opened}")
    page.reload()
