import io

import pytest

from tests.world import HARVESTED, SPRAYED, World, photo
from trace_app.extensions import db
from trace_app.media.models import Photo
from trace_app.records.models import Record

FEED = {"happened_on": "2025-05-01", "product_name": "玉米", "dose": "2", "dose_unit": "t"}
BY_TYPE = {
    "pesticide": ("ginger", SPRAYED),
    "fertiliser": ("ginger", {"happened_on": "2025-03-12", "product_name": "有机肥", "target": "organic", "dose": "800", "dose_unit": "kg_per_mu", "values-n_percent": "5"}),
    "feed": ("ham", FEED),
    "veterinary": ("honey", {"happened_on": "2025-01-02", "product_name": "氟胺氰菊酯条", "active_ingredient": "氟胺氰菊酯", "dose": "2", "dose_unit": "strip_per_colony", "interval_days": "42", "operator": "周师傅"}),
    "ingredient": ("ham_mooncake", {"happened_on": "2025-08-20", "product_name": "小麦粉", "dose": "300", "dose_unit": "kg", "source": "粮油公司"}),
    "care": ("ginger", {"happened_on": "2025-06-01", "note": "除草"}),
    "video": ("ginger", {"happened_on": "2025-07-20", "note": "第二次培土", "video_url": "https://video.example.com/1"}),
}  # fmt: skip


@pytest.mark.parametrize("record_type", BY_TYPE)
def test_each_type_of_record_is_made_on_the_web_and_shown(world: World, record_type: str) -> None:
    kind, values = BY_TYPE[record_type]
    actor = world.producer()
    batch_id = world.batch(actor, kind)
    client = world.client(actor)
    assert client.get(world.entry(batch_id, record_type)).status_code == 200
    made = world.enter(client, batch_id, record_type, **values)
    assert made.status_code == 302, made.text
    page = client.get(made.location).text
    assert values.get("product_name", values.get("note")) in page


def test_a_harvest_is_a_stage_of_the_kind_with_its_own_fields(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    client = world.client(actor)
    path = world.entry(batch_id, "stage", "harvest")
    assert "采收量" in client.get(path).text
    missing = client.post(path, data=HARVESTED | {"values-quantity_kg": ""})
    assert missing.status_code == 422
    made = world.enter(client, batch_id, "stage", "harvest", **HARVESTED | {"values-way": "manual"})
    assert made.status_code == 302
    assert "采收量 8600 公斤" in client.get(f"/batches/{batch_id}").text
    assert "Dug by hand" in world.client(actor, language="en").get(f"/batches/{batch_id}").text


def test_a_slaughter_asks_for_the_quarantine_certificate(world: World) -> None:
    actor = world.producer("530381001")
    batch_id = world.batch(actor, "ham", "530381001")
    path = world.entry(batch_id, "stage", "slaughter")
    answer = world.client(actor).post(path, data={"happened_on": "2025-01-10"})
    assert answer.status_code == 422
    assert "动物检疫合格证明编号" in answer.text


@pytest.mark.parametrize(
    ("record_type", "stage"), [("feed", None), ("stage", "salting"), ("stage", None), ("care", "harvest")]
)
def test_what_does_not_apply_to_the_kind_is_refused(world: World, record_type: str, stage: str | None) -> None:
    actor = world.producer()
    path = world.entry(world.batch(actor), record_type, stage)
    assert world.client(actor).get(path).status_code == 422
    assert world.client(actor).post(path, data=FEED).status_code == 422


def test_an_unknown_type_of_record_is_not_found(world: World) -> None:
    actor = world.producer()
    assert world.client(actor).get(world.entry(world.batch(actor), "magic")).status_code == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"product_name": ""}, "请填写此项"),
        ({"dose": "四十"}, "请填写数字"),
        ({"dose": "-1"}, "须在"),
        ({"interval_days": ""}, "请填写此项"),
        ({"interval_days": "1.5"}, "请填写整数"),
        ({"happened_on": "2999-01-01"}, "不能晚于今天"),
        ({"registration_number": "12345"}, "登记证号如"),
        ({"dose_unit": "bucket"}, "还没有保存"),
    ],
)
def test_a_wrong_pesticide_record_comes_back_with_all_that_was_typed(
    world: World, change: dict[str, str], message: str
) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    answer = world.enter(world.client(actor), batch_id, "pesticide", **(SPRAYED | {"target": "叶斑病一号"} | change))
    assert answer.status_code == 422
    assert message in answer.text
    assert "叶斑病一号" in answer.text


def test_the_last_ones_values_are_offered_again_with_todays_date(world: World) -> None:
    actor, other = world.producer(), world.producer()
    earlier, batch_id, foreign = world.batch(actor), world.batch(actor), world.batch(other)
    world.record(actor, earlier, "pesticide", **SPRAYED)
    page = world.client(actor).get(world.entry(batch_id, "pesticide")).text
    assert SPRAYED["product_name"] in page
    assert 'value="40"' in page
    assert 'value="2025-09-15"' not in page
    assert (
        SPRAYED["product_name"]
        not in world.client(other).get(world.entry(foreign, "pesticide")).text.split("用量</label>", 1)[1]
    )


