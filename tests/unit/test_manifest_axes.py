"""Axes: ranges in exact decimals, labels, LoRAs in every form, coordinates, vars."""

import pytest
from support.manifests import LORAS

P = "request: {prompt: p}\n"


def values(bench, spec, axis="a"):
    return [point[axis] for point in bench.coordinates(P + f"matrix: {{{axis}: {spec}}}\n")]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{from: 0, to: 1.2, step: 0.2}", [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2]),
        ("{from: 0, to: 1, step: 0.1}", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("{from: 0.1, to: 0.3, step: 0.1}", [0.1, 0.2, 0.3]),
        ("{from: 1, to: 0, step: -0.25}", [1, 0.75, 0.5, 0.25, 0]),
        ("{from: -1, to: 1, step: 1}", [-1, 0, 1]),
        ("{from: 5, to: 5, step: 1}", [5]),
        ("{from: 5, to: 5, count: 1}", [5]),
        ("{from: 0, to: 1, count: 5}", [0, 0.25, 0.5, 0.75, 1]),
        ("{from: 0, to: 1, count: 4}", [0, 1 / 3, 2 / 3, 1]),
        ("{from: 1000, count: 4}", [1000, 1001, 1002, 1003]),
        ("{from: 0.5, count: 3}", [0.5, 1.5, 2.5]),
        ("{from: 0, count: 3, step: 0.7}", [0, 0.7, 1.4]),
        ("{from: 0.0, to: 2.0, step: 1.0}", [0, 1, 2]),
        ("{from: 0.000001, to: 0.000003, step: 0.000001}", [1e-06, 2e-06, 3e-06]),
    ],
)
def test_ranges_are_inclusive_and_exact(bench, spec, expected):
    got = values(bench, spec)
    assert got == expected
    assert [type(value) for value in got] == [type(value) for value in expected]


def test_known_wrong_ranges_of_others_are_right_or_refused(bench):
    assert values(bench, "{from: 0.2, to: 1.2, step: 0.2}") == [0.2, 0.4, 0.6, 0.8, 1, 1.2]
    (error,) = bench.findings(P + "matrix: {a: {from: 0, to: 1, step: 0.3}}\n")
    assert "gives 0.9 and 1.2, not 1" in error.message


def test_a_long_seed_range_is_checked_at_its_ends(bench):
    (error,) = bench.findings(
        P + "limits: {max_jobs: 9000000}\nmatrix: {seed: {from: 2147400000, count: 200000}}\n"
    )
    assert "2147599999" in error.message


@pytest.mark.parametrize("spellings", ["1, 1.0", "1, +1", "0, -0", "0, -0.0", "2.5, 2.50", "x, 'x'"])
def test_two_spellings_of_one_value_are_one(bench, spellings):
    assert len(values(bench, f"[{spellings}]")) == 1
    used = "request: {prompt: 'p {{ a }}'}\n"
    assert len(bench.warnings(used + f"matrix: {{a: [{spellings}]}}\n")) == 1


def test_an_axis_that_nothing_uses_is_a_warning(bench):
    (warning,) = bench.warnings(P + "matrix: {a: [1, 2]}\n")
    assert "nothing in request uses 'a'" in warning
    assert not bench.warnings(P + "vars: {b: '{{ a }}'}\noutput: {file: '{{ b }}'}\nmatrix: {a: [1, 2]}\n")
    assert not bench.warnings(P + "matrix: {seed: [1, 2]}\n")


def test_a_number_a_text_and_a_boolean_are_three(bench):
    assert values(bench, "[1, '1', true]") == [1, "1", True]


def test_exclude_meets_a_number_in_any_spelling(bench):
    body = P + "matrix: {a: [1, 0.5]}\nexclude: [{a: 1.0}]\n"
    assert bench.coordinates(body) == [{"a": 0.5}]
    assert bench.coordinates(P + "matrix: {a: [1, true]}\nexclude: [{a: true}]\n") == [{"a": 1}]


def test_the_first_axis_is_outermost(bench):
    points = bench.coordinates(P + "matrix: {a: [1, 2], b: [x, y], c: [p]}\n")
    assert [tuple(point.values()) for point in points] == [
        (1, "x", "p"),
        (1, "y", "p"),
        (2, "x", "p"),
        (2, "y", "p"),
    ]


