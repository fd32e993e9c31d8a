"""The columns of the list of records."""

from __future__ import annotations

from flask import url_for
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from trace_app.catalogue.models import ProductKind
from trace_app.language import named
from trace_app.lists import Column, ListShape
from trace_app.records.models import Record
from trace_app.records.texts import amount, record_title


def _what_for(row: Record) -> str:
    """The lots that a record names, or its whole site."""
    if row.batch is None:
        return str(_("整个基地：%(site)s", site=named(row.site)))
    more = f" …（{len(row.further_batches) + 1}）" if row.further_batches else ""
    return row.batch.lot_number + more


def _state(row: Record) -> str | None:
    """What has to be known of a record beside what it says: that it counts no more, or was mended."""
    if row.withdrawal is not None:
        return str(_("已撤回"))
    return str(_("更正过")) if row.replaces_id is not None else None


RECORDS = ListShape(
    "records.index",
    _("生产记录"),
    (
        Column("what", _("做了什么"), record_title),
        Column("state", _("状态"), _state, tag=lambda row: "bad" if row.withdrawal is not None else "plain"),
        Column("day", _("日期"), lambda row: row.happened_on, Record.happened_on),
        Column("for", _("批次"), _what_for),
        Column("input", _("投入品"), lambda row: row.product_name),
        Column("amount", _("用量"), lambda row: amount(row) if row.dose is not None else None),
        Column("lot", _("投入品批号"), lambda row: row.input_lot),
        Column("operator", _("操作人"), lambda row: row.operator or None),
        Column("note", _("备注"), lambda row: row.note or None),
        Column("entered", _("记于"), lambda row: row.created_at),
    ),
    Record.id,
    "-day",
    lambda row: url_for("records.story", record_id=row.id),
    (
        joinedload(Record.batch),
        joinedload(Record.site),
        joinedload(Record.withdrawal).lazyload("*"),
        joinedload(Record.kind).selectinload(ProductKind.stages),
        selectinload(Record.further_batches),
    ),
)
