"""Chromium with nobody looking on: a debugger that logs the network keeps a copy of whatever comes.

Playwright always does, which at a page of thumbnails is some 40 to 70 MB more than the page takes. Here the
browser is told what to press over its own WebSocket, and asked nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from support.browser import ARGUMENTS, find_chromium

KEYS = {"PageDown": 34, "Escape": 27}


class PlainPage:
    """The one page of a browser."""

    def __init__(self, address: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._session = self._run(_session())
        self._socket = self._run(self._session.ws_connect(address, max_msg_size=0))
        self._number = 0

    def _run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and give what it answers."""
        return self._run(self._send(method, parameters))

    async def _send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = json.loads((await self._socket.receive()).data)
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def evaluate(self, expression: str) -> Any:
        """Give the value of an expression."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer}"
        return answer["result"].get("value")

    def goto(self, path: Path) -> None:
        """Open a page from disk, and wait until it has a grid."""
        self.send("Page.navigate", url=path.resolve().as_uri())
        while not self.evaluate("document.querySelector('.cell img[src]') !== null"):
            time.sleep(0.1)

    def click(self, selector: str, words: str = "") -> None:
        """Click on the first element of a selector that has these words."""
        x, y = self.evaluate(
            f"""(() => {{
              const all = [...document.querySelectorAll({json.dumps(selector)})];
              const one = all.find((own) => own.textContent.includes({json.dumps(words)}));
              one.scrollIntoView({{ block: "nearest" }});
              const box = one.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind, pressed in ("mouseMoved", "none"), ("mousePressed", "left"), ("mouseReleased", "left"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=pressed, clickCount=1)

    def put(self, selector: str, value: str) -> None:
        """Choose or fill in a value."""
        self.evaluate(
            f"""(() => {{
              const field = document.querySelector({json.dumps(selector)});
              field.value = {json.dumps(value)};
              for (const kind of ["input", "change"]) {{
                field.dispatchEvent(new Event(kind, {{ bubbles: true }}));
              }}
            }})()"""
        )

    def press(self, key: str) -> None:
        """Press a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def wheel(self, x: float, y: float, by: float) -> None:
        """Turn the wheel down by so many pixels."""
        self.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=by)

    def close(self) -> None:
        """Let go of the browser."""
        self._run(self._socket.close())
        self._run(self._session.close())
        self._loop.close()


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


@contextlib.contextmanager
def plain_browser(width: int = 1440, height: int = 900) -> Iterator[PlainPage]:
    """Start a fresh browser with an empty page."""
    with tempfile.TemporaryDirectory(prefix="zbatch-browser-", ignore_cleanup_errors=True) as profile:
        words = [find_chromium(), "--headless", *ARGUMENTS, "--hide-scrollbars", "--remote-debugging-port=0"]
        words += [f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        try:
            page = PlainPage(_address(Path(profile)))
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            page.send("Emulation.setDeviceMetricsOverride", **metrics)
            yield page
            page.close()
        finally:
            process.terminate()
            process.wait()


def _address(profile: Path) -> str:
    """Wait for the page, and give where it listens."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, StopIteration):
            port = (profile / "DevToolsActivePort").read_text("utf-8").split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as answer:
                pages = json.load(answer)
            return str(next(page["webSocketDebuggerUrl"] for page in pages if page["url"] == "about:blank"))
        time.sleep(0.1)
    raise TimeoutError("the browser does not listen")
