"""The columns of the list of shipments."""

from __future__ import annotations

from flask import url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.flow.shipments.models import Consignee, Shipment
from trace_app.flow.shipments.service import SHOWN
from trace_app.forms import plain_decimal
from trace_app.language import named
from trace_app.lists import Column, ListShape
from trace_app.units import unit_name

MOST_LINES = 3


def state_of(row: Shipment) -> tuple[LazyString, str]:
    """How far a shipment is, and the class of its mark."""
    if row.withdrawn_at:
        return _("已撤销"), "plain"
    if row.settled:
        short = any(line.received != line.quantity for line in row.lines)
        return (_("有差异"), "warn") if short else (_("已收货"), "")
    return (_("收到一部分") if row.receipts else _("在途")), "warn"


def _goods(row: Shipment) -> str:
    said = [
        f"{line.batch.lot_number} {plain_decimal(line.quantity)} {unit_name(line.batch.unit)}"
        for line in row.lines[:MOST_LINES]
    ]
    return "、".join(said) + (" …" if len(row.lines) > MOST_LINES else "")


SHIPMENTS = ListShape(
    "shipments.index",
    _("发货和收货"),
    (
        Column("number", _("发货单号"), lambda row: row.number, Shipment.number),
        Column("state", _("状态"), lambda row: str(state_of(row)[0]), tag=lambda row: state_of(row)[1]),
        Column("back", _("退货"), lambda row: str(_("退货")) if row.returns_id else None),
        Column("from", _("发货方"), lambda row: row.sender_name),
        Column("to", _("收货方"), lambda row: row.receiver_name),
        Column("goods", _("货"), _goods),
        Column("vehicle", _("车牌或运单号"), lambda row: row.vehicle),
        Column("departed", _("发出时间"), lambda row: row.departed_at, Shipment.departed_at),
    ),
    Shipment.id,
    "-departed",
    lambda row: url_for("shipments.show", shipment_id=row.id),
    SHOWN,
)
CONSIGNEES = ListShape(
    "shipments.consignees",
    _("收货方"),
    (
        Column("name", _("收货方"), lambda row: row.name, Consignee.name),
        Column("phone", _("电话"), lambda row: row.phone or None),
        Column("email", _("邮箱"), lambda row: row.email or None),
        Column("address", _("地址"), lambda row: row.address or None),
        Column("organisation", _("本平台的单位"), lambda row: named(row.organisation) if row.organisation else None),
    ),
    Consignee.id,
    "name",
    lambda row: url_for("shipments.index", q=row.name),
    (joinedload(Consignee.organisation),),
)