def test_a_label_is_the_coordinate_and_the_value_is_sent(bench):
    body = P + "matrix: {size: [{label: tall, value: 512*768}, 512*512]}\n"
    assert bench.coordinates(body) == [{"size": "tall"}, {"size": "512*512"}]
    assert [request["size"] for request in bench.requests(body)] == ["512*768", "512*512"]


@pytest.mark.parametrize(
    "rule", ["{size: tall}", "{size: 512*768}", "{when: size == 'tall'}", "{when: \"size == '512*768'\"}"]
)
def test_rules_meet_label_or_value(bench, rule):
    body = P + f"matrix: {{size: [{{label: tall, value: 512*768}}, 512*512]}}\nexclude: [{rule}]\n"
    assert bench.coordinates(body) == [{"size": "512*512"}]


def test_a_labelled_number_goes_on_being_one_in_rules(bench):
    body = (
        P + "matrix: {a: [{label: low, value: 1}, {label: high, value: 9}]}\n"
        "exclude: [{when: a > 5 or a == 'low'}]"
    )
    assert [error.message for error in bench.findings(body)] == ["no cell is left: the grid is empty"]


def test_labels_are_unique_in_their_axis(bench):
    for values_ in ("[{label: x, value: 1}, {label: x, value: 2}]", "[x, {label: x, value: 2}]"):
        (error,) = bench.findings(P + f"matrix: {{a: {values_}}}\n")
        assert error.message == "two values of this axis are called x"


# ── LoRAs ────────────────────────────────────────────────────────────────────────────────────────────────


def loras(bench, spec):
    body = LORAS + "request: {prompt: '{{ lora.name }}|{{ lora.trigger }}|p'}\n"
    return list(
        zip(
            [tuple(point.values()) for point in bench.coordinates(body + f"matrix: {{lora: {spec}}}\n")],
            [
                [(lora["path"], lora["scale"]) for lora in request.get("loras", [])]
                for request in bench.requests(body + f"matrix: {{lora: {spec}}}\n")
            ],
            strict=False,
        )
    )


@pytest.mark.parametrize(
    ("spec", "point", "sent"),
    [
        ("[film]", ("film", 1), [("org/film", 1)]),
        ("[film@0.8]", ("film", 0.8), [("org/film", 0.8)]),
        ("[film@2.0]", ("film", 2), [("org/film", 2)]),
        ("[film@.5]", ("film", 0.5), [("org/film", 0.5)]),
        ("[{name: film, scale: 0.8}]", ("film", 0.8), [("org/film", 0.8)]),
        ("[{name: film}]", ("film", 1), [("org/film", 1)]),
        ("[none]", ("none", 0), []),
        ("[film@0]", ("film", 0), []),
        ("[[film@0.6, ink@0.3]]", ("film@0.6+ink@0.3", None), [("org/film", 0.6), ("org/ink", 0.3)]),
        ("[[film, {name: ink, scale: 0}]]", ("film@1+ink@0", None), [("org/film", 1)]),
        ("[[film]]", ("film", 1), [("org/film", 1)]),
        ("[{label: soft, value: film@0.2}]", ("soft", 0.2), [("org/film", 0.2)]),
        ("[{label: both, value: [film, ink]}]", ("both", None), [("org/film", 1), ("org/ink", 1)]),
        ("{name: film, scale: 0.5}", ("film", 0.5), [("org/film", 0.5)]),
        ("{name: [film]}", ("film", 1), [("org/film", 1)]),
    ],
)
def test_forms_of_a_lora(bench, spec, point, sent):
    assert loras(bench, spec) == [(point, sent)]


def test_names_times_scales_with_none_once(bench):
    points = bench.coordinates(
        LORAS + P + "matrix: {lora: {name: [film, none, ink], scale: {from: 0, to: 1, step: 0.5}}}\n"
    )
    assert [tuple(point.values()) for point in points] == [
        ("film", 0),
        ("film", 0.5),
        ("film", 1),
        ("none", 0),
        ("ink", 0),
        ("ink", 0.5),
        ("ink", 1),
    ]


def test_scale_zero_of_every_lora_is_one_job_and_keeps_its_cells(bench):
    body = (
        LORAS
        + "request: {prompt: '{{ lora.trigger }} fox'}\nmatrix: {lora: {name: [film, ink], scale: [0, 1]}}\n"
    )
    steps = bench.steps(body)
    assert len(steps) == 4
    assert len({step.cell.key for step in steps}) == 3
    assert steps[0].cell.key == steps[2].cell.key
    assert [dict(step.cell.coordinates) for step in steps][2] == {"lora.name": "ink", "lora.scale": 0}
    assert steps[2].job is None
    assert steps[0].job.request.prompt == " fox"


