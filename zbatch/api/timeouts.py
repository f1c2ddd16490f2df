"""How long a call may take, step by step: one record, used by the transport and by the client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time-outs of one HTTP call, in seconds. Every wait has an end, so none of them can be left out.

    Attributes:
        connect: for one connection to be made: name looked up, TCP connected, TLS agreed.
        read: from the request sent to the answer's head, and between two pieces of its body.
        write: for one piece (64 KiB) of a request body to be taken by the network.
        pool: spent waiting for a free connection, on top of `connect`.
        total: for everything from the call to the answer's last byte; only a stop of the process can
            stretch it (`zbatch.api.deadline`).
    """

    connect: float = 10.0
    read: float = 60.0
    write: float = 60.0
    pool: float = 60.0
    total: float = 180.0

    def __post_init__(self) -> None:
        for name in ("connect", "read", "write", "pool", "total"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"time-out {name} must be a number of seconds above 0")

    def extension(self) -> dict[str, float]:
        """Give them as httpx's `extensions["timeout"]`, with `total`, which httpx itself does not know."""
        return {
            "connect": self.connect,
            "read": self.read,
            "write": self.write,
            "pool": self.pool,
            "total": self.total,
        }
