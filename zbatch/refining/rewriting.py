"""A manifest's text with what was chosen in it: axes, zip, the rules and rows that name values which go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from zbatch.expressions.loras import LoraValue
from zbatch.manifest.parser import Manifest
from zbatch.manifest.values import Axis, AxisValue, ZipRow
from zbatch.refining.choosing import Choice
from zbatch.refining.density import ordered, written
from zbatch.refining.dimensions import lora_text, single_lora, written_as
from zbatch.refining.rebasing import IMAGES, moved
from zbatch.refining.scalars import scalar_text
from zbatch.refining.telling import keep_option
from zbatch.refining.yamlplaces import Slot
from zbatch.refining.yamltext import YamlText

_MOST_INLINE: Final = 100
"""Values of a data file that are written into the manifest; of more, those that go are excluded."""


class Rewriting:
    """One manifest on its way into the next one. `notes` say what became of rules and rows."""

    def __init__(self, manifest: Manifest, text: str, choices: Sequence[Choice], target: Path) -> None:
        """Begin with the manifest as parsed and its own file's text; `target` is the new one's directory."""
        self._manifest = manifest
        self._yaml = YamlText(text)
        self._choices = choices
        self._target = target
        self._rules: list[str] = []
        self._inherited: dict[str, str | list[str]] = {}
        self.notes: list[str] = []

    def rewritten(self) -> str:
        """Give the text with all that was chosen.

        Raises:
            UsageError: the text is written in a way that cannot be changed in place.
        """
        for axis in self._manifest.grid.axes:
            choices = {one.dimension.name: one for one in self._choices if one.dimension.axis is axis}
            if any(one.changed for one in choices.values()):
                self._axis(axis, choices)
        self._write_inherited()
        self._exclude()
        self._include()
        return self._yaml.changed()

    # ── axes ─────────────────────────────────────────────────────────────────────────────────────────────

    def _axis(self, axis: Axis, choices: Mapping[str, Choice]) -> None:
        spec = written_as(self._manifest, axis)
        slot = self._yaml.slot("zip") if axis.name == "zip" else self._yaml.slot("matrix", axis.name)
        if "lora.name" in choices or "lora.scale" in choices:
            self._lora(slot, spec, choices)
            return
        (choice,) = choices.values()
        if isinstance(spec, Mapping) and "file" in spec and len(choice.kept) > _MOST_INLINE:
            self._rules += [_rule(one.value.source) for one in choice.verdicts if not one.kept]
            return
        values = [self._value_text(one.value.source) for one in choice.kept]
        if choice.new:
            values = _merged(choice)
        elif choice.new_loras:
            values = self._lora_values(choice)
        if slot is not None and isinstance(spec, list):
            self._yaml.rearrange(slot, _plan(choice, spec))
        elif slot is not None:
            path = () if axis.name == "zip" else ("matrix",)
            self._yaml.put_list(slot, values, self._yaml.slot(*path))
        elif axis.name == "zip":
            self._top("zip", values)
        else:
            self._inherited[axis.name] = values

    def _lora_values(self, choice: Choice) -> list[str]:
        """Write a list of LoRAs that a base has, with those that come new."""
        kept = dict(enumerate(choice.kept))
        plan = _lora_plan(choice, {one.value.key: number for number, one in kept.items()})
        return [one if isinstance(one, str) else self._value_text(kept[one].value.source) for one in plan]

    def _lora(self, slot: Slot | None, spec: Mapping[str, Any], choices: Mapping[str, Choice]) -> None:
        """Write the names and scales of a product of LoRAs."""
        texts = {key: scalar_text(value) for key, value in spec.items()}
        for part, choice in choices.items():
            key = part.partition(".")[2]
            values = [scalar_text(one.value.key[0][2]) for one in choice.kept]
            texts[key] = f"[{', '.join(_merged(choice) if choice.new else values)}]"
            inner = None if slot is None or slot.alias else self._yaml.slot("matrix", "lora", key)
            if inner is not None and choice.changed:
                if isinstance(spec[key], list):
                    self._yaml.rearrange(inner, _plan(choice, spec[key]))
                else:
                    self._yaml.replace(inner, texts[key])
        whole = "{" + ", ".join(f"{key}: {text}" for key, text in texts.items()) + "}"
        if slot is None:
            self._inherited["lora"] = whole
        elif slot.alias:
            self._yaml.replace(slot, whole)

    def _top(self, key: str, values: Sequence[str]) -> None:
        """Write a section that a base has and this file does not."""
        root = self._yaml.root_slot
        self._yaml.put(root, key, self._yaml.listed(values, root))

    def _write_inherited(self) -> None:
        """Write the axes that a base has and this file does not, into its matrix."""
        if not self._inherited:
            return
        inside = self._yaml.slot("matrix")
        if inside is not None and self._yaml.is_map(inside) and inside.node.value:
            for key, value in self._inherited.items():
                self._yaml.put(
                    inside, key, value if isinstance(value, str) else self._yaml.listed(value, inside)
                )
            return
        texts = (
            f"{scalar_text(key)}: {value if isinstance(value, str) else self._yaml.listed(value, None)}"
            for key, value in self._inherited.items()
        )
        whole = "{" + ", ".join(texts) + "}"
        if inside is None:
            self._yaml.put(self._yaml.root_slot, "matrix", whole)
        else:
            self._yaml.replace(inside, whole)

    def _value_text(self, source: AxisValue | ZipRow) -> str:
        if isinstance(source, ZipRow):
            parts = (f"{scalar_text(part.axis)}: {self._value_text(part)}" for part in source.parts)
            return "{" + ", ".join(parts) + "}"
        value, label = source.value, source.label
        if isinstance(value, LoraValue):
            value = lora_text(value)
        elif source.axis in IMAGES and isinstance(value, str):
            value = moved(value, self._manifest.document.directory(source.place), self._target)
            if label is None and value != source.value:
                label = source.value  # so that its coordinate stays what it was
        if label is not None:
            return f"{{label: {scalar_text(label)}, value: {scalar_text(value)}}}"
        return scalar_text(value)

    # ── rules and rows ───────────────────────────────────────────────────────────────────────────────────

    def _exclude(self) -> None:
        """Take out the rules that can match nothing any more, and add those for values of long data files."""
        rules = self._manifest.document.data.get("exclude") or []
        slot = self._yaml.slot("exclude")
        idle = {}
        for rule in self._manifest.grid.excludes:
            number = rule.place[1]
            for axis, matching in rule.conditions:
                gone = self._gone(axis)
                if matching and gone is not None and matching <= gone:
                    idle[number] = rule.text
        plan: list[int | str] = [number for number in range(len(rules)) if number not in idle]
        plan += self._rules
        if slot is None:
            if self._rules:
                inherited = [scalar_text(rule) for rule in rules]
                self._top("exclude", [*inherited, *self._rules])
            elif idle:
                self.notes.append("exclude rules of a base match nothing any more: they are left, and idle")
            return
        self.notes += [
            f"exclude: {text}: taken out, as it matches nothing any more" for text in idle.values()
        ]
        self._rearrange("exclude", slot, plan)

    def _rearrange(self, key: str, slot: Slot, plan: Sequence[int | str]) -> None:
        if plan or not self._yaml.items(slot):
            self._yaml.rearrange(slot, plan)
        else:
            self._yaml.empty(self._yaml.root_slot, key)

    def _gone(self, axis: int) -> frozenset[int] | None:
        """Give the numbers of an axis's values that go; `None` for replicas."""
        axes = self._manifest.grid.axes
        if axis >= len(axes):
            return None
        choices = [one for one in self._choices if one.dimension.axis is axes[axis] and one.dropped]
        return (
            frozenset(
                number
                for number, value in enumerate(axes[axis].values)
                if any(one.dimension.key_at(dict(value.coordinates)) in one.dropped for one in choices)
            )
            if choices
            else frozenset()
        )

    def _include(self) -> None:
        """Take out the rows that name a value which goes."""
        slot = self._yaml.slot("include")
        gone: dict[int, list[tuple[str, str]]] = {}
        for row in self._manifest.grid.rows:
            at = {name: value for part in row.values for name, value in part.coordinates}
            for choice in self._choices:
                key = choice.dimension.key_at(at)
                value = next(
                    (one.value for one in choice.verdicts if not one.kept and one.value.key == key), None
                )
                number = row.place[1]
                if value is not None and isinstance(number, int):
                    named = f"{choice.dimension.name} {value.text}"
                    gone.setdefault(number, []).append((named, keep_option(choice, [value])))
        if not gone:
            return
        if slot is None:
            self.notes.append("rows of include in a base name values that go: they are left")
            return
        count = len(self._yaml.items(slot))
        for number, words in gone.items():
            names, options = (list(dict.fromkeys(column)) for column in zip(*words, strict=True))
            named, kept = " and ".join(names), " ".join(options)
            self.notes.append(f"include[{number}]: taken out, as it names {named}; {kept} keeps it")
        self._rearrange("include", slot, [number for number in range(count) if number not in gone])


