"""A docstring is a sentence with a subject of its own: it means something in ``help()``, away from its line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.served import ROOT

PREPOSITIONS = re.compile(
    "(of|in|with|for|by|from|at|to|on|or|and|as|under|until|since|within|between|beside|but|than|without|before|after"
    "|beyond|over|about|against|along|behind)\\b",
    re.IGNORECASE,
)


def _docstrings(path: Path) -> list[tuple[int, str]]:
    """Line and text of each docstring, of attributes and constants too."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    bodies = [node.body for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    return [
        (one.lineno, one.value.value.strip())
        for body in bodies
        for one in body
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)
    ]


def test_no_docstring_begins_with_a_bare_preposition() -> None:
    files = [
        *ROOT.glob("*.py"),
        *(f for room in ("qr", "media_store", "trace_app") for f in (ROOT / room).rglob("*.py")),
    ]
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text[:60]}"
        for path in files
        if "node_modules" not in path.parts
        for line, text in _docstrings(path)
        if PREPOSITIONS.match(text)
    ]
    assert len(files) > 200
    assert found == []
