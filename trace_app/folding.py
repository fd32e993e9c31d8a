"""Numbers of lots as people type them, compared without what they vary in."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa

from qr.codes import CONFUSED, PUNCTUATION
from trace_app.plain_text import half_width

_SIGNS = "-_. /\\·"
"""What stands between the parts of a number, or does not."""
_DASHES = re.compile("[‐-―−－~—]")
_CAPTION = re.compile("^(?:[^:]*:|[\u4e00-\u9fff]+\\s*(?=[A-Z0-9]))")
NEAR = 0.85
"""How alike two numbers are, at least, of which one may be meant by the other."""


def fold(text: str) -> str:
    """A number without case, width, dashes, spaces, signs around it, a caption (批次号：) or an address before it.

    O counts as 0, I and L as 1.
    """
    plain = re.sub(f"[{re.escape(_SIGNS)}\\s]", "", _plain(text))
    return plain.translate(str.maketrans(*CONFUSED))


def fold_name(name: str) -> str:
    """A name's letters and digits alone, without case, width, spaces and signs."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name)).casefold()


def without_spaces(text: str) -> str:
    """A number of someone else's, which may mean something by each of its signs: without spaces, case and width."""
    return _DASHES.sub("-", "".join(unicodedata.normalize("NFKC", text).upper().split()))


def written_plainly(number: str | None) -> str | None:
    """A number of one's own in plain width and with plain dashes, as it is kept."""
    return None if number is None else _DASHES.sub("-", half_width(number))


def meant(typed: str, known: Iterable[str]) -> str | None:
    """Which of some numbers was typed: itself, or the only one that is alike but for what `fold` leaves out."""
    numbers = list(known)
    if typed in numbers:
        return typed
    alike = {number for number in numbers if fold(number) == fold(typed)}
    return alike.pop() if len(alike) == 1 else None


def near(typed: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Numbers that are nearly what was typed, the nearest first: a character too few, too many or wrong."""
    by_fold: dict[str, str] = {}
    for number in known:
        by_fold.setdefault(fold(number), number)
    return [by_fold[one] for one in difflib.get_close_matches(fold(typed), by_fold, most, NEAR)]


def _plain(text: str) -> str:
    """Upper case, plain width and dashes, nothing around it."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text)).strip()
    if "://" in plain:
        plain = _last_part(plain)
    return _CAPTION.sub("", plain.upper()).strip(PUNCTUATION)


def _last_part(link: str) -> str:
    """What an address ends with: the lot in its query, or else the last part of its path."""
    try:
        address = urlsplit(link)
    except ValueError:
        return link
    lots = parse_qs(address.query).get("lot")
    return lots[0] if lots else unquote(address.path.rstrip("/").rpartition("/")[2])


def folded(column: str) -> sa.Computed:
    """A column that the database itself keeps: `fold` of another that holds numbers as forms let them in."""
    expression: sa.ColumnElement[str] = sa.func.upper(sa.column(column))
    for sign, instead in [*((sign, "") for sign in _SIGNS), *zip(*CONFUSED, strict=True)]:
        expression = sa.func.replace(expression, sa.literal_column(f"'{sign}'"), sa.literal_column(f"'{instead}'"))
    return sa.Computed(expression, persisted=True)
