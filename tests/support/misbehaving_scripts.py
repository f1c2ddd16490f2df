"""Who decides which request is spoilt, and how: lists taken in order, or a mix drawn from a seed."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from support.misbehaving_faults import CALLS, FAULTS
from support.misbehaving_wire import Incoming

Script = Callable[[Incoming], str | None]


def listed(faults: Mapping[str, Sequence[str | None]]) -> Script:
    """Take the faults of each call in order, one a request; afterwards all is well.

    `None` and `"ok"` are requests that go well; a name with `*` behind it holds from there on for ever.
    """
    queues = {call: deque(check(call, name) for name in names) for call, names in faults.items()}

    def script(incoming: Incoming) -> str | None:
        queue = queues.get(incoming.call)
        if not queue:
            return None
        name = queue[0] or ""
        if not name.endswith("*"):
            queue.popleft()
        return name.rstrip("*") or None

    return script


def mixed(
    seed: int,
    share: float = 0.2,
    leave_out: Sequence[str] = (),
    only: Mapping[str, Sequence[str]] | None = None,
) -> Script:
    """Spoil that share of all requests, each with a fault drawn from the seed, its call and its number.

    `leave_out` holds names (`huge`) or full names (`submit:401`). The faults that end a run or never end
    (`ENDLESS`) are only drawn where `only` names them.
    """
    choices = {
        call: [
            name
            for name in (only.get(call, ()) if only is not None else FAULTS[call])
            if name not in leave_out and f"{call}:{name}" not in leave_out and (only or name not in ENDLESS)
        ]
        for call in CALLS
    }

    def script(incoming: Incoming) -> str | None:
        draw = random.Random(f"{seed}:{incoming.call}:{incoming.number}")
        names = choices.get(incoming.call)
        return draw.choice(names) if names and draw.random() < share else None

    return script


ENDLESS = frozenset(
    {
        "never",
        "huge",
        "401",
        "402",
        "403-key",
        "403-balance",
        "400-balance",
        "429-absurd",
        "429-far",
        "404-html",
    }
)


def check(call: str, name: str | None) -> str | None:
    """Refuse a fault that does not exist: a typo in a test must not mean that all is well."""
    bare = (name or "").rstrip("*")
    if call not in FAULTS or (bare not in ("", "ok") and bare not in FAULTS[call]):
        raise ValueError(f"no fault {call}:{name}; there are {sorted(FAULTS.get(call, FAULTS))}")
    return None if bare in ("", "ok") else name
