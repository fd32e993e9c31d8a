"""Linking lots, and everything that came from or went into a lot."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import aliased, joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import Organisation, User
from trace_app.batches import service as batches
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.db.base import utc_now
from trace_app.db.reachability import ReachedIds, reached
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.flow.balance import must_have
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.ledger.models import LotMove, MoveCause
from trace_app.flow.ledger.service import enter, hold_lots, standing, undoing

Direction = Literal["forward", "backward"]
MOST_SHOWN = 2000
"""Links that one picture and table are made of."""
_LOCK = 5_303_001
"""The number of PostgreSQL's advisory lock on linking as a whole: two links at once could close a circle that neither
sees.
"""


def _made_of(sources: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The lots that were made of lots of which a condition holds."""
    links = sa.select(LotLink.target_id).join(_SOURCE, _SOURCE.id == LotLink.source_id)
    return Batch.id.in_(links.where(LotLink.withdrawn_at.is_(None), sources))


_SOURCE = aliased(Batch)
shown_on_trace_pages(LotLink, lambda link: Batch.id == link.target_id)
shown_on_trace_pages(Batch, lambda batch: _made_of(_SOURCE.id == batch.id))
shown_on_trace_pages(Product, lambda product: _made_of(_SOURCE.product_id == product.id))
shown_on_trace_pages(Organisation, lambda producer: _made_of(_SOURCE.producer_id == producer.id))


class SameLot(Unprocessable):
    title = _("一个批次不能由它自己做成，请选另一个批次。")


class CircularLink(Unprocessable):
    """The target went into the source already, directly or on the way."""

    code = "circle"
    title = _("批次 %(source)s 本身就是由 %(target)s 做成的，不能再倒过来。请核对两个批次。")


@dataclass(frozen=True, slots=True)
class GenealogyStep:
    """A link as it stands in a graph.

    :ivar depth: links between it and the lot that was asked about, from 1 on.
    """

    link_id: int
    source_id: int
    target_id: int
    quantity: Decimal
    depth: int


@dataclass(frozen=True, slots=True)
class Genealogy:
    """Everything that a lot was made of and was made into. ``folded`` is whether there is more than is shown."""

    batch: Batch
    backward: list[GenealogyStep]
    forward: list[GenealogyStep]
    lots: dict[int, Batch]
    folded: bool


def link_lots(
    user: User, source: Batch, target: Batch, *, quantity: Decimal, happened_on: date, note: str = ""
) -> LotLink:
    """Note that some of one lot went into another, which is the user's own.

    :param quantity: of the source, in its unit.
    :raises SameLot, CircularLink, MoreThanLeft, UnderRecall, OnHold, AlreadyClosed, NotFound:
    """
    if target.producer_id != user.organisation_id:
        raise NotFound
    if source.id == target.id:
        raise SameLot
    _one_at_a_time()
    # Lots are held by id, whichever of them is which.
    for lot in sorted((source, target), key=lambda lot: lot.id):
        (batches.must_take_records if lot is target else batches.must_not_be_stopped)(lot)
    ahead = _ahead_of(target.id)
    if db.session.scalar(sa.select(ahead.c.id).where(ahead.c.id == source.id).limit(1)) is not None:
        raise CircularLink(source=source.lot_number, target=target.lot_number)
    holder_id = must_have(source, quantity, user.organisation_id)
    link = LotLink(
        source_id=source.id,
        target_id=target.id,
        quantity=quantity,
        happened_on=happened_on,
        note=note,
        created_by_id=user.id,
    )
    db.session.add(link)
    db.session.flush()
    facts = {"batch_id": source.id, "holder_id": holder_id, "link_id": link.id, "created_by_id": user.id}
    enter(LotMove(cause=MoveCause.USED, quantity=-quantity, **facts))
    audit.note(user, "link", link, source=source.id, target=target.id, quantity=str(quantity))
    return link


