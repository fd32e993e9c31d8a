"""Notices as the law asks (食品召回管理办法, article 17): who, what, where, on what grounds, and what follows."""

import re

import numpy as np
import pypdfium2
import pytest
import sqlalchemy as sa

from qr.reading import read_symbols
from tests.trace_app.test_shipping import FORM as SHIPMENT
from tests.world import Actor, World, photo
from trace_app.accounts.models import Organisation
from trace_app.extensions import db
from trace_app.recalls.models import Recall, RecallNotice

pytestmark = pytest.mark.either_database

ANSWERS = {
    "address": "罗平县板桥镇示例村 8 号",
    "phone": "0874-8888888",
    "legal_representative": "张示例",
    "responsible_person": "李负责",
    "contact_email": "boss@example.org",
}
OFFERED_ADVICE = "Do not eat it. Return it with its packaging to the shop for a refund."
NOTICE = {
    "level": "2",
    "reason": "镉含量 0.18 mg/kg，超过限量 0.1 mg/kg",
    "advice": "停止食用，凭包装退货。",
    "basis": "检测报告 SL-2026-0012",
    "remedy": "凭包装退款，赔偿可拨 12315。",
    "reason_en": "Cadmium above the limit",
    "advice_en": "Do not eat it.",
    "remedy_en": "Refund against the packaging.",
}


def _recalled(world: World, **notice: str) -> tuple[str, int, Actor]:
    """A recall of a lot of a producer of whom all is registered, sent to Kunming, Shanghai, and who knows where."""
    grower, officer = world.producer(**ANSWERS), world.regulator()
    product = world.product(grower, name="罗平小黄姜", brand="示例牌", net_content="净重 500 克")
    lot = world.released(
        grower, product_id=product, lot_number="N-1", produced_on="2025-11-06", best_before="2027-05-05"
    )
    with world.writing():
        db.session.get_one(Organisation, officer.organisation_id).phone = "0874-1112222"
    client = world.client(grower)
    for number, place in enumerate(("530100", "310000", "")):
        data = SHIPMENT | {f"q-{lot}": "10", "consignee": f"店 {number}", "division_code": place, "address": ""}
        assert client.post("/shipments/new", data=data).status_code == 302
    answer = world.client(officer).post(f"/batches/{lot}/recall", data=NOTICE | notice)
    assert answer.status_code == 302, answer.text
    return answer.location.split("/")[2], lot, officer


