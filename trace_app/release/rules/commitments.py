"""Rule on commitment certificates (承诺达标合格证): what is sent has one where its kind must."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import lazy_gettext as _

from trace_app.findings.rules import Found, Rule, register
from trace_app.messages.models import Severity
from trace_app.release.lot import Lot

register(
    [
        Rule(
            "no_commitment",
            _("发货没有合格证"),
            _("已发货 %(count)s 次（最早 %(day)s，%(number)s），本批没有有效的承诺达标合格证。"),
            _("请在批次里开具合格证，补给收货方；今后先开具再发货。"),
            "《农产品质量安全法》（2022）第三十九条；农业农村部令2025年第4号",
        ),
        Rule(
            "commitment_in_question",
            _("合格证的依据已作废"),
            _("%(issuer)s开具的合格证 %(number)s，依据的是后来作废的合格证。"),
            _("请把新开具的有效合格证补给它；它收存新证以前，凭它的合格证卖出的货待核实。"),
            "《农产品质量安全法》（2022）第三十九条；农业农村部令2025年第4号",
        ),
    ]
)


def sent_with_a_certificate(lot: Lot) -> Iterator[Found]:
    """Shipments of a kind that must have a certificate, of a lot without one: a warning where the sender must issue
    one, a hint where it is encouraged to."""
    if lot.sent_without:
        first = lot.sent_without[0]
        severity = Severity.WARN if any(one.must for one in lot.sent_without) else Severity.INFO
        facts = {"count": len(lot.sent_without), "day": first.day, "number": first.number}
        yield Found("no_commitment", severity, "shipped", facts)


def certificates_of_buyers(lot: Lot) -> Iterator[Found]:
    """Certificates by who was sent some of the lot, where what they rest on was withdrawn."""
    for row in lot.in_question:
        facts = {"issuer": row.issuer.name, "number": row.number}
        yield Found("commitment_in_question", Severity.WARN, f"certificate:{row.id}", facts)
