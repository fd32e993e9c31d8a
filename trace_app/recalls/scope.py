"""What a recall reaches: the lots that have its cause, and all that they went into.

Causes are found by what regulators know: lots, a household, a site, a product or kind, an input by lot, name or active
ingredient, a supplier, a failed test, a division; within dates. From there everything goes forward through genealogy,
whoever made it.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from trace_app.accounts.access import division_prefix, visible_to
from trace_app.accounts.models import Division, Organisation, User
from trace_app.batches.models import HOLDING, IN_FORCE, Batch, stopped_lots
from trace_app.catalogue.boundary import contains, parse_boundary
from trace_app.catalogue.county_map import Outline, outlines
from trace_app.catalogue.models import Product, Site
from trace_app.clock import today
from trace_app.db.reachability import ReachedIds
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.genealogy.service import reached_from
from trace_app.flow.shipments.models import Shipment, ShipmentLine
from trace_app.folding import fold, near
from trace_app.households.service import matches
from trace_app.labels.models import LabelRun
from trace_app.laboratory.models import TestReport, TestResult, Verdict
from trace_app.laboratory.reports import not_corrected
from trace_app.language import language, named
from trace_app.recalls.models import Recall
from trace_app.recalls.published import LEAST_NEAR, MOST_COMPARED
from trace_app.records.coverage import counts, coverage, names_ingredient
from trace_app.records.models import Record
from trace_app.scanning.models import ScanDay
from trace_app.values import StoredJson
from trace_app.weighings.service import grown_on, lots_of

WIDEST_AREA = 6.0
"""The widest area that may be drawn on the map, in degrees: Yunnan at the most."""
MOST_ON_MAP = 3000
SCAN_DAYS = 30
MOST_LISTED = 100
"""Lots that a preview lists; all are counted."""


class EmptyScope(Unprocessable):
    """The scope names nothing, or nothing is found."""

    title = _("没有批次符合这个范围。请核对批号、名称和日期。")


class ScopeTooWide(Unprocessable):
    """Nothing narrows the scope down."""

    title = _("范围太宽：请至少填写一项，如批次号、投入品批号、有效成分、产品或基地。")


class UnknownLots(Unprocessable):
    """A lot that was named, and that nobody finds, might be the one that matters: a recall does without none."""

    title = _("没有批次 %(lots)s。请改正或去掉，再看影响范围；范围里有查不到的批次号，不能发布。")


@dataclass(frozen=True, slots=True)
class RecallScope:
    """What the cause is known by; what is empty says nothing. All that is said must hold of a lot."""

    lots: str = ""
    """Lot numbers, apart by spaces or commas."""
    producer: str = ""
    household: str = ""
    """Part of a household's name, number or village: what it delivered, or grew on its plots."""
    site: str = ""
    """Part of a site's name: the lot's own, or a plot of which some of it was weighed."""
    kind_code: str = ""
    product: str = ""
    division: str = ""
    """A division's code; all below it are meant too."""
    input_lot: str = ""
    input_name: str = ""
    ingredient: str = ""
    ingredient_within: bool = False
    """Whether ingredients in whose name it stands are meant too."""
    supplier: str = ""
    failed_analyte: str = ""
    """An analyte of a test report that the lot failed."""
    area: str = ""
    """Corners of an area in which the site lies, one in each line: latitude and longitude."""
    begins: date | None = None
    """First and last day: of the use where an input is named, of harvest or production elsewhere."""
    ends: date | None = None

    @property
    def names_input(self) -> bool:
        return any((self.input_lot, self.input_name, self.ingredient, self.supplier))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but dates and places in it."""
        narrow = (self.lots, self.producer, self.household, self.site, self.product, self.failed_analyte, self.area)
        return not any(narrow) and not self.names_input and not (self.kind_code and (self.begins or self.division))

    def plain(self) -> dict[str, str]:
        """The scope as values of JSON, without what is empty."""
        return {name: str(value) for name, value in asdict(self).items() if value}


SCOPE_FIELDS = tuple(field.name for field in fields(RecallScope))


def scope_of(recall: Recall) -> RecallScope:
    """What a recall's cause was known by when it was first issued."""
    values: StoredJson = dict(recall.scope)
    values |= {name: date.fromisoformat(values[name]) for name in ("begins", "ends") if name in values}
    values |= {name: True for name in ("ingredient_within",) if name in values}
    return RecallScope(**values)


