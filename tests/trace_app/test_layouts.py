"""Layouts that producers make."""

from __future__ import annotations

import io
from typing import Any

import pytest
import segno

from qr.layout import Layout
from qr.reading import open_picture, read_symbols
from tests.world import World
from trace_app.accounts.models import User
from trace_app.extensions import db
from trace_app.labels import layouts
from trace_app.labels.forms import LayoutForm
from trace_app.labels.models import LabelLayout, LabelRun

pytestmark = pytest.mark.either_database


def values_of_a_layout(world: World, stock: str = "roll-60x40", **changes: Any) -> dict[str, Any]:
    """What the editor's form sends."""
    with world.app.test_request_context():
        plain = layouts.layout_of_stock(
            stock, layouts.sample_text(), layouts.plain_form(), fields=layouts.STANDARD_FIELDS_OF_ITEMS
        ).plain()
        data = LayoutForm.values_of(plain)
    sent: dict[str, Any] = {"name": "我的版式"}
    for name, value in data.items():
        if name == "boxes":
            for number, box in enumerate(value):
                sent |= {f"boxes-{number}-{key}": entry for key, entry in box.items() if entry is not False}
        elif value is not False:
            sent[name] = value
    return {name: value for name, value in (sent | changes).items() if value is not None}


def test_a_producer_makes_a_layout_and_prints_with_it(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    assert "<svg" in client.get("/layouts/new?stock=roll-60x40").text
    moved = {"boxes-0-x": "34.5", "boxes-1-size_mm": "2.2", "mask": "3"}
    answer = client.post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world, **moved))
    assert answer.status_code == 302, answer.text
    assert "我的版式" in client.get("/layouts").text
    with world.app.app_context():
        row = db.session.scalars(db.select(LabelLayout)).one()
        layout = Layout.parse(row.plain)
        assert (layout.boxes[0].x, layout.boxes[1].size_mm, layout.symbol.mask) == (34.5, 2.2, 3)
        choice = f"own-{row.id}"
    batch_id = world.released(actor)
    order = {"count": "3", "level": "item", "stock": choice, "format": "tspl"}
    made = client.post(f"/batches/{batch_id}/labels", data=order)
    assert "我的版式" in client.get(made.location).text
    run = int(made.location.rsplit("/", 1)[1])
    png = client.get(f"/labels/{run}/1.png").data
    assert read_symbols(open_picture(png))[0].endswith(world.code(run, 1))
    # A job keeps the layout it was asked for with.
    client.post(f"/layouts/{choice[4:]}/delete")
    assert client.get(f"/labels/{run}/1.png").data == png
    assert client.post(f"/batches/{batch_id}/labels", data=order).status_code == 422


def test_the_built_in_layout_is_shown_as_it_can_be_typed_and_saved_again(world: World) -> None:
    client = world.client(world.producer())
    for stock in ("roll-40x30", "roll-100x100", "a4-l7160"):
        answer = client.post(f"/layouts/new?stock={stock}", data=values_of_a_layout(world, stock, name=stock))
        assert answer.status_code == 302, answer.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"module_mm": "0.3"}, "小于 0.33 毫米，手机扫不出。最接近的可用值是 0.375"),
        ({"module_mm": "0.45"}, "不是整数，边缘会打毛。最接近的可用值是 0.5"),
        ({"quiet_modules": "2"}, "至少要 4 个"),
        ({"symbol_x": "0.5"}, "离标签边缘太近"),
        ({"boxes-0-x": "20"}, "“产品”压住了二维码"),
        ({"ink": "#cccccc"}, "反差只有"),
        ({"boxes-0-width": "80"}, "超出了标签边缘"),
        ({"boxes-2-fields": "serial"}, "要印追溯码"),
        ({"module_mm": "thin"}, "请填写数字"),
        ({"name": ""}, "请填写此项"),
        ({"boxes-0-fields": None}, "请选择这个框里印什么"),
        ({"boxes-0-fields": ["product", "code"]}, "要单独占一个框"),
        ({"ink": "black"}, "请选择颜色"),
    ],
)
def test_a_layout_that_would_not_scan_is_refused_with_the_reason(
    world: World, change: dict[str, Any], said: str
) -> None:
    client = world.client(world.producer())
    answer = client.post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world, **change))
    assert answer.status_code == 422
    assert said in answer.text
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(LabelLayout.id))) == 0


def test_what_was_typed_comes_back_with_the_reason(world: World) -> None:
    client = world.client(world.producer())
    values = values_of_a_layout(world, module_mm="0.31", name="窄的", **{"boxes-1-y": "11.5"})
    answer = client.post("/layouts/new?stock=roll-60x40", data=values).text
    assert 'value="0.31"' in answer
    assert 'value="窄的"' in answer
    assert 'value="11.5"' in answer


def test_boxes_are_added_and_removed_without_script(world: World) -> None:
    client = world.client(world.producer())
    page = client.post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world) | {"add": "1"})
    assert 'name="boxes-4-width"' in page.text
    values = values_of_a_layout(world, **{"boxes-1-remove": "y"})
    assert client.post("/layouts/new?stock=roll-60x40", data=values).status_code == 302
    with world.app.app_context():
        row = db.session.scalars(db.select(LabelLayout)).one()
        assert [box["fields"] for box in row.plain["boxes"]] == [["product"], ["code"], ["call"]]


