"""Rules on the course of production: what must be recorded, in what order, when, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from flask_babel import lazy_gettext as _

from trace_app.findings.rules import Found, Rule, both, name_of, register
from trace_app.messages.models import Severity
from trace_app.records.models import RecordType
from trace_app.release.lot import Lot

register(
    [
        Rule(
            "missing",
            _("缺少必需的记录"),
            _("还没有“%(what)s”的记录。"),
            _("请补上这条记录。"),
            "《农产品质量安全法》（2022）第二十七条：生产记录",
            to_do=True,
        ),
        Rule(
            "no_produced_on",
            _("缺少采收或生产日期"),
            _("还没有填写采收或生产日期。"),
            _("请在批次信息里填写。"),
            "《农产品质量安全法》（2022）第二十七条：收获、屠宰或者捕捞的日期",
            to_do=True,
        ),
        Rule(
            "order",
            _("工序先后不对"),
            _("“%(later)s”（%(later_day)s）早于“%(earlier)s”（%(earlier_day)s）。"),
            _("请核对日期，更正写错的那条记录。"),
            "NY/T 1761《农产品质量安全追溯操作规程 通则》",
        ),
        Rule(
            "too_late",
            _("记录互相矛盾"),
            _("“%(earlier)s”记在 %(earlier_day)s，晚于最后一次“%(later)s”（%(later_day)s）。"),
            _("请核对日期：写错了或记重了的，请更正或撤回那条记录。"),
            "NY/T 1761《农产品质量安全追溯操作规程 通则》",
        ),
        Rule(
            "twice",
            _("同一工序记了两次"),
            _("“%(stage)s”记了 %(count)s 次：最早 %(first)s，最晚 %(last)s。"),
            _("请核对：记重了的，请撤回多出的一条；分几次做或补种的，不用改。"),
            "NY/T 1761《农产品质量安全追溯操作规程 通则》",
        ),
        Rule(
            "after_finish",
            _("记录晚于产品完成"),
            _("“%(stage)s”记在 %(day)s，晚于批次的采收或生产日期 %(produced)s。"),
            _("请核对记录日期和批次日期。"),
            "NY/T 1761《农产品质量安全追溯操作规程 通则》",
        ),
        Rule(
            "season",
            _("不在常见季节"),
            _("“%(stage)s”在 %(day)s，通常在 %(first)s 到 %(last)s 之间。"),
            _("请核对日期；若属实，请在备注里说明做法（如冷库腌制）。"),
            "GB/T 18357《地理标志产品 宣威火腿》；当地农事季节",
        ),
        Rule(
            "too_short",
            _("时间太短"),
            _("“%(stage)s”只有 %(days)s 天，一般至少 %(least)s 天。"),
            _("请核对开始日期和完成日期；若属实，请等到时间足够再放行，或说明理由请主管部门准予。"),
            "GB/T 18357《地理标志产品 宣威火腿》",
        ),
    ]
)
FINISHING = frozenset({"harvest", "slaughter"})
DAYS_OF_ONE = 14
"""Days over which one sowing may be spread; what lies further apart is warned of."""


def mandatory_records(lot: Lot) -> Iterator[Found]:
    """What a lot of its kind must have on record, and its date."""
    if lot.batch.produced_on is None:
        yield Found("no_produced_on", Severity.BLOCK)
    for code in lot.rules.required:
        if code in lot.stages:
            if not lot.by_stage.get(code):
                yield Found("missing", Severity.BLOCK, f"stage:{code}", {"what": name_of(lot.stages[code])})
        elif not lot.by_type[RecordType(code)]:
            yield Found("missing", Severity.BLOCK, f"type:{code}", {"what": _TYPE_NAMES[code]})
    if not lot.records:
        yield Found("missing", Severity.BLOCK, "any", {"what": both("生产过程", "what was done")})


_TYPE_NAMES = {
    "pesticide": both("用药", "pesticide"),
    "fertiliser": both("施肥", "fertiliser"),
    "feed": both("喂料", "feed"),
    "veterinary": both("兽药", "veterinary drug"),
    "ingredient": both("配料", "ingredient"),
}


def order_of_stages(lot: Lot) -> Iterator[Found]:
    """Stages that can't come before others, and the lot's own date before its harvest."""
    for code, rules in lot.stage_rules.items():
        later = lot.by_stage.get(code)
        for before in rules.after:
            earlier = lot.by_stage.get(before)
            if later and earlier and later[0].happened_on < earlier[0].happened_on:
                facts = {
                    "later": name_of(lot.stages[code]),
                    "later_day": later[0].happened_on,
                    "earlier": name_of(lot.stages[before]),
                    "earlier_day": earlier[0].happened_on,
                }
                yield Found("order", Severity.BLOCK, f"{before}<{code}", facts, (earlier[0].id, later[0].id))
    produced = lot.batch.produced_on
    for code, stage in lot.stages.items():
        first = lot.by_stage.get(code, [])[:1]
        if produced and stage.role in FINISHING and first and first[0].happened_on > produced:
            facts = {"stage": name_of(stage), "day": first[0].happened_on, "produced": produced}
            yield Found("after_finish", Severity.BLOCK, f"stage:{code}", facts, (first[0].id,))


def contradictions(lot: Lot) -> Iterator[Found]:
    """Records of what leads to a harvest that lie after the last one, where the first ones are in order."""
    for code, stage in lot.stages.items():
        later = lot.by_stage.get(code)
        if stage.role not in FINISHING or not later:
            continue
        for before in _led_by(lot, code):
            earlier = lot.by_stage.get(before)
            if not earlier or later[0].happened_on < earlier[0].happened_on:
                continue
            if earlier[-1].happened_on > later[-1].happened_on:
                facts = {
                    "earlier": name_of(lot.stages[before]),
                    "earlier_day": earlier[-1].happened_on,
                    "later": name_of(stage),
                    "later_day": later[-1].happened_on,
                }
                yield Found("too_late", Severity.WARN, f"{before}>{code}", facts, (later[-1].id, earlier[-1].id))


def _led_by(lot: Lot, code: str) -> list[str]:
    """The stages that a stage comes after, by way of others too."""
    found: list[str] = []
    waiting = [code]
    while waiting:
        rules = lot.stage_rules.get(waiting.pop())
        new = [before for before in rules.after if before not in found] if rules else []
        found += new
        waiting += new
    return found


def only_once(lot: Lot) -> Iterator[Found]:
    """What a lot has once, on record several times: told, and warned of where the days are far apart."""
    for code, rules in lot.stage_rules.items():
        records = lot.by_stage.get(code, [])
        if rules.once and len(records) > 1:
            first, last = records[0].happened_on, records[-1].happened_on
            severity = Severity.WARN if (last - first).days > DAYS_OF_ONE else Severity.INFO
            facts = {"stage": name_of(lot.stages[code]), "count": len(records), "first": first, "last": last}
            yield Found("twice", severity, f"stage:{code}", facts, tuple(record.id for record in records))


def in_season(day: date, first: str, last: str) -> bool:
    """Whether a day of the year lies between two, over the turn of the year where the first is later."""
    at = f"{day:%m-%d}"
    return first <= at <= last if first <= last else at >= first or at <= last


def seasons(lot: Lot) -> Iterator[Found]:
    """Stages out of their season."""
    for code, rules in lot.stage_rules.items():
        records = lot.by_stage.get(code)
        if rules.season and records and not in_season(records[0].happened_on, *rules.season):
            facts = {
                "stage": name_of(lot.stages[code]),
                "day": records[0].happened_on,
                "first": rules.season[0],
                "last": rules.season[1],
            }
            yield Found("season", Severity.WARN, f"stage:{code}", facts, (records[0].id,))


def lengths_of_stages(lot: Lot) -> Iterator[Found]:
    """Stages that were ended too early: ageing above all."""
    produced = lot.batch.produced_on
    if produced is None:
        return
    for code, rules in lot.stage_rules.items():
        records = lot.by_stage.get(code)
        if rules.least_days and records:
            days = (produced - records[0].happened_on).days
            if days < rules.least_days:
                facts = {"stage": name_of(lot.stages[code]), "days": days, "least": rules.least_days}
                yield Found("too_short", Severity.BLOCK, f"stage:{code}", facts, (records[0].id,))
