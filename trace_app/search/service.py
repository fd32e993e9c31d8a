"""Finding what someone knows a few characters of: lots, codes, recalls, producers, products, sites, inputs, buyers,
shipments, test reports and commitment certificates, of those that the user may see."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from flask import url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from qr.codes import InvalidCode, format_code
from trace_app.accounts.access import SUPERVISORS, may_see, visible_to
from trace_app.accounts.models import Organisation, OrganisationKind, User
from trace_app.accounts.service import place_name
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product, Site
from trace_app.catalogue.service import own_products, own_sites
from trace_app.certificates.commitments import standing_of
from trace_app.certificates.models import CommitmentCertificate
from trace_app.db.text import begins_with, has_text
from trace_app.extensions import db
from trace_app.flow.shipments.models import Consignee, Shipment
from trace_app.flow.shipments.service import is_seen_by, own_consignees, ways_seen_by
from trace_app.folding import fold
from trace_app.inputs.models import InputIngredient, InputProduct, StockLot
from trace_app.inputs.service import own_stock
from trace_app.labels.packing import code_from_scan
from trace_app.labels.service import label_of_code
from trace_app.laboratory.models import TestReport
from trace_app.laboratory.texts import laboratory_name
from trace_app.language import language, named
from trace_app.recalls.models import Recall, RecallMember
from trace_app.recalls.service import open_to
from trace_app.records.models import Record
from trace_app.reference.models import ProhibitedSubstance

EACH = 8
"""Hits of one sort."""
LEAST = 2
"""Characters before anything is looked for."""
LEAST_OF_PHONE = 5
"""Digits that may be a part of a telephone number."""

Named = TypeVar("Named", Organisation, Site)


@dataclass(frozen=True, slots=True)
class Hit:
    text: str
    note: str
    url: str
    """Empty where there is no page of it for the reader."""


@dataclass(frozen=True, slots=True)
class Hits:
    title: LazyString
    hits: list[Hit]


def search(user: User, text: str) -> list[Hits]:
    """What begins with, or where names are short, contains the text, by sort; nothing of fewer than two characters."""
    text = " ".join(text.split())[:60]
    if len(text) < LEAST:
        return []
    sorts = _OF_AUTHORITIES if user.role in SUPERVISORS else _OF_PARTIES
    found = [Hits(title, look(user, text)) for title, look in sorts]
    return [hits for hits in found if hits.hits]


def _codes(user: User, text: str) -> list[Hit]:
    try:
        label = label_of_code(code_from_scan(text))
    except InvalidCode:
        return []
    batch = db.session.get_one(Batch, label.batch_id)
    if not may_see(user, batch.producer_id, batch.division_code):
        # What everyone reads who scans it.
        return [Hit(format_code(label.code), named(batch.product), url_for("public.trace", code=label.code))]
    return [
        Hit(
            format_code(label.code),
            f"{batch.lot_number} {named(batch.product)}",
            url_for("shipments.journey", code=label.code),
        )
    ]


def _lots(user: User, text: str) -> list[Hit]:
    query = (
        db.select(Batch)
        .where(visible_to(user, Batch.producer_id, Batch.division_code))
        .options(joinedload(Batch.product), joinedload(Batch.producer))
        .limit(EACH)
    )
    lots = list(db.session.scalars(query.where(begins_with(Batch.lot_number, text))))
    if not lots and (folded := fold(text)):
        lots = list(db.session.scalars(query.where(begins_with(Batch.lot_fold, folded))))
    return [
        Hit(lot.lot_number, f"{named(lot.product)} · {named(lot.producer)}", url_for("batches.show", batch_id=lot.id))
        # Sorted here: the database would sort all that begin so before it gave the first.
        for lot in sorted(lots, key=lambda lot: lot.lot_number)
    ]


def _recalls(user: User, text: str) -> list[Hit]:
    """Cases by their number: those that someone may open, and those that have lots from there."""
    lots_here = (
        sa.select(RecallMember.recall_id)
        .join(Batch, Batch.id == RecallMember.batch_id)
        .where(
            RecallMember.recall_id == Recall.id,
            RecallMember.removed_in.is_(None),
            visible_to(user, Batch.producer_id, Batch.division_code),
        )
        .exists()
    )
    query = sa.select(Recall, lots_here).where(has_text(Recall.number, text)).order_by(Recall.id.desc()).limit(EACH)
    found = []
    for row, here in db.session.execute(query):
        known = open_to(user, row)
        if known or here:
            url = url_for("recalls.show", number=row.number) if known else ""
            found.append(Hit(row.number, row.reason if row.notices else "", url))
    return found


def _producers(user: User, text: str) -> list[Hit]:
    rows = _named_so(
        Organisation,
        text,
        Organisation.phone,
        Organisation.kind == OrganisationKind.PRODUCER,
        visible_to(user, Organisation.id, Organisation.division_code),
    )
    return [Hit(named(row), row.phone or row.address, url_for("batches.index", q=row.name)) for row in rows]


def _sites(user: User, text: str) -> list[Hit]:
    rows = _named_so(
        Site, text, None, visible_to(user, Site.producer_id, Site.division_code), options=[joinedload(Site.producer)]
    )
    return [
        Hit(named(row), named(row.producer), url_for("recalls.scope", site=row.name, producer=row.producer.name))
        for row in rows
    ]


def _inputs(_user: User, text: str) -> list[Hit]:
    query = (
        sa.select(Record.input_lot, sa.func.min(Record.product_name))
        .where(begins_with(Record.input_lot, text))
        .group_by(Record.input_lot)
        .order_by(Record.input_lot)
        .limit(EACH)
    )
    return [
        Hit(lot or "", name or "", url_for("recalls.scope", input_lot=lot)) for lot, name in db.session.execute(query)
    ]


def _ingredients(_user: User, text: str) -> list[Hit]:
    """Active ingredients of the catalogue and of the list of what is prohibited."""
    of_products = db.session.scalars(sa.select(InputIngredient.name).distinct())
    prohibited = db.session.scalars(sa.select(ProhibitedSubstance.name))
    wanted = text.casefold()
    names = sorted({name for name in (*of_products, *prohibited) if wanted in name.casefold()}, key=len)
    return [Hit(name, "", url_for("recalls.scope", ingredient=name)) for name in names[:EACH]]


def _buyers(user: User, text: str) -> list[Hit]:
    # A buyer stands in the address books of many: put together here, where only so many are given.
    query = (
        sa.select(Consignee.name, Consignee.phone)
        .where(
            sa.or_(has_text(Consignee.name, text), *_has_phone(Consignee.phone, text)),
            is_seen_by(user, Consignee.sender_id),
        )
        .order_by(sa.func.length(Consignee.name), Consignee.id)
        .limit(50 * EACH)
    )
    phones: dict[str, str] = {}
    for name, phone in db.session.execute(query):
        phones[name] = max(phone, phones.get(name, ""))
    return [Hit(name, phones[name], url_for("shipments.index", q=name)) for name in itertools.islice(phones, EACH)]


def _registrations(_user: User, text: str) -> list[Hit]:
    """What is registered under a number: pesticides, fertilisers, veterinary medicines."""
    if not fold(text):
        return []
    query = (
        db.select(InputProduct)
        .where(begins_with(InputProduct.registration_fold, fold(text)))
        .order_by(InputProduct.registration_number)
        .limit(EACH)
    )
    return [
        Hit(row.registration_number or "", row.name, url_for("stock.trace_input", q=row.registration_number))
        for row in db.session.scalars(query)
    ]


def _reports(user: User, text: str) -> list[Hit]:
    """Reports on lots and sites of the jurisdiction, by what their number begins with."""
    query = (
        db.select(TestReport)
        .outerjoin(Batch, Batch.id == TestReport.batch_id)
        .outerjoin(Site, Site.id == TestReport.site_id)
        .where(
            begins_with(TestReport.report_number, text),
            sa.or_(
                visible_to(user, Batch.producer_id, Batch.division_code),
                visible_to(user, Site.producer_id, Site.division_code),
            ),
        )
        .order_by(TestReport.report_number, TestReport.id.desc())
        .limit(EACH)
    )
    return [
        Hit(
            row.report_number,
            f"{laboratory_name(row)} · {row.sampled_on:%Y-%m-%d}",
            url_for("laboratory.show", report_id=row.id),
        )
        for row in db.session.scalars(query)
    ]


def _shipments(user: User, text: str) -> list[Hit]:
    """Shipments by their number, or by the plate or waybill that they went with."""
    query = (
        db.select(Shipment)
        .where(sa.or_(begins_with(Shipment.vehicle, text.upper()), begins_with(Shipment.number, text.upper())))
        .options(joinedload(Shipment.sender), joinedload(Shipment.returns))
        .limit(EACH)
    )
    # Each way by itself: for both at once PostgreSQL gathers all lots of the place first.
    found = {row.id: row for way in ways_seen_by(user) for row in db.session.scalars(query.where(way))}
    return [
        Hit(
            row.number if row.number.startswith(text.upper()) else row.vehicle,
            f"{row.number} {row.vehicle} · {row.sender_name} → {row.consignee_name}",
            url_for("shipments.show", shipment_id=row.id),
        )
        for row in sorted(found.values(), key=lambda row: (row.vehicle, -row.id))[:EACH]
    ]


def _commitments(user: User, text: str) -> list[Hit]:
    """Commitment certificates by the beginning of their number, however it is typed."""
    folded = fold(text)
    if not folded:
        return []
    query = (
        db.select(CommitmentCertificate)
        .join(CommitmentCertificate.batch)
        .where(
            begins_with(CommitmentCertificate.number_fold, folded),
            visible_to(user, Batch.producer_id, Batch.division_code),
        )
        .options(joinedload(CommitmentCertificate.batch))
        .order_by(CommitmentCertificate.number_fold)
        .limit(EACH)
    )
    return [
        Hit(
            row.number,
            f"{row.batch.lot_number} · {row.facts['producer']} · {row.issued_on:%Y-%m-%d} · {standing_of(row)}",
            url_for("public.commitment", number=row.number),
        )
        for row in db.session.scalars(query)
    ]


def _own_products(user: User, text: str) -> list[Hit]:
    rows = db.session.scalars(own_products(user, text).order_by(Product.name).limit(EACH))
    return [Hit(named(row), row.net_content, url_for("catalogue.product", product_id=row.id)) for row in rows]


def _own_sites(user: User, text: str) -> list[Hit]:
    rows = db.session.scalars(own_sites(user, text).order_by(Site.name).limit(EACH))
    return [
        Hit(named(row), place_name(row.division, language()), url_for("catalogue.site", site_id=row.id)) for row in rows
    ]


def _own_stock(user: User, text: str) -> list[Hit]:
    query = own_stock(user, text).options(joinedload(StockLot.product)).order_by(StockLot.id.desc()).limit(EACH)
    return [
        Hit(row.product.name, row.lot_number, url_for("stock.show", stock_id=row.id))
        for row in db.session.scalars(query)
    ]


def _own_buyers(user: User, text: str) -> list[Hit]:
    rows = db.session.scalars(own_consignees(user, text).order_by(Consignee.name).limit(EACH))
    return [Hit(row.name, row.phone, url_for("shipments.index", q=row.name)) for row in rows]


def _has_phone(column: sa.SQLColumnExpression[str], text: str) -> list[sa.ColumnElement[bool]]:
    """Whether a telephone number has the digits that were typed; nothing for what is no number."""
    digits = re.sub(r"[\s\-()+]", "", unicodedata.normalize("NFKC", text))
    if not digits.isdecimal() or len(digits) < LEAST_OF_PHONE:
        return []
    plain: sa.ColumnElement[str] = sa.func.replace(sa.func.replace(column, "-", ""), " ", "")
    return [plain.contains(digits, autoescape=True)]


def _named_so(
    model: type[Named],
    text: str,
    phone: sa.SQLColumnExpression[str] | None,
    *conditions: sa.ColumnElement[bool],
    options: Sequence[ExecutableOption] = (),
) -> list[Named]:
    """Rows with a text in their Chinese or English name, with or without spaces, or a number in their telephone's;
    those first of whose name it is most."""
    compact: sa.ColumnElement[str] = sa.func.replace(model.name, " ", "")
    named_so = [has_text(compact, "".join(text.split())), has_text(model.name_en, text)]
    where = (sa.or_(*named_so, *(_has_phone(phone, text) if phone is not None else [])), *conditions)
    order = (sa.func.length(model.name), model.id)
    # What goes with a row is read for the few that are given, not for all who are sorted.
    closest = sa.select(model.id).where(*where).order_by(*order).limit(EACH)
    return list(db.session.scalars(sa.select(model).where(model.id.in_(closest)).order_by(*order).options(*options)))


Look = Callable[[User, str], list[Hit]]
_OF_AUTHORITIES: tuple[tuple[LazyString, Look], ...] = (
    (_("追溯码"), _codes),
    (_("批次"), _lots),
    (_("召回"), _recalls),
    (_("生产者"), _producers),
    (_("基地"), _sites),
    (_("投入品批号"), _inputs),
    (_("投入品登记证号"), _registrations),
    (_("有效成分"), _ingredients),
    (_("收货方"), _buyers),
    (_("发货单和车辆"), _shipments),
    (_("检测报告"), _reports),
    (_("合格证"), _commitments),
)
_OF_PARTIES: tuple[tuple[LazyString, Look], ...] = (
    (_("追溯码"), _codes),
    (_("批次"), _lots),
    (_("发货单和车辆"), _shipments),
    (_("收货方"), _own_buyers),
    (_("产品"), _own_products),
    (_("基地"), _own_sites),
    (_("投入品"), _own_stock),
    (_("检测报告"), _reports),
    (_("合格证"), _commitments),
)
