"""What templates give: types kept, names strict, filters as documented, one budget for each render."""

import pytest

from zbatch.expressions import ExpressionError, compile_expression, compile_template, is_template, slugify
from zbatch.expressions.loras import LoraValue, NamedLora

FILM = LoraValue(((NamedLora("film", "org/film", "filmgrain"), 0.8),))


def render(source, **context):
    return compile_template(source).render(context)


def refusal(source, **context):
    with pytest.raises(ExpressionError) as caught:
        compile_template(source).render(context)
    return caught.value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ a }}", 3),
        ("{{ a + 1 }}", 4),
        ("{{ a / 2 }}", 1.5),
        ("{{ a / 3 }}", 1),
        ("{{ a * 2.0 }}", 6),
        ("{{ a > 2 }}", True),
        ("{{ none }}", None),
        ("{{ [a, a + 1] }}", [3, 4]),
        ("{{ (a, 'x') }}", [3, "x"]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ {'path': 'p', 'scale': a} }}", {"path": "p", "scale": 3}),
        ("{{- a -}}", 3),
        ("{{ a }}{# a comment #}", 3),
        ("{{ 'x' }}", "x"),
        # anything round it makes text of it
        (" {{ a }}", " 3"),
        ("{{ a }}\n", "3\n"),
        ("{{ a }}{{ a }}", "33"),
        ("{% if a %}{{ a }}{% endif %}", "3"),
        ("{{ a }}x", "3x"),
    ],
)
def test_a_lone_expression_keeps_its_type(source, value):
    got = render(source, a=3)
    assert got == value
    assert type(got) is type(value)


def test_text_without_braces_is_itself():
    assert not is_template("a } b { c %")
    assert render("50% of {a}") == "50% of {a}"
    assert compile_template("x").names == frozenset()


def test_numbers_and_booleans_are_written_as_in_a_manifest():
    assert render("{{ a }} {{ b }} {{ c }}", a=1.0, b=True, c=0.1) == "1 true 0.1"
    assert render("{{ a ~ b ~ c }}", a=-0.0, b=False, c=2.50) == "0false2.5"


@pytest.mark.parametrize(
    "source",
    ["{{ a }}", "x{{ a }}", "{{ a.b }}", "{{ a + 1 }}", "{{ [a] }}", "{{ a | upper }}", "{{ 1 if a }}"],
)
def test_an_undefined_name_is_told(source):
    error = refusal(source)
    assert error.undefined == "a"
    assert "'a'" in error.message


def test_a_condition_without_else_gives_empty_text():
    assert render("{{ 'x' if a }}", a=False) == ""
    assert render("y{{ 'x' if a }}", a=False) == "y"
    assert render("y{{ 'x' if a }}", a=True) == "yx"


def test_a_missing_attribute_of_a_map_is_told():
    error = refusal("{{ a.b.c }}", a={"b": {}})
    assert "'c'" in error.message
    assert error.undefined is None


def test_names_are_those_that_are_needed():
    source = (
        "{% for i in range(n) %}{{ i }}{{ loop.index }}{{ a.b }}{% endfor %}{% set c = d %}{{ c }}{{ e | d }}"
    )
    assert compile_template(source).names == {"n", "a", "d", "e"}
    assert compile_expression("lora.name == 'ink' and seed % 2").names == {"lora", "seed"}


def test_null_is_no_text():
    assert "null" in refusal("a {{ a }}", a=None).message
    assert render("a {{ a | default('b', true) }}", a=None) == "a b"


def test_a_lora_gives_its_fields_and_nothing_else():
    assert render(
        "{{ lora.name }}|{{ lora.scale }}|{{ lora.path }}|{{ lora.trigger }}|{{ lora }}", lora=FILM
    ) == ("film|0.8|org/film|filmgrain|film@0.8")
    assert "'parts'" in refusal("{{ lora.parts }}", lora=FILM).message
    assert "'body'" in refusal("{{ lora.body() }}", lora=FILM).message


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Red Fox", "red-fox"),
        ("Él Niño / Süd", "el-nino-sud"),
        ("../../etc", "etc"),
        ("...", "x"),
        ("", "x"),
        ("a  b__c.d", "a-b__c.d"),
        ("\uff26\uff35\uff2c\uff2c", "full"),
        ("狐", "狐"),
        ("a/b\\c:d", "a-b-c-d"),
        (0.25, "0.25"),
        (True, "true"),
    ],
)
def test_slug(text, slug):
    assert slugify(text) == slug