def causes(user: User, scope: RecallScope) -> sa.Select[int]:
    """The lots in the user's sight that have the cause: a SELECT of their ids.

    :raises ScopeTooWide:
    """
    if scope.is_empty:
        raise ScopeTooWide
    query = sa.select(Batch.id).where(visible_to(user, Batch.producer_id, Batch.division_code))
    if numbers := _words(scope.lots):
        query = query.where(Batch.lot_number.in_(_as_written(Batch.lot_number, Batch.lot_fold, numbers, query)))
    if scope.producer:
        query = query.where(Batch.producer.has(Organisation.name.icontains(scope.producer, autoescape=True)))
    if scope.household:
        query = query.where(lots_of(matches(scope.household)))
    if scope.site:
        of_name = Site.name.icontains(scope.site, autoescape=True)
        query = query.where(sa.or_(Batch.site.has(of_name), grown_on(of_name)))
    if scope.product:
        query = query.where(Batch.product.has(Product.name.icontains(scope.product, autoescape=True)))
    if scope.kind_code:
        query = query.where(Batch.product.has(kind_code=scope.kind_code))
    if scope.division:
        query = query.where(Batch.division_code.startswith(division_prefix(scope.division), autoescape=True))
    if scope.area:
        query = query.where(Batch.site_id.in_(_sites_in(user, scope.area)))
    if scope.failed_analyte:
        query = query.where(Batch.id.in_(_failed(scope.failed_analyte)))
    if scope.names_input:
        return query.where(Batch.id.in_(_touched(scope)))
    if scope.begins:
        query = query.where(Batch.produced_on >= scope.begins)
    return query.where(Batch.produced_on <= scope.ends) if scope.ends else query


def must_know_lots(user: User, scope: RecallScope) -> None:
    """Raise where a scope names lots that are not in the user's sight.

    :raises UnknownLots: with those that are nearly the same, if any.
    """
    typed = _words(scope.lots)
    in_sight = sa.select(Batch.id).where(visible_to(user, Batch.producer_id, Batch.division_code))
    known = set(_as_written(Batch.lot_number, Batch.lot_fold, typed, in_sight, also_typed=False)) if typed else set()
    folded = {fold(number) for number in known}
    unknown = [number for number in typed if number not in known and fold(number) not in folded]
    if not unknown:
        return
    newest = in_sight.with_only_columns(Batch.lot_number).order_by(Batch.id.desc()).limit(MOST_COMPARED)
    numbers = list(db.session.scalars(newest))
    told = []
    for number in unknown:
        alike = near(number, numbers) if len(fold(number)) >= LEAST_NEAR else []
        told.append(str(_("%(lot)s（相近的有 %(near)s）", lot=number, near="、".join(alike))) if alike else number)
    raise UnknownLots(lots="、".join(told))


def _as_written(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    folded: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    typed: list[str],
    rows: sa.Select[int],
    *,
    also_typed: bool = True,
) -> list[str]:
    """Numbers as rows have them: as they were typed, or where there is none, all that are alike (`folding.fold`).

    :param also_typed: whether those that no row has are given too, as they were typed.
    """
    exact = set(db.session.scalars(rows.with_only_columns(column).where(column.in_(typed)).distinct()))
    rest = [fold(number) for number in typed if number not in exact]
    if not rest:
        return typed
    given = typed if also_typed else exact
    alike = rows.with_only_columns(column).where(folded.in_(rest)).distinct()
    return [*given, *(number for number in db.session.scalars(alike) if number is not None)]


