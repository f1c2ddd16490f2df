"""A real Jupyter kernel, and what a cell that is run in it shows."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Shown:
    """What one cell showed: HTML in the order it came, text, and the error if there was one."""

    html: list[str] = field(default_factory=list)
    displays: set[str] = field(default_factory=set)
    text: str = ""
    error: str = ""


class Kernel:
    """One kernel, asked from outside as a notebook asks it."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def run(self, code: str, *, interrupt_after: int | None = None, seconds: float = 90) -> Shown:
        """Run a cell to its end; interrupt it once it has shown HTML so many times."""
        shown = Shown()
        request = self.client.execute(code)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            content, kind = message["content"], message["msg_type"]
            if kind == "status" and content["execution_state"] == "idle":
                return shown
            self._take(shown, kind, content)
            if interrupt_after is not None and len(shown.html) >= interrupt_after:
                interrupt_after = None
                self.manager.interrupt_kernel()
        raise AssertionError(f"the cell did not end: {shown}")

    @staticmethod
    def _take(shown: Shown, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            shown.text += content["text"]
        elif kind == "error":
            shown.error = content["ename"] + ": " + content["evalue"]
        elif kind in ("display_data", "update_display_data", "execute_result"):
            shown.html.append(content["data"].get("text/html", ""))
            if identity := content.get("transient", {}).get("display_id"):
                shown.displays.add(identity)


@contextlib.contextmanager
def started_kernel(folder: Any) -> Iterator[Kernel]:
    """Start a kernel in a folder; whatever becomes of the test, it does not outlive it."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
