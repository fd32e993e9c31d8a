"""Farm inputs, active ingredients and pests in English: put together from the words of ``english.toml``.

People type these names, and there is no end of products; but they are made of known words. A text of which every part
is known is said in English. Any other stays as it was typed, marked as Chinese, so that it is read aloud and set in
type as such: half a translation would be worse than none.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

from markupsafe import Markup

from trace_app.language import language
from trace_app.plain_text import half_width

_WORDS = Path(__file__).with_name("english.toml")
_PLAIN = re.compile(r"[A-Za-z0-9.%‰+/×·αβγμµ°()\[\]#&_ -]+")
_SIGNS = {"、": ",", "，": ",", "；": ";", "：": ":", "。": ".", "·": "·", ",": ",", ";": ";", ":": ":"}
CHINESE = re.compile(r"[\u3400-\u9fff]")


@cache
def _known() -> tuple[dict[str, str], int]:
    """The words by their Chinese, and the length of the longest."""
    tables = tomllib.loads(_WORDS.read_text("utf-8"))
    words = {half_width(chinese): english for table in tables.values() for chinese, english in table.items()}
    return words, max(map(len, words))


@lru_cache(maxsize=2000)
def english_of(text: str) -> str | None:
    """A name in English; None where a part of it is not known."""
    words, longest = _known()
    typed, place, parts = half_width(text).strip(), 0, list[str]()
    while place < len(typed):
        for end in range(min(len(typed), place + longest), place, -1):
            if typed[place:end] in words:
                parts.append(words[typed[place:end]])
                place = end
                break
        else:
            if found := _PLAIN.match(typed, place):
                parts.append(found[0].strip())
                place = found.end()
            elif sign := _SIGNS.get(typed[place]):
                parts.append(sign)
                place += 1
            else:
                return None
    said = re.sub(r"\s+", " ", " ".join(part for part in parts if part))
    said = re.sub(r" ([,;:.)\]])", r"\1", said)
    return re.sub(r"([(\[]) ", r"\1", said)


def worded(text: str | None) -> str:
    """A name for the reader: as it was typed in Chinese; on English pages in English, or marked as Chinese."""
    if not text or language() == "zh":
        return text or ""
    return english_of(text) or as_typed(text)


def plainly_worded(text: str | None) -> str:
    """`worded`, for what is no HTML: without a mark."""
    return (text and language() == "en" and english_of(text)) or text or ""


_MEASURES = {
    "毫升": "mL", "千克": "kg", "公斤": "kg", "毫克": "mg", "克": "g", "升": "L", "枚": "pieces", "个": "pieces",
    "只": "pieces", "块": "pieces", "片": "pieces", "袋": "bags", "盒": "boxes", "瓶": "bottles", "罐": "jars",
    "包": "packs",
}  # fmt: skip
_MEASURE = re.compile(r"\s*(" + "|".join(_MEASURES) + ")")


def contents(text: str) -> str:
    """How much a pack holds: on English pages in English where its measures are known, else marked as Chinese."""
    if language() == "zh":
        return text
    said = _MEASURE.sub(lambda found: f" {_MEASURES[found[1]]}", text).strip()
    return as_typed(text) if CHINESE.search(said) else said


def as_typed(text: str | None) -> str:
    """A text of someone's own; marked where an English page has to show it in Chinese."""
    if not text or language() == "zh" or not CHINESE.search(text):
        return text or ""
    return Markup('<span lang="zh">{}</span>').format(text)
