"""Sending goods to a consignee, and finding what went where."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from qr.codes import ALPHABET, CODE_LENGTH, InvalidCode, format_code, normalise_code
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, visible_to
from trace_app.accounts.models import Division, Organisation, RoleName, User
from trace_app.accounts.places import place_in_address
from trace_app.batches import service as batches
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.clock import SHANGHAI, local
from trace_app.db import counters
from trace_app.db.base import Id, utc_now
from trace_app.db.session import insert_into
from trace_app.db.text import any_has_text
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.flow.balance import must_have, was_sent
from trace_app.flow.ledger.service import MoreThanLeft, left_of, too_much
from trace_app.flow.shipments.forms import OrderForm
from trace_app.flow.shipments.models import (
    Consignee,
    Receipt,
    Shipment,
    ShipmentLine,
    ShippedCode,
    Temperature,
    TemperatureSource,
)
from trace_app.flow.shipments.moves import move_out
from trace_app.labels.models import LabelLevel, Packing
from trace_app.labels.packing import LabelIsVoid, label_from_scan
from trace_app.labels.service import CONTAINERS, ScannedLabel
from trace_app.media.service import StoredPhoto, keep_document, keep_photos
from trace_app.records.series import BadSeries, LoggerFile, stretches
from trace_app.units import unit_name
from trace_app.values import Facts

MOST_CODES = 2000
"""How many codes one shipment may have."""
COUNTED = {"piece", "box", "bottle", "leg"}
"""Units of which a label stands on one."""


def _in(shipments: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The lots in the shipments that a condition names."""
    return Batch.id.in_(sa.select(ShipmentLine.batch_id).join(ShipmentLine.shipment).where(shipments))


shown_on_trace_pages(Shipment, lambda shipment: _in(Shipment.id == shipment.id))


class NotYours(Unprocessable):
    """Only what one made or was sent can be sent on."""

    title = _("批次 %(lot)s 不是您的，也没有发给过您，不能发货。请核对批次或追溯码。")


class NeedsQuantity(Unprocessable):
    title = _("请填写批次 %(lot)s 的数量（%(unit)s）：扫的码不能说明有多少。")


class NothingToSend(Unprocessable):
    title = _("请选择批次并填写数量，或扫描标签。")


class AlreadySent(Problem):
    """A label is on one way at a time."""

    title = _("%(code)s 已在发货单 %(number)s 里发出，不能再发。如登记错了，请先撤销那张发货单。")


class WithdrawnShipment(Problem):
    title = _("发货单 %(number)s 已由发货方撤销，请与发货方联系。")


class NotOnThePlatform(Unprocessable):
    """A consignee is linked to an organisation that is there, or to none."""

    title = _("本平台上没有“%(organisation)s”。请核对全称或统一社会信用代码；对方不在本平台的，请留空。")


class WhichOfThem(Unprocessable):
    """Two people of one name are told apart by telephone."""

    title = _("您的收货方里有几个“%(name)s”，请填写电话，以免发错、召回时找错人：%(phones)s")


@dataclass(frozen=True, slots=True)
class ConsigneeFacts:
    """Whom goods go to. What is empty here is taken from the sender's address book.

    :ivar phone: tells people of one name apart; None where the only one of that name in the address book is meant.
    :ivar organisation: the full name or credit code of the organisation of the platform that it is; empty where it is
        none, or the address book knows already.
    """

    name: str
    phone: str | None = None
    email: str = ""
    division_code: str | None = None
    address: str = ""
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class ShipmentFacts:
    """When and how. Temperatures are what the goods may be carried at, in degrees Celsius; None without cold chain."""

    departed_at: datetime
    carrier: str = ""
    vehicle: str = ""
    driver: str = ""
    driver_phone: str = ""
    least_celsius: float | None = None
    most_celsius: float | None = None
    platform: str = ""
    order_number: str = ""
    note: str = ""


@dataclass(slots=True)
class Load:
    """What a shipment carries: quantities by lot, and the labels that were scanned."""

    quantities: dict[int, Decimal] = field(default_factory=dict)
    labels: list[ScannedLabel] = field(default_factory=list)