def _words(text: str) -> list[str]:
    for sign in "、，,;；\n":
        text = text.replace(sign, " ")
    return list(dict.fromkeys(text.split()))


@dataclass(frozen=True, slots=True)
class SiteMap:
    """Where sites lie, to draw an area round them: the corner of least longitude and most latitude, degrees in width
    and height, the sites' longitudes and latitudes with their names, and the counties round about."""

    west: float
    north: float
    width: float
    height: float
    sites: list[tuple[float, float, str]]
    counties: list[Outline]

    def points(self, county: Outline) -> str:
        """A county's corners in the picture, as SVG has them."""
        return " ".join(f"{x - self.west:.5f},{self.north - y:.5f}" for x, y in county.corners)


def map_of_sites(user: User) -> SiteMap | None:
    """The sites in the user's sight; None where none has a place."""
    query = (
        sa.select(Site.longitude, Site.latitude, Site.name, Site.name_en, Site.division_code)
        .where(
            visible_to(user, Site.producer_id, Site.division_code),
            Site.latitude.is_not(None),
            Site.longitude.is_not(None),
        )
        .order_by(Site.id)
        .limit(MOST_ON_MAP)
    )
    rows = db.session.execute(query).all()
    if not rows:
        return None
    sites = [
        (float(row[0] or 0), float(row[1] or 0), row[3] if language() == "en" and row[3] else row[2]) for row in rows
    ]
    counties, here = outlines(), {row.division_code[:6] for row in rows}
    shown = [site[:2] for site in sites] + [corner for c in counties if c.code in here for corner in c.corners]
    longitudes, latitudes = [place[0] for place in shown], [place[1] for place in shown]
    margin = max(max(longitudes) - min(longitudes), max(latitudes) - min(latitudes), 0.02) * 0.04
    west, north = min(longitudes) - margin, max(latitudes) + margin
    return SiteMap(west, north, max(longitudes) + margin - west, north - min(latitudes) + margin, sites, counties)


def _sites_in(user: User, area: str) -> list[int]:
    """The sites in the user's sight whose middle lies in an area."""
    corners = parse_boundary(area, widest=WIDEST_AREA) or []
    query = sa.select(Site.id, Site.longitude, Site.latitude).where(
        visible_to(user, Site.producer_id, Site.division_code), Site.latitude.is_not(None), Site.longitude.is_not(None)
    )
    return [
        site_id
        for site_id, lon, lat in db.session.execute(query)
        if contains(corners, float(lon or 0), float(lat or 0))
    ]


def _failed(analyte: str) -> sa.Select[int | None]:
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


def _touched(scope: RecallScope) -> sa.Select[int]:
    """The lots on which an input was used."""
    conditions: list[sa.ColumnElement[bool]] = [counts()]
    if scope.input_lot:
        used = sa.select(Record.id).where(counts())
        conditions.append(
            Record.input_lot.in_(_as_written(Record.input_lot, Record.input_lot_fold, [scope.input_lot], used))
        )
    if scope.ingredient:
        conditions.append(names_ingredient(scope.ingredient, within=scope.ingredient_within))
    for column, text in (
        (Record.product_name, scope.input_name),
        (Record.source, scope.supplier),
    ):
        if text:
            conditions.append(column.icontains(text, autoescape=True))
    if scope.begins:
        conditions.append(Record.happened_on >= scope.begins)
    if scope.ends:
        conditions.append(Record.happened_on <= scope.ends)
    return sa.select(coverage(*conditions).subquery().c.batch_id)


