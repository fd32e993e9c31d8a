"""Active ingredients are rows: of an input with their content, of a record as it names them"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go
from trace_app.db.constraints import drop_default, hold_types, let_types_go
from trace_app.inputs.ingredients import MOST, key_of, names_in

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

STAYS = (AppendOnly("record_ingredients"),)
INPUTS = sa.table("input_ingredients", *map(sa.column, ("product_id", "position", "name", "key", "content")))
RECORDS = sa.table("record_ingredients", *map(sa.column, ("record_id", "key", "name")))
AT_ONCE = 1000


def upgrade() -> None:
    op.create_table(
        "input_ingredients",
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("content", sa.String(60), nullable=False),
        sa.CheckConstraint("name != '' AND \"key\" != ''", name=op.f("ck_input_ingredients_named")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["input_products.id"], name=op.f("fk_input_ingredients_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "position", name=op.f("pk_input_ingredients")),
    )
    op.create_index("ix_input_ingredients_key", "input_ingredients", ["key"])
    op.create_table(
        "record_ingredients",
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.CheckConstraint("name != '' AND \"key\" != ''", name=op.f("ck_record_ingredients_named")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_record_ingredients_record_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("record_id", "key", name=op.f("pk_record_ingredients")),
    )
    op.create_index("ix_record_ingredients_key", "record_ingredients", ["key"])
    connection = op.get_bind()
    _fill_inputs(connection)
    _fill_records(connection)
    let_types_go(connection, "input_products")
    op.drop_column("input_products", "ingredients")
    for table in ("input_products", "input_ingredients", "record_ingredients"):
        hold_types(connection, table)
    keep(connection, STAYS)


def _fill_inputs(connection: sa.Connection) -> None:
    rows = []
    for product_id, kept in connection.execute(sa.text("SELECT id, ingredients FROM input_products")):
        named = [
            one for one in (json.loads(kept) if isinstance(kept, str) else kept or []) if one.get("name", "").strip()
        ]
        for position, one in enumerate(named):
            name = one["name"].strip()[:MOST]
            rows.append(
                {
                    "product_id": product_id,
                    "position": position,
                    "name": name,
                    "key": key_of(name) or name,
                    "content": (one.get("content") or "")[:MOST],
                }
            )
    if rows:
        connection.execute(sa.insert(INPUTS), rows)


def _fill_records(connection: sa.Connection) -> None:
    drugs = "type IN ('pesticide', 'veterinary') AND (active_ingredient IS NOT NULL OR product_name IS NOT NULL)"
    query = sa.text(
        f"SELECT id, active_ingredient, product_name FROM records WHERE {drugs} AND id > :last ORDER BY id LIMIT {AT_ONCE}"
    )
    last = 0
    while found := connection.execute(query, {"last": last}).all():
        rows = {}
        for row in found:
            for name in names_in(row.active_ingredient or row.product_name):
                if key := key_of(name):
                    rows[row.id, key] = {"record_id": row.id, "key": key, "name": name}
        if rows:
            connection.execute(sa.insert(RECORDS), list(rows.values()))
        last = found[-1].id


def downgrade() -> None:
    connection = op.get_bind()
    let_go(connection, STAYS)
    let_types_go(connection, "input_products")
    op.add_column("input_products", sa.Column("ingredients", sa.JSON(), server_default="[]", nullable=False))
    drop_default(connection, "input_products", "ingredients")
    hold_types(connection, "input_products")
    kept: dict[int, list[dict[str, str]]] = {}
    for row in connection.execute(sa.select(INPUTS).order_by(INPUTS.c.product_id, INPUTS.c.position)):
        kept.setdefault(row.product_id, []).append({"name": row.name, "content": row.content})
    products = sa.table("input_products", sa.column("id"), sa.column("ingredients", sa.JSON()))
    for product_id, named in kept.items():
        connection.execute(products.update().where(products.c.id == product_id).values(ingredients=named))
    op.drop_table("record_ingredients")
    op.drop_table("input_ingredients")
