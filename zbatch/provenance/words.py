"""What is written into a picture, and what is found in one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The text for viewers (`parameters`) and the JSON for zbatch (`record`); `None` where there is none."""

    parameters: str | None
    record: str | None

    def __bool__(self) -> bool:
        return self.parameters is not None or self.record is not None
