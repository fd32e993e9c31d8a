"""The paper that goes with a shipment: what it is, and the code by which its receipt is confirmed."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from qr.codes import format_code
from trace_app.clock import local
from trace_app.flow.shipments.models import Shipment
from trace_app.forms import plain_decimal
from trace_app.labels.service import code_of
from trace_app.language import named
from trace_app.paper import SYMBOL_MM, Styles, document
from trace_app.units import unit_name


def delivery_note(shipment: Shipment, link: str) -> bytes:
    """A4 in the reader's language, with a QR code of the link."""
    back = shipment.returns_id is not None
    title = str(
        _("退货单 %(number)s", number=shipment.number) if back else _("发货单 %(number)s", number=shipment.number)
    )
    facts = _facts(shipment)
    head = [str(part) for part in (_("产品"), _("批次号"), _("数量"), _("生产者"), _("追溯码"), _("实收"))]
    rows = [
        [
            named(line.batch.product),
            line.batch.lot_number,
            f"{plain_decimal(line.quantity)} {unit_name(line.batch.unit)}",
            named(line.batch.producer),
            "　".join(format_code(code_of(code.run, code.index)) for code in line.codes),
            "",
        ]
        for line in shipment.lines
    ]
    ask = str(
        _(
            "收货后请扫右上角的码，或在网站“确认收货”处输入收货码，写明实收数量。"
            "收货人签字：＿＿＿＿＿＿＿　日期：＿＿＿＿＿＿＿"
        )
    )
    foot = str(_("曲靖市农产品质量安全追溯平台"))

    def story(styles: Styles) -> list[Flowable]:
        return [
            Spacer(1, 4 * mm),
            styles.facts(facts, SYMBOL_MM + 6),
            Spacer(1, 8 * mm),
            styles.grid(head, rows, [4, 3.4, 2.2, 4, 4.4, 2]),
            Spacer(1, 8 * mm),
            styles.paragraph(ask),
        ]

    return document(title, story, foot=foot, url=link)


def _facts(shipment: Shipment) -> list[tuple[str, str]]:
    cold = ""
    if shipment.least_celsius is not None and shipment.most_celsius is not None:
        cold = f"{shipment.least_celsius:g} – {shipment.most_celsius:g} ℃"
    return [
        (str(_("发货方")), f"{shipment.sender_name}　{shipment.sender_phone}"),
        (str(_("收货方")), f"{shipment.consignee_name}　{shipment.consignee_phone}"),
        (str(_("收货地址")), shipment.consignee_address),
        (str(_("发出时间")), f"{local(shipment.departed_at):%Y-%m-%d %H:%M}"),
        (
            str(_("承运人")),
            "　".join(filter(None, (shipment.carrier, shipment.vehicle, shipment.driver, shipment.driver_phone))),
        ),
        (str(_("温度")), cold),
        (str(_("订单")), " ".join(filter(None, (shipment.platform, shipment.order_number)))),
        (str(_("收货码")), format_code(shipment.receipt_code)),
        (str(_("备注")), shipment.note),
    ]