@dataclass(frozen=True, slots=True)
class Affected:
    """A lot that a recall reaches, and why.

    :ivar chain: numbers of the lots from the cause to this one, by the shortest way; one where it has the cause itself.
    """

    batch: Batch
    chain: list[str]
    labels: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A consignee that affected lots were sent to.

    :ivar amounts: what was sent, by unit.
    """

    name: str
    phone: str
    lots: int
    amounts: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a recall would reach. Lots and consignees beyond `MOST_LISTED` are counted and not listed.

    :ivar recalled_count: of the lots, those under recall already.
    :ivar held_count: and those on hold.
    :ivar own_count: of the lots, those that the user itself made: what a producer's own recall takes in.
    :ivar amounts: quantities of all lots, by unit.
    :ivar runs: label runs, with ``labels`` codes in them.
    :ivar divisions: counties with their number of lots, the most first.
    """

    scope: RecallScope
    lots: list[Affected]
    count: int
    recalled_count: int
    held_count: int
    own_count: int
    cause_count: int
    producer_count: int
    amounts: dict[str, Decimal]
    runs: int
    labels: int
    divisions: list[tuple[str, int]]
    holders: list[Holder]
    holder_count: int
    scans: list[tuple[str, int]]
    """Scans of the last `SCAN_DAYS` by region, the most first; an empty name where the region is not known."""


def affected(user: User, scope: RecallScope) -> AbstractContextManager[ReachedIds]:
    """All lots that a scope reaches, drafts and closed ones included.

    :raises ScopeTooWide:
    """
    return reached_from(causes(user, scope))


def preview(user: User, scope: RecallScope) -> Preview:
    """What a recall of this scope would reach, with the reasons.

    :raises ScopeTooWide, EmptyScope:
    """
    having_it = causes(user, scope)
    with reached_from(having_it) as reached:
        groups = _groups(reached)
        if not groups:
            raise EmptyScope
        cause_ids = set(db.session.scalars(having_it))
        listed = _first(reached, cause_ids)
        runs, labels = _codes_given(reached)
        recalled, held = _stopped(reached, IN_FORCE), _stopped(reached, HOLDING)
        holders, holder_count = _holders(reached)
        scans = _scans(reached)
    places: Counter[str] = Counter()
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for group in groups:
        places[group.division_code[:6]] += group.lots
        amounts[group.unit] += Decimal(str(group.amount))
    query = db.select(Division).where(Division.code.in_(list(places)))
    names = {division.code: named(division) for division in db.session.scalars(query)}
    return Preview(
        scope=scope,
        lots=_with_reasons(listed, cause_ids),
        count=places.total(),
        recalled_count=recalled,
        held_count=held,
        own_count=sum(group.lots for group in groups if group.producer_id == user.organisation_id),
        cause_count=len(cause_ids),
        producer_count=len({group.producer_id for group in groups}),
        amounts=dict(amounts),
        runs=runs,
        labels=labels,
        divisions=[(names.get(code, code), number) for code, number in places.most_common()],
        holders=holders,
        holder_count=holder_count,
        scans=scans,
    )


def _first(reached: ReachedIds, cause_ids: set[int]) -> list[int]:
    """The lots to list: those that have the cause, then the others in order."""
    query = reached.ids.limit(MOST_LISTED + len(cause_ids))
    others = (lot_id for lot_id in db.session.scalars(query) if lot_id not in cause_ids)
    return list(itertools.islice(itertools.chain(sorted(cause_ids), others), MOST_LISTED))


def _groups(reached: ReachedIds) -> Sequence[sa.Row[int, str, str, int, Decimal]]:
    """Lots counted and summed by producer, division and unit."""
    # As an expression: by the bare column SQLite would walk the whole table in an index's order.
    producer = (Batch.producer_id + 0).label("producer_id")
    lots, amount = sa.func.count().label("lots"), sa.func.sum(Batch.quantity).label("amount")
    query = sa.select(producer, Batch.division_code, Batch.unit, lots, amount).where(reached.have(Batch.id))
    return db.session.execute(query.group_by(producer, Batch.division_code, Batch.unit)).all()


