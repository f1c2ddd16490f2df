"""A text taken apart: its parts give together what the whole gives, and say what they need."""

import pytest

from zbatch.expressions import ExpressionError, compile_template
from zbatch.expressions.budget import steps_taken
from zbatch.expressions.loras import LoraValue, NamedLora
from zbatch.expressions.parts import take_apart

CONTEXT = {
    "a": "Red fox",
    "n": 0.5,
    "yes": True,
    "key": "0123456789abcdef" * 4,
    "lora": LoraValue(((NamedLora("film", "org/film", "filmgrain"), 0.8),)),
    "request": {"seed": 7, "size": "512*512", "loras": [{"path": "p", "scale": 1}]},
}


@pytest.mark.parametrize(
    "source",
    [
        "plain",
        "{{ a | slug }}/{{ key[:12] }}",
        "{{ a }}{{ n }}{{ yes }}{{ lora }}",
        "x{{ lora.name }}-{{ request.seed }}-{{ request['size'] | slug }}.{{ key[-4:] }}",
        "{{ 'a' if yes else 'b' }} {{ request.loras[0].path }} {{ a ~ n }}",
        "{{ '%03d' | format(request.seed) }} {# said to nobody #}{{ a | truncate(4) | upper }}",
    ],
)
def test_parts_together_are_the_whole(source):
    whole = compile_template(source)
    text = whole.render(CONTEXT)
    taken = steps_taken()
    parts = take_apart(source)
    assert "".join(part.template.render(CONTEXT) for part in parts) == text
    assert {name for part in parts for name in part.names} == whole.names
    steps = 0
    for part in parts:
        part.template.render(CONTEXT)
        steps += steps_taken()
    assert steps == taken


@pytest.mark.parametrize(
    ("source", "begin"),
    [
        ("{{ key }}", ("key", None)),
        ("{{ key[:12] }}", ("key", 12)),
        ("{{ key[:0] }}", ("key", 0)),
        *(
            (source, None)
            for source in ("{{ key[1:12] }}", "{{ key[:-4] }}", "{{ key[::2] }}", "{{ key[3] }}")
        ),
        *((source, None) for source in ("{{ key | upper }}", "{{ key[:n] }}", "{{ key.lower() }}", "key")),
    ],
)
def test_the_beginning_of_a_name_is_seen(source, begin):
    assert [part.begin for part in take_apart(source)] == [begin]


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("{{ request.seed }}", {"seed"}),
        ("{{ request['seed'] + request.size | length }}", {"seed", "size"}),
        ("{{ request.loras[0].path }}", {"loras"}),
        ("{{ request[a].seed }}", None),
        ("{{ request | length }}", None),
        ("{{ request.seed if request else 1 }}", None),
        ("{{ a[request.seed] }}", {"seed"}),
    ],
)
def test_the_fields_a_name_is_asked_for_are_seen(source, asked):
    (part,) = take_apart(source)
    assert part.asked["request"] == asked


@pytest.mark.parametrize(
    "source", ["{% if yes %}a{% endif %}", "{% set x = a %}{{ x }}", "{% for x in a %}{% endfor %}"]
)
def test_a_text_with_statements_stays_whole(source):
    assert take_apart(source) is None


def test_a_part_fails_as_the_whole_does():
    with pytest.raises(ExpressionError, match="'missing', which is not defined"):
        take_apart("x{{ missing }}")[1].template.render({})
