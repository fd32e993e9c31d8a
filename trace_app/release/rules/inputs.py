"""Rules on what was used: prohibited ingredients, intervals, doses, stock."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.findings.rules import Found, Rule, both, name_of, register
from trace_app.forms import plain_decimal
from trace_app.messages.models import Severity
from trace_app.records.intervals import required_days
from trace_app.records.models import Record, RecordType
from trace_app.reference.models import ProhibitedSubstance
from trace_app.release.lot import Lot
from trace_app.units import SIGNS
from trace_app.values import Facts

_LABEL_USE = "《农药管理条例》第三十四条：按照标签标注的使用范围、方法和剂量、技术要求使用"
_CONTENT = re.compile(r"[（(].*?[)）]|[\d.]+\s*(%|％|克/升|g/L|g/kg).*$")
CROPS = {
    "蔬菜": "vegetables",
    "瓜果": "fruit",
    "茶叶": "tea",
    "菌类": "mushrooms",
    "中草药材": "medicinal plants",
    "花生": "peanuts",
    "水稻": "rice",
}
"""Groups of crops in the notices' words, and in English."""
COMING_DAYS = 365
"""How long before a prohibition takes effect it is told of."""

register(
    [
        Rule(
            "prohibited",
            _("禁用药物"),
            _("%(day)s 使用了 %(ingredient)s：自 %(since)s 起禁止使用。"),
            _("核对有效成分和日期：写错了请更正记录；若属实，本批不得销售，请立即告知县级农业农村部门。"),
            "《农产品质量安全法》（2022）第二十九条；禁用农药公告；农业农村部公告第250号",
        ),
        Rule(
            "restricted",
            _("限用药物"),
            _("%(day)s 使用了 %(ingredient)s：自 %(since)s 起不得用于%(scope)s。"),
            _("核对有效成分和日期：写错了请更正记录；若属实，本批不得销售，请立即告知县级农业农村部门。"),
            "《农药管理条例》第三十四条；限用农药公告",
        ),
        Rule(
            "prohibition_coming",
            _("即将禁用"),
            _("%(ingredient)s 自 %(since)s 起禁止使用。"),
            _("这次使用当时允许；请用完或退回库存，今后换用别的药。"),
            "禁用农药公告",
        ),
        Rule(
            "interval",
            _("安全间隔期或休药期"),
            _("%(day)s 使用 %(input)s，%(days)s 天后即采收或屠宰，须满 %(required)s 天。"),
            _("请核对两个日期；若属实，本批不得销售，请等到间隔期满再采收。"),
            "《农产品质量安全法》（2022）第二十九条",
        ),
        Rule(
            "interval_waiting",
            _("还在间隔期内"),
            _("%(day)s 使用 %(input)s，最早 %(earliest)s 可以采收或屠宰。"),
            _("请不要提前采收。"),
            "《农产品质量安全法》（2022）第二十九条",
        ),
        Rule(
            "used_after_harvest",
            _("采收以后才用的药"),
            _("%(day)s 使用 %(input)s，而本批 %(harvested)s 已经采收或屠宰。"),
            _("请核对两个日期和批次：写错了请更正记录；这块地还要再采收的，等间隔期满，并补上那次采收的记录。"),
            "《农产品质量安全法》（2022）第二十七条：生产记录应当真实；第二十九条",
        ),
        Rule(
            "interval_understated",
            _("间隔期少写了"),
            _("记录写的间隔期是 %(stated)s 天，%(input)s 的标签要求 %(required)s 天。"),
            _("已按标签要求计算；请按标签更正记录。"),
            _LABEL_USE,
        ),
        Rule(
            "dose",
            _("超过标签用量"),
            _("%(day)s 使用 %(input)s %(dose)s，标签最多 %(most)s。"),
            _("请核对用量和单位；若属实，请告知县级农业农村部门，检测合格并获准后才能放行。"),
            _LABEL_USE,
        ),
        Rule(
            "applications",
            _("超过每季使用次数"),
            _("%(input)s 用了 %(count)s 次，标签每季最多 %(most)s 次。"),
            _("请核对记录；若属实，请告知县级农业农村部门，检测合格并获准后才能放行。"),
            _LABEL_USE,
        ),
        Rule(
            "not_on_label",
            _("标签上没有这种作物"),
            _("%(input)s 的标签没有登记用于%(kind)s。"),
            _("请核对标签；投入品目录漏登的请补上，若属实，今后换用登记过的产品。"),
            _LABEL_USE,
        ),
        Rule(
            "stock_expired",
            _("投入品已过期"),
            _("%(day)s 使用的 %(input)s（批号 %(lot)s）已于 %(expired)s 过期。"),
            _("请核对日期；过期的投入品请停用并处置。"),
            "《农药管理条例》第三十四条；《兽药管理条例》第三十八条",
        ),
        Rule(
            "stock_overdrawn",
            _("用得比入库多"),
            _("%(input)s（批号 %(lot)s）入库 %(received)s %(unit)s，已记用去 %(used)s %(unit)s。"),
            _("请核对入库数量和用量；用了没有登记的货，请补登入库。"),
            "《农产品质量安全法》（2022）第二十七条：生产记录应当真实",
        ),
    ]
)