def ship(
    user: User, consignee: ConsigneeFacts, facts: ShipmentFacts, load: Load, photos: Sequence[StoredPhoto] = ()
) -> Shipment:
    """Note that goods were sent.

    :raises NothingToSend, NotYours, NeedsQuantity, MoreThanLeft, AlreadySent, LabelIsVoid:
    :raises NotOnThePlatform, WhichOfThem: of the consignee.
    :raises NotReleased, AlreadyClosed: of one's own lots.
    :raises UnderRecall, OnHold: with whom to call.
    """
    by_lot: dict[int, list[ScannedLabel]] = {lot_id: [] for lot_id in load.quantities}
    for label in {(label.run_id, label.index): label for label in load.labels}.values():
        by_lot.setdefault(label.batch_id, []).append(label)
    if not by_lot:
        raise NothingToSend
    kept = keep_photos(user, photos)
    number = next_number(user.organisation_id, facts.departed_at)
    entry = _entry(user, consignee)
    shipment = Shipment(
        number=number,
        receipt_code=new_receipt_code(),
        sender_id=user.organisation_id,
        consignee_id=entry.id,
        consignee_name=entry.name,
        consignee_phone=entry.phone,
        consignee_address=entry.address,
        consignee_division_code=entry.division_code,
        consignee_organisation_id=entry.organisation_id,
        created_by_id=user.id,
        **{name: getattr(facts, name) for name in ShipmentFacts.__dataclass_fields__},
    )
    shipment.photos = kept
    for lot_id in sorted(by_lot):
        shipment.lines.append(_line(user, lot_id, load.quantities.get(lot_id), by_lot[lot_id]))
    db.session.add(shipment)
    db.session.flush()
    move_out(user, shipment)
    lots = {str(line.batch_id): str(line.quantity) for line in shipment.lines}
    audit.note(user, "ship", shipment, number=shipment.number, to=consignee.name, lots=lots)
    return shipment


def _line(user: User, lot_id: int, quantity: Decimal | None, labels: list[ScannedLabel]) -> ShipmentLine:
    batch = db.session.get(Batch, lot_id)
    if batch is None:
        raise NotFound
    if batch.producer_id == user.organisation_id:
        batches.must_be_on_sale(batch)
    elif was_sent(batch, user.organisation_id):
        batches.must_not_be_stopped(batch)
    else:
        raise NotYours(lot=batch.lot_number)
    for label in labels:
        _must_be_here(user, label)
    if quantity is None:
        quantity = Decimal(sum(map(_items_in, labels))) if batch.unit in COUNTED else Decimal(0)
        if not quantity:
            raise NeedsQuantity(lot=batch.lot_number, unit=unit_name(batch.unit))
    must_have(batch, quantity, user.organisation_id)
    codes = [ShippedCode(run_id=label.run_id, index=label.index) for label in labels]
    return ShipmentLine(batch_id=lot_id, quantity=quantity, codes=codes)


def _must_be_here(user: User, label: ScannedLabel) -> None:
    """Raise where a label is void, or on its way already: itself, or in what it lies in."""
    if label.void:
        raise LabelIsVoid(code=format_code(label.code))
    holders = [(label.run_id, label.index), *_containers(label.run_id, label.index)]
    query = (
        sa.select(Shipment.number)
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .join(ShippedCode, ShippedCode.line_id == ShipmentLine.id)
        .where(
            Shipment.sender_id == user.organisation_id,
            Shipment.withdrawn_at.is_(None),
            # What is wholly back again may be sent once more.
            ShipmentLine.returned < ShipmentLine.quantity,
            sa.tuple_(ShippedCode.run_id, ShippedCode.index).in_(holders),
        )
    )
    if number := db.session.scalar(query.limit(1)):
        raise AlreadySent(code=format_code(label.code), number=number)


def _containers(run_id: int, index: int) -> list[tuple[int, int]]:
    """The case that a label lies in, the pallet that this stands on, and so on."""
    found: list[tuple[int, int]] = []
    while True:
        query = sa.select(Packing.container_run_id, Packing.container_index).where(
            Packing.run_id == run_id, Packing.index == index, Packing.unpacked_at.is_(None)
        )
        row = db.session.execute(query).first()
        if row is None:
            return found
        run_id, index = row
        found.append((run_id, index))


def _items_in(label: ScannedLabel) -> int:
    """How many items a label stands for: itself, or all that was packed below it."""
    if label.level not in CONTAINERS:
        return 1 if label.level is LabelLevel.ITEM else 0
    found, edge = 0, [(label.run_id, label.index)]
    while edge:
        query = sa.select(Packing).where(
            sa.tuple_(Packing.container_run_id, Packing.container_index).in_(edge), Packing.unpacked_at.is_(None)
        )
        inside = list(db.session.scalars(query.options(joinedload(Packing.run))))
        found += sum(row.run.level is LabelLevel.ITEM for row in inside)
        edge = [(row.run_id, row.index) for row in inside if row.run.level in CONTAINERS]
    return found


