"""What a household delivered, on paper and as a table, for the household itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from flask_babel import lazy_gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from trace_app.clock import today
from trace_app.forms import plain_decimal
from trace_app.households.models import Household
from trace_app.language import named
from trace_app.paper import Styles, document
from trace_app.units import unit_name
from trace_app.weighings.models import Weighing


def head_of_table() -> list[str]:
    """What the columns of `rows_of` are called."""
    return [str(part) for part in (_("日期"), _("产品"), _("批次号"), _("地块"), _("重量"), _("单位"))]


def rows_of(weighings: Sequence[Weighing]) -> list[list[str]]:
    """A row for each weighing."""
    return [
        [
            row.happened_on.isoformat(),
            named(row.batch.product),
            row.batch.lot_number,
            named(row.site) if row.site else "",
            plain_decimal(row.quantity),
            unit_name(row.batch.unit),
        ]
        for row in weighings
    ]


def slip_of(household: Household, weighings: Sequence[Weighing]) -> bytes:
    """A4 in the reader's language, to be signed by both."""
    title = str(_("交货清单：%(name)s", name=household.name))
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in weighings:
        totals[unit_name(row.batch.unit)] += row.quantity
    facts = [
        (str(_("收购方")), f"{named(household.producer)}　{household.producer.phone}"),
        (str(_("村组")), household.village),
        (str(_("社员编号")), household.number),
        (str(_("合计")), "、".join(f"{plain_decimal(amount)} {unit}" for unit, amount in totals.items())),
        (str(_("打印日期")), today().isoformat()),
    ]
    sign = str(_("农户签字：＿＿＿＿＿＿＿　收购方签字：＿＿＿＿＿＿＿"))
    head, rows = head_of_table(), rows_of(weighings)

    def story(styles: Styles) -> list[Flowable]:
        return [
            Spacer(1, 4 * mm),
            styles.facts(facts),
            Spacer(1, 6 * mm),
            styles.grid(head, rows, [2.4, 4, 4, 4, 2.4, 1.6]),
            Spacer(1, 10 * mm),
            styles.paragraph(sign),
        ]

    return document(title, story, foot=str(_("曲靖市农产品质量安全追溯平台")))
