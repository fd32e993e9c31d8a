"""Alembic's environment: the application's database and models."""

from __future__ import annotations

from alembic import context
from flask import current_app

from trace_app.extensions import db

with db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
