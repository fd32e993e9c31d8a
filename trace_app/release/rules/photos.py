"""Rules on photos: taken where and when the record says. What a phone writes into a file can be wrong, so they warn."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import lazy_gettext as _

from trace_app.clock import local
from trace_app.findings.rules import Found, Rule, register
from trace_app.messages.models import Severity
from trace_app.records.evidence import photo_evidence
from trace_app.release.lot import Lot

SOURCE = "《农产品质量安全法》（2022）第二十七条：生产记录应当真实"

register(
    [
        Rule(
            "photo_elsewhere",
            _("照片不是在基地拍的"),
            _("%(day)s 的记录有照片拍在离基地约 %(km)s 公里的地方。"),
            _("照片选错的请更正记录；基地位置填错的请在基地页面改正。"),
            SOURCE,
        ),
        Rule(
            "photo_of_another_day",
            _("照片不是当天拍的"),
            _("%(day)s 的记录有照片拍于 %(taken)s，相差 %(days)s 天。"),
            _("照片选错或日期填错的请更正记录；手机日期不对的请先调准。"),
            SOURCE,
        ),
    ]
)


def photos_of_their_records(lot: Lot) -> Iterator[Found]:
    """Photos of a record that were taken far from its site, or on another day; the farthest is told of."""
    for record in lot.records:
        seen = photo_evidence(record)
        key = f"record:{record.id}"
        km = max((one.km for one in seen if one.km is not None), default=0.0)
        if km > lot.rules.photo_km:
            facts = {"day": record.happened_on, "km": round(km)}
            yield Found("photo_elsewhere", Severity.WARN, key, facts, (record.id,))
        apart = [
            (one.days, one.photo.taken_at) for one in seen if one.days is not None and one.photo.taken_at is not None
        ]
        days, taken = max(apart, default=(0, None))
        if taken is not None and days > lot.rules.photo_days:
            facts = {"day": record.happened_on, "taken": local(taken).date(), "days": days}
            yield Found("photo_of_another_day", Severity.WARN, key, facts, (record.id,))
