"""The PIN under the scratch film."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.world import Actor, World
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.labels.keys import code_book
from trace_app.labels.models import LabelRun, PinCheck

pytestmark = pytest.mark.either_database


@pytest.fixture
def actor(world: World) -> Actor:
    return world.producer()


@pytest.fixture
def run(world: World, actor: Actor) -> int:
    return world.run(actor, world.released(actor), pin=True, format_name="csv")


def _pin(world: World, run: int, index: int = 0) -> str:
    with world.app.app_context():
        row = db.session.get_one(LabelRun, run)
        return code_book().pins(row.run_number, index, 1, key_number=row.key_number).tobytes().decode()


def _wrong(pin: str) -> str:
    return f"{(int(pin) + 1) % 10**6:06d}"


def test_the_page_asks_for_a_pin_only_where_the_label_has_one(world: World, actor: Actor, run: int) -> None:
    bare = world.run(actor, world.released(actor))
    assert "刮开涂层" in world.client().get(f"/{world.code(run)}").text
    assert "刮开涂层" not in world.client().get(f"/{world.code(bare)}").text
    answer = world.client().post(f"/{world.code(bare)}/pin", data={"pin": "123456"})
    assert answer.location == f"/{world.code(bare)}"


def test_labels_of_one_batch_with_and_without_a_pin_keep_their_own_pages(world: World, actor: Actor) -> None:
    batch_id = world.released(actor)
    with_pin, without = world.run(actor, batch_id, pin=True), world.run(actor, batch_id)
    for _ in range(2):
        assert "刮开涂层" in world.client().get(f"/{world.code(with_pin)}").text
        assert "刮开涂层" not in world.client().get(f"/{world.code(without)}").text


def test_the_first_check_is_told_from_later_ones(world: World, run: int) -> None:
    code, client = world.code(run), world.client()
    first = client.post(f"/{code}/pin", data={"pin": _pin(world, run)}).text
    assert "验真码正确，这是第一次验证" in first
    second = client.post(f"/{code}/pin", data={"pin": " ".join(_pin(world, run))}).text
    assert "验真码正确，但已验证过 2 次" in second
    assert "首次验证" in second
    english = world.client(language="en").post(f"/{code}/pin", data={"pin": _pin(world, run)}).text
    assert "3 times" in english


def test_a_wrong_pin_is_told_and_stays_in_its_field(world: World, run: int) -> None:
    wrong = _wrong(_pin(world, run))
    answer = world.client().post(f"/{world.code(run)}/pin", data={"pin": wrong})
    assert "验真码不对" in answer.text
    assert f'value="{wrong}"' in answer.text
    assert _pin(world, run) not in answer.text


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "<b>", "0" * 5000])
def test_what_is_no_pin_is_not_counted(world: World, run: int, typed: str) -> None:
    answer = world.client().post(f"/{world.code(run)}/pin", data={"pin": typed})
    assert answer.status_code == 200
    assert "6 位数字" in answer.text
    with world.app.app_context():
        assert db.session.get(PinCheck, (run, 0)) is None


def test_guessing_a_label_is_slowed_more_and_more_whoever_guesses(world: World, run: int) -> None:
    code, pin = world.code(run), _pin(world, run)
    for _ in range(5):
        answer = world.client().post(f"/{code}/pin", data={"pin": _wrong(pin)})
    assert "验真码不对" in answer.text
    # Even the right one has to wait now,
    assert "输错次数太多" in world.client().post(f"/{code}/pin", data={"pin": pin}).text
    waits = []
    for _ in range(4):
        with world.app.app_context(), transaction():
            row = db.session.get_one(PinCheck, (run, 0))
            row.wrong_at = utc_now() - timedelta(hours=25)
        answer = world.client().post(f"/{code}/pin", data={"pin": _wrong(pin)})
        assert "验真码不对" in answer.text
        with world.app.app_context():
            from trace_app.labels.pins import _wait_until

            row = db.session.get_one(PinCheck, (run, 0))
            until = _wait_until(row)
            assert until is not None
            assert row.wrong_at is not None
            waits.append((until - row.wrong_at).total_seconds())
    assert waits == [120, 240, 480, 960]
    # other labels do not,
    assert "第一次验证" in world.client().post(f"/{world.code(run, 1)}/pin", data={"pin": _pin(world, run, 1)}).text
    # and after the wait it counts as right, and the slate is clean.
    with world.app.app_context(), transaction():
        db.session.get_one(PinCheck, (run, 0)).wrong_at = utc_now() - timedelta(hours=25)
    assert "第一次验证" in world.client().post(f"/{code}/pin", data={"pin": pin}).text
    with world.app.app_context():
        assert db.session.get_one(PinCheck, (run, 0)).wrong == 0


def test_the_pin_stands_on_the_label_and_nowhere_else(world: World, actor: Actor, run: int) -> None:
    pin = _pin(world, run)
    assert pin in world.files(actor, run)[0].decode()
    assert pin not in world.client().get(f"/{world.code(run)}").text
    assert not re.search(rf"\b{pin}\b", world.client(actor).get(f"/labels/{run}").text)


def test_a_recall_stands_before_any_pin(world: World, actor: Actor) -> None:
    batch_id = world.released(actor)
    run = world.run(actor, batch_id, pin=True)
    pin = _pin(world, run)
    world.recall(world.regulator(), batch_id)
    answer = world.client().post(f"/{world.code(run)}/pin", data={"pin": pin}).text
    assert "正在召回" in answer
    assert "验真码正确" not in answer
