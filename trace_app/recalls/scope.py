"""What a recall reaches: the lots that have its cause, and all that they went into.

Causes are found by what regulators know: lots, a site, a product or kind, an input by lot, name or active ingredient, a
supplier, a failed test, a division; within dates. From there everything goes forward through genealogy, whoever made it.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts.access import division_prefix, visible_to
from trace_app.accounts.models import Division, Organisation, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product, Site
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.flow.models import LotLink
from trace_app.flow.service import reach
from trace_app.labels.models import LabelRun
from trace_app.language import named
from trace_app.quality.models import TestReport, TestResult, Verdict
from trace_app.quality.service import not_corrected
from trace_app.records.models import Record
from trace_app.records.service import not_replaced, touches

MOST_LISTED = 500
"""Lots that a preview lists; all are counted."""


class EmptyScope(Problem):
    """The scope names nothing, or nothing is found."""

    status = 422
    code = "empty-scope"
    title = _("没有批次符合这个范围。请核对批号、名称和日期。")


class ScopeTooWide(Problem):
    """Nothing narrows the scope down."""

    status = 422
    code = "scope-too-wide"
    title = _("范围太宽：请至少填写一项，如批次号、投入品批号、有效成分、产品或基地。")


@dataclass(frozen=True, slots=True)
class RecallScope:
    """What the cause is known by; what is empty says nothing. All that is said must hold of a lot."""

    lots: str = ""
    """Lot numbers, apart by spaces or commas."""
    producer: str = ""
    site: str = ""
    kind_code: str = ""
    product: str = ""
    division: str = ""
    """With all below it."""
    input_lot: str = ""
    input_name: str = ""
    ingredient: str = ""
    supplier: str = ""
    failed_analyte: str = ""
    """Of a test report that the lot failed."""
    begins: date | None = None
    """First and last day: of the use where an input is named, of harvest or production elsewhere."""
    ends: date | None = None

    @property
    def names_input(self) -> bool:
        return any((self.input_lot, self.input_name, self.ingredient, self.supplier))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but dates and places in it."""
        narrow = (self.lots, self.producer, self.site, self.product, self.failed_analyte)
        return not any(narrow) and not self.names_input and not (self.kind_code and (self.begins or self.division))

    def plain(self) -> dict[str, str]:
        """As values of JSON, without what is empty."""
        return {name: str(value) for name, value in asdict(self).items() if value}


SCOPE_FIELDS = tuple(field.name for field in fields(RecallScope))


def causes(user: User, scope: RecallScope) -> sa.Select[Any]:
    """The lots in the user's sight that have the cause: a SELECT of their ids.

    :raises ScopeTooWide:
    """
    if scope.is_empty:
        raise ScopeTooWide
    query = sa.select(Batch.id).where(visible_to(user, Batch.producer_id, Batch.division_code))
    if numbers := _words(scope.lots):
        query = query.where(Batch.lot_number.in_(numbers))
    if scope.producer:
        query = query.where(Batch.producer.has(Organisation.name.icontains(scope.producer, autoescape=True)))
    if scope.site:
        query = query.where(Batch.site.has(Site.name.icontains(scope.site, autoescape=True)))
    if scope.product:
        query = query.where(Batch.product.has(Product.name.icontains(scope.product, autoescape=True)))
    if scope.kind_code:
        query = query.where(Batch.product.has(kind_code=scope.kind_code))
    if scope.division:
        query = query.where(Batch.division_code.startswith(division_prefix(scope.division), autoescape=True))
    if scope.failed_analyte:
        query = query.where(Batch.id.in_(_failed(scope.failed_analyte)))
    if scope.names_input:
        return query.where(Batch.id.in_(_touched(scope)))
    if scope.begins:
        query = query.where(Batch.produced_on >= scope.begins)
    return query.where(Batch.produced_on <= scope.ends) if scope.ends else query


def _words(text: str) -> list[str]:
    for sign in "、，,;；\n":
        text = text.replace(sign, " ")
    return list(dict.fromkeys(text.split()))


def _failed(analyte: str) -> sa.Select[Any]:
    return (
        sa.select(TestReport.batch_id)
        .join(TestResult, TestResult.report_id == TestReport.id)
        .where(
            TestReport.batch_id.is_not(None),
            not_corrected(),
            TestResult.verdict == Verdict.FAIL,
            TestResult.analyte.icontains(analyte, autoescape=True),
        )
    )


def _touched(scope: RecallScope) -> sa.Select[Any]:
    """The lots on which an input was used."""
    conditions: list[sa.ColumnElement[bool]] = [not_replaced()]
    if scope.input_lot:
        conditions.append(Record.input_lot == scope.input_lot)
    for column, text in (
        (Record.product_name, scope.input_name),
        (Record.active_ingredient, scope.ingredient),
        (Record.source, scope.supplier),
    ):
        if text:
            conditions.append(column.icontains(text, autoescape=True))
    if scope.begins:
        conditions.append(Record.happened_on >= scope.begins)
    if scope.ends:
        conditions.append(Record.happened_on <= scope.ends)
    return sa.select(touches(*conditions).subquery().c.batch_id)