def test_a_lora_that_is_off_has_no_trigger_in_a_stack(bench):
    body = (
        LORAS
        + "request: {prompt: '{{ lora.trigger }}|'}\nmatrix: {lora: [[film@0, ink], [film, ink], none]}\n"
    )
    assert [request["prompt"] for request in bench.requests(body)] == ["inkwash|", "filmgrain, inkwash|", "|"]


def test_loras_by_path_alone(bench):
    body = "loras: {a: org/a}\nrequest: {prompt: '{{ lora.trigger }}p'}\nmatrix: {lora: [a]}\n"
    assert bench.requests(body)[0]["loras"] == [{"path": "org/a", "scale": 1}]


@pytest.mark.parametrize(
    "text",
    ["film@", "film@x", "film@1e1", "film@nan", "film@inf", "film@1_0", "film@٣", "film@0x1", "film@ 1"],
)
def test_a_scale_after_the_at_sign_is_a_decimal(bench, text):
    (error,) = bench.findings(LORAS + P + f"matrix: {{lora: [{text!r}]}}\n")
    assert error.message.startswith("the scale after @ must be a number")


def test_the_request_may_stack_on_the_axis(bench):
    body = LORAS + (
        "request: {prompt: p, loras: [ink@0.5, {path: '{{ lora.path }}', scale: '{{ lora.scale }}'}]}\n"
        "matrix: {lora: [film@1, film@0]}\n"
    )
    assert [request["loras"] for request in bench.requests(body)] == [
        [{"path": "org/ink", "scale": 0.5}, {"path": "org/film", "scale": 1}],
        [{"path": "org/ink", "scale": 0.5}],
    ]


# ── coordinates, include, vars ───────────────────────────────────────────────────────────────────────────


def test_coordinates_of_replicas_and_labelled_rows(bench):
    body = P + "replicas: 2\nmatrix: {a: [1]}\ninclude: [{a: 2}, {label: row, a: 3, seed: 9}]\n"
    assert bench.coordinates(body) == [
        {"a": 1, "replica": 1},
        {"a": 1, "replica": 2},
        {"a": 2, "replica": 1},
        {"a": 2, "replica": 2},
        {"a": 3, "seed": 9, "include": "row", "replica": 1},
        {"a": 3, "seed": 9, "include": "row", "replica": 2},
    ]


def test_a_row_takes_the_label_of_the_axis(bench):
    body = P + (
        "matrix: {size: [{label: tall, value: 512*768}]}\n"
        "include: [{size: tall, seed: 1}, {size: 512*768, seed: 2}, {size: 512*512, seed: 3}]\n"
    )
    assert [point["size"] for point in bench.coordinates(body)] == ["tall", "tall", "tall", "512*512"]
    assert [request["size"] for request in bench.requests(body)] == [
        "512*768",
        "512*768",
        "512*768",
        "512*512",
    ]


def test_a_rows_own_request_wins_over_axis_and_request(bench):
    body = (
        "request: {prompt: 'a {{ animal }}', size: 512*512}\nmatrix: {animal: [fox]}\n"
        "include: [{animal: owl, size: 768*768, request: {size: 640*640, prompt: 'the {{ animal }}'}}]\n"
    )
    assert [(request["prompt"], request["size"]) for request in bench.requests(body)] == [
        ("a fox", "512*512"),
        ("the owl", "640*640"),
    ]


def test_include_stands_after_exclude(bench):
    body = P + "matrix: {a: [1, 2]}\nexclude: [{a: 1}]\ninclude: [{a: 1}]\n"
    assert bench.coordinates(body) == [{"a": 2}, {"a": 1}]


def test_the_template_decides_where_it_mentions_its_axis_through_a_var(bench):
    body = (
        "request: {prompt: p, seed: '{{ shifted }}'}\n"
        "vars: {shifted: '{{ moved + 1 }}', moved: '{{ seed * 10 }}'}\n"
        "matrix: {seed: [1, 2]}\n"
    )
    assert [request["seed"] for request in bench.requests(body)] == [11, 21]


def test_only_matrix_and_include_expand(bench):
    body = (
        "request: {prompt: '{{ words | join(\" \") }}'}\nvars: {words: [a, b, '{{ c }}']}\nmatrix: {c: [d]}\n"
    )
    assert [request["prompt"] for request in bench.requests(body)] == ["a b d"]


