"""Conditions on jobs: an expression over coordinates and facts that tells which are meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from zbatch.errors import UsageError
from zbatch.expressions.budget import ExpressionError
from zbatch.expressions.filters import kind
from zbatch.expressions.templates import compile_expression
from zbatch.model import Coordinates
from zbatch.spelling import nearest_word

_NAME: Final = re.compile(r"[^\W\d]\w*(\.\w+)*")
_LONGEST: Final = 40
"""Characters of a text that a hint repeats."""


class Condition:
    """Tells of each job whether it is meant, as `--where` does: an axis that it does not stand on is null.

    A coordinate comes before a fact of the same name.
    """

    def __init__(
        self,
        source: str,
        coordinates: Iterable[str],
        facts: Collection[str],
        *,
        option: str = "",
        what: str = "job",
    ) -> None:
        """Compile an expression over the names of coordinates (`lora.scale` with its dot) and facts.

        Messages name the `option` that it was given by, and `what` it tells of.

        Raises:
            UsageError: it does not compile, or uses a name that is neither.
        """
        self.source = source
        self._written = f"{option} {source!r}".lstrip()
        try:
            self._expression = compile_expression(source)
        except ExpressionError as error:
            raise UsageError(f"{self._written}: the expression {error.message}", hint=error.hint) from error
        self._flat: set[str] = set()
        self._deep: dict[str, list[str]] = {}
        for name in coordinates:
            head, dot, tail = name.partition(".")
            if dot:
                self._deep.setdefault(head, []).append(tail)
            else:
                self._flat.add(name)
        known = {*self._flat, *self._deep, *facts}
        for unknown in sorted(self._expression.names - known):
            close = nearest_word(unknown, known)
            hint = f"did you mean {close}?" if close else f"there are: {', '.join(sorted(known))}"
            raise UsageError(f"{self._written} uses {unknown!r}, which no {what} has", hint=hint)

    def holds(self, coordinates: Coordinates, fact: Callable[[str], Any], called: str) -> bool:
        """Tell whether a job is meant, by its coordinates and whatever `fact` gives for a name.

        What is null is not known, and is not meant.

        Raises:
            UsageError: the expression fails for it, or gives neither true nor false nor null; the job is
                named as it is `called`.
        """
        names = self._expression.names
        try:
            value = self._expression.render({name: self._value(name, coordinates, fact) for name in names})
            if value is not None and not isinstance(value, bool):
                raise ExpressionError(
                    f"gives {kind(value)}, not true or false", hint=_comparison(self.source.strip(), value)
                )
        except ExpressionError as error:
            raise UsageError(
                f"{self._written} fails for {called}: the expression {error.message}",
                hint=error.hint or self._hint(coordinates),
            ) from error
        return bool(value)

    def _value(self, name: str, coordinates: Coordinates, fact: Callable[[str], Any]) -> Any:
        if name in self._deep:
            return {tail: coordinates.get(f"{name}.{tail}") for tail in self._deep[name]}
        return coordinates.get(name) if name in self._flat else fact(name)

    def _hint(self, coordinates: Mapping[str, Any]) -> str:
        used = self._expression.names
        names = [name for name in self._flat if name in used]
        names += [f"{head}.{tail}" for head, tails in self._deep.items() if head in used for tail in tails]
        null = next((name for name in sorted(names) if coordinates.get(name) is None), None)
        return f"{null} is null for it: write {null} is not none and ..." if null is not None else ""


def _comparison(source: str, value: Any) -> str:
    """Say what to write instead of a condition that gives a value which is neither true nor false."""
    if not _NAME.fullmatch(source):
        return "compare it with something, as in seed == 1000 and not nsfw"
    if isinstance(value, list):
        return f"write {source} | length > 0"
    if isinstance(value, Mapping):
        return f"ask for one of its parts: {source}.{next(iter(value), 'name')} == ..."
    shown = repr(value[:_LONGEST]) if isinstance(value, str) else str(value)
    return f"compare it, as in {source} == {shown}"
