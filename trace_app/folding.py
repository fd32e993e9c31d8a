"""Numbers of lots as people type them, compared without what they vary in."""

from __future__ import annotations

import re
import unicodedata

import sqlalchemy as sa

from qr.codes import CONFUSED, PUNCTUATION

_SIGNS = "-_. /\\·"
"""What stands between the parts of a number, or does not."""
_DASHES = re.compile("[‐-―−－~—]")
_CAPTION = re.compile("^(?:[^:]*:|[\u4e00-\u9fff]+(?=[A-Z0-9]))")


def fold(text: str) -> str:
    """A number without case, width, dashes, spaces, signs around it and a caption (批次号：); O as 0, I and L as 1."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text).upper()).strip()
    plain = _CAPTION.sub("", plain).strip(PUNCTUATION)
    plain = re.sub(f"[{re.escape(_SIGNS)}\\s]", "", plain)
    return plain.translate(str.maketrans(*CONFUSED))


def fold_name(name: str) -> str:
    """A name's letters and digits alone, without case, width, spaces and signs."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name)).casefold()


def without_spaces(text: str) -> str:
    """A number of someone else's, which may mean something by each of its signs: without spaces, case and width."""
    return _DASHES.sub("-", "".join(unicodedata.normalize("NFKC", text).upper().split()))


def fold_column(column: sa.SQLColumnExpression[str]) -> sa.ColumnElement[str]:
    """`fold` of a column that holds numbers as forms let them in, on either database."""
    folded: sa.ColumnElement[str] = sa.func.upper(column)
    for sign, instead in [*((sign, "") for sign in _SIGNS), *zip(*CONFUSED, strict=True)]:
        folded = sa.func.replace(folded, sign, instead)
    return folded