def test_the_live_preview_shows_label_and_faults(world: World) -> None:
    client = world.client(world.producer(name="预览合作社"))
    found = client.post("/layouts/preview/roll-60x40", data=values_of_a_layout(world, name="")).json
    assert found["svg"].startswith("<svg")
    assert found["faults"] == []
    found = client.post("/layouts/preview/roll-60x40", data=values_of_a_layout(world, module_mm="0.2")).json
    assert "小于 0.33" in found["faults"][0]
    found = client.post("/layouts/preview/roll-60x40", data=values_of_a_layout(world, module_mm="x")).json
    assert found["svg"] == ""
    assert any("请填写数字" in fault for fault in found["faults"])
    assert client.post("/layouts/preview/napkin", data=values_of_a_layout(world)).status_code == 404


def test_a_name_is_taken_once(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    client.post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world))
    again = client.post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world))
    assert "已有名为“我的版式”的版式" in again.text
    assert (
        world.client(world.producer()).post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world)).status_code
        == 302
    )


def test_a_layout_is_its_producers_alone(world: World) -> None:
    actor = world.producer()
    world.client(actor).post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world))
    with world.app.app_context():
        layout_id = db.session.scalars(db.select(LabelLayout.id)).one()
    other = world.client(world.producer())
    assert other.get(f"/layouts/{layout_id}").status_code == 404
    assert other.post(f"/layouts/{layout_id}", data=values_of_a_layout(world)).status_code == 404
    assert other.post(f"/layouts/{layout_id}/delete").status_code == 404


def test_a_pin_on_the_layout_makes_labels_with_a_pin(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    values = values_of_a_layout(world)
    number = sum(name.endswith("-size_mm") for name in values)
    values |= {
        f"boxes-{number}-{name}": value
        for name, value in {
            "fields": "pin",
            "x": 34,
            "y": 28,
            "width": 24,
            "height": 4.5,
            "size_mm": 3,
            "align": "left",
            "valign": "middle",
        }.items()
    }
    assert client.post("/layouts/new?stock=roll-60x40", data=values).status_code == 302
    batch_id = world.released(actor)
    with world.app.app_context():
        choice = f"own-{db.session.scalars(db.select(LabelLayout.id)).one()}"
    run = world.run(actor, batch_id, layout=choice)
    with world.app.app_context():
        assert db.session.get_one(LabelRun, run).has_pin
    assert "刮开涂层" in world.client().get(f"/{world.code(run)}").text


def test_a_layout_with_an_sscc_is_for_containers_that_have_one(world: World) -> None:
    actor = world.producer(gs1_prefix="6901234")
    client = world.client(actor)
    page = client.get("/layouts/new?stock=roll-100x100&sscc=y").text
    assert "箱号 SSCC" in page
    values = values_of_a_layout(world, "roll-100x100")
    number = sum(name.endswith("-size_mm") for name in values)
    box = {"fields": "sscc", "x": 5, "y": 80, "width": 90, "height": 5, "size_mm": 4, "align": "left", "valign": "top"}
    values |= {f"boxes-{number}-{name}": value for name, value in box.items()}
    assert client.post("/layouts/new?stock=roll-100x100", data=values).status_code == 302
    with world.app.app_context():
        choice = f"own-{db.session.scalars(db.select(LabelLayout.id)).one()}"
    order = {"count": "2", "level": "item", "stock": choice, "format": "pdf"}
    batch_id = world.released(actor)
    answer = client.post(f"/batches/{batch_id}/labels", data=order)
    assert answer.status_code == 422
    assert "没有箱号" in answer.text
    assert (
        client.post(f"/batches/{batch_id}/labels", data=order | {"level": "case", "items_each": "20"}).status_code
        == 302
    )


def test_jobs_from_before_layouts_were_data_keep_their_stocks_layout(world: World) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    with world.writing():
        db.session.get_one(LabelRun, run).jobs[0].layout = {}
    png = world.client(actor).get(f"/labels/{run}/0.png")
    assert read_symbols(open_picture(png.data))[0].endswith(world.code(run))


def test_the_faults_are_told_in_english_too(world: World) -> None:
    client = world.client(world.producer(), "en")
    answer = client.post("/layouts/new?stock=roll-60x40", data=values_of_a_layout(world, module_mm="0.3"))
    assert "smaller than 0.33 mm" in answer.text


def test_the_photo_check_grades_a_print(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    run = world.run(actor, world.released(actor))
    png = client.get(f"/labels/{run}/0.png").data
    good = client.post("/labels/check", data={"picture": (io.BytesIO(png), "label.png")}).text
    assert "很好，可以放心贴" in good
    assert world.code(run) in good

    def upload(data: bytes) -> Any:
        return client.post("/labels/check", data={"picture": (io.BytesIO(data), "x.png")})

    from PIL import Image

    blank, huge = io.BytesIO(), io.BytesIO()
    Image.new("L", (300, 300), 255).save(blank, "PNG")
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    foreign = io.BytesIO()
    segno.make("1234567890" * 4, error="l", micro=False).save(foreign, kind="png", scale=8, border=8)
    for data, said in (
        (foreign.getvalue(), "不是本平台的追溯码"),
        (b"", "请选择一张标签的照片"),
        (b"\x89PNG broken", "请选择一张标签的照片"),
        (huge.getvalue(), "请选择一张标签的照片"),
        (blank.getvalue(), "没有找到二维码"),
    ):
        answer = upload(data)
        assert (answer.status_code, said in answer.text) == (422, True)
    with world.app.app_context():
        assert db.session.get(User, actor.user_id) is not None
