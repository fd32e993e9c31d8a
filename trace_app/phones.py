"""Telephone numbers as people write them, kept in one way, so that one number is one number."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = re.compile(r"[\s\-‐-―−－()./·]")
_MOBILE = re.compile(r"1[3-9]\d{9}")
_LANDLINE = re.compile(r"0\d{9,11}")


class NotAPhone(ValueError):
    """A text that is no telephone number of China."""


def sign_in_name(text: str) -> str:
    """A user name as accounts have it: in small letters; a mobile number by its digits alone, however it is typed."""
    name = " ".join(text.replace("\0", "").split()).lower()
    try:
        number = read_phone(name)
    except NotAPhone:
        return name
    return number if _MOBILE.fullmatch(number) else name


def read_phone(text: str) -> str:
    """The digits of a mobile number, or of a landline with its area code; +86 and signs between are left out.

    :raises NotAPhone:
    """
    digits = _SIGNS.sub("", unicodedata.normalize("NFKC", text))
    digits = re.sub(r"^(?:\+|00)86|^86(?=1\d{10}$)", "", digits)
    if _MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits):
        return digits
    raise NotAPhone(text)
