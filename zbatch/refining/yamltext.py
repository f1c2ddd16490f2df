"""A YAML file, changed in places: every byte outside of those stays, comments, quotes and layout too.

What is changed is cut out of the text and put in. Nothing is written anew by a dumper, which would have its
own mind about indentation, quotes and line ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from zbatch.errors import UsageError
from zbatch.refining.edits import Edit, made
from zbatch.refining.yamllists import rearranged
from zbatch.refining.yamlplaces import Slot, YamlPlaces

_LONG: Final = 100
"""Characters of a list on one line."""


class YamlText(YamlPlaces):
    """A YAML file and the changes to it: they are made together at the end, and until then no place moves."""

    def __init__(self, text: str) -> None:
        """Parse it.

        Raises:
            UsageError: it is no map.
            yaml.YAMLError: it is no YAML.
        """
        super().__init__(text)
        self._edits: list[Edit] = []
        self._moved: set[int] = set()
        """Where anchors stand whose value becomes another."""

    def replace(self, slot: Slot, text: str) -> None:
        """Put something else in the place of a value."""
        self._edits.append(Edit(slot.begin, slot.end, text))

    def put_list(self, slot: Slot, values: Sequence[str], parent: Slot | None) -> None:
        """Put a list in the place of a value of a map."""
        text = self.listed(values, parent)
        begin = slot.begin
        while text.startswith(self.newline) and self.text[begin - 1 : begin] == " ":
            begin -= 1
        self._edits.append(Edit(begin, slot.end, text))

    def empty(self, parent: Slot, key: str) -> None:
        """Take all items out of a list: one of lines leaves brackets, on the line of its key."""
        slot = dict(self.pairs(parent))[key]
        begin = max(one.end_mark.index for one, _ in parent.node.value if one.value == key) + 1
        between = self.text[begin : slot.begin]
        if slot.alias or slot.node.flow_style or between.strip(" \r\n") or self.anchors.get(slot.begin):
            self.rearrange(slot, ())
            return
        self._edits.append(Edit(begin, self.line_end(slot.end), " []"))

    def insert(self, at: int, text: str) -> None:
        """Put something in."""
        self._edits.append(Edit(at, at, text))

    def put(self, slot: Slot, key: str, value: str) -> None:
        """Add a key to a map that does not have it, with a value that is written on one line.

        Raises:
            UsageError: the map is an alias of another.
        """
        if slot.alias:
            raise UsageError(f"{key} cannot be added to a map that is an alias", hint="write the map out")
        pairs = slot.node.value
        if slot.node.flow_style:
            inside = self.text[slot.begin : slot.end - 1].rstrip()
            comma = "" if not pairs or inside.endswith(",") else ", "
            self.insert(slot.begin + len(inside), f"{comma}{key}: {value}")
            return
        last = list(self.pairs(slot))[-1][1]
        indent = " " * pairs[0][0].start_mark.column
        self.insert(
            self.line_end(last.end),
            f"{self.newline}{indent}{key}:{'' if value.startswith(self.newline) else ' '}{value}",
        )

    def listed(self, values: Sequence[str], parent: Slot | None) -> str:
        """Write a list as the value of a key of a map: on one line, where it is short or has to be."""
        line = f"[{', '.join(values)}]"
        if parent is None or parent.node.flow_style or len(line) <= _LONG:
            return line
        indent = " " * (parent.node.value[0][0].start_mark.column + 2)
        return "".join(f"{self.newline}{indent}- {value}" for value in values)

    def rearrange(self, slot: Slot, plan: Sequence[int | str]) -> None:
        """Make another list of a list: of its own items, by number, and of new ones, each on one line."""
        if list(plan) == list(range(len(self.items(slot)))):
            return
        self._edits.append(rearranged(self, slot, plan))
        if not slot.alias:
            self._release(slot)

    def _release(self, slot: Slot) -> None:
        """Take the anchor of a list that changes from it: its aliases mean what it was."""
        anchor = self.anchors.get(slot.node.start_mark.index)
        if anchor is not None and any(name == anchor[1] for _, _, name in self.aliases):
            self._moved.add(slot.node.start_mark.index)

    def changed(self) -> str:
        """Give the text with all changes made."""
        return made(self.text, [*self._edits, *self._anchor_edits()])

    def _anchor_edits(self) -> Iterator[Edit]:
        """Give what anchors need whose value goes, or is another now: the first alias becomes the anchor."""
        for begin, (end, name) in self.anchors.items():
            moved = begin in self._moved
            if not moved and not self._goes(begin, end):
                continue
            if moved:
                after = self.behind_anchor(begin)
                ends_line = self.text[after : after + 1] in ("\r", "\n")
                alone = ends_line and self.text[begin - 1 : begin] == " "  # so the space parts nothing
                yield Edit(begin - alone, after, "")
            for alias, alias_end, called in self.aliases:
                if called == name and alias > begin and not self._goes(alias, alias_end):
                    if any(edit.begin <= alias < edit.end for edit in self._edits):
                        raise UsageError(
                            f"the value of the anchor &{name} goes, and *{name} stays in a list that changes",
                            hint=f"write the value out in the place of *{name}",
                        )
                    yield Edit(alias, alias_end, f"&{name} {self.anchored(begin)}")
                    break

    def _goes(self, begin: int, end: int) -> bool:
        """Tell whether a stretch is cut out by a change, and not kept in it."""
        return any(edit.cuts(begin, end) for edit in self._edits)
