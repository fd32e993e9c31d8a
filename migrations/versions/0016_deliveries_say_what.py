"""Each delivery holds what it says, also where it tells of a finding"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_deliveries = sa.table(
    "deliveries", sa.column("id", sa.Integer), sa.column("finding_id", sa.Integer), sa.column("message", sa.JSON)
)
_findings = sa.table(
    "findings",
    sa.column("id", sa.Integer),
    sa.column("rule", sa.String),
    sa.column("facts", sa.JSON),
    sa.column("batch_id", sa.Integer),
)


def upgrade() -> None:
    connection = op.get_bind()
    with op.batch_alter_table("deliveries") as table:
        table.drop_constraint(op.f("ck_deliveries_one_content"), type_="check")
    query = sa.select(_deliveries.c.id, _findings.c.rule, _findings.c.facts, _findings.c.batch_id).join(
        _findings, _findings.c.id == _deliveries.c.finding_id
    )
    for row in connection.execute(query.where(_deliveries.c.message.is_(sa.null()))).all():
        # The words of rules stand in the application: what was told before is kept by the rule's name and facts.
        message = {
            "subject": f"[农产品追溯预警] {row.rule}",
            "lines": [json.dumps(row.facts, ensure_ascii=False)],
            "link": f"/batches/{row.batch_id}" if row.batch_id else "/certificates",
            "type": "finding",
            "facts": {"rule": row.rule, "facts": row.facts, "batch_id": row.batch_id},
        }
        connection.execute(sa.update(_deliveries).where(_deliveries.c.id == row.id).values(message=message))
    with op.batch_alter_table("deliveries") as table:
        table.alter_column("message", existing_type=sa.JSON(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("deliveries") as table:
        table.alter_column("message", existing_type=sa.JSON(none_as_null=True), nullable=True)
    op.get_bind().execute(sa.update(_deliveries).where(_deliveries.c.finding_id.is_not(None)).values(message=sa.null()))
    with op.batch_alter_table("deliveries") as table:
        table.create_check_constraint(op.f("ck_deliveries_one_content"), "(finding_id IS NULL) != (message IS NULL)")
