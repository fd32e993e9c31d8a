"""What the scans say: by day, region, product, client and language, for a producer or a jurisdiction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from trace_app.accounts.access import visible_to
from trace_app.accounts.models import RoleName, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.clock import SHANGHAI, today
from trace_app.extensions import db
from trace_app.labels.models import LabelRun
from trace_app.language import language
from trace_app.scanning.models import ScanDay, ScanItem
from trace_app.scans.models import Suspicion, SuspicionKind

DAY_S = 24 * 3600
TOP = 10
MOST_SUSPICIONS = 50


@dataclass(frozen=True, slots=True)
class Figures:
    """Scans of a span of days. ``again`` of ``labels`` scanned labels were scanned a day or
    more after the first time."""

    first: date
    last: date
    by_day: list[tuple[date, int]]
    by_region: list[tuple[str, int]]
    by_product: list[tuple[str, int]]
    by_lot: list[tuple[str, int]]
    by_client: list[tuple[str, int]]
    by_language: list[tuple[str, int]]
    labels: int
    again: int

    @property
    def total(self) -> int:
        return sum(scans for _day, scans in self.by_day)


def figures_for(user: User, days: int) -> Figures:
    """The scans of a user's lots in the last days, today's included."""
    last = today()
    first = last - timedelta(days=days - 1)
    here = (visible_to(user, Batch.producer_id, Batch.division_code), ScanDay.day >= first, ScanDay.day <= last)

    def by(*columns: sa.orm.InstrumentedAttribute[Any], most: int = TOP) -> list[Any]:
        number = sa.func.sum(ScanDay.scans)
        query = (
            sa.select(*columns, number)
            .join(Batch, Batch.id == ScanDay.batch_id)
            .join(Product, Product.id == Batch.product_id)
            .where(*here)
            .group_by(*columns)
            .order_by(number.desc())
            .limit(most)
        )
        return [(*row[:-1], int(row[-1])) for row in db.session.execute(query)]

    counted = dict(by(ScanDay.day, most=days))
    labels, again = _labels(user, first)
    return Figures(
        first,
        last,
        [(first + timedelta(days=n), counted.get(first + timedelta(days=n), 0)) for n in range(days)],
        by(ScanDay.region, most=60),
        [(_named(name, name_en), scans) for _id, name, name_en, scans in by(Product.id, Product.name, Product.name_en)],
        [(lot, scans) for _id, lot, scans in by(Batch.id, Batch.lot_number)],
        by(ScanDay.client),
        by(ScanDay.language),
        labels,
        again,
    )


def _named(name: str, name_en: str) -> str:
    return name_en if name_en and language() == "en" else name


def _labels(user: User, first: date) -> tuple[int, int]:
    """How many single labels were scanned since a day, and how many of them again a day or more later."""
    begin = datetime.combine(first, time(), SHANGHAI)
    later = sa.text(f"scan_items.last_at >= scan_items.first_at + {DAY_S}")
    query = (
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((later, 1), else_=0)), 0))
        .select_from(ScanItem)
        .join(LabelRun, LabelRun.id == ScanItem.run_id)
        .join(Batch, Batch.id == LabelRun.batch_id)
        .where(visible_to(user, Batch.producer_id, Batch.division_code), ScanItem.last_at >= begin)
    )
    row = db.session.execute(query).one()
    return int(row[0]), int(row[1])


def rows_for(user: User, days: int) -> Sequence[sa.Row[date, str, str, str, str, str, int]]:
    """Day, product, lot, region, client, language and scans, for a table of one's own."""
    first = today() - timedelta(days=days - 1)
    query = (
        sa.select(
            ScanDay.day,
            Product.name,
            Batch.lot_number,
            ScanDay.region,
            ScanDay.client,
            ScanDay.language,
            sa.func.sum(ScanDay.scans),
        )
        .join(Batch, Batch.id == ScanDay.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .where(visible_to(user, Batch.producer_id, Batch.division_code), ScanDay.day >= first)
        .group_by(ScanDay.day, Product.name, Batch.lot_number, ScanDay.region, ScanDay.client, ScanDay.language)
        .order_by(ScanDay.day, Batch.lot_number)
    )
    return list(db.session.execute(query))


def suspicions_for(user: User, days: int) -> list[Suspicion]:
    """What looks suspicious of a user's lots, the surest first; guessed codes are the regulators' to see."""
    own = visible_to(user, Batch.producer_id, Batch.division_code)
    seen = own if user.role is RoleName.PRODUCER else sa.or_(own, Suspicion.kind == SuspicionKind.GUESSING)
    query = (
        db.select(Suspicion)
        .outerjoin(Suspicion.batch)
        .where(seen, Suspicion.day >= today() - timedelta(days=days - 1))
        .options(joinedload(Suspicion.batch).joinedload(Batch.product))
        .order_by(Suspicion.score.desc(), Suspicion.last_at.desc())
        .limit(MOST_SUSPICIONS)
    )
    return list(db.session.scalars(query))