def ingredient_names(record: Record) -> list[str]:
    """The active ingredients of a record's input: those that the label of its stock names, and what was typed, apart by
    signs. Where they differ both count: what is written of a lot is never left unread."""
    of_label = record.stock.product.ingredients if record.stock is not None else []
    typed = re.split(r"[、，,+＋;；/·]|\s和\s", record.active_ingredient or record.product_name or "")
    names = [one.name for one in of_label] + [_CONTENT.sub("", part).strip() for part in typed]
    return list(dict.fromkeys(name for name in names if name))


def _plain(name: str) -> str:
    return re.sub(r"[\s·,，-]", "", name).lower()


def substances_named(name: str, listed: dict[str, list[ProhibitedSubstance]]) -> list[ProhibitedSubstance]:
    """The listed substances that an ingredient's name means: the name itself, or with a word for its salt or form."""
    plain = _plain(name)
    found = listed.get(plain)
    if found:
        return found
    for ending in ("乳油", "颗粒剂", "可湿性粉剂", "水剂", "原药", "悬浮剂", "钠盐", "钠", "盐酸盐"):
        if plain.endswith(ending) and (found := listed.get(plain.removesuffix(ending))):
            return found
    return []


def prohibited_ingredients(lot: Lot) -> Iterator[Found]:
    """Prohibited and restricted active ingredients, by crop and by the day of use."""
    listed: dict[tuple[str, str], list[ProhibitedSubstance]] = defaultdict(list)
    for substance in lot.prohibited:
        for name in {_plain(substance.name), _plain(substance.name_en)} - {""}:
            listed[substance.input_type, name].append(substance)
    names = {kind: {n: s for (k, n), s in listed.items() if k == kind} for kind in ("pesticide", "veterinary")}
    for record in [*lot.by_type[RecordType.PESTICIDE], *lot.by_type[RecordType.VETERINARY]]:
        for ingredient in ingredient_names(record):
            for substance in substances_named(ingredient, names[record.type.value]):
                if found := _judged(lot, record, substance):
                    yield found


def _judged(lot: Lot, record: Record, substance: ProhibitedSubstance) -> Found | None:
    groups = {group for group in substance.scope.split(";") if group}
    if groups and not groups & set(lot.rules.crops):
        return None
    if substance.except_method and record.method == substance.except_method:
        return None
    facts = {
        "ingredient": name_of(substance),
        "since": substance.effective_from,
        "day": record.happened_on,
        "scope": both("、".join(sorted(groups)), ", ".join(CROPS.get(group, group) for group in sorted(groups))),
        "notice": substance.notice,
    }
    key = f"record:{record.id}:{substance.name}"
    if record.happened_on >= substance.effective_from:
        return Found("restricted" if groups else "prohibited", Severity.BLOCK, key, facts, (record.id,))
    if substance.effective_from - record.happened_on <= timedelta(days=COMING_DAYS):
        return Found("prohibition_coming", Severity.INFO, key, facts, (record.id,))
    return None


def intervals_kept(lot: Lot) -> Iterator[Found]:
    """Pre-harvest intervals and withdrawal periods from the last application to harvest, slaughter or extraction."""
    for record in lot.records:
        interval = lot.intervals.get(record.id)
        if interval is None:
            continue
        facts: Facts = {
            "input": record.product_name,
            "day": record.happened_on,
            "required": interval.required_days,
        }
        if interval.state == "broken":
            yield Found(
                "interval", Severity.BLOCK, f"record:{record.id}", facts | {"days": interval.days}, (record.id,)
            )
        elif interval.state == "waiting":
            earliest = record.happened_on + timedelta(days=interval.required_days)
            if earliest > lot.today:
                yield Found(
                    "interval_waiting",
                    Severity.INFO,
                    f"record:{record.id}",
                    facts | {"earliest": earliest},
                    (record.id,),
                )
        elif interval.state == "late":
            yield Found(
                "used_after_harvest",
                Severity.WARN,
                f"record:{record.id}",
                facts | {"harvested": interval.harvested_on},
                (record.id,),
            )
        stated, required = record.interval_days, required_days(record)
        if stated is not None and required is not None and stated < required:
            yield Found(
                "interval_understated", Severity.WARN, f"record:{record.id}", facts | {"stated": stated}, (record.id,)
            )