def test_what_is_offered_again_is_of_the_latest_day_and_as_it_was_corrected(world: World) -> None:
    actor = world.producer()
    lot, client = world.batch(actor), world.client(actor)
    latest = world.record(actor, lot, "pesticide", **SPRAYED | {"happened_on": "2025-09-15", "target": "姜螟"})
    world.record(actor, lot, "pesticide", **SPRAYED | {"happened_on": "2025-07-01", "target": "蚜虫"})
    page = client.get(world.entry(lot, "pesticide")).text
    assert ('value="姜螟"' in page, 'value="蚜虫"' in page) == (True, False)
    data = SPRAYED | {"happened_on": "2025-06-01", "correction_reason": "日期"}
    assert client.post(f"/field/records/{latest}/correct", data=data).status_code == 302
    assert 'value="蚜虫"' in client.get(world.entry(lot, "pesticide")).text


def test_a_correction_is_a_new_record_that_names_the_old(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    record_id = world.record(actor, batch_id, "pesticide", **SPRAYED)
    client = world.client(actor)
    path = f"/field/records/{record_id}/correct"
    assert SPRAYED["product_name"] in client.get(path).text
    without_reason = client.post(path, data=SPRAYED | {"dose": "30"})
    assert without_reason.status_code == 422
    assert "请填写更正原因" in without_reason.text
    assert client.post(path, data=SPRAYED | {"dose": "30", "correction_reason": "写错了"}).status_code == 302
    page = client.get(f"/batches/{batch_id}").text
    assert "已更正" in page
    assert "写错了" in page
    with world.app.app_context():
        old, new = db.session.scalars(db.select(Record).order_by(Record.id)).all()
        assert (str(old.dose), str(new.dose), new.replaces_id) == ("40.000", "30.000", old.id)
    again = client.post(path, data=SPRAYED | {"correction_reason": "再改"})
    assert again.status_code == 409
    assert "刚刚被" in again.text
    assert "40 克/亩" in again.text
    assert "30 克/亩" in again.text


@pytest.mark.parametrize(
    "url",
    [
        "http://video.example.com/1",
        "javascript:alert(1)",
        "https://127.0.0.1/v",
        "https://[::1]/v",
        "https://localhost/v",
        "https://camera.local/v",
        "https://user:pass@video.example.com/",
        "https://video.example.com:8443/",
        "video.example.com",
        "https://10.0.0.1/",
        "https://[broken/",
    ],
)
def test_a_video_link_that_a_consumer_cannot_or_must_not_follow_is_refused(world: World, url: str) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    answer = world.enter(
        world.client(actor), batch_id, "video", **({"happened_on": "2025-07-20", "note": "培土", "video_url": url})
    )
    assert answer.status_code == 422


class TestPhotos:
    def test_photos_of_a_record_are_shown_on_the_trace_page(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        files = [(io.BytesIO(photo(c)), f"{c}.jpg") for c in ("red", "blue")]
        data = {"happened_on": "2025-06-01", "note": "除草", "photos": files}
        client = world.client(actor)
        world.complete(actor, batch_id)
        assert world.enter(client, batch_id, "care", **data).status_code == 302
        client.post(f"/batches/{batch_id}/release")
        with world.app.app_context():
            names = db.session.scalars(db.select(Photo.name)).all()
        assert len(names) == 2
        page = world.client().get("/" + world.code(world.run(actor, batch_id))).text
        assert all(f"/media/{name}-small.webp" in page for name in names)
        assert page.count(">除草<") == 1

    def test_a_bad_photo_keeps_the_record_out_and_what_was_typed_in(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        data = {"happened_on": "2025-06-01", "note": "除草并清沟", "photos": [(io.BytesIO(b"no photo"), "照片.jpg")]}
        answer = world.enter(world.client(actor), batch_id, "care", **data)
        assert answer.status_code == 422
        assert "“照片.jpg”不是能打开的照片" in answer.text
        assert "除草并清沟" in answer.text
        with world.app.app_context():
            assert db.session.scalar(db.select(db.func.count(Record.id))) == 0

    def test_more_than_twelve_are_refused(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        files = [(io.BytesIO(photo()), f"{n}.jpg") for n in range(13)]
        data = {"happened_on": "2025-06-01", "note": "除草", "photos": files}
        answer = world.enter(world.client(actor), batch_id, "care", **data)
        assert answer.status_code == 422
        assert "最多 12 张" in answer.text


def test_a_regulator_reads_records_and_writes_none(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    record_id = world.record(actor, batch_id)
    client = world.client(world.regulator())
    assert client.get(f"/batches/{batch_id}").status_code == 200
    assert client.get(world.entry(batch_id, "care")).status_code == 403
    assert client.post(f"/field/records/{record_id}/correct", data={}).status_code == 403
