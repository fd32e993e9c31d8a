"""The invented organisations of the demonstration. Places are real; every name begins with 示例 (example)."""

from __future__ import annotations

from typing import Any, NamedTuple

from trace_app.accounts.models import OrganisationKind


class ProducerSketch(NamedTuple):
    name: str
    name_en: str
    username: str
    person: str
    division: str
    address: str
    sites: list[dict[str, Any]]
    products: list[tuple[str, dict[str, str]]]
    lots: int
    """Batches of each product."""


REGULATORS: list[dict[str, str]] = [
    {
        "name": "示例·曲靖市农业农村局", "name_en": "Qujing Agriculture Bureau (example)", "division_code": "530302",
        "jurisdiction_code": "530300", "phone": "0874-0000000",
    },
    {
        "name": "示例·罗平县农业农村局", "name_en": "Luoping Agriculture Bureau (example)", "division_code": "530324",
        "jurisdiction_code": "530324", "phone": "0874-0000024",
    },
    {
        "name": "示例·宣威市农业农村局", "name_en": "Xuanwei Agriculture Bureau (example)", "division_code": "530381",
        "jurisdiction_code": "530381", "phone": "0874-0000081",
    },
    {
        "name": "示例·师宗县农业农村局", "name_en": "Shizong Agriculture Bureau (example)", "division_code": "530323",
        "jurisdiction_code": "530323", "phone": "0874-0000023",
    },
]  # fmt: skip

VISITORS: list[tuple[OrganisationKind, dict[str, str], str, str]] = [
    (
        OrganisationKind.LABORATORY,
        {
            "name": "示例·曲靖农产品检测中心",
            "name_en": "Qujing Farm Product Laboratory (example)",
            "division_code": "530302",
        },
        "lab",
        "示例·检测员",
    ),
    (
        OrganisationKind.BUYER,
        {"name": "示例·昆明山货行", "name_en": "Kunming Mountain Goods (example)", "division_code": "530302"},
        "buyer",
        "示例·采购员",
    ),
]


def _site(
    kind: str, name: str, name_en: str, division: str, at: tuple[str, str], altitude: int, area: int | None = None
) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "name_en": name_en,
        "division_code": division,
        "latitude": at[0],
        "longitude": at[1],
        "altitude_m": altitude,
        "area_mu": area,
    }


HAM = {
    "name": "宣威火腿",
    "name_en": "Xuanwei ham",
    "net_content": "净重 2.5 公斤",
    "description": "乌金猪后腿，霜降后腌制，自然发酵。",
}
MOONCAKE = {
    "name": "云腿月饼",
    "name_en": "Xuanwei ham mooncake",
    "net_content": "8 枚 × 100 克",
    "description": "自产宣威火腿作馅，酥皮。",
}
GINGER = {
    "name": "罗平小黄姜",
    "name_en": "Luoping small yellow ginger",
    "net_content": "净重 500 克",
    "description": "皮薄肉黄，姜味浓。",
}
HONEY = {
    "name": "罗平油菜花蜜",
    "name_en": "Luoping rapeseed blossom honey",
    "net_content": "净重 500 克",
    "description": "封盖成熟蜜，只过滤、不浓缩。",
}
COIX = {
    "name": "师宗薏仁米",
    "name_en": "Shizong coix seed",
    "net_content": "净重 1 公斤",
    "description": "南部山乡种植，晾晒后脱壳。",
}

