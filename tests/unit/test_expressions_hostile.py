"""Templates that walk, grow, loop or nest: each ends at once, in little memory, with a word about why."""

import pytest
from support.bounded import bounded

BIG = "('x' * 90000)"
SMILES = "('\U0001f600' * 90000)"
REFUSED = {
    # walks
    "attribute": ("{{ ''.__class__.__mro__ }}", "'__class__'"),
    "subscript": ("{{ ''['__class__'] }}", "'__class__'"),
    "subscript built": ("{{ x['__cla' ~ 'ss__'] }}", "'__class__'"),
    "attribute of a number": ("{{ n.real }}", "'real'"),
    "attribute of a list": ("{{ items.append(3) }}", "'append'"),
    "attribute of a function": ("{{ range.__globals__ }}", "'__globals__'"),
    "attribute of a method": ("{{ x.upper.__self__ }}", "'__self__'"),
    "attr filter": ("{{ ''|attr('__class__') }}", "no such filter"),
    "format method": ("{{ '{0.__class__}'.format(x) }}", "'format'"),
    "format_map method": ("{{ '{a}'.format_map(d) }}", "'format_map'"),
    "format of %": ("{{ '%s' % x }}", "% on text"),
    "sort by attribute": ("{{ [x] | sort(attribute='__class__') }}", "'__class__'"),
    "sum by attribute": ("{{ [x] | sum(attribute='__class__') }}", "attribute"),
    "join by attribute": ("{{ [x] | join(attribute='__class__') }}", "attribute"),
    "max by attribute": ("{{ [x, x] | max(attribute='__class__') }}", "'__class__'"),
    "map": ("{{ [x]|map(attribute='__class__')|list }}", "no such filter"),
    "select": ("{{ [x]|select('callable')|list }}", "no such filter"),
    "self": ("{{ self }}", "TemplateReference"),
    "self walk": ("{{ self._TemplateReference__context }}", "not available"),
    "self set": ("{% set y = self %}{{ y }}", "TemplateReference"),
    "loop walk": ("{% for i in items %}{{ loop.__class__ }}{% endfor %}", "'__class__'"),
    "loop iterator": ("{% for i in items %}{{ loop._iterator }}{% endfor %}", "'_iterator'"),
    "undefined walk": ("{{ nothing.__class__ }}", "'nothing'"),
    "context": ("{{ context }}", "'context'"),
    "environment": ("{{ environment }}", "'environment'"),
    "private name": ("{{ _filters }}", "'_filters'"),
    "builtins": ("{{ __builtins__ }}", "'__builtins__'"),
    # numbers that are none
    "infinity": ("{{ 1e999 }}", "a number too large"),
    "infinity in a text": ("a {{ -1e999 }}", "a number too large"),
    "infinity computed": ("a {{ 1e308 * 10 }}", "no finite number"),
    "no number at all": ("{{ 1e308 * 10 - 1e308 * 10 }}", "no finite number"),
    # what is off the list
    "namespace": ("{% set ns = namespace(a=1) %}", "'namespace'"),
    "namespace set": ("{% set ns.a = 1 %}", "not available"),
    "cycler": ("{{ cycler('a') }}", "'cycler'"),
    "joiner": ("{{ joiner() }}", "'joiner'"),
    "lipsum": ("{{ lipsum() }}", "'lipsum'"),
    "dict": ("{{ dict(a=1) }}", "'dict'"),
    "random": ("{{ items | random }}", "no such filter"),
    "macro": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "uses macro"),
    "include": ("{% include '/etc/passwd' %}", "uses include"),
    "import": ("{% import 'os' as os %}", "uses import"),
    "from import": ("{% from 'os' import path %}", "uses import"),
    "extends": ("{% extends 'a' %}", "uses extends"),
    "block": ("{% block a %}{% endblock %}", "uses block"),
    "call": ("{% call x() %}{% endcall %}", "uses call"),
    "filter block": ("{% filter upper %}x{% endfilter %}", "uses filter"),
    "set block": ("{% set y %}x{% endset %}", "uses set"),
    "with": ("{% with y = 1 %}{{ y }}{% endwith %}", "uses with"),
    "autoescape": ("{% autoescape false %}{% endautoescape %}", "uses"),
    "do": ("{% do items.append(1) %}", "no tag 'do'"),
    "recursive loop": ("{% for i in items recursive %}{{ loop(items) }}{% endfor %}", "recursive"),
    "loop called": ("{% for i in items %}{{ loop(i) }}{% endfor %}", "may not call"),
    "a value called": ("{{ x() }}", "may not call"),
    "tojson": ("{{ d | tojson }}", "no such filter"),
    "xmlattr": ("{{ d | xmlattr }}", "no such filter"),
    "callable test": ("{{ x is callable }}", "no such test"),
    # growth
    "*": ("{{ 'a' * 10**10 }}", "repeats"),
    "* of a list": ("{{ ([1] * 10**10) | length }}", "repeats"),
    "* the other way": ("{{ 10**10 * 'a' }}", "repeats"),
    "**": ("{{ 10 ** 100000 }}", "bits"),
    "** of floats": ("{{ 10.0 ** 400 }}", "fails"),
    "** and *": ("{{ (2**4000) * (2**4000) }}", "bits"),
    "~": ("{{ " + " ~ ".join([BIG] * 20) + " }}", "text of more than"),
    "+": ("{{ " + " + ".join([BIG] * 20) + " }}", "text of more than"),
    "output": ("{{ x * 40000 }}{{ x * 40000 }}", "text of more than"),
    "output in a loop": (
        "{% for i in range(1000) %}{{ 'x' * 1000 }}{% endfor %}",
        "more than",
    ),
    "join": ("{{ (['x' * 1000] * 1000) | join('y' * 1000) }}", "more than"),
    "replace": ("{{ ('x' * 1000) | replace('x', 'y' * 1000) }}", "text of more than"),
    "replace nothing": ("{{ ('x' * 1000) | replace('', 'y' * 1000) }}", "text of more than"),
    "center": ("{{ x | center(1000000000) }}", "text of more than"),
    "indent": ("{{ ('x\n' * 10000) | indent(100) }}", "text of more than"),
    "format width": ("{{ '%999999999d' | format(1) }}", "width"),
    "format precision": ("{{ '%.999999999f' | format(1) }}", "width"),
    "format star": ("{{ '%*d' | format(999999999, 1) }}", "width"),
    "format many": ("{{ ('%s' * 1000) | format(*(['x' * 1000] * 1000)) }}", "text of more than"),
    "format many widths": ("{{ ('%999d' * 10000) | format(*range(10000)) }}", "text of more than"),
    "sum of lists": ("{{ ([[0] * 1000] * 1000) | sum(start=[]) | length }}", "more than"),
    "sum of texts": ("{{ ['a', 'b'] | sum(start='') }}", "only numbers"),
    "round up far": ("{{ 1.5 | round(100000000, 'ceil') }}", "precision"),
    "int of a long text": ("{{ ('f' * 90000) | int(0, 16) }}", "bits"),
    "list of lists": ("{% set a = [0] * 1000 %}{% set b = [a] * 1000 %}{{ b }}", "makes text of a list"),
    "list of lists as a value": ("{{ [[[0] * 300] * 300] * 300 }}", "more than"),
    "many lists": ("{{ [" + "[0] * 90000," * 300 + "] | length }}", "more than"),
    "many texts": ("{{ [" + f"{SMILES}," * 300 + "] | length }}", "more than"),
    "many texts in a map": (
        "{{ {" + ",".join(f"'{i}': {BIG}" for i in range(300)) + "} | length }}",
        "more than",
    ),
    # loops
    "range": ("{{ range(10**9) | length }}", "range"),
    "range of 10**30": ("{{ range(10**30) | length }}", "fails"),
    "two loops": (
        "{% for i in range(80000) %}{% for j in range(80000) %}{% endfor %}{% endfor %}",
        "steps",
    ),
    "twelve loops": (
        "".join(f"{{% for a{i} in range(1000) %}}" for i in range(12)) + "{% endfor %}" * 12,
        "steps",
    ),
    "thirty loops": (
        "".join(f"{{% for a{i} in range(1000) %}}" for i in range(30)) + "{% endfor %}" * 30,
        "nested too deeply",
    ),
    "loop over a text": (
        f"{{% set y = {BIG} %}}{{% for i in y %}}{{% for j in y %}}{{% endfor %}}{{% endfor %}}",
        "steps",
    ),
    "compare in a loop": (
        f"{{% set a = {BIG} %}}{{% for i in range(90000) %}}{{{{ a == a ~ '' }}}}{{% endfor %}}",
        "steps",
    ),
    "compare lists in a loop": (
        "{% set a = [0] * 90000 %}{% for i in range(9000) %}{% if a == a[:] %}{% endif %}{% endfor %}",
        "steps",
    ),
    "search in a loop": (
        f"{{% set a = {BIG} %}}{{% for i in range(90000) %}}{{{{ ('x' * 9000) in a }}}}{{% endfor %}}",
        "steps",
    ),
    "test in a loop": (
        f"{{% set a = {BIG} %}}{{% for i in range(90000) %}}{{% if a is eq(a) %}}{{% endif %}}{{% endfor %}}",
        "steps",
    ),
    "slice in a loop": (
        f"{{% set a = {BIG} %}}{{% for i in range(90000) %}}{{% set y = a[1:] %}}{{% endfor %}}",
        "steps",
    ),
    "method in a loop": (
        f"{{% set a = {BIG} %}}{{% for i in range(90000) %}}{{% set y = a.split() %}}{{% endfor %}}",
        "steps",
    ),
    "slug in a loop": (
        f"{{% set a = {BIG} %}}{{% for i in range(90000) %}}{{% set y = a | slug %}}{{% endfor %}}",
        "steps",
    ),
    "title in a loop": (
        f"{{% set a = {BIG} %}}{{% for i in range(90000) %}}{{% set y = a | title %}}{{% endfor %}}",
        "steps",
    ),
    "sort of like texts": (f"{{{{ ([{BIG} ~ 'a', {BIG} ~ 'b'] * 40000) | sort | length }}}}", "more than"),
    # nesting
    "parentheses": ("{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}", "nested too deeply"),
    "lists": ("{{ " + "[" * 9000 + "1" + "]" * 9000 + " }}", "nested too deeply"),
    "sums": ("{{ " + "1+" * 9000 + "1 }}", "nested too deeply"),
    "nots": ("{{ " + "not " * 4000 + "1 }}", "nested too deeply"),
    "minuses": ("{{ " + "-" * 9000 + "1 }}", "nested too deeply"),
    "attributes": ("{{ x" + ".a" * 9000 + " }}", "nested too deeply"),
    "filters": ("{{ x" + "|upper" * 3000 + " }}", "nested too deeply"),
    "conditions": ("{{ " + "1 if 1 else " * 1500 + "1 }}", "nested too deeply"),
    "ifs": ("{% if 1 %}" * 800 + "{% endif %}" * 800, "nested too deeply"),
    "a very long template": ("{{ 1 }}" * 100_000, "longer than 20,000 characters"),
    "a very long number": ("{{ " + "9" * 9000 + " }}", "fails"),
    # values that are none
    "infinite": ("{{ 1e308 * 10 }}", "no finite number"),
    "not a number": ("{{ 'nan' | float }}", "no finite number"),
    "a function": ("{{ range }}", "no value of a manifest"),
    "a method": ("{{ x.upper }}", "no value of a manifest"),
    "an undefined inside a list": ("{{ [d.missing] }}", "'missing'"),
    "an undefined inside a map": ("{{ {'a': d.missing} }}", "'missing'"),
    "a map with numbers for keys": ("{{ {1: 2} }}", "as a key"),
    "a list as text": ("a {{ items }}", "makes text of a list"),
    "a map as text": ("a {{ d }}", "makes text of a map"),
}
FINE = {
    "many short outputs": "{{ x }}" * 2500,
    "a loop of ten thousand": "{% for i in range(10000) %}{% if i == 5 %}{{ i }}{% endif %}{% endfor %}",
    "a text at the bound": "{{ 'x' * 100000 }}",
    "nested as people nest": "{{ " + "(" * 15 + "n" + ")" * 15 + " }}",
}


