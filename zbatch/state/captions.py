"""Captions: the template of `export.caption` over what a run directory keeps of its manifest.

Names mean what they mean in the manifest: axes (a label stands for its value), `vars`, `lora`, `replica`,
`name`, `request` and `key`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from zbatch.errors import UsageError
from zbatch.expressions import ExpressionError, compile_template
from zbatch.expressions.loras import LoraValue, NamedLora
from zbatch.model import Coordinates, Scalar, canonical_number, spelled
from zbatch.state.database import Meta
from zbatch.state.run import Run

PLAIN: Final = "{{ request.prompt }}"
"""The caption where nobody says otherwise."""


class Captioned(Protocol):
    """An image that a caption is made of."""

    @property
    def key(self) -> str:
        """Its job's."""

    @property
    def coordinates(self) -> Coordinates:
        """Those of the cell that gives it its own."""

    @property
    def request(self) -> Mapping[str, Any]:
        """As it was sent."""

    @property
    def prompt(self) -> str:
        """The request's."""

    @property
    def called(self) -> str:
        """What messages call it."""


class Captions:
    """Makes the captions of one run's images."""

    def __init__(self, run: Run, template: str | None = None) -> None:
        """Compile the template that was given, or that of the run's manifest.

        Raises:
            UsageError: it does not compile, or uses names that nothing defines.
        """
        facts = run.about(Meta.EXPORT)
        self.known = facts is not None
        self._facts: Mapping[str, Any] = facts or {}
        self._name = run.name
        self._where = run.directory.path
        self.source = template or self._facts.get("caption") or PLAIN
        try:
            compiled = compile_template(self.source)
        except ExpressionError as error:
            raise UsageError(f"the caption {self.source!r} {error.message}", hint=error.hint) from error
        self._render = compiled.render
        self._names = compiled.names
        self._vars = {name: _compiled(value) for name, value in (self._facts.get("vars") or {}).items()}
        self._stacks: dict[tuple[Scalar, Scalar], LoraValue] = {}

    def of(self, entry: Captioned) -> str:
        """Give an image's caption.

        Raises:
            UsageError: the template fails for it; the image is named.
        """
        if self.source == PLAIN:
            return entry.prompt  # what most have, without asking Jinja for each
        try:
            context: dict[str, Any] = {}
            for name in self._names:
                self._resolve(name, entry, context)
            text = self._render(context)
            if text is None or isinstance(text, bool | list | dict):
                raise ExpressionError("gives no text")
        except ExpressionError as error:
            raise self._failed(entry, error) from error
        # Where a trigger word is empty, at scale 0, a blank would be left at the caption's edge.
        return text.strip() if isinstance(text, str) else str(text)

    def _resolve(self, name: str, entry: Captioned, context: dict[str, Any]) -> None:
        """Put what a name means into the context, and what that needs; a name without meaning stays out."""
        if name in context:
            return
        coordinates = entry.coordinates
        if name in self._vars:
            needs, render = self._vars[name]
            for need in needs:
                self._resolve(need, entry, context)
            context[name] = render(context)
        elif name == "lora" and "lora.name" in coordinates:
            context[name] = self._lora(coordinates["lora.name"], coordinates.get("lora.scale"))
        elif name in coordinates and name != "include":
            at = coordinates[name]
            values = self._facts.get("values", {}).get(name)
            context[name] = values.get(at, at) if values and isinstance(at, str) else at
        elif name == "request":
            context[name] = entry.request
        elif name in ("name", "key", "replica"):
            context[name] = {"name": self._name, "key": entry.key, "replica": 1}[name]

    def _lora(self, name: Scalar, scale: Scalar) -> LoraValue:
        if (name, scale) not in self._stacks:
            labelled = self._facts.get("values", {}).get("lora", {}).get(name)
            if labelled is not None:
                pairs = [(part, at) for part, at in labelled["stack"]]
            elif name == "none":
                pairs = []
            elif isinstance(scale, int | float):
                pairs = [(str(name), scale)]
            else:
                pairs = [_read(part) for part in str(name).split("+")]
            self._stacks[name, scale] = LoraValue(tuple((self._named(part), at) for part, at in pairs))
        return self._stacks[name, scale]

    def _named(self, name: str) -> NamedLora:
        known = self._facts.get("loras", {}).get(name, {})
        return NamedLora(name, known.get("path", ""), known.get("trigger", ""))

    def check(self) -> None:
        """Check that the run has kept what the template needs.

        Raises:
            UsageError: an older zbatch made the run, which kept no vars and no trigger words.
        """
        own = {"request", "key", "name", "replica"}
        if not self.known and not self._names <= own:
            raise UsageError(
                f"the run {self._where} was made by an older zbatch, which kept nothing for captions",
                hint="zbatch run with its manifest keeps it (no image is made again), or give --caption "
                f"{PLAIN!r}",
            )

    def _failed(self, entry: Captioned, error: ExpressionError) -> UsageError:
        hint = error.hint
        if error.undefined is not None:
            names = sorted({name.partition(".")[0] for name in entry.coordinates} - {"include"})
            known = ", ".join(dict.fromkeys([*names, *self._vars, "request", "key", "name", "replica"]))
            hint = (
                f"this image has: {known}; a name that some lack can be written "
                f"{{{{ {error.undefined} | default('') }}}}"
            )
        return UsageError(f"the caption of {entry.called} fails: the template {error.message}", hint=hint)


def called(key: str, coordinates: Coordinates) -> str:
    """Say what messages call an image: its coordinates and the beginning of its key."""
    cell = ", ".join(f"{name}={spelled(value)}" for name, value in coordinates.items())
    return f"the image {key[:12]} ({cell[:200]})" if cell else f"the image {key[:12]}"


def _read(text: str) -> tuple[str, int | float]:
    name, _, scale = text.partition("@")
    return name, canonical_number(float(scale or 1))


_Compiled = tuple[frozenset[str], Callable[[Mapping[str, Any]], Any]]
"""The names that a value needs, and what makes it of them."""


def _compiled(value: Any) -> _Compiled:
    """Compile every string in a value of `vars`: they were read without an error when the run was made."""
    if isinstance(value, str):
        template = compile_template(value)
        return template.names, template.render
    if isinstance(value, list):
        parts = [_compiled(item) for item in value]
        names = frozenset(name for needs, _ in parts for name in needs)
        return names, lambda context: [render(context) for _, render in parts]
    if isinstance(value, dict):
        named = {name: _compiled(item) for name, item in value.items()}
        names = frozenset(name for needs, _ in named.values() for name in needs)
        return names, lambda context: {name: render(context) for name, (_, render) in named.items()}
    return frozenset(), lambda _: value
