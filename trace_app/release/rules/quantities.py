"""Rules on quantities that can't add up."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.catalogue.kinds import YieldRule
from trace_app.findings.rules import Found, Rule, both, register
from trace_app.forms import plain_decimal
from trace_app.labels.amounts import LabelRoom, room_for
from trace_app.messages.models import Severity
from trace_app.records.models import Record
from trace_app.release.lot import Lot

TOLERANCE = Decimal("1.005")
"""The tolerance that scales' rounding needs."""

register(
    [
        Rule(
            "balance",
            _("数量对不上"),
            _("%(more)s %(more_amount)s %(unit)s，多于 %(than)s %(than_amount)s %(unit)s。"),
            _("请核对两边的数量和单位；漏记的请补记。"),
            "《农产品质量安全法》（2022）第二十七条：生产记录应当真实",
        ),
        Rule(
            "more_labels",
            _("标签多于货物"),
            _("已印单件标签 %(printed)s 张，按数量和净含量约够 %(room)s 张。"),
            _("多出的标签请作废；净含量或数量填错的请更正。"),
            "《农产品质量安全法》（2022）第四十条；《食品安全法》第七十一条",
        ),
        Rule(
            "implausible",
            _("产量不合常理"),
            _("%(what)s 每%(per)s %(amount)s %(unit)s，一般在 %(least)s 到 %(most)s 之间。"),
            _("请核对数量、单位和面积；若属实，请在备注里说明。"),
            "NY/T 1761《农产品质量安全追溯操作规程 通则》",
        ),
    ]
)


def balances(lot: Lot) -> Iterator[Found]:
    """More came out than went in: ground than harvested, filled into cakes than received."""
    for position, balance in enumerate(lot.rules.balances):
        more, more_records = _more(lot, balance)
        than, than_records = lot.total(balance.than, balance.unit)
        if more is None or than is None:
            continue
        allowed = than * Decimal(str(balance.factor))
        if more > allowed * TOLERANCE:
            facts = {
                "more": _name(lot, balance.more),
                "more_amount": plain_decimal(more.quantize(Decimal("0.001"))),
                "than": _name(lot, balance.than),
                "than_amount": plain_decimal(allowed.quantize(Decimal("0.001"))),
                "unit": balance.unit,
            }
            ids = tuple(sorted({record.id for record in [*more_records, *than_records]}))
            yield Found("balance", Severity.BLOCK, f"balance:{position}", facts, ids)


def labels_for_the_goods(lot: Lot) -> Iterator[Found]:
    """More labels of single items than the lot has goods for."""
    found = LabelRoom(lot.labels, room_for(lot.batch, lot.batch.product.net_content))
    if found.is_exceeded_by(0):
        yield Found("more_labels", Severity.WARN, "labels", {"printed": found.printed, "room": found.room})


def _more(lot: Lot, balance: YieldRule) -> tuple[Decimal | None, list[Record]]:
    more, records = lot.total(balance.more, balance.unit)
    if more is None or not balance.share:
        return more, records
    share, said = lot.total(balance.share, "percent")
    if share is None or not said:
        return None, records
    return more * share / len(said) / 100, records


def _name(lot: Lot, quantity: str) -> dict[str, str]:
    if quantity == "batch":
        return both("批次数量", "the lot's quantity")
    if quantity.startswith("ingredient:"):
        name = quantity.removeprefix("ingredient:")
        return both(f"配料“{name}”", f"the ingredient “{name}”")
    stage_code, _dot, code = quantity.partition(".")
    stage = lot.stages[stage_code]
    field = next(field for field in stage.fields if field.code == code)
    return both(f"{stage.name}{field.name}", f"{stage.name_en}: {field.name_en}")


def plausible_yields(lot: Lot) -> Iterator[Found]:
    """A harvest per mu or per colony that nobody has."""
    for position, plausible in enumerate(lot.rules.plausible):
        amount, records = lot.total(plausible.value, "kg")
        per = lot.batch.site.area_mu if plausible.per == "area_mu" else lot.total(plausible.per, "")[0]
        if amount is None or not per:
            continue
        each = amount / per
        if not Decimal(str(plausible.least)) <= each <= Decimal(str(plausible.most)):
            facts = {
                "what": _name(lot, plausible.value),
                "per": both("亩", "mu") if plausible.per == "area_mu" else _name(lot, plausible.per),
                "amount": plain_decimal(each.quantize(Decimal("0.1"))),
                "unit": plausible.unit,
                "least": f"{plausible.least:g}",
                "most": f"{plausible.most:g}",
            }
            yield Found("implausible", Severity.WARN, f"plausible:{position}", facts, tuple(r.id for r in records))
