"""`--where`: an expression that tells which images a dataset takes."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final

from zbatch.errors import UsageError
from zbatch.exports.entries import Entry
from zbatch.expressions import ExpressionError, compile_expression

FACTS: Final = (
    "prompt",
    "caption",
    "seed",
    "width",
    "height",
    "bytes",
    "nsfw",
    "warnings",
    "model",
    "key",
    "run",
)
"""What is known of every image, beside its coordinates. A coordinate of the same name comes first."""


class Where:
    """Tells of each image whether it is taken. An axis that an image does not stand on is null for it."""

    def __init__(self, source: str, names: Iterable[str], runs: list[str]) -> None:
        """Compile an expression over coordinates of these `names` and the facts.

        Raises:
            UsageError: it does not compile, or uses a name that is neither.
        """
        self.source = source
        self._runs = runs
        try:
            self._expression = compile_expression(source)
        except ExpressionError as error:
            raise UsageError(
                f"--where {source!r}: the expression {error.message}", hint=error.hint
            ) from error
        self._flat = {name for name in names if "." not in name}
        self._deep: dict[str, list[str]] = {}
        for name in names:
            head, dot, tail = name.partition(".")
            if dot:
                self._deep.setdefault(head, []).append(tail)
        known = {*self._flat, *self._deep, *FACTS, "request"}
        for unknown in sorted(self._expression.names - known):
            close = get_close_matches(unknown, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(known))}"
            raise UsageError(f"--where {source!r} uses {unknown!r}, which no image has", hint=hint)

    def takes(self, entry: Entry) -> bool:
        """Tell whether an image is taken.

        Raises:
            UsageError: the expression fails for it; the image is named.
        """
        try:
            value = self._expression.render(
                {name: self._value(name, entry) for name in self._expression.names}
            )
            if isinstance(value, str):
                raise ExpressionError("gives text, not true or false")
        except ExpressionError as error:
            raise UsageError(
                f"--where {self.source!r} fails for {entry.called}: the expression {error.message}",
                hint=error.hint or self._hint(entry),
            ) from error
        return bool(value)

    def _value(self, name: str, entry: Entry) -> Any:
        coordinates = entry.coordinates
        if name in self._deep:
            return {tail: coordinates.get(f"{name}.{tail}") for tail in self._deep[name]}
        if name in self._flat:
            return coordinates.get(name)
        if name in ("bytes", "run"):
            return entry.length if name == "bytes" else self._runs[entry.run]
        return getattr(entry, name)

    def _hint(self, entry: Entry) -> str:
        names = [*self._flat, *(f"{head}.{tail}" for head, tails in self._deep.items() for tail in tails)]
        head = self._expression.names
        nulls = [
            name
            for name in sorted(names)
            if name.partition(".")[0] in head and entry.coordinates.get(name) is None
        ]
        return f"{nulls[0]} is null for it: write {nulls[0]} is not none and ..." if nulls else ""