def next_number(organisation_id: int, departed_at: datetime) -> str:
    """The day, and what tells the consignee nothing of the sender or how much it sends: 20261125-7KQ2-M0XR-9T4V."""
    day = local(departed_at)
    sequence = counters.take("shipment", organisation_id, day.year)
    return f"{day:%Y%m%d}-{counters.public_number('shipment', organisation_id, day.year, sequence)}"


def new_receipt_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _n in range(CODE_LENGTH))


def _entry(user: User, facts: ConsigneeFacts) -> Consignee:
    """The entry of the address book, begun or brought up to date.

    :raises NotOnThePlatform, WhichOfThem:
    """
    of_that_name = db.select(Consignee).filter_by(sender_id=user.organisation_id, name=facts.name)
    known = list(db.session.scalars(of_that_name.order_by(Consignee.id)))
    if facts.phone is None and len(known) > 1:
        raise WhichOfThem(name=facts.name, phones="、".join(one.phone or "-" for one in known))
    row = next((one for one in known if facts.phone in (None, one.phone)), None) or _begin_entry(user, facts)
    place = facts.division_code or place_in_address(facts.address)
    if place is None and facts.address and facts.address != row.address:
        # Where the address before lay says nothing of this one.
        row.division_code = None
    for name, value in (("email", facts.email), ("division_code", place), ("address", facts.address)):
        if value:
            setattr(row, name, value)
    organisation_id = _organisation_called(user, facts.organisation) if facts.organisation else row.organisation_id
    linked = organisation_id != row.organisation_id
    row.organisation_id = organisation_id
    db.session.flush()
    if linked:
        audit.note(user, "link", row, organisation=organisation_id)
    return row


def _begin_entry(user: User, facts: ConsigneeFacts) -> Consignee:
    """An entry with name and telephone; the one there is, where another shipment has begun it meanwhile."""
    key = {"sender_id": user.organisation_id, "name": facts.name, "phone": facts.phone or ""}
    insert = insert_into(Consignee, db.session.connection().dialect.name).values(**key)
    db.session.execute(insert.on_conflict_do_nothing(index_elements=list(key)))
    row: Consignee = db.session.scalars(db.select(Consignee).filter_by(**key)).one()
    return row


def _organisation_called(user: User, text: str) -> int:
    """The organisation that a sender names as its consignee: by its full name, or by its credit code.

    :raises NotOnThePlatform:
    """
    called = sa.or_(Organisation.name == text, Organisation.credit_code == text.upper())
    others = db.select(Organisation.id).where(Organisation.id != user.organisation_id)
    found: int | None = db.session.scalar(others.where(called))
    if found is None:
        raise NotOnThePlatform(organisation=text)
    return found


def note_temperature(user: User, shipment: Shipment, celsius: float, at: datetime) -> Temperature:
    """A reading by hand."""
    row = Temperature(
        shipment_id=shipment.id,
        source=TemperatureSource.MANUAL,
        starts_at=at,
        ends_at=at,
        least=celsius,
        most=celsius,
        noted_by=user.full_name,
    )
    db.session.add(row)
    db.session.flush()
    return row


def note_logger(user: User, shipment: Shipment, file: LoggerFile) -> Temperature:
    """A logger's file, kept as it is, with its series thinned out.

    :raises BadSeries: where it has no temperatures.
    """
    readings = [(r.at, r.values["temperature"]) for r in file.readings if "temperature" in r.values]
    if not readings:
        raise BadSeries(name=file.name, faults=_("没有温度读数"))
    outside = None
    least, most = shipment.least_celsius, shipment.most_celsius
    if least is not None and most is not None:
        # A reading holds until the next one.
        pairs = itertools.pairwise(readings)
        seconds = [(then - at).total_seconds() for (at, value), (then, _next) in pairs if not least <= value <= most]
        outside = sum(seconds) / 60
    document = keep_document(user, file.name, file.data, "xlsx" if file.data.startswith(b"PK") else "csv")
    values = [value for _at, value in readings]
    row = Temperature(
        shipment_id=shipment.id,
        source=TemperatureSource.LOGGER,
        starts_at=readings[0][0],
        ends_at=readings[-1][0],
        count=len(readings),
        least=min(values),
        most=max(values),
        outside_minutes=outside,
        points=stretches(readings),
        document_id=document.id,
        noted_by=user.full_name,
    )
    db.session.add(row)
    db.session.flush()
    return row


