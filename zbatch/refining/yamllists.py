"""A list of a YAML file made into another list: of its own items as they are written, and of new ones."""

from __future__ import annotations

from collections.abc import Sequence

from zbatch.refining.edits import Edit
from zbatch.refining.yamlplaces import Slot, YamlPlaces


def rearranged(places: YamlPlaces, slot: Slot, plan: Sequence[int | str]) -> Edit:
    """Give the change that makes another list of a list: of its own items, by number, and of new ones.

    New ones are each on one line. Lines stay lines and brackets stay brackets, wherever that can be.
    """
    items = places.items(slot)
    block = not slot.node.flow_style and not slot.alias and bool(plan)
    return (_block(places, items, plan) if block else None) or _flow(places, slot, items, plan)


def _flow(places: YamlPlaces, slot: Slot, items: Sequence[Slot], plan: Sequence[int | str]) -> Edit:
    """Write a list in brackets; what stood between two items goes on behind the first of them."""
    if slot.alias or not slot.node.flow_style or not items:
        texts = [places.one_line(items[one]) if isinstance(one, int) else one for one in plan]
        # Lines may begin where their key does; brackets may not.
        deeper = "" if slot.alias or slot.node.flow_style else "  "
        return Edit(slot.begin, slot.end, f"{deeper}[{', '.join(texts)}]")
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
        between = places.text[item.end : items[one + 1].begin] if one + 1 < len(items) else ""
        if last:
            between = between.replace(",", "", 1) if "#" in between else ""
        parts.append(places.text[item.begin : item.end] + (between if between or last else ", "))
        kept.append((item.begin, item.end))
    return Edit(begin, end, "".join(parts), tuple(kept))


def _block(places: YamlPlaces, items: Sequence[Slot], plan: Sequence[int | str]) -> Edit | None:
    """Write a list of lines; `None` where it does not stand on lines of its own.

    A comment above an item goes with it; above the first, it may be about all of them and stays.
    """
    dashes = [places.dash(item) for item in items]
    starts = [places.line_start(dash) for dash in dashes]
    indents = [places.text[start:dash] for start, dash in zip(starts, dashes, strict=True)]
    if any(indent.strip() for indent in indents) or len(set(starts)) < len(starts):
        return None
    begins = [starts[0], *(_above(places, start, indents[0]) for start in starts[1:])]
    ends = [*begins[1:], places.line_end(items[-1].end)]
    lines: list[str] = []
    kept = []
    for one in plan:
        if isinstance(one, str):
            lines.append(f"{indents[0]}- {one}")
            continue
        lines.append(places.text[begins[one] : ends[one]].removesuffix("\n").removesuffix("\r"))
        kept.append((begins[one], ends[one]))
    return Edit(begins[0], ends[-1], places.newline.join(lines), tuple(kept))


def _above(places: YamlPlaces, start: int, indent: str) -> int:
    """Give where the comments begin that stand right above a line, indented as it is."""
    while start:
        before = places.line_start(start - 1)
        line = places.text[before:start]
        if not line.startswith(f"{indent}#"):
            break
        start = before
    return start
