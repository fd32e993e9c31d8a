"""Templates as source: lines that fit on a screen, and tags that are closed where they are opened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[1] / "trace_app" / "templates"
ALL = sorted(TEMPLATES.rglob("*.html"))
LONGEST_LINE = 160
JINJA = r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}"
TOKEN = re.compile(
    rf"(?P<jinja>{JINJA})|<(?P<end>/?)(?P<tag>[a-z][a-z0-9]*)(?:{JINJA}|[^<>{{]|\{{(?![{{%#]))*>", re.DOTALL
)
STATEMENT = re.compile(r"\{%[-+]?\s*(\w+)")
VOID = {"br", "circle", "hr", "img", "input", "link", "meta", "option", "path", "polygon", "rect"}
"""Elements without a content, and those of drawings and lists that are mostly written so."""
BRANCHED = {"block", "call", "for", "if", "macro"}


def unbalanced(text: str) -> str | None:
    """The first tag or statement that isn't closed where it was opened: each branch of a statement is whole."""
    opened: list[str] = []
    for token in TOKEN.finditer(text):
        tag = token["tag"]
        if tag in VOID or token[0].endswith("/>"):
            continue
        where = f"{token[0]} in line {text.count(chr(10), 0, token.start()) + 1}"
        if tag and not token["end"]:
            opened.append(tag)
        elif tag:
            if not opened or opened.pop() != tag:
                return where
        elif statement := STATEMENT.match(token[0]):
            word = statement[1]
            if word in BRANCHED:
                opened.append(f"{{% {word}")
            elif word.startswith("end"):
                if not opened or opened.pop() != f"{{% {word[3:]}":
                    return where
            elif word in {"else", "elif"} and opened[-1:] not in (["{% if"], ["{% for"]):
                return where
    return f"{opened[-1]} is never closed" if opened else None


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_a_template_can_be_read_and_its_changes_reviewed(path: Path) -> None:
    text = path.read_text("utf-8")
    too_long = [n for n, line in enumerate(text.splitlines(), 1) if len(line) > LONGEST_LINE]
    assert not too_long, f"lines of more than {LONGEST_LINE} characters: {too_long}"
    assert unbalanced(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "<p><b>one</p></b>",
        "<ul><li>one</ul>",
        "{% if x %}<p>{% endif %}</p>",
        "{% for x in y %}<p>{{ x }}</p>",
        "<p>{% if x %}a{% else %}</p>{% endif %}",
    ],
)
def test_what_is_not_closed_where_it_was_opened_is_found(text: str) -> None:
    assert unbalanced(text) is not None


def test_texts_of_expressions_are_no_tags() -> None:
    assert (
        unbalanced("""<a href="{{ '<p>' if x > 1 else '>' }}"{% if a < b %} id="b"{% endif %}>{{ '</b>' }}</a>""")
        is None
    )
