"""Choices made at random over a manifest, and what must be true of the text that comes of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.refining.choosing import Choice
from zbatch.refining.density import denser
from zbatch.refining.dimensions import dimensions, single_lora
from zbatch.refining.judging import Verdict
from zbatch.refining.rewriting import Rewriting
from zbatch.refining.yamltext import YamlText


def random_choices(manifest: Manifest, dice: random.Random) -> list[Choice]:
    """Keep some values of each dimension, or all; let the numbers get denser round some of them."""
    choices = []
    for dimension in dimensions(manifest):
        kept = dice.sample(range(len(dimension.values)), dice.randint(1, len(dimension.values)))
        won = [number for number in kept if dice.random() < 0.5]
        verdicts = tuple(
            Verdict(value, number in kept, number in won, "dice")
            for number, value in enumerate(dimension.values)
        )
        new: list[int | float] = []
        if dimension.span is not None and len(kept) < len(dimension.values):
            numbers = [value.number for value in dimension.values]
            new = denser(numbers, [numbers[number] for number in won], dimension.span)
        loras: list[tuple[str, int | float]] = []
        if dimension.lora_span is not None and len(kept) < len(dimension.values):
            names = sorted({single[0] for value in dimension.values if (single := single_lora(value))})
            loras = [(name, 0.37) for name in names if dice.random() < 0.5]
        choices.append(Choice(dimension, verdicts, tuple(new), tuple(loras)))
    return choices


def rewritten(manifest: Manifest, choices: Sequence[Choice]) -> str:
    text = manifest.document.sources[0].data.decode("utf-8-sig")
    return Rewriting(manifest, text, choices, manifest.path.parent.resolve()).rewritten()


def expected_values(choice: Choice) -> set[object]:
    """What the dimension must hold afterwards, by what tells values apart."""
    kept = {one.value.key for one in choice.kept}
    loras = {
        tuple(zip(choice.dimension.names, (False, False), lora, strict=True)) for lora in choice.new_loras
    }
    return kept | loras | {((choice.dimension.names[0], False, number),) for number in choice.new}


def check_text(path: Path, choices: Sequence[Choice], text: str) -> Manifest:
    """The new text is valid, holds just what was chosen, and is the old one byte for byte elsewhere."""
    before = path.read_bytes().decode("utf-8-sig")
    path.write_bytes(text.encode())
    manifest = load_manifest(path, allow_outside=True)
    axes = {axis.name: axis for axis in manifest.grid.axes}
    for choice in choices:
        axis = axes[choice.dimension.axis.name]
        found = {choice.dimension.key_at(dict(value.coordinates)) for value in axis.values} - {None}
        assert found == expected_values(choice), choice.dimension.name
    elsewhere = _lines_elsewhere(before)
    lines = iter(text.splitlines(keepends=True))
    for line in elsewhere:
        assert any(line == other for other in lines), line
    return manifest


def _lines_elsewhere(text: str) -> list[str]:
    """The lines of a manifest outside of the sections that a refinement may change."""
    yaml = YamlText(text)
    lines = text.splitlines(keepends=True)
    changing: set[int] = set()
    for key, _ in yaml.pairs(yaml.slot()):
        if key in ("matrix", "zip", "exclude", "include"):
            node = next(pair for pair in yaml.root.value if pair[0].value == key)
            last = yaml.slot(key).end
            changing |= set(range(node[0].start_mark.line, text.count("\n", 0, last) + 1))
    if text and not text.endswith("\n"):
        changing.add(len(lines) - 1)  # gets a line end where a section follows it
    return [line for number, line in enumerate(lines) if number not in changing]
