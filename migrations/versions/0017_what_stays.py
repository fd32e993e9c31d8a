"""What is written down stays: rows that the database refuses to change, whom goods went to on the day, each time that a
lot came into a recall and went out, and the facts that a waiver was given for"""

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, forget, keep, let_go

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SENT_TO = {
    "consignee_name": sa.String(100),
    "consignee_phone": sa.String(30),
    "consignee_address": sa.String(200),
    "consignee_division_code": sa.String(9),
    "consignee_organisation_id": sa.Integer(),
}
"""The columns of shipments that say whom they went to, which stood in the address book before."""
REFERS_TO = {"consignee_division_code": "divisions.code", "consignee_organisation_id": "organisations.id"}
# Named here and not in the application, which goes on.
APPEND_ONLY = (
    AppendOnly("audit_events"),
    AppendOnly("batch_revisions"),
    AppendOnly("feedback_replies"),
    AppendOnly("recall_batches", fixed=("recall_id", "batch_id", "added_in"), once=("removed_in",)),
    AppendOnly("recall_exclusions"),
    AppendOnly("recall_notices"),
    AppendOnly("recall_reports"),
    AppendOnly("receipt_lines"),
    AppendOnly("receipts"),
    AppendOnly("record_batches"),
    AppendOnly("record_photos"),
    AppendOnly("record_series"),
    AppendOnly("records"),
    AppendOnly("shipments", fixed=("sender_id", "consignee_id", *SENT_TO)),
    AppendOnly("test_reports"),
    AppendOnly("test_results"),
    AppendOnly("voided_labels"),
    AppendOnly("waivers"),
)
HUNG_ON = (
    ("batch_revisions", {"batch_id": "batches"}),
    ("product_photos", {"product_id": "products", "photo_id": "photos"}),
    ("record_batches", {"record_id": "records"}),
    ("record_photos", {"record_id": "records", "photo_id": "photos"}),
    ("record_series", {"record_id": "records"}),
    ("test_results", {"report_id": "test_reports"}),
)
"""What was deleted with what it belongs to, by its foreign keys."""
STANDING = sa.text("removed_in IS NULL")


def upgrade() -> None:
    _say_whom_goods_went_to()
    _keep_each_membership()
    with op.batch_alter_table("waivers") as table:
        table.add_column(sa.Column("facts", sa.JSON(), nullable=True))
    op.execute("UPDATE waivers SET facts = (SELECT facts FROM findings WHERE findings.id = waivers.finding_id)")
    with op.batch_alter_table("waivers") as table:
        table.alter_column("facts", existing_type=sa.JSON(), nullable=False)
    _refer("RESTRICT")
    keep(op.get_bind(), APPEND_ONLY)


def downgrade() -> None:
    let_go(op.get_bind(), APPEND_ONLY)
    forget(op.get_bind())
    _refer("CASCADE")
    with op.batch_alter_table("waivers") as table:
        table.drop_column("facts")
    _keep_the_latest_membership()
    _leave_it_to_the_address_book()


def _say_whom_goods_went_to() -> None:
    with op.batch_alter_table("shipments") as table:
        for name, kind in SENT_TO.items():
            table.add_column(sa.Column(name, kind, nullable=True))
    op.execute(
        f"UPDATE shipments SET ({', '.join(SENT_TO)}) ="
        f" (SELECT {', '.join(name.removeprefix('consignee_') for name in SENT_TO)}"
        " FROM consignees WHERE consignees.id = shipments.consignee_id)"
    )
    with op.batch_alter_table("shipments") as table:
        for name in SENT_TO.keys() - REFERS_TO.keys():
            table.alter_column(name, existing_type=SENT_TO[name], nullable=False)
        for name, other in REFERS_TO.items():
            referred, column = other.split(".")
            table.create_foreign_key(op.f(f"fk_shipments_{name}"), referred, [name], [column])
    op.create_index(op.f("ix_shipments_consignee_organisation_id"), "shipments", ["consignee_organisation_id"])
    op.drop_index(op.f("ix_consignees_organisation_id"), table_name="consignees")
    with op.batch_alter_table("consignees") as table:
        table.drop_constraint(op.f("uq_consignees_sender_id_name"), type_="unique")
        table.create_unique_constraint(op.f("uq_consignees_sender_id_name_phone"), ["sender_id", "name", "phone"])


