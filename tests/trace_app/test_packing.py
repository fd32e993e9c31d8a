"""Items into cases, cases onto pallets, by scanning."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.world import Actor, World
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.labels.models import Packing

pytestmark = pytest.mark.either_database


@pytest.fixture
def actor(world: World) -> Actor:
    return world.producer(gs1_prefix="6901234")


@pytest.fixture
def batch_id(world: World, actor: Actor) -> int:
    return world.released(actor)


def _run(world: World, actor: Actor, batch_id: int, level: str, count: int = 3) -> int:
    return world.run(actor, batch_id, count=count, level=level, format_name="csv")


def test_what_is_scanned_goes_into_the_case_and_the_cases_page_shows_it(
    world: World, actor: Actor, batch_id: int
) -> None:
    items, cases = _run(world, actor, batch_id, "item"), _run(world, actor, batch_id, "case")
    case, client = world.code(cases), world.client(actor)
    opened = client.post("/labels/pack", data={"code": case.lower()})
    assert opened.location == f"/labels/pack/{case}"
    for index in range(2):
        # A hand scanner types what the symbol says.
        text = "HTTP://127.0.0.1:8000/" + world.code(items, index)
        assert client.post(f"/labels/pack/{case}", data={"code": text}).status_code == 302
    page = client.get(f"/labels/pack/{case}").text
    assert "<b>2</b>" in page
    public = world.client().get(f"/{case}").text
    assert "里面有 2 件" in public
    assert world.code(items, 1) in public
    assert "箱标签" in public
    # A later page of the same case is never an old one.
    client.post(f"/labels/pack/{case}", data={"code": world.code(items, 2)})
    assert "里面有 3 件" in world.client().get(f"/{case}").text


def test_cases_go_onto_a_pallet_by_their_sscc(world: World, actor: Actor, batch_id: int) -> None:
    cases, pallets = _run(world, actor, batch_id, "case"), _run(world, actor, batch_id, "pallet")
    client, pallet = world.client(actor), world.code(pallets)
    assert client.post(f"/labels/pack/{pallet}", data={"code": f"(00){world.sscc(cases)}"}).status_code == 302
    assert world.code(cases) in client.get(f"/labels/pack/{pallet}").text


def test_a_photo_of_several_labels_packs_all_of_them(world: World, actor: Actor, batch_id: int) -> None:
    items, cases = world.run(actor, batch_id, count=4), _run(world, actor, batch_id, "case")
    client, case = world.client(actor), world.code(cases)
    pictures = [
        np.asarray(Image.open(io.BytesIO(client.get(f"/labels/{items}/{i}.png").data)).convert("L")) for i in range(4)
    ]
    photo = Image.fromarray(np.vstack([np.hstack(pictures[:2]), np.hstack(pictures[2:])]))
    out = io.BytesIO()
    photo.resize((photo.width * 2, photo.height * 2)).save(out, "PNG")
    for expected in ("认出并装入 4 件", "已经在这一箱里"):
        out.seek(0)
        answer = client.post(
            f"/labels/pack/{case}/photo", data={"picture": (io.BytesIO(out.getvalue()), "p.png")}, follow_redirects=True
        )
        assert expected in answer.text
    assert "<b>4</b>" in client.get(f"/labels/pack/{case}").text
    nothing = client.post(
        f"/labels/pack/{case}/photo", data={"picture": (io.BytesIO(b"no picture"), "p.png")}, follow_redirects=True
    )
    assert "没有认出标签" in nothing.text


def test_what_does_not_belong_is_refused_with_the_reason(world: World, actor: Actor, batch_id: int) -> None:
    items, cases = _run(world, actor, batch_id, "item"), _run(world, actor, batch_id, "case")
    other_batch = world.released(actor, lot_number="ANDERE")
    stranger = world.producer()
    foreign = _run(world, stranger, world.released(stranger), "item")
    client, case = world.client(actor), world.code(cases)
    client.post(f"/labels/{items}/void", data={"first": 3, "last": 3, "reason": "坏"})
    client.post(f"/labels/pack/{world.code(cases, 1)}", data={"code": world.code(items, 1)})
    client.post(f"/labels/pack/{case}", data={"code": world.code(items, 0)})
    for code, said in (
        ("hello", "没有“hello”这个码"),
        ("0" * 18, "没有“"),
        (world.code(foreign), "没有“"),
        (world.code(_run(world, actor, other_batch, "item")), "属于批次 ANDERE"),
        (world.code(cases, 2), "不能装进这里"),
        (case, "不能装进这里"),
        (world.code(items, 2), "已作废"),
        (world.code(items, 1), "已经装在"),
        (world.code(items, 0), "已经在这一箱里"),
        ("", "请填写此项"),
    ):
        answer = client.post(f"/labels/pack/{case}", data={"code": code})
        assert answer.status_code == 422, said
        assert said in answer.text
    start = client.post("/labels/pack", data={"code": world.code(items)})
    assert (start.status_code, "不是箱或托盘的标签" in start.text) == (422, True)
    assert world.client(stranger).get(f"/labels/pack/{case}").status_code == 404


def test_taking_out_is_kept_on_record_and_makes_room_elsewhere(world: World, actor: Actor, batch_id: int) -> None:
    items, cases = _run(world, actor, batch_id, "item"), _run(world, actor, batch_id, "case")
    client = world.client(actor)
    one, other = world.code(cases, 0), world.code(cases, 1)
    client.post(f"/labels/pack/{one}", data={"code": world.code(items)})
    with world.app.app_context():
        packing = db.session.scalars(db.select(Packing)).one().id
    client.post(f"/labels/pack/{other}/{packing}/remove")
    assert "<b>1</b>" in client.get(f"/labels/pack/{one}").text
    client.post(f"/labels/pack/{one}/{packing}/remove")
    assert "<b>0</b>" in client.get(f"/labels/pack/{one}").text
    assert client.post(f"/labels/pack/{other}", data={"code": world.code(items)}).status_code == 302
    with world.app.app_context():
        assert [row.unpacked_at is None for row in db.session.scalars(db.select(Packing).order_by(Packing.id))] == [
            False,
            True,
        ]


def test_a_recalled_batch_is_packed_no_more(world: World, actor: Actor, batch_id: int) -> None:
    items, cases = _run(world, actor, batch_id, "item"), _run(world, actor, batch_id, "case")
    world.recall(world.regulator(), batch_id)
    answer = world.client(actor).post(f"/labels/pack/{world.code(cases)}", data={"code": world.code(items)})
    assert answer.status_code == 422
    assert "已召回" in answer.text
    assert "正在召回" in world.client().get(f"/{world.code(cases)}").text


def test_the_database_lets_a_label_lie_in_one_place_only(world: World, actor: Actor, batch_id: int) -> None:
    import sqlalchemy as sa

    items, cases = _run(world, actor, batch_id, "item"), _run(world, actor, batch_id, "case")
    twice = [Packing(container_run_id=cases, container_index=index, run_id=items, index=0) for index in range(2)]
    with world.app.app_context(), pytest.raises(sa.exc.IntegrityError), transaction():
        db.session.add_all(twice)
