"""Where each value of a YAML file stands in its text, as a parser says, and how it is written there."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from zbatch.errors import UsageError
from zbatch.refining.scalars import scalar_text


@dataclass(frozen=True, slots=True)
class Slot:
    """A value and where it stands: `begin` to `end` in the text; of an alias, its own place."""

    node: Any
    begin: int
    end: int
    alias: bool = False


class YamlPlaces:
    """The text of a YAML file that is a map, to be looked into. `text` is decoded, its line ends kept."""

    def __init__(self, text: str) -> None:
        """Parse it.

        Raises:
            UsageError: it is no map.
            yaml.YAMLError: it is no YAML.
        """
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(self.root, yaml.MappingNode):
            raise UsageError("the manifest is no map of keys to values")
        self.aliases: list[tuple[int, int, str]] = []
        """Where each begins and ends, and what it is called."""
        self.anchors: dict[int, tuple[int, str]] = {}
        """Of each, by where it begins: where it ends, and what it is called."""
        self._dashes: list[int] = []
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            begin, end = token.start_mark.index, token.end_mark.index
            if isinstance(token, yaml.BlockEntryToken):
                self._dashes.append(begin)
            elif isinstance(token, yaml.AliasToken):
                self.aliases.append((begin, end, token.value))
            elif isinstance(token, yaml.AnchorToken):
                self.anchors[begin] = (end, token.value)

    @property
    def root_slot(self) -> Slot:
        """The whole map."""
        return Slot(self.root, self.root.start_mark.index, self.root.end_mark.index)

    def slot(self, *path: str | int) -> Slot | None:
        """Find a value by its keys and numbers; `None` where this text does not have it."""
        found: Slot | None = self.root_slot
        for step in path:
            if found is None:
                return None
            if isinstance(step, int):
                items = self.items(found)
                found = items[step] if 0 <= step < len(items) else None
            else:
                found = dict(self.pairs(found)).get(step)
        return found

    def pairs(self, slot: Slot) -> Iterator[tuple[str, Slot]]:
        """Give keys and values of a map."""
        if not isinstance(slot.node, yaml.MappingNode):
            return
        pairs = slot.node.value
        for number, (key, value) in enumerate(pairs):
            after = pairs[number + 1][0].start_mark.index if number + 1 < len(pairs) else None
            end = slot.node.end_mark.index if after is None else after
            yield key.value, self._slot(value, key.end_mark.index, end)

    def items(self, slot: Slot) -> list[Slot]:
        """Give the items of a list."""
        if not isinstance(slot.node, yaml.SequenceNode):
            return []
        found: list[Slot] = []
        cursor, end = slot.node.start_mark.index, slot.node.end_mark.index
        for node in slot.node.value:
            found.append(self._slot(node, cursor, end))
            cursor = found[-1].end
        return found

    def _slot(self, node: Any, begin: int, end: int) -> Slot:
        """Place a value that is known to stand in a stretch; what does not lie there is meant by an alias."""
        index = bisect.bisect_left(self.aliases, (begin, 0, ""))
        if index < len(self.aliases) and self.aliases[index][0] < end:
            alias, alias_end, _ = self.aliases[index]
            if not begin <= node.start_mark.index < end or node.end_mark.index > end:
                return Slot(node, alias, alias_end, alias=True)
        return Slot(node, node.start_mark.index, self._end(node))

    def _end(self, node: Any) -> int:
        """Say where what is written of a value ends; for the parser, a block reaches to the next token."""
        end = int(node.end_mark.index)
        if isinstance(node, yaml.ScalarNode):
            return end - 1 if node.style in ("|", ">") and self.text[end - 1 : end] == "\n" else end
        if node.flow_style or not node.value:
            return end
        slot = Slot(node, node.start_mark.index, end)
        if isinstance(node, yaml.SequenceNode):
            return self.items(slot)[-1].end
        return list(self.pairs(slot))[-1][1].end

    def dash(self, item: Slot) -> int:
        """Give where the dash stands before an item of a list of lines."""
        return self._dashes[bisect.bisect_right(self._dashes, item.begin) - 1]

    def is_map(self, slot: Slot) -> bool:
        """Tell whether a value is a map."""
        return isinstance(slot.node, yaml.MappingNode)

    def line_start(self, index: int) -> int:
        """Give where the line begins that a place is on."""
        return self.text.rfind("\n", 0, index) + 1

    def line_end(self, index: int) -> int:
        """Give where the line ends that a place is on, before its line end."""
        found = self.text.find("\n", index)
        end = len(self.text) if found < 0 else found
        return end - 1 if self.text[end - 1 : end] == "\r" and found >= 0 else end

    def one_line(self, slot: Slot) -> str:
        """Give a value as it is written, on one line where it is not."""
        return self._line_of(slot.node)

    def _line_of(self, node: Any) -> str:
        if isinstance(node, yaml.ScalarNode):
            begin, end = node.start_mark.index, self._end(node)
            begin = self.behind_anchor(begin)
            raw = self.text[begin:end]
            if node.style in ("|", ">") or "\n" in raw:
                return scalar_text(node.value)
            return raw
        if isinstance(node, yaml.SequenceNode):
            return f"[{', '.join(map(self._line_of, node.value))}]"
        return "{" + ", ".join(f"{self._line_of(key)}: {self._line_of(at)}" for key, at in node.value) + "}"

    def behind_anchor(self, index: int) -> int:
        """Give where a value begins that stands at a place, behind its anchor if it has one."""
        anchor = self.anchors.get(index)
        if anchor is None:
            return index
        end = anchor[0]
        while self.text[end : end + 1] in (" ", "\t"):
            end += 1
        return end

    def anchored(self, begin: int) -> str:
        """Give the value that an anchor stands before, as `one_line` does."""
        return self._line_of(self._node_at(self.root, begin))

    def _node_at(self, node: Any, begin: int) -> Any:
        if node.start_mark.index == begin:
            return node
        children = (
            [part for pair in node.value for part in pair]
            if isinstance(node, yaml.MappingNode)
            else (node.value if isinstance(node, yaml.SequenceNode) else [])
        )
        for child in children:
            if child.start_mark.index <= begin < child.end_mark.index and child is not node:
                return self._node_at(child, begin)
        raise AssertionError("no value stands behind an anchor")
