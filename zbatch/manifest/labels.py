"""What `when` sees of a value with a label: the value, equal to its label as well."""

from __future__ import annotations

from typing import Any, Final

from zbatch.expressions.loras import LoraValue
from zbatch.manifest.values import AxisValue


class LabelledText(str):
    """A text that also equals its label."""

    __slots__ = ("label",)
    label: str

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True or other == self.label

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class LabelledNumber(float):
    """A number that also equals its label."""

    __slots__ = ("label",)
    label: str

    def __eq__(self, other: object) -> bool:
        return float.__eq__(self, other) is True or other == self.label

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = float.__hash__


class LabelledMap(dict[str, Any]):
    """A map that also equals its label."""

    label: str

    def __eq__(self, other: object) -> bool:
        return dict.__eq__(self, other) is True or other == self.label

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


class LabelledList(list[Any]):
    """A list that also equals its label."""

    label: str

    def __eq__(self, other: object) -> bool:
        return list.__eq__(self, other) is True or other == self.label

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


_LABELLED: Final[dict[Any, Any]] = {
    str: LabelledText,
    int: LabelledNumber,
    float: LabelledNumber,
    dict: LabelledMap,
    list: LabelledList,
}


def comparable(value: AxisValue) -> Any:
    """Give what `when` sees of a value: itself, equal to its label as well where it has one."""
    if value.label is None:
        return value.value
    if isinstance(value.value, LoraValue):
        name = LabelledText(value.value.name)
        name.label = value.label
        return {
            "name": name,
            "scale": value.value.scale,
            "path": value.value.path,
            "trigger": value.value.trigger,
            "stack": value.value.stack,
        }
    for plain, labelled in _LABELLED.items():
        if isinstance(value.value, plain) and not isinstance(value.value, bool):
            both = labelled(value.value)
            both.label = value.label
            return both
    return value.label
