"""Holds: a stop of sale while something is looked into. They judge nothing yet, so they have no level and take nothing
back."""

import pytest
import sqlalchemy as sa

from tests.world import Actor, World
from trace_app.extensions import db
from trace_app.recall_tasks import service as tasks
from trace_app.recalls.models import Recall, RecallKind

HOLD = {"kind": "hold", "reason": "抽检待结果", "advice": "先不要吃"}
OF_RECALLS_ALONE = ("级别", "完成期限", "退货和赔偿", "退货退款", "公告将写明")


def _held(world: World, actor: Actor, lot: int) -> str:
    answer = world.client(actor).post(f"/batches/{lot}/recall", data=HOLD)
    assert answer.status_code == 302, answer.text
    return str(answer.location.split("/")[2])


@pytest.mark.parametrize("way", ["lot", "scope"])
def test_the_form_of_a_hold_asks_for_nothing_that_belongs_to_a_recall(world: World, way: str) -> None:
    officer, lot = world.regulator(), world.released(world.producer(), lot_number="H-1")
    client = world.client(officer)
    path = f"/batches/{lot}/recall?" if way == "lot" else "/recalls/scope?lots=H-1&"
    page = client.get(f"{path}kind=hold").text
    assert "请先不要食用，保留包装，等待核查结果。" in page
    assert "现在暂停销售" in page
    assert not [words for words in OF_RECALLS_ALONE if words in page]
    recall = client.get(path).text
    assert all(words in recall for words in ("级别", "退货和赔偿", "公告将写明"))
    assert "等待核查结果" not in recall


def test_a_lots_page_offers_a_recall_and_a_hold_apart(world: World) -> None:
    lot = world.released(world.producer())
    page = world.client(world.regulator()).get(f"/batches/{lot}").text
    assert f'href="/batches/{lot}/recall"' in page
    assert f'href="/batches/{lot}/recall?kind=hold"' in page


def test_a_refused_hold_comes_back_as_one_with_what_was_typed(world: World) -> None:
    lot = world.released(world.producer())
    answer = world.client(world.regulator()).post(f"/batches/{lot}/recall", data=HOLD | {"reason": "", "basis": "抽 7"})
    assert answer.status_code == 422
    assert "抽 7" in answer.text
    assert 'name="kind" value="hold"' in answer.text


@pytest.mark.parametrize("way", ["lot", "scope"])
def test_a_hold_has_no_level_and_its_tasks_no_last_day(world: World, way: str) -> None:
    officer, grower = world.regulator(), world.producer()
    lot = world.released(grower, lot_number="H-1")
    if way == "lot":
        number = _held(world, officer, lot)
    else:
        answer = world.client(officer).post("/recalls/scope", data=HOLD | {"lots": "H-1", "count": "1"})
        number = answer.location.split("/")[2]
    with world.app.app_context():
        hold = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        assert (hold.kind, hold.level, hold.notice.level, hold.finish_due_on) == (RecallKind.HOLD, None, None, None)
        (task,) = tasks.tasks_of(hold)
        assert task.finish_due_on is None
        assert (task.start_due_at - hold.in_force_at).total_seconds() == 24 * 3600
        said = tasks.message_of(hold, task)
        assert "等待核查结果" in " ".join(said["lines"])
        assert (said["facts"]["level"], said["facts"]["finish_due_on"]) == (None, None)
        token = task.token
    owner = world.client(grower)
    assert owner.post(f"/recall-tasks/{token}/acknowledge", data={"name": "老李"}).status_code == 302
    pages = [owner.get(path).text for path in ("/recall-tasks", f"/recall-tasks/{token}")]
    pages += [world.client(officer).get(path).text for path in ("/desk", f"/recalls/{number}/manage")]
    for page in pages:
        assert number in page
        assert not [words for words in ("完成期限", "None", "召回级别") if words in page]
    assert "第二步：报告数量" in pages[1]
    assert world.client(officer).get(f"/recalls/{number}/report.pdf").status_code == 200
    assert world.client(officer).post(f"/recalls/{number}/end", data={"note": "复检合格"}).status_code == 302


def test_the_database_gives_a_level_to_what_is_no_hold_and_to_nothing_else(world: World) -> None:
    officer, grower = world.regulator(), world.producer()
    _held(world, officer, world.released(grower))
    world.recall(officer, world.released(grower))
    for kind, level in (("hold", "2"), ("recall", "NULL")):
        with pytest.raises(sa.exc.IntegrityError), world.writing():
            db.session.execute(sa.text(f"UPDATE recalls SET level = {level} WHERE kind = '{kind}'"))
    with pytest.raises(sa.exc.IntegrityError), world.writing():
        db.session.execute(sa.text("UPDATE recalls SET finish_due_on = '2026-12-01' WHERE kind = 'hold'"))


def test_a_hold_is_not_corrected_as_a_recall_is(world: World) -> None:
    officer = world.regulator()
    number = _held(world, officer, world.released(world.producer()))
    recall = {"level": "2", "reason": "镉超标", "advice": "停止食用", "note": "改"}
    assert world.client(officer).post(f"/recalls/{number}/correct", data=recall).status_code == 422
    with world.app.app_context():
        hold = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        assert (hold.level, len(hold.notices)) == (None, 1)
