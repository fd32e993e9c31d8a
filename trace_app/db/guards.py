"""What the database holds of a row by looking at others: triggers, where neither a CHECK nor a key can say it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Guard:
    """A wrong row that the database refuses.

    :ivar wrong: the condition, in SQL of both databases, that ``NEW`` is one.
    :ivar updates: the columns whose change is looked at.
    :ivar inserts: whether a new row is looked at, too.
    """

    name: str
    table: str
    wrong: str
    updates: tuple[str, ...] = ()
    inserts: bool = True


def _owner(table: str, column: str, key: str) -> str:
    return f"(SELECT {column} FROM {table} WHERE id = NEW.{key})"  # noqa: S608


def _run(column: str, key: str = "run_id") -> str:
    return f"(SELECT {column} FROM label_runs WHERE id = NEW.{key})"  # noqa: S608


_SIZE = "CASE level WHEN 'item' THEN 1 WHEN 'case' THEN 2 WHEN 'pallet' THEN 3 END"
_RECORD = _owner("records", "producer_id", "record_id")
_TEXTS = "{texts}"
"""Stands for the function that gives the texts of a JSON array as rows ``u (value)``."""

GUARDS = (
    Guard(
        "unit_of_kind",
        "batches",
        "NOT EXISTS (SELECT 1 FROM products p JOIN product_kinds k ON k.code = p.kind_code"  # noqa: S608
        f" CROSS JOIN {_TEXTS} WHERE p.id = NEW.product_id AND u.value = NEW.unit)",
        ("unit", "product_id"),
    ),
    Guard(
        "still_offered",
        "batches",
        f"{_owner('products', 'retired_at', 'product_id')} IS NOT NULL"
        f" OR {_owner('sites', 'retired_at', 'site_id')} IS NOT NULL",
    ),
    Guard(
        "no_way_back",
        "batches",
        "(OLD.status != 'draft' AND NEW.status = 'draft') OR (OLD.status = 'closed' AND NEW.status != 'closed')",
        ("status",),
        inserts=False,
    ),
    Guard(
        "stock_of_record",
        "records",
        "NEW.stock_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM stock_lots s JOIN input_products p"
        " ON p.id = s.product_id WHERE s.id = NEW.stock_id AND s.lot_number = NEW.input_lot"
        " AND p.name = NEW.product_name)",
    ),
    Guard(
        "nobody_relies",
        "record_withdrawals",
        "EXISTS (SELECT 1 FROM records r JOIN batches b ON b.id = r.batch_id OR b.id IN (SELECT m.batch_id FROM"
        " record_batches m WHERE m.record_id = r.id) OR (b.site_id = r.site_id AND b.started_on <= r.season_until"
        " AND (b.produced_on IS NULL OR b.produced_on >= r.happened_on) AND r.kind_code ="
        " (SELECT p.kind_code FROM products p WHERE p.id = b.product_id))"
        " WHERE r.id = NEW.record_id AND b.status != 'draft')"
        " OR EXISTS (SELECT 1 FROM records WHERE replaces_id = NEW.record_id)",
    ),
    Guard(
        "none_of_withdrawn",
        "records",
        "EXISTS (SELECT 1 FROM record_withdrawals WHERE record_id = NEW.replaces_id)",
    ),
    Guard("own_lot", "record_batches", f"{_RECORD} != {_owner('batches', 'producer_id', 'batch_id')}"),
    Guard("own_clip", "record_clips", f"{_RECORD} != {_owner('clips', 'organisation_id', 'clip_id')}"),
    Guard("own_photo", "record_photos", f"{_RECORD} != {_owner('photos', 'organisation_id', 'photo_id')}"),
    Guard(
        "own_picture",
        "product_photos",
        f"{_owner('products', 'producer_id', 'product_id')} != {_owner('photos', 'organisation_id', 'photo_id')}",
    ),
    Guard("label_of_run", "shipped_codes", f'NEW."index" >= {_run("count")}'),
    Guard("void_of_run", "voided_labels", f"NEW.last >= {_run('count')}"),
    Guard(
        "larger_outside",
        "packings",
        f'{_run(_SIZE)} >= {_run(_SIZE, "container_run_id")} OR NEW."index" >= {_run("count")}'
        f" OR NEW.container_index >= {_run('count', 'container_run_id')}"
        f" OR {_run('batch_id')} != {_run('batch_id', 'container_run_id')}",
        ("run_id", "index", "container_run_id", "container_index"),
    ),
    Guard(
        "second_officer",
        "recall_notices",
        f"NEW.type = 'approve' AND NEW.issued_by_id = {_owner('recalls', 'issued_by_id', 'recall_id')}",
    ),
)
"""All of them, as the latest migration leaves them. One that is to say something else gets another name."""


def named(*names: str) -> list[Guard]:
    """Some of them, for the migration that brings them."""
    found = {one.name: one for one in GUARDS}
    return [found[name] for name in names]


def guard(connection: sa.Connection, guards: Iterable[Guard]) -> None:
    """Have the database refuse these rows from now on."""
    postgresql = connection.dialect.name == "postgresql"
    for one in guards:
        refusal = f"{one.table}: refused by {one.name}"
        if postgresql:
            wrong = one.wrong.replace(_TEXTS, "json_array_elements_text(k.units) u (value)")
            connection.exec_driver_sql(
                f"CREATE FUNCTION guard_{one.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {wrong} THEN"
                f" RAISE EXCEPTION '{refusal}' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$"
            )
        wrong = one.wrong.replace(_TEXTS, "json_each(k.units) u")
        for event, columns in _events(one).items():
            head = f"CREATE TRIGGER {_trigger(one, event)} BEFORE {columns} ON {one.table} FOR EACH ROW"
            body = f"WHEN {wrong} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            if postgresql:
                body = f"EXECUTE FUNCTION guard_{one.name}()"
            connection.exec_driver_sql(f"{head} {body}")


def unguard(connection: sa.Connection, guards: Iterable[Guard]) -> None:
    """Take back what `guard` did."""
    for one in guards:
        for event in _events(one):
            on = f" ON {one.table}" if connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TRIGGER {_trigger(one, event)}{on}")
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"DROP FUNCTION guard_{one.name}()")


def triggers() -> set[str]:
    """The names of their triggers."""
    return {_trigger(one, event) for one in GUARDS for event in _events(one)}


def _events(one: Guard) -> dict[str, str]:
    columns = ", ".join(f'"{column}"' for column in one.updates)
    return ({"insert": "INSERT"} if one.inserts else {}) | ({"update": f"UPDATE OF {columns}"} if columns else {})


def _trigger(one: Guard, event: str) -> str:
    return f"guard_{one.name}_{event}"
