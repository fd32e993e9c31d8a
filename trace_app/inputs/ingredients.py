"""Active ingredients by name, as they are read out of what people type, and compared."""

from __future__ import annotations

import re

from trace_app.plain_text import half_width

_STRENGTH = re.compile(r"\d+(?:\.\d+)?\s*(?:[%％‰]|克/升|克/千克|g/[Ll]|g/kg|mg/kg)|[（(].*?[)）]")
_BETWEEN = re.compile(r"[、，;；+＋/·\s]+|和(?=\S)(?<=\s和)|,(?!\d)")
"""What stands between two names. The comma of 2,4-滴 is a part of one."""
_FORMS = (
    "可溶粉剂",
    "可湿性粉剂",
    "水分散粒剂",
    "悬浮剂",
    "颗粒剂",
    "水剂",
    "乳油",
    "粉剂",
    "原药",
)
"""What it is sold as, the longer before the shorter: no part of the ingredient's name."""
_SALTS = ("钠盐", "钠", "盐酸盐")
"""Words behind a name that mean a salt of it: whoever asks for the ingredient means them too."""
MOST = 60


def names_in(text: str | None) -> list[str]:
    """The names in a text, each once, without strengths and signs between them."""
    parts = (part.strip("的：:") for part in _BETWEEN.split(_STRENGTH.sub(" ", half_width(text or ""))))
    return list(dict.fromkeys(part[:MOST] for part in parts if part))


def key_of(name: str) -> str:
    """A name as it is compared: small letters, without dashes, points and the form that it is sold in."""
    plain = re.sub(r"[\s·.,，_-]", "", half_width(name)).lower()
    for form in _FORMS:
        if len(plain) > len(form) and plain.endswith(form):
            return plain.removesuffix(form)
    return plain


def keys_meant(text: str) -> list[str]:
    """The keys of the ingredients that are meant by the names in a text: those themselves and their salts."""
    return [key + salt for name in names_in(text) if (key := key_of(name)) for salt in ("", *_SALTS)]
