"""Room in memory for what is on its way through, shared by all who carry something."""

from __future__ import annotations

import asyncio


class Room:
    """So many bytes may be held at a time; who wants more than are left waits, in the order of asking."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._turn = asyncio.Lock()
        self._given_back = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait for `size` bytes, which must not be more than there are in all; `give` gives them back."""
        async with self._turn:
            while self._left < size:
                self._given_back.clear()
                await self._given_back.wait()
            self._left -= size

    def give(self, size: int) -> None:
        """Give bytes back."""
        self._left += size
        self._given_back.set()