_SAME = {"kg_per_mu": ("g_per_mu", Decimal(1000)), "L_per_mu": ("mL_per_mu", Decimal(1000))}


def _plain_dose(dose: Decimal, unit: str) -> tuple[Decimal, str]:
    base, factor = _SAME.get(unit, (unit, Decimal(1)))
    return dose * factor, base


def over_dose(dose: Decimal, unit: str, least: Decimal | None, most: Decimal | None, label_unit: str) -> bool | None:
    """Whether a dose is stronger than a label allows; None where the units can't be compared.

    A dilution is the stronger the smaller its number: of 1000 to 1500 times, 800 is over.
    """
    given, base = _plain_dose(dose, unit)
    if unit == "times_dilution" and label_unit == unit:
        return least is not None and dose < least
    if most is None:
        return False
    allowed, label_base = _plain_dose(most, label_unit)
    return given > allowed if base == label_base else None


def doses_and_applications(lot: Lot) -> Iterator[Found]:
    """Dose, number of applications and crop against the label of the input."""
    times: dict[int, list[Record]] = defaultdict(list)
    for record in [*lot.by_type[RecordType.PESTICIDE], *lot.by_type[RecordType.VETERINARY]]:
        if record.stock is None:
            continue
        use = lot.label_of(record)
        if use is None:
            facts: Facts = {"input": record.product_name, "kind": name_of(lot.kind)}
            yield Found("not_on_label", Severity.WARN, f"product:{record.stock.product_id}", facts, (record.id,))
            continue
        times[record.stock.product_id].append(record)
        if record.dose is None or record.dose_unit is None or use.dose_unit is None:
            continue
        if over_dose(record.dose, record.dose_unit, use.dose_min, use.dose_max, use.dose_unit):
            limit = use.dose_min if use.dose_unit == "times_dilution" else use.dose_max
            facts = {
                "input": record.product_name,
                "day": record.happened_on,
                "dose": _amount(record.dose, record.dose_unit),
                "most": _amount(limit or Decimal(0), use.dose_unit),
            }
            yield Found("dose", Severity.BLOCK, f"record:{record.id}", facts, (record.id,))
    for product_id, records in times.items():
        use = lot.label_of(records[0])
        if use is not None and use.max_applications is not None and len(records) > use.max_applications:
            facts = {"input": records[0].product_name, "count": len(records), "most": use.max_applications}
            ids = tuple(sorted(record.id for record in records))
            yield Found("applications", Severity.BLOCK, f"product:{product_id}", facts, ids)


def _amount(dose: Decimal, unit: str) -> str:
    """A dose with the sign of its unit, which `trace_app.findings.rules.message_of` says in the reader's language."""
    return f"{plain_decimal(dose)} {SIGNS.get(unit, unit)}"


def stock_in_order(lot: Lot) -> Iterator[Found]:
    """Stock that had expired when it was used, or of which more was used than came in."""
    for stock, records in lot.stock_lots().values():
        facts = {"input": stock.product.name, "lot": stock.lot_number}
        ids = tuple(sorted(record.id for record in records))
        late = [record for record in records if stock.expires_on and record.happened_on > stock.expires_on]
        for record in late:
            yield Found(
                "stock_expired",
                Severity.WARN,
                f"record:{record.id}",
                facts | {"day": record.happened_on, "expired": stock.expires_on},
                (record.id,),
            )
        balance = lot.stock.get(stock.id)
        if balance is not None and balance.used + balance.out > stock.quantity:
            amounts = {
                "received": plain_decimal(stock.quantity),
                "used": plain_decimal(balance.used + balance.out),
                "unit": stock.unit,
            }
            severity = Severity.BLOCK if records[0].type is RecordType.INGREDIENT else Severity.WARN
            yield Found("stock_overdrawn", severity, f"stock:{stock.id}", facts | amounts, ids)
