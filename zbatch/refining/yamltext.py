"""A YAML file's text, changed in places: every byte outside of those stays, comments, quotes and layout too.

A parser says where each value begins and ends; what is changed is cut out of the text and put in. Nothing is
written anew by a dumper, which would have its own mind about indentation, quotes and line ends.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from zbatch.errors import UsageError
from zbatch.refining.scalars import scalar_text

_LONG: Final = 100
"""Characters of a list on one line."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A value and where it stands: `begin` to `end` in the text; of an alias, its own place."""

    node: Any
    begin: int
    end: int
    alias: bool = False


@dataclass(frozen=True, slots=True)
class _Edit:
    """A change: what replaces a stretch of the text, and which stretches of it go on verbatim within that."""

    begin: int
    end: int
    text: str
    kept: tuple[tuple[int, int], ...] = ()


class YamlText:
    """The text of a YAML file that is a map, and the changes to it. `text` is decoded, its line ends kept."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(self.root, yaml.MappingNode):
            raise UsageError("the manifest is no map of keys to values")
        self._dashes: list[int] = []
        self._aliases: list[tuple[int, int, str]] = []
        self._anchors: dict[int, tuple[int, str]] = {}
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            begin, end = token.start_mark.index, token.end_mark.index
            if isinstance(token, yaml.BlockEntryToken):
                self._dashes.append(begin)
            elif isinstance(token, yaml.AliasToken):
                self._aliases.append((begin, end, token.value))
            elif isinstance(token, yaml.AnchorToken):
                self._anchors[begin] = (end, token.value)
        self._edits: list[_Edit] = []
        self._moved: set[int] = set()

    # ── finding ──────────────────────────────────────────────────────────────────────────────────────────

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
        index = bisect.bisect_left(self._aliases, (begin, 0, ""))
        if index < len(self._aliases) and self._aliases[index][0] < end:
            alias, alias_end, _ = self._aliases[index]
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

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────

    def replace(self, slot: Slot, text: str) -> None:
        """Put something else in the place of a value."""
        self._edits.append(_Edit(slot.begin, slot.end, text))

    def put_list(self, slot: Slot, values: Sequence[str], parent: Slot | None) -> None:
        """Put a list in the place of a value of a map."""
        text = self.listed(values, parent)
        begin = slot.begin
        while text.startswith(self.newline) and self.text[begin - 1 : begin] == " ":
            begin -= 1
        self._edits.append(_Edit(begin, slot.end, text))

    def empty(self, parent: Slot, key: str) -> None:
        """Take all items out of a list: one of lines leaves brackets, on the line of its key."""
        slot = dict(self.pairs(parent))[key]
        begin = max(one.end_mark.index for one, _ in parent.node.value if one.value == key) + 1
        between = self.text[begin : slot.begin]
        if slot.alias or slot.node.flow_style or between.strip(" \r\n") or self._anchors.get(slot.begin):
            self.rearrange(slot, ())
            return
        self._edits.append(_Edit(begin, self._line_end(slot.end), " []"))

    def insert(self, at: int, text: str) -> None:
        """Put something in."""
        self._edits.append(_Edit(at, at, text))

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
            self._line_end(last.end),
            f"{self.newline}{indent}{key}:{'' if value.startswith(self.newline) else ' '}{value}",
        )

    def is_map(self, slot: Slot) -> bool:
        """Tell whether a value is a map."""
        return isinstance(slot.node, yaml.MappingNode)

    def listed(self, values: Sequence[str], parent: Slot | None) -> str:
        """Write a list as the value of a key of a map: on one line, where it is short or has to be."""
        line = f"[{', '.join(values)}]"
        if parent is None or parent.node.flow_style or len(line) <= _LONG:
            return line
        indent = " " * (parent.node.value[0][0].start_mark.column + 2)
        return "".join(f"{self.newline}{indent}- {value}" for value in values)

    def rearrange(self, slot: Slot, plan: Sequence[int | str]) -> None:
        """Make another list of a list: of its own items, by number, and of new ones, each on one line."""
        items = self.items(slot)
        if list(plan) == list(range(len(items))):
            return
        block = not slot.node.flow_style and not slot.alias and bool(plan)
        edit = self._block(items, plan) if block else None
        if edit is None:
            edit = self._flow(slot, items, plan)
        self._edits.append(edit)
        if not slot.alias:
            self._release(slot)

    def _release(self, slot: Slot) -> None:
        """Take the anchor of a list that changes from it: its aliases mean what it was."""
        anchor = self._anchors.get(slot.node.start_mark.index)
        if anchor is not None and any(name == anchor[1] for _, _, name in self._aliases):
            self._moved.add(slot.node.start_mark.index)

    def _flow(self, slot: Slot, items: Sequence[Slot], plan: Sequence[int | str]) -> _Edit:
        """Write a list in brackets; what stood between two items goes on behind the first of them."""
        if slot.alias or not slot.node.flow_style or not items:
            texts = [self.one_line(items[one]) if isinstance(one, int) else one for one in plan]
            # Lines may begin where their key does; brackets may not.
            deeper = "" if slot.alias or slot.node.flow_style else "  "
            return _Edit(slot.begin, slot.end, f"{deeper}[{', '.join(texts)}]")
        begin = items[0].begin
        end = items[-1].end
        parts: list[str] = []
        kept = []
        for number, one in enumerate(plan):
            last = number + 1 == len(plan)
            if isinstance(one, str):
                parts.append(one if last else f"{one}, ")
                continue
            item = items[one]
            between = self.text[item.end : items[one + 1].begin] if one + 1 < len(items) else ""
            if last:
                between = between.replace(",", "", 1) if "#" in between else ""
            parts.append(self.text[item.begin : item.end] + (between if between or last else ", "))
            kept.append((item.begin, item.end))
        return _Edit(begin, end, "".join(parts), tuple(kept))

    def _block(self, items: Sequence[Slot], plan: Sequence[int | str]) -> _Edit | None:
        """Write a list of lines; `None` where it does not stand on lines of its own.

        A comment above an item goes with it; above the first, it may be about all of them and stays.
        """
        dashes = [self._dashes[bisect.bisect_right(self._dashes, item.begin) - 1] for item in items]
        starts = [self._line_start(dash) for dash in dashes]
        indents = [self.text[start:dash] for start, dash in zip(starts, dashes, strict=True)]
        if any(indent.strip() for indent in indents) or len(set(starts)) < len(starts):
            return None
        begins = [starts[0], *(self._above(start, indents[0]) for start in starts[1:])]
        ends = [*begins[1:], self._line_end(items[-1].end)]
        lines: list[str] = []
        kept = []
        for one in plan:
            if isinstance(one, str):
                lines.append(f"{indents[0]}- {one}")
                continue
            lines.append(self.text[begins[one] : ends[one]].removesuffix("\n").removesuffix("\r"))
            kept.append((begins[one], ends[one]))
        return _Edit(begins[0], ends[-1], self.newline.join(lines), tuple(kept))

    def _above(self, start: int, indent: str) -> int:
        """Give where the comments begin that stand right above a line, indented as it is."""
        while start:
            before = self._line_start(start - 1)
            line = self.text[before:start]
            if not line.startswith(f"{indent}#"):
                break
            start = before
        return start

    def _line_start(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        found = self.text.find("\n", index)
        end = len(self.text) if found < 0 else found
        return end - 1 if self.text[end - 1 : end] == "\r" and found >= 0 else end

    def one_line(self, slot: Slot) -> str:
        """Give a value as it is written, on one line where it is not."""
        return self._line_of(slot.node)

    def _line_of(self, node: Any) -> str:
        if isinstance(node, yaml.ScalarNode):
            begin, end = node.start_mark.index, self._end(node)
            begin = self._behind_anchor(begin)
            raw = self.text[begin:end]
            if node.style in ("|", ">") or "\n" in raw:
                return scalar_text(node.value)
            return raw
        if isinstance(node, yaml.SequenceNode):
            return f"[{', '.join(map(self._line_of, node.value))}]"
        return "{" + ", ".join(f"{self._line_of(key)}: {self._line_of(at)}" for key, at in node.value) + "}"

    def _behind_anchor(self, index: int) -> int:
        anchor = self._anchors.get(index)
        if anchor is None:
            return index
        end = anchor[0]
        while self.text[end : end + 1] in (" ", "\t"):
            end += 1
        return end

    # ── the outcome ──────────────────────────────────────────────────────────────────────────────────────

    def changed(self) -> str:
        """Give the text with all changes made."""
        edits = sorted([*self._edits, *self._anchor_edits()], key=lambda edit: (edit.begin, edit.end))
        text, parts, at = self.text, [], 0
        for edit in edits:
            if edit.begin < at:
                raise AssertionError("two changes to one place")
            parts += [text[at : edit.begin], edit.text]
            at = edit.end
        parts.append(text[at:])
        return "".join(parts)

    def _anchor_edits(self) -> Iterator[_Edit]:
        """Give what anchors need whose value goes, or is another now: the first alias becomes the anchor."""
        for begin, (end, name) in self._anchors.items():
            moved = begin in self._moved
            if not moved and not self._goes(begin, end):
                continue
            if moved:
                after = self._behind_anchor(begin)
                if self.text[after : after + 1] in ("\r", "\n") and self.text[begin - 1 : begin] == " ":
                    begin -= 1  # noqa: PLW2901 - nothing is left on the line to be parted from
                yield _Edit(begin, after, "")
            for alias, alias_end, called in self._aliases:
                if called == name and alias > begin and not self._goes(alias, alias_end):
                    if any(edit.begin <= alias < edit.end for edit in self._edits):
                        raise UsageError(
                            f"the value of the anchor &{name} goes, and *{name} stays in a list that changes",
                            hint=f"write the value out in the place of *{name}",
                        )
                    node = self._node_at(self.root, begin)
                    yield _Edit(alias, alias_end, f"&{name} {self._line_of(node)}")
                    break

    def _goes(self, begin: int, end: int) -> bool:
        """Tell whether a stretch is cut out by a change, and not kept in it."""
        return any(
            edit.begin <= begin
            and end <= edit.end
            and not any(one <= begin and end <= other for one, other in edit.kept)
            for edit in self._edits
        )

    def _node_at(self, node: Any, begin: int) -> Any:
        """Find the value that an anchor stands before."""
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
