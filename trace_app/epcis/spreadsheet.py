"""A chain as a sortable spreadsheet: the critical tracking events and key data elements of FSMA 204
(21 CFR 1.1325-1.1350), which a 24-hour request asks for."""

from __future__ import annotations

import io

import xlsxwriter
from flask_babel import lazy_gettext as _

from media_store.workbooks import Cell
from trace_app.accounts.service import place_name
from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.epcis.chain import Chain, ChainEvent, gtin_of
from trace_app.labels.service import code_of
from trace_app.laboratory.texts import laboratory_name
from trace_app.language import language, named
from trace_app.spreadsheets import PLAIN_TEXTS, without_formula
from trace_app.units import unit_name

EVENTS = {
    "made": _("采收或生产（Harvesting / initial packing）"),
    "transformed": _("加工（Transformation）"),
    "packed": _("装箱（Packing）"),
    "unpacked": _("取出（Unpacking）"),
    "shipped": _("发货（Shipping）"),
    "received": _("收货（Receiving）"),
    "inspected": _("检测（Inspection）"),
    "recalled": _("召回（Recall）"),
}
COLUMNS = (
    (_("关键追溯事件（CTE）"), 30), (_("日期"), 12), (_("时间"), 8), (_("追溯批号（TLC）"), 20),
    (_("批号赋予方（TLC source）"), 28), (_("GTIN"), 16), (_("产品描述"), 26), (_("数量"), 10), (_("单位"), 8),
    (_("事件地点"), 34), (_("发货方"), 26), (_("收货方"), 26), (_("收货方电话"), 16), (_("用料批号"), 34),
    (_("参考单据类型"), 16), (_("参考单据号"), 22), (_("车辆或运单"), 16), (_("备注"), 30),
)  # fmt: skip


def spreadsheet_of(chain: Chain) -> bytes:
    """One row for each event and lot, with filters, the first row fixed; in the reader's language."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, PLAIN_TEXTS)
    head = book.add_format(
        {"bold": True, "bg_color": "#1b5a43", "font_color": "#ffffff", "text_wrap": True, "valign": "top"}
    )
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    clock = book.add_format({"num_format": "hh:mm"})
    sheet = book.add_worksheet(str(_("追溯事件")))
    for column, (title, width) in enumerate(COLUMNS):
        sheet.write_string(0, column, str(title), head)
        sheet.set_column(column, column, width)
    rows = [row for event in chain.events for row in _rows(event, chain)]
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            if column == 1:
                sheet.write_datetime(number, column, value, day)
            elif column == 2 and value is not None:
                sheet.write_datetime(number, column, value, clock)
            elif isinstance(value, int | float):
                sheet.write_number(number, column, value)
            elif isinstance(value, str) and value:
                sheet.write_string(number, column, without_formula(value))
    sheet.autofilter(0, 0, max(len(rows), 1), len(COLUMNS) - 1)
    sheet.freeze_panes(1, 1)
    if chain.folded:
        sheet.write_string(len(rows) + 2, 0, str(_("太多，没有全部列出。")))
    book.close()
    return out.getvalue()


def _rows(event: ChainEvent, chain: Chain) -> list[list[Cell | None]]:
    lot = event.lot
    at = local(event.at).replace(tzinfo=None)
    amount: float | str = float(lot.quantity)
    sender = receiver = phone = paper = number = vehicle = note = inputs = ""
    place = _place(lot)
    unit = unit_name(lot.unit)
    if event.links:
        sources = [(chain.lots[link.source_id], float(link.quantity)) for link in event.links]
        inputs = "、".join(f"{lot.lot_number} {amount:g} {unit_name(lot.unit)}" for lot, amount in sources)
    if event.line is not None:
        shipment = event.line.shipment
        amount = float(event.line.quantity)
        sender, receiver, phone = shipment.sender_name, shipment.consignee_name, shipment.consignee_phone
        place = (shipment.sender.address if shipment.sender else "") or sender
        paper = str(_("退货单") if shipment.returns_id is not None else _("发货单"))
        number = shipment.number
        vehicle, note = (
            shipment.vehicle,
            " ".join(filter(None, (shipment.platform, shipment.order_number, shipment.note))),
        )
        if event.came is not None:
            amount = float(event.came.quantity)
            place = shipment.consignee_address or receiver
            note = " ".join(filter(None, (event.came.receipt.note, event.came.reason)))
    if event.container is not None:
        amount, unit = len(event.contents), ""
        paper, number = str(_("箱（托盘）码")), code_of(*event.container)
    if event.report is not None:
        amount, unit = "", ""
        paper, number, note = str(_("检测报告")), event.report.report_number, laboratory_name(event.report)
    if event.recall is not None:
        amount, unit = "", ""
        paper, number, note = str(_("召回公告")), event.recall.number, named(event.recall, "reason")
    return [
        [
            str(EVENTS[event.type]),
            at,
            None if event.day_only else at,
            lot.lot_number,
            named(lot.producer),
            gtin_of(lot.product),
            " ".join(filter(None, (named(lot.product), lot.product.net_content))),
            amount,
            unit,
            place,
            sender,
            receiver,
            phone,
            inputs,
            paper,
            number,
            vehicle,
            note,
        ]
    ]


def _place(lot: Batch) -> str:
    return f"{place_name(lot.division, language())} {named(lot.site)}"