def scanned(texts: Sequence[str]) -> list[ScannedLabel]:
    """The labels of what was scanned, one in each line.

    :raises NoSuchLabel:
    """
    return [label_from_scan(text) for text in dict.fromkeys(texts)]


def with_what_lists_show(query: sa.Select[Shipment]) -> sa.Select[Shipment]:
    """The query, with all that a line of a list shows of a shipment."""
    return query.options(*SHOWN)


SHOWN = (
    joinedload(Shipment.sender),
    joinedload(Shipment.consignee_organisation),
    joinedload(Shipment.returns),
    selectinload(Shipment.receipts).selectinload(Receipt.lines),
    selectinload(Shipment.lines).joinedload(ShipmentLine.batch).joinedload(Batch.product).joinedload(Product.kind),
)


def seen_by(user: User) -> sa.ColumnElement[bool]:
    """The shipments that a user may see: its own, those sent to it, and a regulator those of lots or people of its
    place."""
    return sa.or_(*ways_seen_by(user))


def ways_seen_by(user: User) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """The conditions of which one must hold for a user to see a shipment."""
    if user.role in (RoleName.PRODUCER, RoleName.BUYER):
        return Shipment.sender_id == user.organisation_id, Shipment.consignee_organisation_id == user.organisation_id
    # By EXISTS: looked up for the shipments at hand, where IN would first gather all that the user may see.
    lots = sa.exists().where(
        ShipmentLine.shipment_id == Shipment.id,
        Batch.id == ShipmentLine.batch_id,
        visible_to(user, Batch.producer_id, Batch.division_code),
    )
    return is_seen_by(user, Shipment.sender_id), lots.correlate(Shipment)


def is_seen_by(user: User, organisation_id: Id) -> sa.ColumnElement[bool]:
    """Whether a column names an organisation that the user may see."""
    found = sa.exists().where(
        Organisation.id == organisation_id, visible_to(user, Organisation.id, Organisation.division_code)
    )
    return found.correlate_except(Organisation)


def shipments_like(user: User, *, search: str = "", direction: str = "") -> sa.Select[Shipment]:
    """The shipments that a user looks for, in no order: of which it sees some, by `ways_seen_by`.

    :param search: part of a number, consignee, vehicle, order or lot number.
    :param direction: ``out`` or ``in``; empty for both.
    """
    query = sa.select(Shipment)
    if search:
        lots = sa.select(ShipmentLine.shipment_id).join(Batch).where(batches.has_number(search))
        lots = lots.join(ShipmentLine.shipment).where(seen_by(user)).correlate(None)
        query = query.where(
            sa.or_(
                any_has_text(search, Shipment.number, Shipment.consignee_name, Shipment.vehicle, Shipment.order_number),
                Shipment.id.in_(lots),
            )
        )
    if direction == "out":
        query = query.where(Shipment.sender_id == user.organisation_id)
    elif direction == "in":
        query = query.where(Shipment.sender_id.is_distinct_from(user.organisation_id))
    return query


def shipment_for(user: User, shipment_id: int) -> Shipment:
    """A shipment that the user may see.

    :raises NotFound:
    """
    shipment: Shipment | None = db.session.scalar(
        with_what_lists_show(db.select(Shipment).where(Shipment.id == shipment_id, seen_by(user)))
    )
    if shipment is None:
        raise NotFound
    return shipment


def own_shipment(user: User, shipment_id: int) -> Shipment:
    """A standing shipment that the user's organisation has sent.

    :raises NotFound:
    """
    shipment = shipment_for(user, shipment_id)
    # What comes back from who is not on the platform is in the hands of who gets it.
    keeper = shipment.sender_id if shipment.sender_id is not None else shipment.consignee_organisation_id
    if keeper != user.organisation_id or shipment.withdrawn_at is not None:
        raise NotFound
    return shipment


COPIED = ("carrier", "vehicle", "driver", "driver_phone", "least_celsius", "most_celsius", "platform")


def facts_like(user: User, shipment_id: int) -> tuple[Facts, dict[int, Decimal]]:
    """What a form begins with that sends the same goods to the same consignee again, and how much of each lot by its
    id.

    :raises NotFound: where the user's organisation has sent no such shipment, or it was a return.
    """
    shipment = own_shipment(user, shipment_id)
    if shipment.sender_id != user.organisation_id or shipment.returns_id is not None:
        raise NotFound
    same = {name: getattr(shipment, name) for name in COPIED}
    to = {
        "consignee": shipment.consignee_name,
        "phone": shipment.consignee_phone,
        "address": shipment.consignee_address,
        "division_code": shipment.consignee_division_code or "",
    }
    return same | to, {line.batch_id: line.quantity for line in shipment.lines}


