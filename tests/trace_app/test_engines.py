"""Connections: through which a page reads, and what becomes of those that were lost."""

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.world import World
from trace_app.db import engines
from trace_app.extensions import db

LOST = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'trace' AND pid != pg_backend_pid()"
)
on_postgresql = pytest.mark.parametrize("app", ["postgresql"], indirect=True)
"""Only its connections can be lost."""


def test_a_trace_page_is_read_through_connections_of_its_own_and_others_are_not(world: World) -> None:
    batch, code = world.labelled(actor := world.producer())
    signed_in = world.client(actor)
    # The first page also reads the keys of the codes and the kind, which are kept.
    _other, first = world.labelled(actor)
    world.client().get(f"/{first}")
    used: set[str | None] = set()

    with world.app.app_context():
        names = {engine: name for name, engine in db.engines.items()}

    def note(connection: sa.Connection, *_: object) -> None:
        used.add(names[connection.engine])

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert world.client().get(f"/{code}").status_code == 200
        assert used == {engines.READING if engines.READING in names.values() else None}
        used.clear()
        assert signed_in.get(f"/batches/{batch}").status_code == 200
        assert used == {None}
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)


@on_postgresql
def test_connections_that_were_lost_while_they_lay_idle_are_opened_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TRUSTED_S", 0)
    _batch, code = world.labelled(actor := world.producer())
    _other, cold = world.labelled(actor)
    signed_in = world.client(actor)
    assert world.client().get(f"/{code}").status_code == 200
    with world.app.app_context():
        assert db.session.execute(sa.text(LOST)).scalar_one() > 0
    assert world.client().get(f"/{cold}").status_code == 200
    assert signed_in.get("/batches").status_code == 200


@on_postgresql
def test_a_connection_lost_in_the_middle_is_said_so_and_the_next_page_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "TRUSTED_S", 600)
    signed_in = world.client(world.producer())
    assert signed_in.get("/batches").status_code == 200
    with world.app.app_context():
        # By another connection than those that pages take.
        other = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
    with other.connect() as connection:
        assert connection.execute(sa.text(LOST)).scalar_one() > 0
    answer = signed_in.get("/batches")
    assert answer.status_code == 503
    assert "请稍后再试" in answer.text
    assert signed_in.get("/batches").status_code == 200
