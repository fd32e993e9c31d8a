"""What is done to a lot of each kind over a season, as months and days before or after its harvest year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple


class SeasonStep(NamedTuple):
    """One record: its type, its stage where it has one, the day, and the form's values."""

    type: str
    stage: str | None
    day: date
    values: dict[str, Any]


def last_autumn(today: date) -> int:
    """The year of the latest season that is over."""
    return today.year if today >= date(today.year, 11, 20) else today.year - 1


def _stage(code: str, day: date, **values: Any) -> SeasonStep:
    own = {f"values-{name}": value for name, value in values.items() if name not in {"note", "operator"}}
    return SeasonStep("stage", code, day, own | {name: values[name] for name in ("note", "operator") if name in values})


def ginger(year: int, chance: Random, operator: str) -> Iterator[SeasonStep]:
    planted = date(year, 3, 10) + timedelta(days=chance.randint(0, 24))
    harvested = date(year, 10, 24) + timedelta(days=chance.randint(0, 24))
    area = chance.choice([12, 18, 26, 42])
    yield _stage(
        "seed", planted - timedelta(days=9), source="自留姜种", treatment="50% 多菌灵浸种，晾晒催芽", operator=operator
    )
    yield SeasonStep("fertiliser", None, planted - timedelta(days=3), {
        "product_name": "商品有机肥", "target": "organic", "method": "base", "dose": 800, "dose_unit": "kg_per_mu",
        "area_mu": area, "values-n_percent": 2, "values-p_percent": 1.5, "values-k_percent": 1.5,
        "source": "示例·罗平县农资服务部", "input_lot": f"YJ{year}-03", "operator": operator,
    })  # fmt: skip
    yield _stage("planting", planted, seed_kg_per_mu=400, row_spacing_cm=60, operator=operator)
    yield SeasonStep("fertiliser", None, planted + timedelta(days=86), {
        "product_name": "硫酸钾型复合肥", "target": "compound", "method": "top", "dose": 30, "dose_unit": "kg_per_mu",
        "area_mu": area, "values-n_percent": 15, "values-p_percent": 5, "values-k_percent": 20,
        "source": "示例·罗平县农资服务部", "input_lot": f"FH{year}-05", "operator": operator,
    })  # fmt: skip
    yield _stage("earthing_up", planted + timedelta(days=90), round=1, operator=operator)
    yield SeasonStep("pesticide", None, date(year, 7, 6), {
        "product_name": "氯虫苯甲酰胺 200 克/升 悬浮剂", "registration_number": "PD20990001", "active_ingredient": "氯虫苯甲酰胺",
        "dose": 10, "dose_unit": "mL_per_mu", "area_mu": area, "method": "spray", "target": "姜螟", "interval_days": 14,
        "operator": operator, "source": "示例·罗平县农资服务部", "input_lot": f"N{year}0611", "note": "晴，无风，傍晚施药",
    })  # fmt: skip
    yield _stage("earthing_up", date(year, 7, 20), round=2, operator=operator)
    yield SeasonStep(
        "video",
        None,
        date(year, 7, 20),
        {"note": "第二次培土", "video_url": f"https://video.example.com/demo/ginger-{year}"},
    )
    yield _stage("irrigation", date(year, 8, 8), source="九龙河引水渠", operator=operator)
    yield SeasonStep("pesticide", None, harvested - timedelta(days=52), {
        "product_name": "苯醚甲环唑 10% 水分散粒剂", "registration_number": "PD20990002", "active_ingredient": "苯醚甲环唑",
        "dose": 40, "dose_unit": "g_per_mu", "area_mu": area, "method": "spray", "target": "叶斑病", "interval_days": 14,
        "operator": operator, "source": "示例·罗平县农资服务部", "input_lot": f"N{year}0803",
    })  # fmt: skip
    yield SeasonStep(
        "care",
        None,
        harvested - timedelta(days=30),
        {"note": "人工除草，清沟排水；未见姜瘟病株。", "operator": operator},
    )
    yield _stage("harvest", harvested, quantity_kg=area * 200, way="manual", operator=operator)
    yield _stage("washing", harvested + timedelta(days=1), water="spring", operator=operator)


