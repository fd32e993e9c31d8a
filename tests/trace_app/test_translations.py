"""Chinese stands in the code, English in one catalogue that must be complete."""

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
PLACES = re.compile(r"%\(\w+\)[sd]")
KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}


def _used() -> set[str]:
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    options = {"templates/**.html": {"trimmed": "true"}}
    found = extract_from_dir(ROOT / "trace_app", methods, options, keywords=KEYWORDS)
    return {message[0] if isinstance(message, tuple) else message for _, _, message, _, _ in found}


def _catalogue() -> dict[str, tuple[str, ...]]:
    with (ROOT / "trace_app/translations/en/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale="en")
    return {
        m.id[0] if isinstance(m.id, tuple) else m.id: m.string if isinstance(m.string, tuple) else (m.string,)
        for m in catalogue
        if m.id
    }


def test_every_message_is_translated_and_none_is_left_over() -> None:
    catalogue = _catalogue()
    assert _used() == set(catalogue)
    assert [message for message, texts in catalogue.items() if not all(texts)] == []


def test_translations_keep_the_places_for_facts_and_hold_no_chinese() -> None:
    for message, texts in _catalogue().items():
        for text in texts:
            assert set(PLACES.findall(text)) == set(PLACES.findall(message)), message
            assert not re.search(r"[\u4e00-\u9fff]", text), text


def test_templates_show_no_chinese_that_is_not_translated() -> None:
    for path in (ROOT / "trace_app/templates").rglob("*.html"):
        text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.S)
        text = re.sub(r"(?:_|ngettext)\(\s*(?:'[^']*'(?:,\s*)?)+", "", text)
        left = set(re.findall(r"[\u4e00-\u9fff]+", text)) - {"中文"}
        assert not left, (path.name, left)
