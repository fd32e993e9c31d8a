"""Counters: where numbers that must not have gaps or doubles come from.

A number is taken in the transaction that uses it. So one that is rolled back uses none up, and whoever wants the next
one of the same counter waits until it is clear what became of this one. A counter that one producer has is taken before
anything else is held; the one that all share is taken last (docs/architecture.md, "The order of locks").
"""

from __future__ import annotations

import hashlib

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from qr.codes import ALPHABET
from qr.ff1 import encrypt_codes
from trace_app.db.session import insert_into
from trace_app.extensions import Model, db
from trace_app.settings import settings

_NUMBER_BITS = 28
"""The counter's share of the 60 bits of a `public_number`; the other 32 are the owner's."""
_CHARACTERS = 12
_GROUP = 4


class Counter(Model):
    """How many numbers of one kind have been given out, to one owner and in one period where the kind has these."""

    __tablename__ = "counters"
    __table_args__ = (sa.CheckConstraint("value >= 0", "value"),)

    name: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    scope: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    period: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    value: Mapped[int] = mapped_column(sa.BigInteger)


def take(name: str, scope: object = "", period: object = "", count: int = 1) -> int:
    """Take the next numbers of a counter, which stays held until the end of the transaction.

    :return: the first of them. Numbers begin with 0.
    """
    connection = db.session.connection()
    new = insert_into(Counter, connection.dialect.name).values(
        name=name, scope=str(scope), period=str(period), value=count
    )
    raised = new.on_conflict_do_update(
        index_elements=["name", "scope", "period"], set_={"value": Counter.value + new.excluded.value}
    )
    return int(connection.execute(raised.returning(Counter.value)).scalar_one()) - count


def taken(name: str, scope: object = "", period: object = "") -> int:
    """How many numbers of a counter have been given out."""
    key = {"name": name, "scope": str(scope), "period": str(period)}
    return db.session.scalar(sa.select(Counter.value).filter_by(**key)) or 0


def public_number(name: str, owner_id: int, period: object, number: int) -> str:
    """A counter's number as others may see it: 12 characters, such as 7KQ2-M0XR-9T4V, of which no two are alike.

    They are a permutation (FF1, under a key made of the signing key) of owner and number. So they tell neither whose
    it is nor how many there are, and nothing has to be tried and thrown away. After a change of the signing key one
    could come twice, by a chance of one in 10^18 for each that there is; the tables refuse that.

    :param number: below 2^28.
    """
    secret = hashlib.sha256(settings().signing_key.encode()).digest()
    key = hashlib.blake2b(f"{name} {period}".encode(), key=secret, digest_size=32).digest()
    value = int(encrypt_codes(key, 0, np.array([owner_id << _NUMBER_BITS | number], dtype=np.uint64))[0])
    text = "".join(ALPHABET[value >> 5 * place & 31] for place in reversed(range(_CHARACTERS)))
    return "-".join(text[start : start + _GROUP] for start in range(0, _CHARACTERS, _GROUP))