def coix(year: int, chance: Random, operator: str) -> Iterator[SeasonStep]:
    sown = date(year, 4, 18) + timedelta(days=chance.randint(0, 20))
    harvested = date(year, 9, 26) + timedelta(days=chance.randint(0, 20))
    area = chance.choice([30, 46, 60, 85])
    yield _stage(
        "seed", sown - timedelta(days=5), source="师宗白壳薏苡", treatment="温水浸种防黑穗病", operator=operator
    )
    yield SeasonStep("fertiliser", None, sown - timedelta(days=1), {
        "product_name": "腐熟农家肥", "target": "manure", "method": "base", "dose": 1200, "dose_unit": "kg_per_mu",
        "area_mu": area, "source": "自家牛场", "operator": operator,
    })  # fmt: skip
    yield _stage("sowing", sown, seed_kg_per_mu=4, operator=operator)
    yield _stage("thinning", sown + timedelta(days=34), note="每穴留苗 3 株", operator=operator)
    yield SeasonStep("fertiliser", None, sown + timedelta(days=62), {
        "product_name": "尿素", "target": "nitrogen", "method": "top", "dose": 15, "dose_unit": "kg_per_mu",
        "area_mu": area, "values-n_percent": 46, "source": "示例·师宗县供销社", "input_lot": f"NS{year}-06", "operator": operator,
    })  # fmt: skip
    yield SeasonStep("pesticide", None, sown + timedelta(days=80), {
        "product_name": "甲氨基阿维菌素苯甲酸盐 5% 水分散粒剂", "registration_number": "PD20990003",
        "active_ingredient": "甲氨基阿维菌素苯甲酸盐", "dose": 12, "dose_unit": "g_per_mu", "area_mu": area, "method": "spray",
        "target": "玉米螟", "interval_days": 21, "operator": operator, "source": "示例·师宗县供销社", "input_lot": f"J{year}0702",
    })  # fmt: skip
    yield SeasonStep("care", None, sown + timedelta(days=104), {"note": "抽穗期巡田，辅助授粉。", "operator": operator})
    yield _stage("harvest", harvested, quantity_kg=area * 180, operator=operator)
    yield _stage("drying", harvested + timedelta(days=6), days=6, moisture_percent=12.5, operator=operator)
    yield _stage("milling", harvested + timedelta(days=12), in_kg=area * 170, out_kg=area * 100, operator=operator)
    yield _stage("grading", harvested + timedelta(days=14), grade="premium", operator=operator)


def honey(year: int, chance: Random, operator: str) -> Iterator[SeasonStep]:
    opened = date(year, 2, 2) + timedelta(days=chance.randint(0, 10))
    extracted = date(year, 3, 4) + timedelta(days=chance.randint(0, 14))
    colonies = chance.choice([60, 80, 120])
    yield SeasonStep("veterinary", None, date(year - 1, 11, 20), {
        "product_name": "氟胺氰菊酯条", "registration_number": "兽药字 990000004（示例）", "active_ingredient": "氟胺氰菊酯",
        "dose": 2, "dose_unit": "strip_per_colony", "method": "hive_strip", "target": "蜂螨", "interval_days": 42,
        "operator": operator, "source": "示例·罗平县畜牧服务站", "input_lot": f"S{year - 1}1002",
    })  # fmt: skip
    yield SeasonStep("feed", None, date(year - 1, 12, 12), {
        "product_name": "白砂糖", "dose": 120, "dose_unit": "kg", "source": "示例·罗平县副食品店", "operator": operator, "note": "越冬饲喂，花前停喂并清空巢脾",
    })  # fmt: skip
    yield _stage(
        "apiary", opened - timedelta(days=4), place="罗平县金鸡峰丛油菜花海", colonies=colonies, operator=operator
    )
    yield _stage("bloom", opened, plant="油菜花", operator=operator)
    yield _stage("inspection", opened + timedelta(days=14), finding="蜂群健康，子脾整齐", operator=operator)
    yield _stage(
        "extraction",
        extracted,
        quantity_kg=colonies * 12,
        moisture_percent=round(chance.uniform(17.6, 18.9), 1),
        sealed_percent=chance.choice([88, 92, 95]),
        operator=operator,
    )
    yield SeasonStep(
        "video", None, extracted, {"note": "摇蜜现场", "video_url": f"https://video.example.com/demo/honey-{year}"}
    )
    yield _stage("filtering", extracted + timedelta(days=2), mesh=80, operator=operator)
    yield _stage("filling", extracted + timedelta(days=9), bottles=colonies * 23, operator=operator)