@dataclass(frozen=True, slots=True)
class Affected:
    """A lot that a recall reaches, and why.

    :ivar chain: lots from the cause to this one, by the shortest way; one lot where it has the cause itself.
    """

    batch: Batch
    chain: list[Batch]
    labels: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a recall would reach. Lots beyond `MOST_LISTED` are counted and not listed."""

    scope: RecallScope
    lots: list[Affected]
    count: int
    recalled_count: int
    """Of them, those under recall already: a new notice does not take them in."""
    cause_count: int
    producer_count: int
    labels: int
    divisions: list[tuple[str, int]]
    """Counties with their number of lots, the most first."""


def affected(user: User, scope: RecallScope) -> sa.CTE:
    """All lots that a scope reaches, drafts and closed ones included: a CTE with the column ``id``."""
    return reach(causes(user, scope), "forward")


def affected_ids(user: User, scope: RecallScope) -> list[int]:
    """The numbers of all lots that a scope reaches."""
    reached = affected(user, scope)
    return list(db.session.scalars(sa.select(reached.c.id)))


def preview(user: User, scope: RecallScope) -> Preview:
    """What a recall of this scope would reach, with the reasons.

    :raises ScopeTooWide, EmptyScope:
    """
    # One walk through the genealogy, with what is counted of each lot.
    reached = affected(user, scope)
    labels = sa.select(sa.func.sum(LabelRun.count)).where(LabelRun.batch_id == Batch.id).scalar_subquery()
    county = sa.func.substr(Batch.division_code, 1, 6)
    rows = db.session.execute(
        sa.select(Batch.id, Batch.producer_id, county, Batch.recalled_at.is_not(None), labels).join(
            reached, reached.c.id == Batch.id
        )
    ).all()
    if not rows:
        raise EmptyScope
    ids, producers, counties, recalled, codes = zip(*rows, strict=True)
    cause_ids = set(db.session.scalars(causes(user, scope)))
    places = Counter(counties).most_common()
    query = db.select(Division).where(Division.code.in_([code for code, _n in places]))
    names = {division.code: named(division) for division in db.session.scalars(query)}
    return Preview(
        scope=scope,
        lots=_with_reasons(heapq.nsmallest(MOST_LISTED, ids, key=lambda n: (n not in cause_ids, n)), cause_ids),
        count=len(ids),
        recalled_count=sum(recalled),
        cause_count=len(cause_ids),
        producer_count=len(set(producers)),
        labels=sum(int(number) for number in codes if number),
        divisions=[(names.get(code, code), number) for code, number in places],
    )


def _with_reasons(listed: Sequence[int], cause_ids: set[int]) -> list[Affected]:
    """Each lot with the shortest chain from a cause, by going back from the lots that are listed."""
    backward: dict[int, list[int]] = defaultdict(list)
    edge, seen = set(listed) - cause_ids, set(listed)
    while edge:
        query = sa.select(LotLink.target_id, LotLink.source_id).where(
            LotLink.target_id.in_(edge), LotLink.withdrawn_at.is_(None)
        )
        new = set()
        for target_id, source_id in db.session.execute(query):
            backward[target_id].append(source_id)
            new.add(source_id)
        edge = new - seen - cause_ids
        seen |= new
    chains = {lot_id: _shortest(lot_id, cause_ids, backward) for lot_id in listed}
    wanted = {lot_id for chain in chains.values() for lot_id in chain}
    query = (
        db.select(Batch)
        .where(Batch.id.in_(wanted))
        .options(joinedload(Batch.product), joinedload(Batch.producer), joinedload(Batch.division))
    )
    lots = {lot.id: lot for lot in db.session.scalars(query)}
    counts = dict.fromkeys(listed, 0)
    runs = sa.select(LabelRun.batch_id, sa.func.sum(LabelRun.count)).where(LabelRun.batch_id.in_(listed))
    for lot_id, number in db.session.execute(runs.group_by(LabelRun.batch_id)):
        counts[lot_id] = int(number)
    return [Affected(lots[lot_id], [lots[step] for step in chains[lot_id]], counts[lot_id]) for lot_id in listed]


def _shortest(lot_id: int, cause_ids: set[int], backward: dict[int, list[int]]) -> list[int]:
    """The shortest way from a cause to a lot (breadth first, backward)."""
    came: dict[int, int] = {lot_id: lot_id}
    edge = [lot_id]
    while edge:
        for here in edge:
            if here in cause_ids:
                chain = [here]
                while chain[-1] != lot_id:
                    chain.append(came[chain[-1]])
                return chain
        following = []
        for here in edge:
            for source in backward.get(here, ()):
                if source not in came:
                    came[source] = here
                    following.append(source)
        edge = following
    return [lot_id]