def is_unsettled() -> sa.ColumnElement[bool]:
    """The condition on `Shipment` that of some of its goods nobody has said whether they came."""
    known = ShipmentLine.received + ShipmentLine.refused + ShipmentLine.missing
    return sa.exists().where(ShipmentLine.shipment_id == Shipment.id, known < ShipmentLine.quantity)


def returns_to_confirm(user: User, most: int = 20) -> list[Shipment]:
    """What comes back to a user's organisation and is not confirmed yet, the longest on its way first."""
    query = (
        db.select(Shipment)
        .where(
            Shipment.consignee_organisation_id == user.organisation_id,
            Shipment.returns_id.is_not(None),
            Shipment.withdrawn_at.is_(None),
            is_unsettled(),
        )
        .options(joinedload(Shipment.sender), joinedload(Shipment.consignee_organisation), joinedload(Shipment.returns))
        .order_by(Shipment.departed_at)
        .limit(most)
    )
    return list(db.session.scalars(query))


def to_confirm(user: User, since: datetime, most: int) -> list[Shipment]:
    """What was sent to a user's organisation, or comes back to it, and is not confirmed yet: the longest on its way
    first."""
    query = (
        with_what_lists_show(db.select(Shipment))
        .where(
            Shipment.consignee_organisation_id == user.organisation_id,
            Shipment.withdrawn_at.is_(None),
            Shipment.departed_at >= since,
            is_unsettled(),
        )
        .order_by(Shipment.departed_at, Shipment.id)
        .limit(most)
    )
    return list(db.session.scalars(query))


def shipment_by_code(code: str) -> Shipment:
    """The shipment of a receipt code, as it was typed or came in a link.

    :raises NotFound:
    """
    try:
        plain = normalise_code(code)
    except InvalidCode as error:
        raise NotFound from error
    shipment: Shipment | None = db.session.scalar(
        with_what_lists_show(db.select(Shipment).filter_by(receipt_code=plain))
    )
    if shipment is None:
        raise NotFound
    return shipment


def shipments_of(batch: Batch) -> list[ShipmentLine]:
    """Where a lot went, line by line: who made it sent it first, whoever had it then sent it on."""
    query = (
        db.select(ShipmentLine)
        .join(ShipmentLine.shipment)
        .where(ShipmentLine.batch_id == batch.id)
        .options(
            joinedload(ShipmentLine.shipment).joinedload(Shipment.sender),
            joinedload(ShipmentLine.shipment).joinedload(Shipment.consignee_organisation),
            joinedload(ShipmentLine.shipment).joinedload(Shipment.returns),
            joinedload(ShipmentLine.shipment).selectinload(Shipment.receipts),
        )
        .order_by(Shipment.departed_at, ShipmentLine.id)
    )
    return list(db.session.scalars(query))


class Sending(NamedTuple):
    """A day on which a lot was sent to a place."""

    day: date
    division: Division


MOST_PLACES = 6


def places_sent_to(batch: Batch) -> list[Sending]:
    """Where a lot was sent to, the latest first, for its trace page: days and places, not to whom."""
    query = (
        db.select(Shipment.departed_at, Division)
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .join(Shipment.consignee_division)
        .where(ShipmentLine.batch_id == batch.id, Shipment.withdrawn_at.is_(None), Shipment.returns_id.is_(None))
        .order_by(Shipment.departed_at.desc())
        .limit(50)
    )
    found = {Sending(local(at).date(), division): None for at, division in db.session.execute(query)}
    return list(found)[:MOST_PLACES]


def journey_of(label: ScannedLabel) -> list[ShipmentLine]:
    """The shipments that a label was in, itself or in what it lies in; where none was scanned, none are known."""
    holders = [(label.run_id, label.index), *_containers(label.run_id, label.index)]
    lines = (
        sa.select(ShippedCode.line_id).where(sa.tuple_(ShippedCode.run_id, ShippedCode.index).in_(holders)).distinct()
    )
    query = (
        db.select(ShipmentLine)
        .join(ShipmentLine.shipment)
        .where(ShipmentLine.id.in_(lines), Shipment.withdrawn_at.is_(None))
        .options(
            joinedload(ShipmentLine.shipment).joinedload(Shipment.sender),
            joinedload(ShipmentLine.shipment).joinedload(Shipment.consignee_organisation),
            joinedload(ShipmentLine.shipment).joinedload(Shipment.returns),
            joinedload(ShipmentLine.shipment).selectinload(Shipment.receipts),
        )
        .order_by(Shipment.departed_at)
    )
    return list(db.session.scalars(query))


