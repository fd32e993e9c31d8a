"""Runs have numbers of their own by key, documents share a run, counters in place of the largest number so far"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MAX_RUN = 4_194_303
LEVELS = "'batch', 'item', 'case', 'pallet'"
YEAR_OF_SHIPMENT = re.compile(r"(?:^|-)(\d{4})\d{4}-")
"""In both forms of a shipment's number: 12-20261125-003 and 20261125-7KQ2-M0XR-9T4V."""
YEAR_OF_CERTIFICATE = re.compile(r"^\d+-(\d{4})-")
CERTIFICATE_WITH_COUNTER = re.compile(r"^\d+-\d{4}-\d{5,}-(\d+)$")
OF_RECALL = re.compile(r"^(.*-[HM]?)(\d{4})-(\d+)$")

COUNTERS = sa.table("counters", *map(sa.column, ("name", "scope", "period", "value")))
ONCE_MORE = "a run with a number other than its row's, or of documents, has codes that the version before can't read"


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("scope", sa.String(40), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("value >= 0", name=op.f("ck_counters_value")),
        sa.PrimaryKeyConstraint("name", "scope", "period", name=op.f("pk_counters")),
    )
    _fill_counters()
    with op.batch_alter_table("organisations") as batch_op:
        batch_op.drop_column("next_sscc")

    op.add_column("label_runs", sa.Column("run_number", sa.Integer(), nullable=True))
    op.execute("UPDATE label_runs SET run_number = id")
    with op.batch_alter_table("label_runs") as batch_op:
        batch_op.alter_column("run_number", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("batch_id", existing_type=sa.Integer(), nullable=True)
        batch_op.drop_constraint(op.f("ck_label_runs_id"), type_="check")
        batch_op.drop_constraint(op.f("ck_label_runs_level"), type_="check")
        batch_op.alter_column("level", existing_type=sa.String(6), type_=sa.String(8), existing_nullable=False)
        batch_op.create_check_constraint(op.f("ck_label_runs_level"), f"level IN ({LEVELS}, 'document')")
        batch_op.create_check_constraint(op.f("ck_label_runs_run_number"), f"run_number BETWEEN 0 AND {MAX_RUN}")
        batch_op.create_check_constraint(op.f("ck_label_runs_lot"), "(level = 'document') = (batch_id IS NULL)")
        batch_op.create_unique_constraint(op.f("uq_label_runs_key_number_run_number"), ["key_number", "run_number"])

    op.add_column("commitment_certificates", sa.Column("index", sa.Integer(), nullable=True))
    op.execute('UPDATE commitment_certificates SET "index" = 0')
    with op.batch_alter_table("commitment_certificates") as batch_op:
        batch_op.alter_column("index", existing_type=sa.Integer(), nullable=False)
        batch_op.create_check_constraint(op.f("ck_commitment_certificates_index"), '"index" >= 0')
        batch_op.create_unique_constraint(op.f("uq_commitment_certificates_run_id_index"), ["run_id", "index"])
    op.create_table(
        "commitment_runs",
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_number", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_commitment_runs_producer_id")),
        sa.ForeignKeyConstraint(["key_number"], ["label_keys.number"], name=op.f("fk_commitment_runs_key_number")),
        sa.ForeignKeyConstraint(["run_id"], ["label_runs.id"], name=op.f("fk_commitment_runs_run_id")),
        sa.PrimaryKeyConstraint("producer_id", "year", "key_number", "part", name=op.f("pk_commitment_runs")),
        sa.UniqueConstraint("run_id", name=op.f("uq_commitment_runs_run_id")),
    )


