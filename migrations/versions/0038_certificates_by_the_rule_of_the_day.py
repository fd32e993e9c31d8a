"""Commitment certificates keep the sample of their day, and who issued them; one for each production batch"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go
from trace_app.db.base import UtcDateTime

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

STAYS = (
    AppendOnly("collected_commitments"),
    AppendOnly("reference_checks"),
    AppendOnly(
        "commitment_certificates",
        fixed=(
            "number", "batch_id", "issuer_id", "per_batch", "quantity", "unit", "consignee", "bases", "issued_on", "sample",
            "facts",
        ),
        once=("withdrawn_at",),
    ),
)  # fmt: skip
SUGGESTIONS = (
    AppendOnly(
        "suggestions",
        fixed=("organisation_id", "catalogue", "content", "basis", "document_id", "created_at", "created_by_id"),
        once=("accepted", "answer", "answered_at", "answered_by_id"),
    ),
)
CATALOGUES = ("inputs", "kinds", "prohibited", "limits", "gi_areas", "holidays")
NEW = "commitment_rules"
SUGGESTED = "a county suggested a change of the certificate rules, which the version before can't say"
CERTIFICATES = sa.table(
    "commitment_certificates",
    sa.column("batch_id", sa.Integer()),
    sa.column("issuer_id", sa.Integer()),
    sa.column("per_batch", sa.Boolean()),
    sa.column("sample", sa.JSON()),
)
BATCHES = sa.table("batches", sa.column("id", sa.Integer()), sa.column("producer_id", sa.Integer()))
WHOLE_LOT = "per_batch AND withdrawn_at IS NULL"
BEFORE = {
    "sample": "producer",
    "valid_from": "2021-01-01",
    "opening": {
        "zh": "我承诺对生产销售的食用农产品：",
        "en": "Of the edible farm products that I produce and sell, I commit that:",
    },
    "promises": [
        {
            "zh": "不使用禁用农药兽药、停用兽药和非法添加物",
            "en": "no prohibited pesticides or veterinary drugs, discontinued veterinary drugs or illegal additives are used",
        },
        {
            "zh": "常规农药兽药残留不超标",
            "en": "residues of conventional pesticides and veterinary drugs are within limits",
        },
        {"zh": "对承诺的真实性负责", "en": "I answer for the truth of this commitment"},
    ],
    "bases": {
        "commissioned_test": {"zh": "委托检测", "en": "Commissioned test"},
        "own_test": {"zh": "自我检测", "en": "Own test"},
        "own_control": {"zh": "内部质量控制", "en": "Internal quality control"},
        "own_word": {"zh": "自我承诺", "en": "Own commitment"},
    },
    "subject_word": "生产者",
    "code_words": "扫码查看生产记录",
    "label_words": "",
    "per_batch": [],
    "source": "农业农村部2021年承诺达标合格证基本样式",
}
"""The sample that all certificates of before were printed with, whatever their day."""


def upgrade() -> None:
    op.create_table(
        "commitment_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sample", sa.String(10), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("opening", sa.String(60), nullable=False),
        sa.Column("opening_en", sa.String(120), nullable=False),
        sa.Column("promises", sa.String(300), nullable=False),
        sa.Column("promises_en", sa.String(500), nullable=False),
        sa.Column("own_control", sa.String(30), nullable=False),
        sa.Column("own_control_en", sa.String(60), nullable=False),
        sa.Column("own_test", sa.String(30), nullable=False),
        sa.Column("own_test_en", sa.String(60), nullable=False),
        sa.Column("commissioned_test", sa.String(30), nullable=False),
        sa.Column("commissioned_test_en", sa.String(60), nullable=False),
        sa.Column("own_word", sa.String(30), nullable=False),
        sa.Column("own_word_en", sa.String(60), nullable=False),
        sa.Column("subject_word", sa.String(20), nullable=False),
        sa.Column("code_words", sa.String(30), nullable=False),
        sa.Column("label_words", sa.String(20), nullable=False),
        sa.Column("per_batch", sa.String(60), nullable=False),
        sa.Column("source", sa.String(120), nullable=False),
        sa.Column("confidence", sa.String(60), nullable=False),
        sa.CheckConstraint("sample IN ('producer', 'buyer')", name=op.f("ck_commitment_rules_sample")),
        sa.CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", name=op.f("ck_commitment_rules_valid")),
        sa.CheckConstraint("opening != '' AND promises != '' AND source != ''", name=op.f("ck_commitment_rules_words")),
        sa.CheckConstraint(
            "own_control != '' OR own_test != '' OR commissioned_test != '' OR own_word != ''",
            name=op.f("ck_commitment_rules_bases"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment_rules")),
        sa.UniqueConstraint("sample", "valid_from", name=op.f("uq_commitment_rules_sample_valid_from")),
    )
    op.create_table(
        "reference_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("table_name", sa.String(30), nullable=False),
        sa.Column("replaced", sa.Boolean(), nullable=False),
        sa.Column("against", sa.String(8), nullable=True),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("note", sa.String(300), nullable=False),
        sa.Column("authority_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("against IN ('original', 'summary')", name=op.f("ck_reference_checks_against")),
        sa.CheckConstraint(
            "replaced OR (against IS NOT NULL AND source != '')", name=op.f("ck_reference_checks_checked")
        ),
        sa.ForeignKeyConstraint(["authority_id"], ["organisations.id"], name=op.f("fk_reference_checks_authority_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_reference_checks_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_checks")),
    )
    op.create_index("ix_reference_checks_table_name", "reference_checks", ["table_name", "id"])
    _keep_samples()
    op.create_table(
        "collected_commitments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("commitment_id", sa.Integer(), nullable=True),
        sa.Column("number", sa.String(60), nullable=False),
        sa.Column("issuer", sa.String(100), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("photo_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("number != '' AND issuer != ''", name=op.f("ck_collected_commitments_named")),
        sa.CheckConstraint(
            "(commitment_id IS NULL) = (photo_id IS NOT NULL)", name=op.f("ck_collected_commitments_seen")
        ),
        sa.ForeignKeyConstraint(["line_id"], ["shipment_lines.id"], name=op.f("fk_collected_commitments_line_id")),
        sa.ForeignKeyConstraint(
            ["commitment_id"], ["commitment_certificates.id"], name=op.f("fk_collected_commitments_commitment_id")
        ),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_collected_commitments_photo_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_collected_commitments_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collected_commitments")),
        sa.UniqueConstraint("line_id", "number", name=op.f("uq_collected_commitments_line_id_number")),
    )
    op.create_index("ix_collected_commitments_commitment_id", "collected_commitments", ["commitment_id"])
    keep(op.get_bind(), STAYS)
    _suggest((*CATALOGUES, NEW), 10, len(NEW))
    with op.batch_alter_table("print_jobs") as batch_op:
        batch_op.add_column(sa.Column("as_certificate", sa.Boolean(), server_default=sa.false(), nullable=False))


def _keep_samples() -> None:
    """Certificates of before say what they said, whatever the day: it is what is on paper. Each is its producer's."""
    with op.batch_alter_table("commitment_certificates") as batch_op:
        batch_op.add_column(sa.Column("issuer_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("per_batch", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("sample", sa.JSON(), nullable=True))
    producer = sa.select(BATCHES.c.producer_id).where(BATCHES.c.id == CERTIFICATES.c.batch_id).scalar_subquery()
    op.execute(CERTIFICATES.update().values(issuer_id=producer, per_batch=False, sample=BEFORE))
    with op.batch_alter_table("commitment_certificates") as batch_op:
        for column, of_type in (("issuer_id", sa.Integer()), ("per_batch", sa.Boolean()), ("sample", sa.JSON())):
            batch_op.alter_column(column, existing_type=of_type, nullable=False)
        batch_op.create_foreign_key(
            op.f("fk_commitment_certificates_issuer_id"), "organisations", ["issuer_id"], ["id"]
        )
    op.create_index(
        "uq_commitment_certificates_whole_lot",
        "commitment_certificates",
        ["batch_id", "issuer_id"],
        unique=True,
        sqlite_where=sa.text(WHOLE_LOT),
        postgresql_where=sa.text(WHOLE_LOT),
    )


def _suggest(catalogues: tuple[str, ...], length: int, wanted: int) -> None:
    """Have suggestions be of these catalogues."""
    let_go(op.get_bind(), SUGGESTIONS)
    with op.batch_alter_table("suggestions") as batch_op:
        batch_op.drop_constraint(op.f("ck_suggestions_catalogue"), type_="check")
        batch_op.alter_column(
            "catalogue", existing_type=sa.String(length), type_=sa.String(wanted), existing_nullable=False
        )
        names = ", ".join(f"'{name}'" for name in catalogues)
        batch_op.create_check_constraint(op.f("ck_suggestions_catalogue"), f"catalogue IN ({names})")
    keep(op.get_bind(), SUGGESTIONS)


def downgrade() -> None:
    """Refuses where a county suggested a change of what the version before doesn't have."""
    query = sa.text("SELECT count(*) FROM suggestions WHERE catalogue = :new")
    if op.get_bind().execute(query, {"new": NEW}).scalar():
        raise RuntimeError(SUGGESTED)
    _suggest(CATALOGUES, len(NEW), 10)
    with op.batch_alter_table("print_jobs") as batch_op:
        batch_op.drop_column("as_certificate")
    let_go(op.get_bind(), STAYS)
    op.drop_table("collected_commitments")
    op.drop_index("uq_commitment_certificates_whole_lot", "commitment_certificates")
    with op.batch_alter_table("commitment_certificates") as batch_op:
        batch_op.drop_constraint(op.f("fk_commitment_certificates_issuer_id"), type_="foreignkey")
        for column in ("sample", "per_batch", "issuer_id"):
            batch_op.drop_column(column)
    op.drop_table("reference_checks")
    op.drop_table("commitment_rules")
