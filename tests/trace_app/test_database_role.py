"""The platform works under a role that may not change what is only ever added, and migrations hold nobody up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from tests.conftest import app_for, let_go_of, set_up, settings_for
from tests.world import World
from trace_app import doctor
from trace_app.db.append_only import APPEND_ONLY
from trace_app.extensions import db

ROLES = Path(__file__).parents[2] / "deploy" / "postgresql" / "roles.sql"


def _statements() -> list[str]:
    text = "\n".join(line for line in ROLES.read_text().splitlines() if not line.startswith("--"))
    return [statement.replace(':"web"', "trace_web") for statement in text.split(";") if statement.strip()]


@pytest.fixture
def owners(postgresql_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application as the owner of a database of its own, in which the role has been given its rights."""
    server = sa.engine.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS roles WITH (FORCE)"))
        connection.execute(sa.text("CREATE DATABASE roles TEMPLATE template0 ENCODING 'UTF8'"))
        connection.execute(sa.text("CREATE ROLE trace_web"))
    url = server.set(database="roles").render_as_string(hide_password=False)
    app = app_for(settings_for(tmp_path, database_url=url))
    set_up(app)
    with app.app_context():
        with db.engine.begin() as connection:
            for statement in _statements():
                connection.execute(sa.text(statement))
        yield app
    let_go_of(app)
    with engine.connect() as connection:
        connection.execute(sa.text("DROP DATABASE roles WITH (FORCE)"))
        connection.execute(sa.text("DROP ROLE trace_web"))
    engine.dispose()


def test_the_script_names_the_tables_that_are_only_ever_added_to() -> None:
    whole, part = (statement for statement in _statements() if statement.strip().startswith("REVOKE"))
    named = [
        {name.strip(" ,\n") for name in text.split(" ON")[1].split("FROM")[0].split(",")} for text in (whole, part)
    ]
    changed_later = {one.table for one in APPEND_ONLY if one.fixed or one.once}
    assert named == [{one.table for one in APPEND_ONLY} - changed_later, changed_later]


def test_the_platform_works_under_the_role_and_evidence_is_out_of_its_reach(owners: Flask) -> None:
    settings = owners.config["SETTINGS"]
    url = sa.engine.make_url(settings.database_url).update_query_dict({"options": "-c role=trace_web"})
    webs = url.render_as_string(hide_password=False)
    web = app_for(settings.model_copy(update={"database_url": webs, "web_database_url": webs}))
    world = World(web)
    grower, officer = world.producer(), world.regulator()
    lot, code = world.labelled(grower)
    assert world.client().get(f"/{code}").status_code == 200
    assert world.client(officer).get(f"/batches/{lot}").status_code == 200
    number = world.recall(officer, lot)
    assert number in world.client().get(f"/{code}").text
    with web.app_context():
        for statement in (
            "UPDATE audit_events SET action = 'x'",
            "DELETE FROM records",
            "DELETE FROM shipments",
            "ALTER TABLE audit_events DISABLE TRIGGER USER",
            "TRUNCATE audit_events",
        ):
            with (
                pytest.raises(sa.exc.ProgrammingError, match="permission denied|must be owner"),
                db.engine.begin() as one,
            ):
                one.execute(sa.text(statement))
        told = "trace_web, the web workers' role, may not change what is only ever added"
        assert (doctor.State.RIGHT, told) in list(doctor._database())
    let_go_of(web)
    assert any(state is doctor.State.LOOK and "WEB_DATABASE_URL" in text for state, text in doctor._database())
    both = app_for(settings.model_copy(update={"web_database_url": settings.database_url}))
    with both.app_context():
        assert any(state is doctor.State.WRONG and "roles.sql" in text for state, text in doctor._database())
        db.engine.dispose()


def test_a_migration_that_waits_for_a_table_gives_up_and_leaves_all_as_it_was(owners: Flask) -> None:
    with db.engine.connect() as reader:
        reader.execute(sa.text("SELECT count(*) FROM batches"))
        with pytest.raises(SystemExit):
            flask_migrate.downgrade(revision="0050")
        reader.rollback()
        assert reader.scalar(sa.text("SELECT version_num FROM alembic_version")) != "0050"
    flask_migrate.downgrade(revision="0050")
    flask_migrate.upgrade()