def _plain(text: str) -> str:
    """A page without tags, as its words follow one another."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def _paper(data: bytes) -> str:
    with pypdfium2.PdfDocument(data) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    return re.sub(r"\s", "", text)


STATED = (
    "镉含量 0.18 mg/kg",
    "停止食用，凭包装退货。",
    "检测报告 SL-2026-0012",
    "凭包装退款，赔偿可拨 12315。",
    "示例牌 罗平小黄姜",
    "净重 500 克",
    "N-1",
    "上海市、云南省（昆明市）；另有 1 次发货未登记地区",
    *ANSWERS.values(),
    "经营者应立即停止销售",
    "0874-1112222",
    "召回开始",
)


def test_the_page_states_all_that_the_law_asks_for(world: World) -> None:
    number, _lot, _officer = _recalled(world)
    page = _plain(world.client().get(f"/recalls/{number}").text)
    for text in STATED:
        assert text in page, text


def test_the_paper_states_all_that_the_law_asks_for(world: World) -> None:
    number, _lot, _officer = _recalled(world)
    paper = _paper(world.client().get(f"/recalls/{number}/1.pdf").data)
    for text in (*STATED, "2025-11-06", "2027-05-05", "二级召回"):
        assert re.sub(r"\s", "", text) in paper, text


def test_the_feed_states_names_of_places_and_no_codes(world: World) -> None:
    number, _lot, _officer = _recalled(world)
    row = next(row for row in world.client().get("/recalls.json").json["results"] if row["recall_number"] == number)
    assert row["distribution_pattern"] == "上海市、云南省（昆明市）"
    assert row["distribution_pattern_en"] == "Shanghai, Yunnan (Kunming City)"
    assert row["distribution_unknown"] == 1
    assert row["basis"] == NOTICE["basis"]
    assert row["remedy_en"] == NOTICE["remedy_en"]
    assert row["producers"][0]["legal_representative"] == ANSWERS["legal_representative"]
    assert row["lots"][0]["brand"] == "示例牌"
    assert row["lots"][0]["net_content"] == "净重 500 克"


def test_the_english_page_and_paper_name_places_in_english(world: World) -> None:
    number, _lot, _officer = _recalled(world)
    client = world.client(language="en")
    page = _plain(client.get(f"/recalls/{number}").text)
    assert "Shanghai, Yunnan (Kunming City); 1 shipment to a place not registered" in page
    assert NOTICE["remedy_en"] in page
    assert "Yunnan(KunmingCity)" in _paper(client.get(f"/recalls/{number}/1.pdf").data)


def test_a_notice_keeps_what_the_producer_was_on_the_day(world: World) -> None:
    number, lot, _officer = _recalled(world)
    with world.writing():
        producer = db.session.scalars(db.select(Organisation).filter_by(phone=ANSWERS["phone"])).one()
        producer.legal_representative, producer.name = "后来的人", "后来的名字"
    paper = _paper(world.client().get(f"/recalls/{number}/1.pdf").data)
    assert "张示例" in paper
    assert "后来的人" not in paper
    assert "张示例" in world.client().get(f"/recalls/{number}").text
    with world.app.app_context(), pytest.raises(sa.exc.DBAPIError, match="append-only"):
        db.session.execute(sa.update(RecallNotice).values(facts={}))
    assert lot


def test_a_notice_from_before_that_was_kept_reads_what_the_producer_is(world: World) -> None:
    from trace_app.db.append_only import lifted

    number, _lot, _officer = _recalled(world)
    with world.writing(), lifted(db.session.connection()):
        db.session.execute(sa.update(RecallNotice).values(facts={}))
    assert "张示例" in _paper(world.client().get(f"/recalls/{number}/1.pdf").data)
    assert "上海市、云南省（昆明市）" in _paper(world.client().get(f"/recalls/{number}/1.pdf").data)
    assert "张示例" in world.client().get(f"/recalls/{number}").text


def test_what_is_not_registered_is_told_to_the_officer_and_is_not_on_paper(world: World) -> None:
    lot, officer = world.released(world.producer(phone="0874-7654321")), world.client(world.regulator())
    before = _plain(officer.get(f"/batches/{lot}/recall").text)
    assert "法定代表人 未登记" in before
    assert "联系电话 0874-7654321" in before
    number = officer.post(f"/batches/{lot}/recall", data=NOTICE).location.split("/")[2]
    paper = _paper(world.client().get(f"/recalls/{number}/1.pdf").data)
    assert "未登记" not in paper
    assert "法定代表人" not in paper
    assert "未登记" not in world.client().get(f"/recalls/{number}").text


def test_the_officer_of_a_whole_scope_is_told_too(world: World) -> None:
    world.released(world.producer(phone="0874-7654321"), lot_number="SC-1")
    page = _plain(world.client(world.regulator()).get("/recalls/scope?lots=SC-1").text)
    assert "登记不全" in page
    assert "法定代表人 未登记" in page


def test_a_notice_without_a_word_on_compensation_says_the_usual(world: World) -> None:
    lot, officer = world.released(world.producer()), world.client(world.regulator())
    form = officer.get(f"/batches/{lot}/recall").text
    assert "全额退款" in form
    few = {name: NOTICE[name] for name in ("level", "reason", "advice")}
    for more in ({}, {"remedy": " ", "remedy_en": ""}):
        lot = world.released(world.producer())
        number = officer.post(f"/batches/{lot}/recall", data=few | more).location.split("/")[2]
        assert "全额退款" in world.client().get(f"/recalls/{number}").text
        assert "full refund" in world.client(language="en").get(f"/recalls/{number}").text


def test_a_correction_keeps_what_it_does_not_change(world: World) -> None:
    number, _lot, officer = _recalled(world)
    client = world.client(officer)
    page = client.get(f"/recalls/{number}/manage").text
    assert NOTICE["basis"] in page
    assert NOTICE["remedy"] in page
    data = NOTICE | {"reason": "原因改了", "reason_en": "Another reason", "note": "写错了"}
    assert client.post(f"/recalls/{number}/correct", data=data).status_code == 302
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        assert [notice.basis for notice in recall.notices] == [NOTICE["basis"]] * 2
        assert [notice.facts["sold_in"] for notice in recall.notices] == [["310000", "530100"]] * 2


@pytest.mark.parametrize("name", ["reason", "advice", "remedy"])
def test_a_correction_leaves_no_english_that_says_what_was_said_before(world: World, name: str) -> None:
    number, _lot, officer = _recalled(world)
    client, path = world.client(officer), f"/recalls/{number}/correct"
    stated = NOTICE | {"remedy_en": "Full refund."}
    assert client.post(path, data=stated | {"note": "补英文"}).status_code == 302
    changed = stated | {name: "现在的说法", "note": "改中文"}
    refused = client.post(path, data=changed)
    assert refused.status_code == 422
    assert f'id="correct-{name}_en-error"' in refused.text
    assert "现在的说法" in refused.text
    assert client.post(path, data=changed | {f"{name}_en": ""}).status_code == 302
    assert "现在的说法" in world.client(language="en").get(f"/recalls/{number}").text


def test_offered_english_goes_with_the_offered_chinese_alone(world: World) -> None:
    officer = world.regulator()
    lot = world.released(world.producer())
    data = NOTICE | {"advice": "就地封存，等人来取。", "advice_en": OFFERED_ADVICE}
    number = world.client(officer).post(f"/batches/{lot}/recall", data=data).location.split("/")[2]
    page = world.client(language="en").get(f"/recalls/{number}").text
    assert "就地封存" in page
    assert "Return it with its packaging" not in page


@pytest.mark.parametrize(("kind", "offered"), [("", "停止食用，凭包装"), ("&kind=hold", "请先不要食用")])
def test_chinese_fields_are_offered_chinese_whatever_language_the_officer_reads(
    world: World, kind: str, offered: str
) -> None:
    lot = world.released(world.producer(), lot_number="SC-1")
    client = world.client(world.regulator(), language="en")
    for path in ("/recalls/scope?lots=SC-1", f"/batches/{lot}/recall?"):
        page = client.get(path + kind).text
        field = re.search(r'<textarea[^>]* name="advice"[^>]*>([^<]*)', page)
        assert field
        assert field[1].strip().startswith(offered)


def test_the_trace_pages_band_has_the_authoritys_number(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot, code = world.labelled(grower)
    with world.writing():
        db.session.get_one(Organisation, officer.organisation_id).phone = "0874-1112222"
    world.recall(officer, lot)
    assert '<a href="tel:0874-1112222">' in world.client().get(f"/{code}").text


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("contact_email", "nobody", "邮箱地址不完整"), ("legal_representative", "名" * 61, "最多 60 个字")],
)
def test_who_answers_is_checked_beside_its_field(world: World, field: str, value: str, message: str) -> None:
    own = world.producer()
    client = world.client(world.administrator())
    page = client.get(f"/admin/organisations/{own.organisation_id}/edit").text
    code = re.search(r'name="credit_code"[^>]*value="([^"]+)"', page)
    assert code
    data = {"name": "某社", "credit_code": code[1], "division_code": "530324102", **ANSWERS}
    refused = client.post(f"/admin/organisations/{own.organisation_id}/edit", data=data | {field: value})
    assert refused.status_code == 422
    assert f'id="{field}-error"' in refused.text
    assert message in refused.text
    assert value in refused.text
    kept = client.post(f"/admin/organisations/{own.organisation_id}/edit", data=data)
    assert kept.status_code == 302, kept.text
    shown = client.get(f"/admin/organisations/{own.organisation_id}").text
    for text in ANSWERS.values():
        assert text in shown


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_character_of_the_papers_is_in_their_font(world: World, language: str) -> None:
    number, _lot, officer = _recalled(world)
    client, desk = world.client(language=language), world.client(officer, language=language)
    papers = {
        f"/recalls/{number}/1.pdf": client,
        f"/recalls/{number}/poster.pdf": client,
        f"/recalls/{number}/report.pdf": desk,
    }
    for path, who in papers.items():
        text = _paper(who.get(path).data)
        assert "□" not in text, path
        assert "\ufffd" not in text, path
        assert ("：" if language == "zh" else ":") in text or "poster" not in path, path


def test_a_poster_shows_dates_size_area_and_photo_and_fills_the_sheet(world: World) -> None:
    number, lot, _officer = _recalled(world)
    client = world.client()
    text = _paper(client.get(f"/recalls/{number}/poster.pdf").data)
    for part in ("N-1", "2025-11-06", "2027-05-05", "净重500克", "上海市", "示例牌罗平小黄姜", "0874-1112222", "12315"):
        assert part in text, part

    def picture() -> np.ndarray:
        with pypdfium2.PdfDocument(client.get(f"/recalls/{number}/poster.pdf").data) as document:
            assert len(document) == 1
            return np.asarray(document[0].render(scale=2).to_pil().convert("RGB")).astype(int)

    plain = picture()
    assert [url.rsplit("/", 1)[1] for url in read_symbols(plain.mean(axis=2).astype("uint8"))] == [number]
    # No fifth of the sheet is left white.
    for band in np.array_split(plain.mean(axis=2), 5):
        assert (band < 200).any(axis=1).mean() > 0.3
    green = np.asarray([0, 128, 0])
    assert not (abs(plain - green).sum(axis=2) < 60).any()
    with world.app.app_context():
        from trace_app.batches.models import Batch

        product = db.session.get_one(Batch, lot).product
        product_id, producer_id = product.id, product.producer_id
    _add_photo(world, producer_id, product_id)
    assert (abs(picture() - green).sum(axis=2) < 60).mean() > 0.01


def _add_photo(world: World, producer_id: int, product_id: int) -> None:
    import io

    from trace_app.accounts.models import User

    with world.app.app_context():
        user = db.session.scalars(db.select(User).filter_by(organisation_id=producer_id)).one()
        grower = Actor(user.username, user.id, producer_id)
    data = {"photos": (io.BytesIO(photo("green")), "product.jpg")}
    assert world.client(grower).post(f"/products/{product_id}/photos", data=data).status_code == 302


def test_a_poster_of_many_lots_with_long_words_stays_on_its_sheet(world: World) -> None:
    grower, officer = world.producer(), world.client(world.regulator())
    product = world.product(grower, name="很长的产品名称" * 5)
    for number in range(14):
        world.released(grower, product_id=product, lot_number=f"MANY-{number}-" + "9" * 20)
    form = NOTICE | {"advice": "请停止食用。" * 80, "reason": "原因说明。" * 90, "remedy": "退货退款。" * 90}
    page = officer.get("/recalls/scope", query_string={"product": "很长的产品名称" * 5, "kind_code": "ginger"})
    assert "14" in page.text
    values = {"product": "很长的产品名称" * 5, "kind_code": "ginger", "count": "14"}
    answer = officer.post("/recalls/scope", data=form | values)
    assert answer.status_code == 302, answer.text
    number = answer.location.split("/")[2]
    with pypdfium2.PdfDocument(world.client().get(f"/recalls/{number}/poster.pdf").data) as document:
        picture = document[0].render(scale=2).to_pil().convert("L")
        assert len(document) == 1
    assert [url.rsplit("/", 1)[1] for url in read_symbols(np.asarray(picture))] == [number]