def _one_at_a_time() -> None:
    """Hold the linking of lots until the commit: two links at once could make a circle."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def own_link(user: User, link_id: int) -> LotLink:
    """A standing link to a lot of the user's own.

    :raises NotFound:
    """
    link = db.session.get(LotLink, link_id)
    if link is None or link.target.producer_id != user.organisation_id or link.withdrawn_at is not None:
        raise NotFound
    return link


def withdraw_link(user: User, link: LotLink, reason: str) -> None:
    """Take back a link that was entered wrongly. It stays on record.

    :raises UnderRecall, AlreadyClosed:
    """
    hold_lots((link.source_id, link.target_id))
    batches.must_take_records(link.target)
    link.withdrawn_at, link.withdrawn_reason = utc_now(), reason
    enter(*(undoing(move, user) for move in standing(LotMove.link_id == link.id)))
    audit.note(user, "withdraw", link, source=link.source_id, target=link.target_id, reason=reason)


def _ahead_of(batch_id: int) -> sa.CTE:
    """A lot with all that it went into, as a recursive query with the column ``id``."""
    ahead = sa.select(Batch.id).where(Batch.id == batch_id).cte("ahead", recursive=True)
    # UNION, not UNION ALL: a lot that is reached by two ways is followed once.
    return ahead.union(
        sa.select(LotLink.target_id).join(ahead, LotLink.source_id == ahead.c.id).where(LotLink.withdrawn_at.is_(None))
    )


def reached_from(lots: sa.Select[int]) -> AbstractContextManager[ReachedIds]:
    """Many lots with all that they went into, in a temporary table.

    :param lots: a SELECT of their ids.
    """
    return reached(lots, LotLink.source_id, LotLink.target_id, LotLink.withdrawn_at.is_(None))


def _ends(direction: Direction) -> tuple[sa.SQLColumnExpression[int], sa.SQLColumnExpression[int]]:
    return (LotLink.source_id, LotLink.target_id) if direction == "forward" else (LotLink.target_id, LotLink.source_id)


def steps_from(batch_id: int, direction: Direction) -> list[GenealogyStep]:
    """The links on all ways from a lot, the nearest first; at most `MOST_SHOWN` and one more."""
    here, there = _ends(direction)
    found: dict[int, GenealogyStep] = {}
    edge, seen, depth = {batch_id}, {batch_id}, 0
    while edge and len(found) <= MOST_SHOWN:
        depth += 1
        query = (
            sa.select(LotLink.id, LotLink.source_id, LotLink.target_id, LotLink.quantity, there)
            .where(here.in_(edge), LotLink.withdrawn_at.is_(None))
            .order_by(LotLink.id)
            .limit(MOST_SHOWN + 1 - len(found))
        )
        reached = set()
        for link_id, source_id, target_id, quantity, other in db.session.execute(query):
            found[link_id] = GenealogyStep(link_id, source_id, target_id, quantity, depth)
            reached.add(other)
        edge = reached - seen
        seen |= reached
    return list(found.values())


def genealogy(batch: Batch) -> Genealogy:
    """All that a lot was made of, and all that was made of it."""
    backward, forward = steps_from(batch.id, "backward"), steps_from(batch.id, "forward")
    folded = max(len(backward), len(forward)) > MOST_SHOWN
    backward, forward = backward[:MOST_SHOWN], forward[:MOST_SHOWN]
    ids = {batch.id} | {end for step in [*backward, *forward] for end in (step.source_id, step.target_id)}
    lots: dict[int, Batch] = {}
    for part in _parts(sorted(ids), 500):
        query = (
            db.select(Batch)
            .where(Batch.id.in_(part))
            .options(
                joinedload(Batch.product).joinedload(Product.kind), joinedload(Batch.producer), joinedload(Batch.site)
            )
        )
        lots |= {lot.id: lot for lot in db.session.scalars(query)}
    return Genealogy(batch, backward, forward, lots, folded)


def _parts(numbers: list[int], size: int) -> Iterable[list[int]]:
    return (numbers[first : first + size] for first in range(0, len(numbers), size))


def sources_of(batch: Batch) -> list[LotLink]:
    """What a lot was made of, one step back, with what was withdrawn."""
    return _links(LotLink.target_id == batch.id)


def sources_shown(batch: Batch) -> list[LotLink]:
    """What a lot was made of, one step back, for its trace page."""
    return [link for link in sources_of(batch) if link.withdrawn_at is None]


def _links(condition: sa.ColumnElement[bool]) -> list[LotLink]:
    query = (
        db.select(LotLink)
        .where(condition)
        .options(
            joinedload(LotLink.source).joinedload(Batch.product),
            joinedload(LotLink.source).joinedload(Batch.producer),
            joinedload(LotLink.source).joinedload(Batch.division),
        )
        .order_by(LotLink.happened_on, LotLink.id)
    )
    return list(db.session.scalars(query))