@pytest.fixture(scope="module")
def answers():
    inputs = {name: text for name, (text, _) in REFUSED.items()} | FINE
    return dict(zip(inputs, bounded([("template", text) for text in inputs.values()]), strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_template_is_refused(name, answers):
    answer = answers[name]
    assert not answer.startswith(("raised", "died", "fine")), answer
    assert REFUSED[name][1] in answer


@pytest.mark.parametrize("name", FINE)
def test_large_and_harmless_template_renders(name, answers):
    assert answers[name] == "fine"


def test_hostile_expressions_of_when_are_refused_too():
    expressions = [
        "x.__class__",
        "'a' * 10**10",
        "range(10**9)",
        "(" * 5000 + "1" + ")" * 5000,
        "[x, x][3]",
        "n = 3",
        "n 3",
        "",
        "{{ n }}",
    ]
    for answer in bounded([("expression", text) for text in expressions]):
        assert not answer.startswith(("raised", "died", "fine")), answer


def test_a_slow_template_for_a_million_cells_ends(tmp_path):
    slow = {
        "loops": "{% for i in range(45000) %}{% endfor %}{{ a }}",
        "texts": "{{ a }}{{ ('abc ' * 20000) | replace('a', 'b') | length }}",
    }
    grid = "matrix: {a: {from: 1, count: 1000000}}\n"
    for name, prompt in slow.items():
        text = f'version: 1\nname: x\nrequest: {{prompt: "{prompt}"}}\n{grid}'
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    when = "exclude: [{when: 'range(90000) | sum > a'}]\n"
    text = "version: 1\nname: x\nrequest: {prompt: '{{ a }}'}\n" + grid + when
    (tmp_path / "rule.yaml").write_text(text, "utf-8")
    answers = bounded([("manifest", str(tmp_path / f"{name}.yaml")) for name in (*slow, "rule")])
    assert ["takes more than 500 steps for each of very many cells" in answer for answer in answers] == [
        True,
        True,
        True,
    ], answers
