"""The columns of the list of lots."""

from __future__ import annotations

from dataclasses import replace

from flask import url_for
from flask_babel import lazy_gettext as _

from trace_app.batches.forms import STATES
from trace_app.batches.models import Batch
from trace_app.batches.service import SHOWN
from trace_app.language import named
from trace_app.lists import Column, ListShape
from trace_app.units import unit_name

MARKS = {"recalled": "bad", "held": "bad", "draft": "warn", "closed": "plain"}

LOTS = ListShape(
    "batches.index",
    _("批次"),
    (
        Column("lot", _("批次号"), lambda row: row.lot_number, Batch.lot_number),
        Column("product", _("产品"), lambda row: named(row.product)),
        Column("site", _("基地"), lambda row: named(row.site)),
        Column("begun", _("开始"), lambda row: row.started_on, Batch.started_on),
        Column("produced", _("采收或生产"), lambda row: row.produced_on),
        Column("quantity", _("数量"), lambda row: row.quantity),
        Column("unit", _("单位"), lambda row: unit_name(row.unit)),
        Column("state", _("状态"), lambda row: str(STATES[row.state]), tag=lambda row: MARKS.get(row.state, "")),
        Column("registered", _("登记于"), lambda row: row.created_at, Batch.created_at),
    ),
    Batch.id,
    "-registered",
    lambda row: url_for("batches.show", batch_id=row.id),
    SHOWN,
)
LOTS_OF_ALL = replace(
    LOTS,
    columns=(*LOTS.columns[:2], Column("producer", _("生产者"), lambda row: named(row.producer)), *LOTS.columns[2:]),
)
"""The same for an authority."""
