"""What is wrong with a document that is not as the schema says, in words for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator

from zbatch.api.contract import FIELDS
from zbatch.manifest.findings import MAX_FINDINGS, MISSING, Findings, Place, nearest, shown
from zbatch.manifest.schema import definition
from zbatch.manifest.secrets import names_a_secret
from zbatch.spelling import nearest_word

_TYPES: Final = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}

_Explanation = tuple[Place, str, Any, str, bool]
"""Place, message, what is there (or MISSING), hint, and whether the key is what is wrong."""


def explain(data: Any, name: str, place: Place, findings: Findings) -> set[Place]:
    """Add a finding for each way in which data at a place is not as a definition of the schema says.

    Gives the places that are wrong.
    """
    broken: set[Place] = set()
    for error in _validator(name).iter_errors(data):
        for inner, message, got, hint, key in _explain(error):
            where = (*place, *inner)
            findings.error(where, message, got=got, hint=hint, key=key)
            broken.add(where)
            if name == "whole" and message.startswith("unknown key") and len(where) <= 2:
                broken |= _meant(where, data)
    return broken


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(definition(name))


def _meant(place: Place, data: Mapping[str, Any]) -> set[Place]:
    """Say what a misspelt key was to be: nothing is missed where it should stand."""
    word = str(place[-1])
    if len(place) == 2:
        return {(place[0], name) for name in _close(word, FIELDS)} if place[0] == "request" else set()
    known = definition("whole")["$defs"]["whole"]["properties"]
    sections: set[Place] = {(name,) for name in _close(word, known) if name not in data}
    return sections or {("request", name) for name in _close(word, FIELDS)}


def _close(word: str, words: Iterable[str]) -> list[str]:
    close = nearest_word(word, words)
    return [close] if close else []


def _explain(error: Any) -> Iterator[_Explanation]:
    # Any: the published types of jsonschema call every attribute of an error perhaps unset.
    place: Place = tuple(error.absolute_path)
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    kind = str(error.validator)
    if kind == "additionalProperties":
        yield from _unknown_keys(error, place, schema)
    elif kind == "required":
        unknown = [name for name in error.instance if name not in schema.get("properties", ())][:MAX_FINDINGS]
        missing = [
            name for name in error.validator_value if name not in error.instance and not _close(name, unknown)
        ]
        if not missing:
            return
        verb = "is" if len(missing) == 1 else "are"
        yield place, f"{' and '.join(missing)} {verb} missing", MISSING, "", True
    elif "propertyNames" in error.absolute_schema_path:
        yield (*place, error.instance), str(schema.get("errorMessage", error.message)), MISSING, "", True
    elif kind == "anyOf":
        yield from _branches(error, place, schema)
    elif kind == "minItems" and "whenEmpty" in schema:
        yield place, str(schema["whenEmpty"]), error.instance, "", False
    elif "errorMessage" in schema and kind in (
        "pattern",
        "const",
        "type",
        "minItems",
        "maxItems",
        "minProperties",
    ):
        yield place, str(schema["errorMessage"]), error.instance, "", False
    else:
        yield place, _words(kind, error), error.instance, _hint(kind, error), False


def _unknown_keys(error: Any, place: Place, schema: Mapping[str, Any]) -> Iterator[_Explanation]:
    known = schema.get("properties", {})
    unknown = (name for name in error.instance if name not in known)
    for name in islice(unknown, MAX_FINDINGS + 1):
        hint = nearest(name, known)
        field = "" if place or hint.startswith("did you mean") else "".join(_close(name, FIELDS))
        if field:
            hint = f"did you mean request.{field}?"
        if names_a_secret(name):
            hint = "a key does not belong in a manifest: put it into the variable ZBATCH_API_KEY"
        if error.instance[name] is None and not hint.startswith("did you mean"):
            hint = "a comma inside { } separates keys: quote a text that has one"
        yield (*place, name), f"unknown key {name!r}", MISSING, hint, True


def _branches(error: Any, place: Place, schema: Mapping[str, Any]) -> Iterator[_Explanation]:
    """Explain by the branch that was meant: the one whose type fits what is there."""
    by_branch: dict[Any, list[Any]] = {}
    for cause in error.context or ():
        by_branch.setdefault(cause.relative_schema_path[0], []).append(cause)
    meant = [
        causes
        for causes in by_branch.values()
        if not any(cause.validator == "type" and not cause.relative_path for cause in causes)
    ]
    if len(meant) > 1 and isinstance(error.instance, Mapping):
        meant = [min(meant, key=_strangeness)]  # several maps could be
    message = schema.get("errorMessage")
    if len(meant) == 1 and not (message and all(cause.validator == "required" for cause in meant[0])):
        for cause in meant[0]:
            yield from _explain(cause)
        return
    yield place, str(message or _titles(error)), error.instance, "", False


def _strangeness(causes: Iterable[Any]) -> tuple[int, int]:
    """Count the keys a branch does not know, and then all it complains of."""
    messages = [message for cause in causes for _, message, *_ in _explain(cause)]
    return sum(message.startswith("unknown key") for message in messages), len(messages)


def _titles(error: Any) -> str:
    titles = [branch.get("title") for branch in error.validator_value if isinstance(branch, Mapping)]
    return "must be " + ", or ".join(title for title in titles if title)


def _words(kind: str, error: Any) -> str:
    value = error.validator_value
    if kind == "type":
        names = [value] if isinstance(value, str) else value
        others = {"number", "integer", "boolean"} & set(names)
        *most, last = ("a template" if name == "string" and others else _TYPES[name] for name in names)
        return "must be " + " or ".join([", ".join(most), last] if most else [last])
    if kind == "enum":
        return "must be " + " or ".join(str(choice) for choice in value)
    words = {
        "const": f"must be {shown(value)}",
        "minimum": f"must be at least {value}",
        "maximum": f"must be at most {value}",
        "minItems": "must not be empty",
        "minLength": "must not be empty",
        "minProperties": "must not be empty",
        "maxItems": f"must hold at most {value}",
    }
    return words.get(kind) or str(error.message)


def _hint(kind: str, error: Any) -> str:
    if kind == "enum" and isinstance(error.instance, str):
        return nearest(error.instance, [str(choice) for choice in error.validator_value])
    if (
        kind == "type"
        and isinstance(error.instance, int | float | bool)
        and error.validator_value in ("string", ["string", "null"])
    ):
        text = str(error.instance)
        return f'quote it: "{text.lower() if isinstance(error.instance, bool) else text}"'
    return ""
