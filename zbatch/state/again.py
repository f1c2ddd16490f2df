"""The command that goes on with a run, as it was given, and what else it can be made to say."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import Self

_ALONE = frozenset({"--allow-outside"})
"""Options without a value; all others that are carried have one."""
_SELECTION = frozenset({"--only", "--first"})


@dataclass(frozen=True, slots=True)
class Again:
    """`zbatch run MANIFEST` with the options that a person gave, each with its value.

    The state keeps it as text, quoted for a shell. `--retry` is for once and no part of it.
    """

    begin: tuple[str, ...] = ("zbatch", "run", "MANIFEST")
    options: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Read what the state has; where it has nothing, the manifest's place is left to be filled in."""
        if not text:
            return cls()
        words = shlex.split(text)
        begin, rest = tuple(words[:3]), words[3:]
        options = []
        while rest:
            count = 1 if rest[0] in _ALONE else 2
            options.append(tuple(rest[:count]))
            rest = rest[count:]
        return cls(begin, tuple(options))

    def __str__(self) -> str:
        """Write it as it is typed."""
        return shlex.join([*self.begin, *(word for option in self.options for word in option)])

    @property
    def selects(self) -> bool:
        """Tell whether it is for some of the manifest's jobs only."""
        return any(option[0] in _SELECTION for option in self.options)

    @property
    def place(self) -> str | None:
        """The directory or URL that it names; `None` where the manifest and the endpoint do."""
        return next((option[1] for option in self.options if option[0] == "-o"), None)

    @property
    def endpoint(self) -> str | None:
        """The endpoint that it names; `None` where the manifest does."""
        return next((option[1] for option in self.options if option[0] == "--endpoint"), None)

    def into(self, place: object) -> Self:
        """The same for a run in another directory."""
        others = tuple(option for option in self.options if option[0] != "-o")
        return replace(self, options=(*others, ("-o", str(place))))

    def everything(self) -> Self:
        """The same for all of the manifest's jobs."""
        return replace(self, options=tuple(option for option in self.options if option[0] not in _SELECTION))

    def up_to(self, max_cost: object) -> Self:
        """The same with another cap, in USD."""
        others = tuple(option for option in self.options if option[0] != "--max-cost")
        return replace(self, options=(*others, ("--max-cost", str(max_cost))))
