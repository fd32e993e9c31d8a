"""The columns of the lists of findings: an authority's warnings, and what a producer has to do."""

from __future__ import annotations

from flask import url_for
from flask_babel import lazy_gettext as _

from trace_app.findings.forms import SEVERITIES
from trace_app.findings.models import Finding
from trace_app.findings.rules import RULES, message_of
from trace_app.findings.service import SHOWN
from trace_app.language import named
from trace_app.lists import Column, ListShape
from trace_app.messages.models import Severity

MARKS = {Severity.BLOCK: "bad", Severity.WARN: "warn", Severity.INFO: "plain"}


def _severity(row: Finding) -> str:
    if row.severity is Severity.BLOCK and row.lot_is_out:
        return str(_("须停止销售"))
    return str(SEVERITIES[row.severity])


def _state(row: Finding) -> str:
    said = [
        str(word)
        for word, holds in (
            (_("已准予放行"), row.waiver is not None),
            (_("已处理"), row.handled_at is not None),
            (_("已消除"), row.gone_at is not None),
        )
        if holds
    ]
    return " · ".join(said)


_TITLE = Column("rule", _("问题"), lambda row: str(RULES[row.rule].title))
_SEVERITY = Column("severity", _("程度"), _severity, tag=lambda row: MARKS[row.severity])
_LOT = Column("lot", _("批次号"), lambda row: row.batch.lot_number if row.batch else None)
_PRODUCT = Column("product", _("产品"), lambda row: named(row.batch.product) if row.batch else None)
_MESSAGE = Column("message", _("说明"), message_of)
_FOUND = Column("found", _("发现时间"), lambda row: row.found_at, Finding.found_at)

WARNINGS = ListShape(
    "findings.index",
    _("预警"),
    (
        _TITLE,
        _SEVERITY,
        _LOT,
        _PRODUCT,
        Column("producer", _("生产者"), lambda row: named(row.producer)),
        Column("place", _("地区"), lambda row: named(row.division)),
        _MESSAGE,
        Column("state", _("状态"), _state),
        _FOUND,
    ),
    Finding.id,
    "-found",
    lambda row: url_for("findings.show", finding_id=row.id),
    SHOWN,
)
TO_DO = ListShape(
    "findings.to_do",
    _("待办"),
    (
        _TITLE,
        _SEVERITY,
        _LOT,
        _PRODUCT,
        _MESSAGE,
        Column("advice", _("怎么办"), lambda row: str(RULES[row.rule].advice)),
        _FOUND,
    ),
    Finding.id,
    "-found",
    lambda row: url_for("batches.show", batch_id=row.batch_id) if row.batch_id else url_for("certificates.index"),
    SHOWN,
)