def _fill_counters() -> None:
    """Counters go on behind what was given out.

    Of shipments and certificates all are counted: numbers that say nothing of a counter are among them where this runs
    a second time.
    """
    op.execute(
        "INSERT INTO counters (name, scope, period, value)"
        " SELECT 'label_run', CAST(key_number AS VARCHAR(40)), '', max(id) + 1 FROM label_runs GROUP BY key_number"
    )
    # A producer may have had another prefix before: what was given out under that counts as well.
    op.execute(
        "INSERT INTO counters (name, scope, period, value)"
        " SELECT 'sscc', stem, '', max(value) FROM ("
        "  SELECT '0' || gs1_prefix AS stem, next_sscc AS value FROM organisations WHERE gs1_prefix IS NOT NULL"
        "  UNION ALL SELECT sscc_stem, max(sscc_first + count) FROM label_runs WHERE sscc_stem IS NOT NULL"
        "  GROUP BY sscc_stem) given GROUP BY stem HAVING max(value) > 0"
    )
    _count("shipment", "SELECT sender_id, number FROM shipments", _by_year(YEAR_OF_SHIPMENT))
    _count(
        "certificate",
        "SELECT b.producer_id, c.number FROM commitment_certificates c JOIN batches b ON b.id = c.batch_id",
        _by_year(YEAR_OF_CERTIFICATE),
    )
    _count("recall", "SELECT id, number FROM recalls", _largest)


def _count(
    name: str, query: str, values: Callable[[Iterable[sa.Row[tuple[int, str]]]], dict[tuple[str, str], int]]
) -> None:
    rows = op.get_bind().execute(sa.text(query).execution_options(yield_per=10_000))
    if found := values(rows):
        op.bulk_insert(
            COUNTERS,
            [{"name": name, "scope": scope, "period": period, "value": n} for (scope, period), n in found.items()],
        )


def _by_year(year: re.Pattern[str]) -> Callable[[Iterable[sa.Row[tuple[int, str]]]], dict[tuple[str, str], int]]:
    def count(rows: Iterable[sa.Row[tuple[int, str]]]) -> dict[tuple[str, str], int]:
        largest: Counter[tuple[str, str]] = Counter()
        counted: Counter[tuple[str, str]] = Counter()
        for owner, number in rows:
            if found := year.search(number):
                key = str(owner), found[1]
                counted[key] += 1
                if plain := CERTIFICATE_WITH_COUNTER.match(number):
                    largest[key] = max(largest[key], int(plain[1]))
        return {key: max(counted[key], largest[key]) for key in counted}

    return count


def _largest(rows: Iterable[sa.Row[tuple[int, str]]]) -> dict[tuple[str, str], int]:
    largest: Counter[tuple[str, str]] = Counter()
    for _id, number in rows:
        if found := OF_RECALL.match(number):
            key = found[1], found[2]
            largest[key] = max(largest[key], int(found[3]))
    return largest


def downgrade() -> None:
    """Refuses where the version before would lose what printed codes stand for."""
    lost = "SELECT count(*) FROM label_runs WHERE run_number != id OR level = 'document'"
    if op.get_bind().execute(sa.text(lost)).scalar():
        raise RuntimeError(ONCE_MORE)
    op.drop_table("commitment_runs")
    with op.batch_alter_table("commitment_certificates") as batch_op:
        batch_op.drop_constraint(op.f("uq_commitment_certificates_run_id_index"), type_="unique")
        batch_op.drop_constraint(op.f("ck_commitment_certificates_index"), type_="check")
        batch_op.drop_column("index")
    with op.batch_alter_table("label_runs") as batch_op:
        batch_op.drop_constraint(op.f("uq_label_runs_key_number_run_number"), type_="unique")
        batch_op.drop_constraint(op.f("ck_label_runs_lot"), type_="check")
        batch_op.drop_constraint(op.f("ck_label_runs_run_number"), type_="check")
        batch_op.drop_constraint(op.f("ck_label_runs_level"), type_="check")
        batch_op.alter_column("level", existing_type=sa.String(8), type_=sa.String(6), existing_nullable=False)
        batch_op.create_check_constraint(op.f("ck_label_runs_level"), f"level IN ({LEVELS})")
        batch_op.create_check_constraint(op.f("ck_label_runs_id"), f"id <= {MAX_RUN}")
        batch_op.alter_column("batch_id", existing_type=sa.Integer(), nullable=False)
        batch_op.drop_column("run_number")
    with op.batch_alter_table("organisations") as batch_op:
        batch_op.add_column(sa.Column("next_sscc", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(
        "UPDATE organisations SET next_sscc = coalesce("
        "(SELECT value FROM counters WHERE name = 'sscc' AND scope = '0' || gs1_prefix AND period = ''), 0)"
    )
    op.drop_table("counters")