def ham(year: int, chance: Random, operator: str) -> Iterator[SeasonStep]:
    """Salted in the winter before ``year - 1`` ends, finished in the autumn of ``year``."""
    slaughtered = date(year - 2, 11, 10) + timedelta(days=chance.randint(0, 50))
    legs = chance.choice([160, 240, 400])
    yield _stage(
        "rearing",
        slaughtered - timedelta(days=300),
        breed="乌金猪",
        farm="示例·东山生态养殖场",
        heads=legs // 2,
        operator=operator,
    )
    yield SeasonStep("feed", None, slaughtered - timedelta(days=240), {
        "product_name": "玉米、荞麦与青料", "dose": 18, "dose_unit": "t", "source": "本地农户", "operator": operator,
    })  # fmt: skip
    yield SeasonStep("veterinary", None, slaughtered - timedelta(days=180), {
        "product_name": "伊维菌素注射液", "registration_number": "兽药字 990000005（示例）", "active_ingredient": "伊维菌素",
        "dose": 0.3, "dose_unit": "mg_per_kg", "method": "injection", "target": "体内外寄生虫", "interval_days": 28,
        "operator": operator, "source": "示例·宣威市畜牧服务站", "input_lot": f"Y{year - 2}0418",
    })  # fmt: skip
    yield _stage(
        "slaughter",
        slaughtered,
        quarantine_certificate=f"滇示例{year - 2}{chance.randint(1000, 9999)}",
        heads=legs // 2,
    )
    yield _stage("trimming", slaughtered + timedelta(days=1), legs=legs, weight_kg=legs * 12, operator=operator)
    yield SeasonStep("ingredient", None, slaughtered + timedelta(days=2), {
        "product_name": "云南一平浪井盐", "dose": legs * 0.7, "dose_unit": "kg", "source": "示例·宣威市盐业公司", "input_lot": f"Y{year - 2}-11",
    })  # fmt: skip
    yield _stage(
        "salting", slaughtered + timedelta(days=2), salt_percent=6.5, rounds=3, temperature_c=6, operator=operator
    )
    yield _stage("stacking", slaughtered + timedelta(days=20), days=18, operator=operator)
    yield _stage("washing", slaughtered + timedelta(days=42), note="温水浸洗，日晒整形", operator=operator)
    yield _stage("hanging", slaughtered + timedelta(days=50), room="二号发酵楼", operator=operator)
    yield _stage(
        "fermenting",
        slaughtered + timedelta(days=60),
        room="二号发酵楼",
        temperature_c=18,
        humidity_percent=68,
        operator=operator,
    )
    yield SeasonStep(
        "care",
        None,
        slaughtered + timedelta(days=240),
        {"note": "开窗通风，翻挂一次，霉色均匀。", "operator": operator},
    )
    yield _stage(
        "grading",
        date(year, 9, 12) + timedelta(days=chance.randint(0, 20)),
        grade=chance.choice(["special", "first"]),
        legs=legs - 4,
        operator=operator,
    )


def ham_mooncake(year: int, chance: Random, operator: str) -> Iterator[SeasonStep]:
    baked = date(year, 8, 20) + timedelta(days=chance.randint(0, 24))
    boxes = chance.choice([600, 900, 1500])
    for name, kg, source in (
        ("宣威火腿（自制，批次见标签）", boxes * 0.18, "本厂腌腊车间"),
        ("小麦粉", boxes * 0.3, "示例·曲靖市粮油公司"),
        ("白砂糖", boxes * 0.12, "示例·云南糖业"),
        ("猪油", boxes * 0.14, "本厂"),
        ("蜂蜜", boxes * 0.06, "示例·九龙蜂业专业合作社"),
    ):
        yield SeasonStep("ingredient", None, baked - timedelta(days=2), {
            "product_name": name, "dose": round(kg, 1), "dose_unit": "kg", "source": source, "input_lot": f"{year}08-{chance.randint(10, 99)}",
        })  # fmt: skip
    yield _stage("receiving", baked - timedelta(days=2), result="accepted", temperature_c=8, operator=operator)
    yield _stage("filling", baked - timedelta(days=1), ham_percent=30, weight_kg=boxes * 0.36, operator=operator)
    yield _stage("baking", baked, temperature_c=230, minutes=18, pieces=boxes * 8, operator=operator)
    yield _stage("cooling", baked, minutes=90, operator=operator)
    yield _stage("metal_check", baked, result="pass", operator=operator)
    yield _stage("packing", baked + timedelta(days=1), boxes=boxes, operator=operator)


SEASONS = {"ginger": ginger, "coix": coix, "honey": honey, "ham": ham, "ham_mooncake": ham_mooncake}