def _at_hand(user: User) -> sa.Select[Batch]:
    """Lots that can be sent: one's own that are on sale, and those received; the newest first."""
    received = (
        sa.select(ShipmentLine.batch_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(Shipment.consignee_organisation_id == user.organisation_id, Shipment.withdrawn_at.is_(None))
    )
    own = sa.and_(Batch.producer_id == user.organisation_id, Batch.released_at.is_not(None), Batch.closed_at.is_(None))
    return (
        sa.select(Batch)
        .where(sa.or_(own, Batch.id.in_(received)), ~Batch.recalled, ~Batch.held)
        .order_by(Batch.created_at.desc(), Batch.id.desc())
    )


def lots_at_hand(user: User, most: int = 100) -> list[Batch]:
    """The newest lots that can be sent."""
    query = (
        _at_hand(user)
        .options(joinedload(Batch.product).joinedload(Product.kind), joinedload(Batch.producer))
        .limit(most)
    )
    return list(db.session.scalars(query))


def short_of(user: User, quantities: Mapping[int, Decimal]) -> dict[int, MoreThanLeft]:
    """The lots of which someone wants to send more than it has, each with what is to be said of it. Lots that it never
    had are refused as such."""
    lots = db.session.scalars(sa.select(Batch).where(Batch.id.in_(list(quantities))))
    short = {}
    for lot in lots:
        if lot.producer_id == user.organisation_id or was_sent(lot, user.organisation_id):
            left = left_of(lot.id, user.organisation_id)
            if quantities[lot.id] > left:
                short[lot.id] = too_much(lot, left, quantities[lot.id])
    return short


def units_of(ids: Sequence[int]) -> dict[int, str]:
    """The units of lots, by the lots' ids."""
    found: dict[int, str] = {
        row[0]: row[1] for row in db.session.execute(sa.select(Batch.id, Batch.unit).where(Batch.id.in_(ids)))
    }
    return found


def own_consignees(user: User, search: str = "") -> sa.Select[Consignee]:
    """The address book of a user's organisation, in no order.

    :param search: part of a name, telephone number or address.
    """
    query = sa.select(Consignee).where(Consignee.sender_id == user.organisation_id)
    if search:
        query = query.where(any_has_text(search, Consignee.name, Consignee.phone, Consignee.address))
    return query


def consignees_of(user: User) -> list[Consignee]:
    query = (
        db.select(Consignee).filter_by(sender_id=user.organisation_id).order_by(Consignee.name, Consignee.id).limit(500)
    )
    return list(db.session.scalars(query))


def numbers_at_hand(user: User) -> set[str]:
    """The numbers of all lots that can be sent now."""
    return set(db.session.scalars(_at_hand(user).with_only_columns(Batch.lot_number)))


def sent_orders(user: User, platform: str, order_number: str) -> list[str]:
    """The numbers of standing shipments for an online order."""
    query = db.select(Shipment.number).filter_by(
        sender_id=user.organisation_id, platform=platform, order_number=order_number
    )
    return list(db.session.scalars(query.where(Shipment.withdrawn_at.is_(None))))


def ship_order(user: User, form: OrderForm) -> Shipment:
    """Note that one lot of an online order was sent. What the form says was checked.

    :raises NotFound, NotYours, MoreThanLeft, UnderRecall, OnHold:
    """
    facts = form.facts
    query = _at_hand(user).where(Batch.lot_number == facts["lot_number"]).order_by(Batch.id.desc()).limit(1)
    batch = db.session.scalar(query)
    if batch is None:
        raise NotFound
    noon = datetime.combine(facts["departed_on"], time(12), SHANGHAI)
    return ship(
        user,
        ConsigneeFacts(facts["consignee"], phone=facts["phone"] or "", address=facts["address"] or ""),
        ShipmentFacts(
            departed_at=min(noon, utc_now()),
            carrier=facts["carrier"] or "",
            vehicle=facts["vehicle"] or "",
            platform=facts["platform"],
            order_number=facts["order_number"],
        ),
        Load({batch.id: facts["quantity"]}),
    )