def _leave_it_to_the_address_book() -> None:
    # Of several of one name, all but the first have their telephone in it from now on.
    op.execute(
        "UPDATE consignees SET name = substr(name, 1, 60) || ' ' || phone || ' ' || id WHERE EXISTS (SELECT 1 FROM consignees"
        " AS first WHERE first.sender_id = consignees.sender_id AND first.name = consignees.name"
        " AND first.id < consignees.id)"
    )
    with op.batch_alter_table("consignees") as table:
        table.drop_constraint(op.f("uq_consignees_sender_id_name_phone"), type_="unique")
        table.create_unique_constraint(op.f("uq_consignees_sender_id_name"), ["sender_id", "name"])
    op.create_index(op.f("ix_consignees_organisation_id"), "consignees", ["organisation_id"])
    op.drop_index(op.f("ix_shipments_consignee_organisation_id"), table_name="shipments")
    with op.batch_alter_table("shipments") as table:
        for name in REFERS_TO:
            table.drop_constraint(op.f(f"fk_shipments_{name}"), type_="foreignkey")
        for name in SENT_TO:
            table.drop_column(name)


def _keep_each_membership() -> None:
    op.drop_index(op.f("ix_recall_batches_batch_id"), table_name="recall_batches")
    with op.batch_alter_table("recall_batches") as table:
        table.drop_constraint(op.f("pk_recall_batches"), type_="primary")
        table.create_primary_key(op.f("pk_recall_batches"), ["batch_id", "recall_id", "added_in"])
        table.create_check_constraint(op.f("ck_recall_batches_order"), "removed_in > added_in")
    op.create_index(
        op.f("uq_recall_batches_standing"),
        "recall_batches",
        ["recall_id", "batch_id"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
    with op.batch_alter_table("recall_exclusions") as table:
        table.add_column(sa.Column("left_out_in", sa.Integer(), nullable=True))
    # Of a lot that was never in, or is in again, it isn't known any more by which notice it was left out: the first.
    op.execute(
        "UPDATE recall_exclusions SET left_out_in = coalesce((SELECT removed_in FROM recall_batches"
        " WHERE recall_batches.recall_id = recall_exclusions.recall_id"
        " AND recall_batches.batch_id = recall_exclusions.batch_id), 1)"
    )
    with op.batch_alter_table("recall_exclusions") as table:
        table.alter_column("left_out_in", existing_type=sa.Integer(), nullable=False)
        table.drop_constraint(op.f("pk_recall_exclusions"), type_="primary")
        table.create_primary_key(op.f("pk_recall_exclusions"), ["recall_id", "batch_id", "left_out_in"])


def _keep_the_latest_membership() -> None:
    for name, column in (("recall_exclusions", "left_out_in"), ("recall_batches", "added_in")):
        op.execute(
            f"DELETE FROM {name} WHERE EXISTS (SELECT 1 FROM {name} AS later WHERE later.recall_id = {name}.recall_id"
            f" AND later.batch_id = {name}.batch_id AND later.{column} > {name}.{column})"
        )
    with op.batch_alter_table("recall_exclusions") as table:
        table.drop_constraint(op.f("pk_recall_exclusions"), type_="primary")
        table.create_primary_key(op.f("pk_recall_exclusions"), ["recall_id", "batch_id"])
        table.drop_column("left_out_in")
    op.drop_index(op.f("uq_recall_batches_standing"), table_name="recall_batches")
    with op.batch_alter_table("recall_batches") as table:
        table.drop_constraint(op.f("ck_recall_batches_order"), type_="check")
        table.drop_constraint(op.f("pk_recall_batches"), type_="primary")
        table.create_primary_key(op.f("pk_recall_batches"), ["recall_id", "batch_id"])
    op.create_index(op.f("ix_recall_batches_batch_id"), "recall_batches", ["batch_id", "recall_id"])


def _refer(ondelete: str) -> None:
    for name, keys in HUNG_ON:
        with op.batch_alter_table(name) as table:
            for column, other in keys.items():
                key = op.f(f"fk_{name}_{column}")
                table.drop_constraint(key, type_="foreignkey")
                table.create_foreign_key(key, other, [column], ["id"], ondelete=ondelete)
