"""The columns of the list of certificates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import url_for
from flask_babel import lazy_gettext as _

from trace_app.certificates.models import Certificate
from trace_app.certificates.reminders import REMINDERS
from trace_app.certificates.service import SHOWN
from trace_app.certificates.texts import certificate_label
from trace_app.clock import today
from trace_app.language import named
from trace_app.lists import Column, ListShape


def _how_long(row: Certificate) -> str:
    if row.valid_until < today():
        return str(_("已过期"))
    return str(_("快到期")) if row.valid_until <= today() + timedelta(days=max(REMINDERS)) else ""


CERTIFICATES = ListShape(
    "certificates.index",
    _("证书"),
    (
        Column("number", _("证书编号"), lambda row: row.number, Certificate.number),
        Column("type", _("类型"), lambda row: certificate_label(row.type)),
        Column("state", _("状态"), _how_long, tag=lambda row: "bad" if row.valid_until < today() else "warn"),
        Column("issuer", _("发证机构"), lambda row: row.issuer),
        Column("product", _("适用产品"), lambda row: named(row.product) if row.product else str(_("全部产品"))),
        Column("until", _("有效期至"), lambda row: row.valid_until, Certificate.valid_until),
    ),
    Certificate.id,
    "until",
    lambda row: url_for("certificates.show", certificate_id=row.id),
    SHOWN,
)
CERTIFICATES_OF_ALL = replace(
    CERTIFICATES, columns=(*CERTIFICATES.columns, Column("producer", _("生产者"), lambda row: named(row.producer)))
)
"""The same for an authority."""
