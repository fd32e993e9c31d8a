"""Under a lease scans are answered without asking the database, and a recall is on the page all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.world import World
from trace_app.db.leases import StopEpoch, StopLease, stops_change
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.public.label_states import STATE_S, States

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0"}


class Counted:
    """A reader that counts what it is asked."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.asked = inner, 0

    def run(self, run: int, index: int) -> Any:
        self.asked += 1
        return self.inner.run(run, index)

    def item(self, run: int, index: int) -> Any:
        self.asked += 1
        return self.inner.item(run, index)


@pytest.fixture
def leased(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, StopLease, Counted]]:
    """The scan layer with leases, which tests do without elsewhere."""
    layer: Any = world.app.wsgi_app
    lease = StopLease(world.app.config["SETTINGS"].model_copy(update={"scan_lease_ms": 100}))
    reader = Counted(layer._reader)
    monkeypatch.setattr(layer, "_lease", lease)
    monkeypatch.setattr(layer, "_reader", reader)
    yield world, lease, reader
    # Its thread goes to sleep by itself when nothing is asked any more.
    time.sleep(0.15)


def _until_leased(lease: StopLease) -> None:
    end = time.monotonic() + 10
    while lease.epoch(time.monotonic()) is None:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_under_a_lease_nothing_is_read_twice(leased: tuple[World, StopLease, Counted]) -> None:
    world, lease, reader = leased
    _lot, code = world.labelled(world.producer())
    client = world.client()
    client.get(f"/{code}", headers=PHONE)
    world.app.extensions["scan_log"].write()
    _until_leased(lease)
    client.get(f"/{code}", headers=PHONE)
    asked = reader.asked
    for _ in range(20):
        assert client.get(f"/{code}", headers=PHONE).status_code == 200
        assert lease.epoch(time.monotonic()) is not None
    assert reader.asked == asked


def test_who_is_signed_in_sees_a_change_at_once(leased: tuple[World, StopLease, Counted]) -> None:
    world, lease, reader = leased
    grower = world.producer()
    _lot, code = world.labelled(grower)
    client = world.client(grower)
    client.get(f"/{code}", headers=PHONE)
    _until_leased(lease)
    client.get(f"/{code}", headers=PHONE)
    asked = reader.asked
    assert client.get(f"/{code}", headers=PHONE).status_code == 200
    assert lease.epoch(time.monotonic()) is not None
    assert reader.asked > asked


def test_a_recall_its_end_and_a_voiding_are_there_at_once(leased: tuple[World, StopLease, Counted]) -> None:
    world, lease, _reader = leased
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower)
    run = world.run(grower, lot, 3)
    code = world.code(run, 0)
    client = world.client()
    for _ in range(2):
        client.get(f"/{code}", headers=PHONE)
        _until_leased(lease)
    assert "未被召回" in client.get(f"/{code}", headers=PHONE).text
    number = world.recall(officer, lot)
    assert "请勿食用" in client.get(f"/{code}", headers=PHONE).text
    _until_leased(lease)
    assert "请勿食用" in client.get(f"/{code}", headers=PHONE).text
    world.client(officer).post(f"/recalls/{number}/end", data={"note": "处置完毕"})
    assert "未被召回" in client.get(f"/{code}", headers=PHONE).text
    _until_leased(lease)
    client.get(f"/{code}", headers=PHONE)
    world.client(grower).post(f"/labels/{run}/void", data={"first": "1", "last": "1", "reason": "印坏"})
    assert client.get(f"/{code}", headers=PHONE).status_code == 410


def test_no_lease_is_given_while_someone_stops_lots(leased: tuple[World, StopLease, Counted]) -> None:
    world, lease, _reader = leased
    _until_leased(lease)
    with world.app.app_context():
        with transaction():
            begun = time.monotonic()
            stops_change()
            time.sleep(0.2)
            for _ in range(10):
                assert lease.epoch(time.monotonic()) is None
                time.sleep(0.01)
        assert time.monotonic() - begun > 0.12
        first = db.session.scalar(sa.select(StopEpoch.number))
    _until_leased(lease)
    assert lease.epoch(time.monotonic()) == first


def _break_off() -> None:
    with transaction():
        stops_change()
        raise ZeroDivisionError


def test_the_writer_waits_for_as_long_as_workers_say(leased: tuple[World, StopLease, Counted]) -> None:
    world, lease, _reader = leased
    _until_leased(lease)
    with world.app.app_context():
        begun = time.monotonic()
        with transaction():
            stops_change()
        assert time.monotonic() - begun >= 0.12
        begun = time.monotonic()
        with pytest.raises(ZeroDivisionError):
            _break_off()
        assert time.monotonic() - begun < 0.1
    _until_leased(lease)


def test_what_was_read_counts_for_one_epoch_and_some_seconds() -> None:
    states = States(most=2)
    states.keep(1, "first", 7, 100.0)
    assert states.get(1, 7, 100.0 + STATE_S - 0.01) == (7, 100.0, "first")
    assert states.get(1, 7, 100.0 + STATE_S) is None
    assert states.get(1, 8, 100.0) is None
    states.keep(2, None, 7, 100.0)
    assert states.get(2, 7, 100.0) == (7, 100.0, None)
    states.keep(3, "third", 7, 100.0)
    assert states.get(1, 7, 100.0) is None
    assert states.get(3, 7, 100.0) == (7, 100.0, "third")
