"""Templates and expressions: a sandboxed, strict, pure and bounded Jinja."""

from zbatch.expressions.budget import Allowance, ExpressionError
from zbatch.expressions.filters import slugify
from zbatch.expressions.templates import Template, compile_expression, compile_template, is_template

__all__ = [
    "Allowance",
    "ExpressionError",
    "Template",
    "compile_expression",
    "compile_template",
    "is_template",
    "slugify",
]