@pytest.mark.parametrize(
    "filter_", ["random", "map", "tojson", "attr", "pprint", "batch", "select", "groupby", "safe"]
)
def test_filters_off_the_list_are_unknown(filter_):
    assert "no such filter" in refusal("{{ a | " + filter_ + " }}", a=[1]).message


def test_the_nearest_filter_is_offered():
    assert refusal("{{ a | uper }}", a="x").hint == "did you mean upper?"


def test_filters_take_booleans_as_they_are_written():
    source = "{{ a | trim }} {{ a | truncate }} {{ ' x ' | trim }} {{ 'xxay' | trim('x') }}"
    assert render(source, a=True) == "true true x ay"
    assert render("{{ a | truncate(9) }}", a="a fox in the snow") == "a fox..."


def test_methods_of_text():
    assert (
        render("{{ a.upper() }} {{ a.split('-')[1] }} {{ a.startswith('r') }}", a="red-fox")
        == "RED-FOX fox true"
    )


def test_every_render_has_the_whole_budget():
    template = compile_template("{% for i in range(60000) %}{% endfor %}x")
    assert [template.render({}) for _ in range(5)] == ["x"] * 5


def test_nothing_is_left_behind_by_a_render():
    template = compile_template("{% set b = a %}{{ b }}x")
    assert template.render({"a": 1}) == "1x"
    assert template.render({"a": 2}) == "2x"
    context = {"a": 3}
    template.render(context)
    assert context == {"a": 3}


def test_names_of_our_own_making_clash_with_nothing():
    assert render("{{ result }}", result=3) == 3
    assert render("{{ l_0_result }}{{ environment }}", l_0_result=1, environment=2) == "12"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ a", "ends too early"),
        ("{{ a | }}", "got }}"),
        ("{{ a b }}", "got 'b'"),
        ("{% if a %}", "'if' needs its 'endif'"),
        ("{% for a in b %}x", "'for' needs its 'endfor'"),
        ("{% frob %}", "no tag 'frob'"),
        ("{% endif %}", "does not parse"),
        ("{{ 1 + 'x' }}", "+ does not go with a number and text"),
        ("{{ 1 < 'x' }}", "< does not go with a number and text"),
        ("{{ 1 / 0 }}", "divides by zero"),
        ("{{ 1 % 0 }}", "divides by zero"),
        ("{{ 'abc'[::0] }}", "step"),
        ("{{ true | length }}", "fails: true or false has no len()"),
        ("{{ none | length }}", "fails: null has no len()"),
        ("{{ 'a' in false }}", "fails: true or false is not iterable"),
        ("{{ true | list }}", "fails: true or false is not iterable"),
        ("{{ none | abs }}", "abs(): null"),
        ("{{ {'a': 1}[true] }}", "asks for 'true', which is not there"),
        ("{{ {'a': 1}['True'] }}", "asks for 'True', which is not there"),
        ("{{ 'a fox' | truncate(2) }}", "truncates to 2 characters, which have no room for '...'"),
    ],
)
def test_mistakes_are_told_in_words(source, words):
    assert words in refusal(source).message


def test_compiling_is_where_syntax_and_lists_are_checked():
    for source in ("{{ a", "{{ a | nope }}", "{{ a is nope }}", "{% macro m() %}{% endmacro %}"):
        with pytest.raises(ExpressionError):
            compile_template(source)


def test_expressions_take_no_braces_and_no_rest():
    for source in ("{{ a }}", "a b", "a =", "", "a; b"):
        with pytest.raises(ExpressionError):
            compile_expression(source)
    assert compile_expression("a == 'x' and b in [1, 2]").render({"a": "x", "b": 2}) is True
