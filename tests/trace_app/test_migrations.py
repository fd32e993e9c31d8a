"""One history, up and down, on both databases."""

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from tests.conftest import app_for, settings_for
from trace_app.extensions import db


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path) -> Flask:
    """An application on a database with nothing in it."""
    url = ""
    if request.param == "postgresql":
        server = sa.engine.make_url(request.getfixturevalue("postgresql_url")).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("DROP DATABASE IF EXISTS bare WITH (FORCE)"))
            connection.execute(sa.text("CREATE DATABASE bare TEMPLATE template0 ENCODING 'UTF8'"))
        engine.dispose()
        url = server.set(database="bare").render_as_string(hide_password=False)
    return app_for(settings_for(tmp_path, database_url=url))


def _tables() -> set[str]:
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade()
        first = _tables()
        assert first == set(db.metadata.tables)
        flask_migrate.downgrade(revision="base")
        assert _tables() == set()
        flask_migrate.upgrade()
        assert _tables() == first
        db.engine.dispose()


def test_the_history_gives_what_the_models_say(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
        db.engine.dispose()


def test_the_database_itself_holds_the_rules(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade()
        checks = {check["name"] for table in _tables() for check in sa.inspect(db.engine).get_check_constraints(table)}
        assert {"ck_batches_quantity", "ck_organisations_producer_has_credit_code", "ck_recalls_level"} <= checks
        db.engine.dispose()