def _stopped(reached: ReachedIds, condition: sa.ColumnElement[bool]) -> int:
    """How many of the lots are stopped already."""
    stopped = stopped_lots(condition).distinct().subquery()
    query = sa.select(sa.func.count()).select_from(stopped).where(stopped.c.batch_id.in_(reached.ids))
    return int(db.session.scalar(query) or 0)


def _codes_given(reached: ReachedIds) -> tuple[int, int]:
    """Label runs of lots, and the codes in them."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(LabelRun.count), 0))
    runs, codes = db.session.execute(query.where(reached.have(LabelRun.batch_id))).one()
    return int(runs), int(codes)


def _holders(reached: ReachedIds) -> tuple[list[Holder], int]:
    """The parties that lots were sent to, those with the most lots first, and how many they are."""
    sent = (
        sa.select(
            Shipment.consignee_name.label("name"),
            Shipment.consignee_phone.label("phone"),
            ShipmentLine.batch_id,
            (ShipmentLine.quantity - ShipmentLine.missing).label("quantity"),
        )
        .select_from(ShipmentLine)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            Shipment.withdrawn_at.is_(None),
            Shipment.returns_id.is_(None),
            reached.have(ShipmentLine.batch_id),
        )
        .cte("sent")
    )
    lots = sa.func.count(sent.c.batch_id.distinct())
    first = (
        sa.select(sent.c.name, sent.c.phone, lots.label("lots"), sa.func.count().over().label("holders"))
        .group_by(sent.c.name, sent.c.phone)
        .order_by(lots.desc(), sent.c.name)
        .limit(MOST_LISTED)
        .cte("first")
    )
    query: sa.Select[Any] = (
        sa.select(*first.c, Batch.unit, sa.func.sum(sent.c.quantity))
        .select_from(first)
        .join(sent, sa.and_(sent.c.name == first.c.name, sent.c.phone == first.c.phone))
        .join(Batch, Batch.id == sent.c.batch_id)
        # Said once more, or SQLite would compare all that was sent with each of the first.
        .where(sent.c.name.in_(sa.select(first.c.name)))
        .group_by(*first.c, Batch.unit)
        .order_by(first.c.lots.desc(), first.c.name, first.c.phone, Batch.unit)
    )
    rows = db.session.execute(query).all()
    found: dict[tuple[str, str], Holder] = {}
    for name, phone, number, _holders, unit, amount in rows:
        holder = found.setdefault((name, phone), Holder(name, phone, number, {}))
        holder.amounts[unit] = Decimal(str(amount))
    return list(found.values()), rows[0].holders if rows else 0


def _scans(reached: ReachedIds) -> list[tuple[str, int]]:
    query = (
        sa.select(ScanDay.region, sa.func.sum(ScanDay.scans).label("scans"))
        .where(reached.have(ScanDay.batch_id), ScanDay.day > today() - timedelta(days=SCAN_DAYS))
        .group_by(ScanDay.region)
        .order_by(sa.desc("scans"))
    )
    return [(region, int(number)) for region, number in db.session.execute(query)]


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
    numbered = db.session.execute(sa.select(Batch.id, Batch.lot_number).where(Batch.id.in_(wanted)))
    numbers: dict[int, str] = {row.id: row.lot_number for row in numbered}
    query = (
        db.select(Batch)
        .where(Batch.id.in_(listed))
        .options(joinedload(Batch.product), joinedload(Batch.producer), joinedload(Batch.division))
    )
    lots = {lot.id: lot for lot in db.session.scalars(query)}
    counts = dict.fromkeys(listed, 0)
    runs = sa.select(LabelRun.batch_id, sa.func.sum(LabelRun.count)).where(LabelRun.batch_id.in_(listed))
    for lot_id, number in db.session.execute(runs.group_by(LabelRun.batch_id)):
        counts[lot_id] = int(number)
    return [Affected(lots[lot_id], [numbers[step] for step in chains[lot_id]], counts[lot_id]) for lot_id in listed]


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
