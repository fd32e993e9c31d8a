"""The columns of the list of what consumers say."""

from __future__ import annotations

from flask import url_for
from flask_babel import lazy_gettext as _

from trace_app.feedback.forms import SHORT_KINDS
from trace_app.feedback.models import Feedback, FeedbackKind
from trace_app.feedback.service import SHOWN
from trace_app.language import named
from trace_app.lists import Column, ListShape


def _how_far(row: Feedback) -> str:
    return str(_("处理完毕") if row.closed else _("处理中") if row.replies else _("未答复"))


MARKS = {FeedbackKind.FAKE: "bad", FeedbackKind.SAFETY: "bad", FeedbackKind.QUALITY: "warn"}
FEEDBACK = ListShape(
    "feedback.index",
    _("消费者反馈"),
    (
        Column("text", _("内容"), lambda row: row.text[:60] + ("…" if len(row.text) > 60 else "")),
        Column(
            "kind", _("什么事"), lambda row: str(SHORT_KINDS[row.kind]), tag=lambda row: MARKS.get(row.kind, "plain")
        ),
        Column("product", _("产品"), lambda row: named(row.batch.product)),
        Column("lot", _("批次号"), lambda row: row.batch.lot_number),
        Column("state", _("状态"), _how_far),
        Column("photos", _("照片"), lambda row: len(row.photos) or None),
        Column("at", _("时间"), lambda row: row.created_at, Feedback.created_at),
    ),
    Feedback.id,
    "-at",
    lambda row: url_for("feedback.show", feedback_id=row.id),
    SHOWN,
)