def _merged(choice: Choice) -> list[str]:
    """Write the numbers of a dimension, old and new in their order."""
    numbers = [one.value.number for one in choice.kept if one.value.number is not None]
    return [written(number) for number in ordered(numbers, choice.new)]


def _plan(choice: Choice, spec: Sequence[Any]) -> list[int | str]:
    """Say which items of a written list stay, and what comes between them."""
    numbers: dict[Any, int] = {}
    for one in choice.kept:
        numbers[one.value.key] = _item_number(choice, one.value.source, spec)
    if choice.new_loras:
        return _lora_plan(choice, numbers)
    if not choice.new:
        return sorted(numbers.values())
    by_number = {
        one.value.number: numbers[one.value.key] for one in choice.kept if one.value.number is not None
    }
    return [
        by_number[number] if number in by_number else written(number)
        for number in ordered(list(by_number), choice.new)
    ]


def _lora_plan(choice: Choice, numbers: Mapping[Any, int]) -> list[int | str]:
    """Put LoRAs at new scales behind the last of theirs at a lower one, or before the first of theirs."""
    order: list[tuple[tuple[str, int | float] | None, int | str]] = [
        (single_lora(one.value), numbers[one.value.key])
        for one in sorted(choice.kept, key=lambda one: numbers[one.value.key])
    ]
    for name, scale in choice.new_loras:
        same = [place for place, (lora, _) in enumerate(order) if lora is not None and lora[0] == name]
        lower = [place for place in same if (order[place][0] or ("", 0))[1] < scale]
        at = lower[-1] + 1 if lower else same[0] if same else len(order)
        order.insert(at, ((name, scale), scalar_text(f"{name}@{written(scale)}")))
    return [item for _, item in order]


def _item_number(choice: Choice, source: AxisValue | ZipRow, spec: Sequence[Any]) -> int:
    """Give the number of a value in its list: its place says it; in a product of LoRAs, the list itself."""
    if isinstance(source, AxisValue) and choice.dimension.name == "lora.scale":
        return list(spec).index(source.value.scale)
    if isinstance(source, AxisValue) and choice.dimension.name == "lora.name":
        return list(spec).index(source.value.name)
    return next(step for step in source.place if isinstance(step, int))


def _rule(source: AxisValue | ZipRow) -> str:
    """Write the exclude rule that takes a value out."""
    parts = (f"{scalar_text(part.axis)}: {scalar_text(_called(part))}" for part in source.parts)
    return "{" + ", ".join(parts) + "}"


def _called(part: AxisValue) -> Any:
    if part.label is not None:
        return part.label
    return str(part.value) if isinstance(part.value, LoraValue) else part.value
