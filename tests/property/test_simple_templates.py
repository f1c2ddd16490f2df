"""Texts rendered without compiling come out as Jinja's own code would have them, mistakes included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbatch.expressions import ExpressionError, compile_template
from zbatch.expressions.budget import MAX_TEXT, new_budget
from zbatch.expressions.loras import LoraValue, NamedLora
from zbatch.expressions.sandbox import ENVIRONMENT, Fence, translated
from zbatch.expressions.templates import _expression, _single_expression, text_of

FILM = LoraValue(((NamedLora("film", "org/film", "grain"), 0.5),))
NAMES = ("a", "b", "lora", "missing", "self", "range", "loop")
FIELDS = ("name", "x", "trigger", "__class__", "upper", "missing")
CONTEXTS = st.fixed_dictionaries(
    {
        name: st.one_of(
            st.text("x{}é\n ", max_size=5),
            st.integers(),
            st.floats(allow_nan=False),
            st.booleans(),
            st.none(),
            st.just([1, "x"]),
            st.just({"x": 1, "name": "n"}),
            st.just(FILM),
        )
        for name in ("a", "b")
    }
).map(lambda context: {**context, "lora": FILM})
PARTS = st.one_of(
    st.sampled_from([f"{{{{ {name} }}}}" for name in NAMES]),
    st.sampled_from([f"{{{{ {name}.{field} }}}}" for name in NAMES for field in FIELDS]),
    st.sampled_from(["{{- a -}}", " x ", "\n", "{# said #}", "}}", "{% raw %}{{ a }}{% endraw %}"]),
)
SOURCES = st.lists(PARTS, min_size=1, max_size=4).map("".join)


def said(render, context):
    """Give what rendering gives: the value and its type, or the mistake in its words."""
    new_budget()
    try:
        with translated():
            value = render(context)
    except ExpressionError as error:
        return error.message, error.hint, error.undefined
    return type(value), value


def compiled(source):
    with translated():
        tree = Fence().visit(ENVIRONMENT.parse(source))
        exact = _single_expression(tree)
        return text_of(tree) if exact is None else _expression(exact)


@given(SOURCES, CONTEXTS)
def test_simple_is_what_compiling_gives(source, context):
    template = compile_template(source)
    assert said(template.render, context) == said(compiled(source), context)


def test_names_are_those_that_compiling_finds():
    source = "{{ a }} {{ lora.trigger }} {{ b.c }}"
    assert compile_template(source).names == {"a", "lora", "b"}


def test_a_long_text_is_bounded_before_it_is_joined():
    template = compile_template("{{ a }}{{ a }}")
    with pytest.raises(ExpressionError, match="text of more than"):
        template.render({"a": "x" * (MAX_TEXT // 2 + 1)})


@pytest.mark.parametrize(
    "source",
    [
        "{% set a = a ~ 'x' %}{{ a }}",
        "{% for i in [1, 2] %}{{ a }}{{ loop.index }}{% endfor %}",
        "{{ a ~ b }}",
    ],
)
def test_rendering_leaves_nothing_behind(source):
    """Jinja's root function is called with a context of our own making: no render may see another's names."""
    template = compile_template(source)
    context = {"a": "1", "b": "2"}
    before = dict(ENVIRONMENT.globals)
    first = template.render(context)
    assert template.render({"a": "7", "b": "8"}) != first
    assert template.render(context) == first
    assert context == {"a": "1", "b": "2"}
    assert ENVIRONMENT.globals == before
    assert first == ENVIRONMENT.from_string(Fence().visit(ENVIRONMENT.parse(source))).render(context)
