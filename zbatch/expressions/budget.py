"""What one render may take: steps, text, numbers. Everything that grows or looks at much is charged here."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

MAX_SOURCE: Final = 20_000
"""Characters of one template; plain text without braces may be longer."""

MAX_TEXT: Final = 100_000
"""Characters one text may reach, in the middle of an expression too."""

MAX_STEPS: Final = 100_000
"""Loop steps, list items and hundreds of characters that one render may touch."""

MAX_BITS: Final = 4_096
"""Size of the largest integer an expression may reach."""

MAX_TOGETHER: Final = 1_000_000
"""Steps that the renders of one `Allowance` may take, beside `STEPS_A_RENDER` for each of them."""

STEPS_A_RENDER: Final = 500
"""What each of any number of renders may take: a million that take 50,000 steps each never end."""

_CHARACTERS_A_STEP: Final = 100


class ExpressionError(Exception):
    """A template or expression that does not parse, is not allowed, or failed on the values it was given.

    `undefined` is the name that was missing, where that was it.
    """

    def __init__(self, message: str, *, hint: str = "", undefined: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.undefined = undefined


class Allowance:
    """What many renders may take together, such as those of all cells; used round each of them, by `with`."""

    def __init__(self) -> None:
        self._left = MAX_TOGETHER
        self._outer: Allowance | None = None

    def __enter__(self) -> None:
        self._outer, _budget.allowance = _budget.allowance, self

    def __exit__(self, *_: object) -> None:
        _budget.allowance = self._outer

    def book(self, steps: int) -> None:
        """Take what one render took.

        Raises:
            ExpressionError: it is used up.
        """
        if self._left >= 0:  # once used up, it stays so
            self._left = min(MAX_TOGETHER, self._left + STEPS_A_RENDER - steps)
        if self._left < 0:
            raise ExpressionError(
                f"takes more than {STEPS_A_RENDER:,} steps for each of very many cells",
                hint="loop over less, or make fewer cells",
            )


class _Budget(threading.local):
    left = MAX_STEPS
    allowance: Allowance | None = None


_budget = _Budget()


def new_budget() -> None:
    """Begin a render: the whole budget is there again.

    Raises:
        ExpressionError: the renders before it took all that there was for so many.
    """
    taken, _budget.left = steps_taken(), MAX_STEPS
    if _budget.allowance is not None:
        _budget.allowance.book(taken)


def steps_taken() -> int:
    """Give the steps that the latest render of this thread took."""
    return MAX_STEPS - _budget.left


def charge(steps: int) -> None:
    """Take steps from the budget.

    Raises:
        ExpressionError: it is used up.
    """
    _budget.left -= steps
    if _budget.left < 0:
        raise ExpressionError(f"takes more than {MAX_STEPS:,} steps", hint="loop over less")


def charge_for(value: Any) -> Any:
    """Charge for looking at the whole of a value, and give it back.

    Lists are charged as often as they are held: a short template can nest one list in another until
    walking them once takes for ever.
    """
    if isinstance(value, str):
        charge(1 + len(value) // _CHARACTERS_A_STEP)
    elif isinstance(value, range):
        charge(1 + len(value))
    elif isinstance(value, list | tuple):
        charge(1 + len(value))
        for item in value:
            if isinstance(item, str | list | tuple | Mapping | range):
                charge_for(item)
    elif isinstance(value, Mapping):
        charge(1 + len(value))
        for item in value.values():
            charge_for(item)
    return value


def bounded_text(length: int) -> None:
    """Refuse a text before it is built.

    Raises:
        ExpressionError: it would be too long.
    """
    if length > MAX_TEXT:
        raise ExpressionError(f"builds a text of more than {MAX_TEXT:,} characters")


def bounded_integer(value: Any) -> Any:
    """Give a number back, unless it is an integer too large to go on with.

    Raises:
        ExpressionError: it has too many bits.
    """
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ExpressionError(f"makes a number of more than {MAX_BITS:,} bits")
    return value


def bound_operator(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation before it is done, where its result would be too large; charge for it.

    Raises:
        ExpressionError: it grows too much, or is `%` on text, which formats.
    """
    sized = [side for side in (left, right) if isinstance(side, str | list | tuple)]
    numbers = [side for side in (left, right) if isinstance(side, int)]
    if operator == "%" and isinstance(left, str):
        raise ExpressionError(
            "uses % on text, which is not available", hint="use the format filter: {{ '%03d' | format(n) }}"
        )
    if operator == "*" and sized and numbers:
        _bounded_repeat(sized[0], numbers[0])
    elif operator == "+" and len(sized) == 2:
        bounded_text(sum(len(side) for side in sized))
        for side in sized:
            charge_for(side)
    elif operator == "**" and len(numbers) == 2:
        if numbers[1] > 0 and abs(numbers[0]).bit_length() * numbers[1] > MAX_BITS:
            raise ExpressionError(f"makes a number of more than {MAX_BITS:,} bits")
    elif operator == "*" and len(numbers) == 2 and sum(n.bit_length() for n in numbers) > MAX_BITS:
        raise ExpressionError(f"makes a number of more than {MAX_BITS:,} bits")


def _bounded_repeat(value: Any, times: int) -> None:
    length = len(value) * max(0, times)
    if length > MAX_TEXT:
        raise ExpressionError(f"repeats to more than {MAX_TEXT:,} characters or items")
    charge(1 + length // (_CHARACTERS_A_STEP if isinstance(value, str) else 1))


def bounded_range(*args: int) -> range:
    """`range`, of so many numbers as a render may step over at most.

    Raises:
        ExpressionError: there are more.
    """
    numbers = range(*args)
    if len(numbers) > MAX_STEPS:
        raise ExpressionError(f"makes a range of more than {MAX_STEPS:,} numbers")
    return numbers