PRODUCERS = [
    ProducerSketch(
        "示例·宣和火腿厂", "Xuanhe Ham Works (example)", "xuanhe", "示例·浦师傅", "530381001", "宛水街道示例路 1 号",
        [_site("workshop", "一号发酵楼", "Ageing house 1", "530381001", ("26.22010", "104.10420"), 1980),
         _site("workshop", "二号发酵楼", "Ageing house 2", "530381001", ("26.22090", "104.10510"), 1980)],
        [("ham", HAM)], 4,
    ),
    ProducerSketch(
        "示例·榕城火腿食品有限公司", "Rongcheng Ham Foods (example)", "rongcheng", "示例·徐班长", "530381002", "西宁街道示例路 2 号",
        [_site("workshop", "火腿车间", "Ham workshop", "530381002", ("26.23120", "104.09280"), 1990),
         _site("workshop", "糕点车间", "Bakery", "530381002", ("26.23150", "104.09310"), 1990)],
        [("ham", HAM), ("ham_mooncake", MOONCAKE)], 2,
    ),
    ProducerSketch(
        "示例·倘塘老浦火腿作坊", "Laopu Ham Workshop, Tangtang (example)", "tangtang", "示例·老浦", "530381106", "倘塘镇示例村 3 号",
        [_site("workshop", "老屋发酵房", "Old house ageing room", "530381106", ("26.39040", "104.29870"), 1870)],
        [("ham", HAM), ("ham_mooncake", MOONCAKE)], 2,
    ),
    ProducerSketch(
        "示例·板桥姜业专业合作社", "Banqiao Ginger Cooperative (example)", "banqiao", "示例·李大姐", "530324102", "板桥镇示例村 4 号",
        [_site("plot", "3 号地块", "Plot 3", "530324102", ("24.88520", "104.30860"), 1480, 42) | {"gln": "6901234567892"},
         _site("plot", "7 号地块", "Plot 7", "530324102", ("24.87910", "104.31540"), 1460, 26)],
        [("ginger", GINGER | {"gtin": "06901234567892"})], 4,
    ),
    ProducerSketch(
        "示例·九龙蜂业专业合作社", "Jiulong Bee Cooperative (example)", "jiulong", "示例·周师傅", "530324003", "九龙街道示例村 5 号",
        [_site("apiary", "金鸡峰丛蜂场", "Jinji Peaks apiary", "530324003", ("24.93480", "104.34010"), 1450),
         _site("apiary", "鲁布革蜂场", "Lubuge apiary", "530324202", ("24.75600", "104.50720"), 1180)],
        [("honey", HONEY)], 4,
    ),
    ProducerSketch(
        "示例·罗雄姜农家庭农场", "Luoxiong Family Farm (example)", "luoxiong", "示例·陈大哥", "530324001", "罗雄街道示例村 6 号",
        [_site("plot", "后山地块", "Back hill plot", "530324001", ("24.89870", "104.29430"), 1500, 18)],
        [("ginger", GINGER), ("honey", HONEY)], 2,
    ),
    ProducerSketch(
        "示例·五龙薏仁专业合作社", "Wulong Coix Cooperative (example)", "wulong", "示例·韦大哥", "530323203", "五龙乡示例村 7 号",
        [_site("plot", "河边地块", "Riverside plot", "530323203", ("24.62240", "104.18350"), 1120, 60),
         _site("plot", "坡上地块", "Slope plot", "530323203", ("24.63110", "104.17620"), 1210, 46)],
        [("coix", COIX)], 4,
    ),
    ProducerSketch(
        "示例·高良薏苡种植合作社", "Gaoliang Coix Growers (example)", "gaoliang", "示例·王大姐", "530323204", "高良乡示例村 8 号",
        [_site("plot", "寨前地块", "Village plot", "530323204", ("24.57020", "104.30490"), 1050, 85)],
        [("coix", COIX)], 3,
    ),
    ProducerSketch(
        "示例·龙庆薏米加工厂", "Longqing Coix Mill (example)", "longqing", "示例·杨厂长", "530323202", "龙庆乡示例村 9 号",
        [_site("plot", "示范地块", "Model plot", "530323202", ("24.69930", "104.25210"), 1360, 30),
         _site("workshop", "碾米车间", "Mill", "530323202", ("24.70010", "104.25300"), 1360)],
        [("coix", COIX)], 3,
    ),
]  # fmt: skip