def test_a_chain_of_vars_may_be_longer_than_python_recurses(bench):
    chain = "\n".join(f"  v{n}: '{{{{ v{n + 1} }}}}'" for n in range(1500))
    assert (
        bench.requests(f"request: {{prompt: '{{{{ v0 }}}}'}}\nvars:\n{chain}\n  v1500: end\n")[0]["prompt"]
        == "end"
    )


def test_a_long_cycle_of_vars_is_told_in_short(bench):
    chain = "\n".join(f"  v{n}: '{{{{ v{(n + 1) % 1500} }}}}'" for n in range(1500))
    (error,) = bench.findings(f"request: {{prompt: '{{{{ v0 }}}}'}}\nvars:\n{chain}\n")
    assert error.message == "uses itself: v0 -> v1 -> v2 -> v3 -> ... -> v1498 -> v1499 -> v0"


def test_values_are_never_templates_and_cannot_change_the_shape(bench):
    body = 'request: {prompt: \'{{ a }}\'}\nmatrix: {a: ["{{ b }}", "x\\n  size: 1*1", "{% raw %}"]}\n'
    assert [request["prompt"] for request in bench.requests(body)] == [
        "{{ b }}",
        "x\n  size: 1*1",
        "{% raw %}",
    ]
    assert bench.warnings(body) == ['holds {{, and values are never templates (got "{{ b }}")']


def test_rules_name_lora_in_every_way(bench):
    body = LORAS + P + "matrix: {lora: [film@0.5, film@1, ink@1, [film, ink], none]}\n"
    for rule, left in [
        ("{lora: film}", ["ink", "film@1+ink@1", "none"]),
        ("{lora: film@0.5}", ["film", "ink", "film@1+ink@1", "none"]),
        ("{lora.name: ink}", ["film", "film", "film@1+ink@1", "none"]),
        ("{lora.scale: 1}", ["film", "film@1+ink@1", "none"]),
        ("{lora: none}", ["film", "film", "ink", "film@1+ink@1"]),
        ("{when: lora.name == 'film' and lora.scale > 0.7}", ["film", "ink", "film@1+ink@1", "none"]),
    ]:
        points = bench.coordinates(body + f"exclude: [{rule}]\n")
        assert [point["lora.name"] for point in points] == left, rule


def test_rules_look_into_a_labelled_map_or_list_and_know_its_label(bench):
    body = P + (
        "matrix: {a: [{label: m, value: {x: 1}}, {label: l, value: [5, 6]}, {label: t, value: text}, "
        "{label: n, value: 3}, {label: b, value: true}]}\n"
    )
    for rule, left in [
        ("a == 'm'", ["l", "t", "n", "b"]),
        ("a is mapping and a.x == 1", ["l", "t", "n", "b"]),
        ("a == 'l' and a[1] == 6", ["m", "t", "n", "b"]),
        ("a != 't'", ["t"]),
        ("a in ['t', 'n']", ["m", "l", "b"]),
        ("a == 3", ["m", "l", "t", "b"]),
        ("a == 'b'", ["m", "l", "t", "n"]),
    ]:
        points = bench.coordinates(body + f'exclude: [{{when: "{rule}"}}]\n')
        assert [point["a"] for point in points] == left, rule


def test_a_labelled_lora_is_met_by_its_label_its_name_and_its_scale(bench):
    body = LORAS + P + "matrix: {lora: [{label: soft, value: film@0.2}, film, none]}\n"
    for rule, left in [
        ("{lora: soft}", ["film", "none"]),
        ("{lora.name: soft}", ["film", "none"]),
        ("{lora.name: film}", ["none"]),
        ("{lora: film}", ["none"]),
        ("{lora.scale: 0.2}", ["film", "none"]),
        ("{when: lora.name == 'soft'}", ["film", "none"]),
        ("{when: lora.name == 'film'}", ["none"]),
        ("{when: lora.stack | length == 0}", ["soft", "film"]),
    ]:
        points = bench.coordinates(body + f"exclude: [{rule}]\n")
        assert [point["lora.name"] for point in points] == left, rule
    assert sum(step.selected for step in bench.steps(body, only=("lora.name=film",))) == 2


def test_a_lora_is_text_where_a_prompt_is_made_of_it(bench):
    body = LORAS + "request: {prompt: '{{ lora }}'}\nmatrix: {lora: [film@0.5, [film, ink]]}\n"
    assert [request["prompt"] for request in bench.requests(body)] == ["film@0.5", "film@1+ink@1"]
