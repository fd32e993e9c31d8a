"""English pages: no Chinese but what someone typed, and that is marked."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from flask import Flask

from tests.world import World
from trace_app.demo import build
from trace_app.extensions import db
from trace_app.findings.models import Finding
from trace_app.flow.shipments.models import Shipment
from trace_app.inputs.english import CHINESE, english_of
from trace_app.labels import service as labels
from trace_app.records.models import Record
from trace_app.scanning.regions import english_region

PROPER = re.compile(r"示例")
"""What names of people and organisations begin with in the demonstration."""


@pytest.mark.parametrize(
    ("typed", "english"),
    [
        ("苯醚甲环唑 10% 水分散粒剂", "difenoconazole 10% WG"),
        ("氯虫苯甲酰胺 200 克/升 悬浮剂", "chlorantraniliprole 200 g/L SC"),
        ("多菌灵、代森锰锌", "carbendazim, mancozeb"),
        ("多菌灵，代森锰锌", "carbendazim, mancozeb"),
        ("５０％ 多菌灵", "50% carbendazim"),
        ("甲基硫菌灵", "thiophanate-methyl"),
        ("姜瘟病", "bacterial wilt of ginger"),
        ("宣威火腿（自制，批次见标签）", "Xuanwei ham (own make, lot on the label)"),
        ("硫酸钾型复合肥 15-5-20", "compound fertiliser (potassium sulphate) 15-5-20"),
        ("Bacillus subtilis", "Bacillus subtilis"),
        ("某某神药", None),
        ("新多菌灵王", None),
        ("", ""),
    ],
)
def test_a_name_is_english_where_each_part_of_it_is_known(typed: str, english: str | None) -> None:
    assert english_of(typed) == english


class _Unmarked(HTMLParser):
    """The texts of a page that are not marked as Chinese."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"br", "img", "input", "meta", "link", "hr", "path", "circle", "source"}:
            return
        marked = (dict(attrs).get("lang") or "").startswith("zh") or tag in {"script", "style"}
        self._inside.append(marked or (bool(self._inside) and self._inside[-1] and tag != "html"))

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if CHINESE.search(data) and not (self._inside and self._inside[-1]):
            self.texts.append(" ".join(data.split()))


def test_what_the_demonstration_used_is_english_on_english_trace_pages(demo: Flask) -> None:
    world = World(demo)
    with demo.app_context():
        used = {
            name
            for record in db.session.scalars(db.select(Record))
            for name in (record.product_name, record.active_ingredient)
            if name
        }
        codes = [labels.code_of(labels.runs_of(batch)[-1], 0) for batch in build._showcases()]
    assert {name for name in used if english_of(name) is None} == set()
    unmarked: dict[str, list[str]] = {}
    for code in codes:
        reader = _Unmarked()
        reader.feed(world.client(language="en").get(f"/{code}").text)
        unmarked[code] = [text for text in reader.texts if not PROPER.search(text)]
    assert {code: texts for code, texts in unmarked.items() if texts} == {}


@pytest.mark.parametrize(
    ("region", "english"),
    [("云南曲靖", "Qujing, Yunnan"), ("云南省曲靖市", "Qujing, Yunnan"), ("内蒙古", "Inner Mongolia"), ("月球", None)],
)
def test_a_region_is_english_where_each_part_of_it_is_known(region: str, english: str | None) -> None:
    assert english_region(region) == english


def test_officers_pages_say_places_doses_and_firms_in_english(demo: Flask) -> None:
    world = World(demo)
    with demo.app_context():
        dose = db.session.scalars(db.select(Finding).filter_by(rule="dose")).first()
        assert dose is not None
        lot = dose.batch_id
        sent = db.session.scalars(db.select(Shipment).where(Shipment.consignee_organisation_id.is_not(None))).first()
        assert sent is not None
        assert sent.consignee_organisation is not None
        firm, shipment = sent.consignee_organisation.name, sent.id
        lines = [line.batch_id for line in sent.lines]
    client = world.client(language="en")
    assert client.post("/login", data={"email": "qujing", "password": build.PASSWORD}).status_code == 302
    scans = client.get("/scans").text
    assert "Qujing, Yunnan" in scans
    assert "云南" not in scans
    page = client.get(f"/batches/{lot}").text
    assert "g/mu" in page
    assert "亩" not in page
    for path in (f"/shipments/{shipment}", f"/batches/{lines[0]}/genealogy", "/shipments"):
        text = client.get(path).text
        assert "Kunming Mountain Goods" in text
        assert firm not in text


def test_a_commitment_reads_as_sentences_before_it_is_made(world: World) -> None:
    grower = world.producer()
    page = world.client(grower, language="en").get(f"/batches/{world.released(grower)}/commitments").text
    [said] = re.findall(r"I commit that:(.*?)</p>", page)
    assert said.startswith(" no prohibited")
    assert "; residues" in said
    assert said.endswith("limits.")
    assert "（kg）" not in page
