"""Records of sites and several lots, inputs and stock, findings, tests and certificates"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TYPES = "'pesticide', 'fertiliser', 'feed', 'veterinary', 'ingredient', 'stage', 'care', 'video'"


def upgrade() -> None:
    op.create_table(
        "prohibited_substances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("input_type", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("cas", sa.String(length=12), nullable=False),
        sa.Column("scope", sa.String(length=100), nullable=False),
        sa.Column("except_method", sa.String(length=30), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("notice", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prohibited_substances")),
        sa.UniqueConstraint(
            "input_type",
            "name",
            "scope",
            "effective_from",
            name=op.f("uq_prohibited_substances_input_type_name_scope_effective_from"),
        ),
    )
    op.create_table(
        "gi_areas",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind_code", sa.String(length=30), nullable=False),
        sa.Column("division_code", sa.String(length=9), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["kind_code"], ["product_kinds.code"], name=op.f("fk_gi_areas_kind_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gi_areas")),
        sa.UniqueConstraint(
            "kind_code", "division_code", "valid_from", name=op.f("uq_gi_areas_kind_code_division_code_valid_from")
        ),
    )
    op.create_table(
        "limits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind_code", sa.String(length=30), nullable=False),
        sa.Column("analyte", sa.String(length=60), nullable=False),
        sa.Column("analyte_en", sa.String(length=80), nullable=False),
        sa.Column("op", sa.String(length=12), nullable=False),
        sa.Column("value", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("standard", sa.String(length=80), nullable=False),
        sa.Column("confidence", sa.String(length=10), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.CheckConstraint("(op = 'not_detected') = (value IS NULL)", name=op.f("ck_limits_value")),
        sa.CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", name=op.f("ck_limits_valid")),
        sa.ForeignKeyConstraint(["kind_code"], ["product_kinds.code"], name=op.f("fk_limits_kind_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limits")),
        sa.UniqueConstraint("kind_code", "analyte", "valid_from", name=op.f("uq_limits_kind_code_analyte_valid_from")),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column(
            "type", sa.Enum("email", "webhook", name="type", native_enum=False, create_constraint=True), nullable=False
        ),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column(
            "least_severity",
            sa.Enum("block", "warn", "info", name="least_severity", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_channels_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    with op.batch_alter_table("channels", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_channels_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "input_products",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "pesticide",
                "fertiliser",
                "veterinary",
                "feed",
                "ingredient",
                name="type",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("registration_number", sa.String(length=40), nullable=False),
        sa.Column("maker", sa.String(length=80), nullable=False),
        sa.Column("ingredients", sa.JSON(), nullable=False),
        sa.Column("nutrients", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["organisations.id"], name=op.f("fk_input_products_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_input_products")),
        sa.UniqueConstraint(
            "owner_id",
            "type",
            "name",
            "registration_number",
            name=op.f("uq_input_products_owner_id_type_name_registration_number"),
        ),
    )
    with op.batch_alter_table("input_products", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_input_products_name"), ["name"], unique=False)

    op.create_table(
        "documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("file_name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_documents_created_by_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_documents_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("name", name=op.f("uq_documents_name")),
    )
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_documents_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "input_label_uses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("kind_code", sa.String(length=30), nullable=True),
        sa.Column("interval_days", sa.Integer(), nullable=True),
        sa.Column("dose_min", sa.Numeric(precision=12, scale=3), nullable=True),
        sa.Column("dose_max", sa.Numeric(precision=12, scale=3), nullable=True),
        sa.Column("dose_unit", sa.String(length=20), nullable=True),
        sa.Column("max_applications", sa.Integer(), nullable=True),
        sa.CheckConstraint("dose_min <= dose_max", name=op.f("ck_input_label_uses_dose")),
        sa.CheckConstraint("interval_days >= 0", name=op.f("ck_input_label_uses_interval_days")),
        sa.CheckConstraint("max_applications > 0", name=op.f("ck_input_label_uses_max_applications")),
        sa.ForeignKeyConstraint(["kind_code"], ["product_kinds.code"], name=op.f("fk_input_label_uses_kind_code")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["input_products.id"], name=op.f("fk_input_label_uses_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_input_label_uses")),
        sa.UniqueConstraint("product_id", "kind_code", name=op.f("uq_input_label_uses_product_id_kind_code")),
    )
    op.create_table(
        "stock_lots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("lot_number", sa.String(length=40), nullable=False),
        sa.Column("supplier", sa.String(length=80), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=12, scale=3), nullable=False),
        sa.Column("unit", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_stock_lots_quantity")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_stock_lots_created_by_id")),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_stock_lots_producer_id")),
        sa.ForeignKeyConstraint(["product_id"], ["input_products.id"], name=op.f("fk_stock_lots_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_lots")),
        sa.UniqueConstraint(
            "producer_id", "product_id", "lot_number", name=op.f("uq_stock_lots_producer_id_product_id_lot_number")
        ),
    )
    with op.batch_alter_table("stock_lots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stock_lots_lot_number"), ["lot_number"], unique=False)
        batch_op.create_index(batch_op.f("ix_stock_lots_product_id"), ["product_id"], unique=False)

    op.create_table(
        "certificates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column(
            "type",
            sa.Enum(
                "green_food",
                "organic",
                "gi",
                "famous",
                "gap",
                "haccp",
                "iso22000",
                "food_licence",
                "other",
                name="type",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("issuer", sa.String(length=100), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_on", sa.Date(), nullable=True),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("valid_until >= valid_from", name=op.f("ck_certificates_valid")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_certificates_created_by_id")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_certificates_document_id")),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_certificates_producer_id")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_certificates_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("producer_id", "type", "number", name=op.f("uq_certificates_producer_id_type_number")),
    )
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificates_checked_on"), ["checked_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificates_valid_until"), ["valid_until"], unique=False)

    op.create_table(
        "stock_outs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stock_id", sa.Integer(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=12, scale=3), nullable=False),
        sa.Column(
            "reason",
            sa.Enum("returned", "disposed", "lost", name="reason", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_stock_outs_quantity")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_stock_outs_created_by_id")),
        sa.ForeignKeyConstraint(["stock_id"], ["stock_lots.id"], name=op.f("fk_stock_outs_stock_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_outs")),
    )
    with op.batch_alter_table("stock_outs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stock_outs_stock_id"), ["stock_id"], unique=False)

    op.create_table(
        "test_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "subject",
            sa.Enum("product", "soil", "water", name="subject", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("report_number", sa.String(length=60), nullable=False),
        sa.Column("laboratory", sa.String(length=100), nullable=False),
        sa.Column("cma_number", sa.String(length=20), nullable=False),
        sa.Column("sample", sa.String(length=100), nullable=False),
        sa.Column("sampled_on", sa.Date(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum("pass", "fail", "open", name="verdict", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("replaces_id", sa.Integer(), nullable=True),
        sa.Column("correction_reason", sa.String(length=300), nullable=False),
        sa.Column("entered_by_id", sa.Integer(), nullable=False),
        sa.Column("entered_for_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(batch_id IS NULL) = (site_id IS NOT NULL)", name=op.f("ck_test_reports_place")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_test_reports_batch_id")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_test_reports_document_id")),
        sa.ForeignKeyConstraint(["entered_by_id"], ["users.id"], name=op.f("fk_test_reports_entered_by_id")),
        sa.ForeignKeyConstraint(["entered_for_id"], ["organisations.id"], name=op.f("fk_test_reports_entered_for_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["test_reports.id"], name=op.f("fk_test_reports_replaces_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_test_reports_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_reports")),
        sa.UniqueConstraint("replaces_id", name=op.f("uq_test_reports_replaces_id")),
    )
    with op.batch_alter_table("test_reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_test_reports_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_test_reports_entered_for_id"), ["entered_for_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_test_reports_site_id"), ["site_id"], unique=False)

    op.create_table(
        "commitment_certificates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.Column("unit", sa.String(length=10), nullable=False),
        sa.Column("consignee", sa.String(length=100), nullable=False),
        sa.Column("bases", sa.JSON(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_commitment_certificates_quantity")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_commitment_certificates_batch_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_commitment_certificates_created_by_id")),
        sa.ForeignKeyConstraint(["run_id"], ["label_runs.id"], name=op.f("fk_commitment_certificates_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment_certificates")),
        sa.UniqueConstraint("number", name=op.f("uq_commitment_certificates_number")),
    )
    with op.batch_alter_table("commitment_certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_commitment_certificates_batch_id"), ["batch_id"], unique=False)

    op.create_table(
        "findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column(
            "severity",
            sa.Enum("block", "warn", "info", name="severity", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("record_ids", sa.JSON(), nullable=False),
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("division_code", sa.String(length=9), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("certificate_id", sa.Integer(), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_by_id", sa.Integer(), nullable=True),
        sa.Column("handled_note", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_findings_batch_id")),
        sa.ForeignKeyConstraint(["certificate_id"], ["certificates.id"], name=op.f("fk_findings_certificate_id")),
        sa.ForeignKeyConstraint(["division_code"], ["divisions.code"], name=op.f("fk_findings_division_code")),
        sa.ForeignKeyConstraint(["handled_by_id"], ["users.id"], name=op.f("fk_findings_handled_by_id")),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_findings_producer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.create_index("ix_findings_division_code_found_at", ["division_code", "found_at"], unique=False)
        batch_op.create_index("ix_findings_producer_id_found_at", ["producer_id", "found_at"], unique=False)
        batch_op.create_index(
            "uq_findings_standing",
            ["batch_id", "rule", "key"],
            unique=True,
            sqlite_where=sa.text("gone_at IS NULL"),
            postgresql_where=sa.text("gone_at IS NULL"),
        )

    op.create_table(
        "record_batches",
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_record_batches_batch_id")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_record_batches_record_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record_id", "batch_id", name=op.f("pk_record_batches")),
    )
    with op.batch_alter_table("record_batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_record_batches_batch_id"), ["batch_id"], unique=False)

    op.create_table(
        "record_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.String(length=20), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("least", sa.Double(), nullable=False),
        sa.Column("most", sa.Double(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_record_series_document_id")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_record_series_record_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_series")),
    )
    with op.batch_alter_table("record_series", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_record_series_record_id"), ["record_id"], unique=False)

    op.create_table(
        "test_results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("analyte", sa.String(length=60), nullable=False),
        sa.Column("analyte_en", sa.String(length=80), nullable=False),
        sa.Column("method", sa.String(length=60), nullable=False),
        sa.Column("detected", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("limit_op", sa.String(length=12), nullable=False),
        sa.Column("limit_value", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("limit_unit", sa.String(length=20), nullable=False),
        sa.Column("limit_standard", sa.String(length=80), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum("pass", "fail", "open", name="verdict", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["test_reports.id"], name=op.f("fk_test_results_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_results")),
    )
    with op.batch_alter_table("test_results", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_test_results_report_id"), ["report_id"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("finding_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("waiting", "sent", "failed", name="status", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f("fk_deliveries_channel_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name=op.f("fk_deliveries_finding_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("finding_id", "channel_id", name=op.f("uq_deliveries_finding_id_channel_id")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deliveries_channel_id"), ["channel_id"], unique=False)
        batch_op.create_index("ix_deliveries_status_due_at", ["status", "due_at"], unique=False)

    op.create_table(
        "waivers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("finding_id", sa.Integer(), nullable=False),
        sa.Column("authority_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["organisations.id"], name=op.f("fk_waivers_authority_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_waivers_created_by_id")),
        sa.ForeignKeyConstraint(["finding_id"], ["findings.id"], name=op.f("fk_waivers_finding_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waivers")),
        sa.UniqueConstraint("finding_id", name=op.f("uq_waivers_finding_id")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.add_column(sa.Column("checked_on", sa.Date(), nullable=True))
        batch_op.create_index(batch_op.f("ix_batches_checked_on"), ["checked_on"], unique=False)

    with op.batch_alter_table("product_kinds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rules", sa.JSON(), nullable=False, server_default="{}"))

    with op.batch_alter_table("product_stages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rules", sa.JSON(), nullable=False, server_default="{}"))

    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_records_type"), type_="check")
        batch_op.add_column(sa.Column("producer_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("kind_code", sa.String(length=30), nullable=True))
        batch_op.add_column(sa.Column("site_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("season_until", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("stock_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("entry_key", sa.String(length=40), nullable=True))
        batch_op.alter_column("batch_id", existing_type=sa.Integer(), nullable=True)
    op.execute(
        "UPDATE records SET producer_id = b.producer_id, kind_code = p.kind_code FROM batches b"
        " JOIN products p ON p.id = b.product_id WHERE b.id = records.batch_id"
    )
    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.alter_column("producer_id", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("kind_code", existing_type=sa.String(length=30), nullable=False)
        batch_op.create_check_constraint(op.f("ck_records_type"), f"type IN ({TYPES}, 'disease')")
        batch_op.create_check_constraint(
            op.f("ck_records_scope"),
            "(batch_id IS NULL) = (site_id IS NOT NULL) AND (site_id IS NULL) = (season_until IS NULL)",
        )
        batch_op.create_index("ix_records_site_id_happened_on", ["site_id", "happened_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_records_stock_id"), ["stock_id"], unique=False)
        batch_op.create_unique_constraint(batch_op.f("uq_records_producer_id_entry_key"), ["producer_id", "entry_key"])
        batch_op.create_foreign_key(batch_op.f("fk_records_producer_id"), "organisations", ["producer_id"], ["id"])
        batch_op.create_foreign_key(batch_op.f("fk_records_site_id"), "sites", ["site_id"], ["id"])
        batch_op.create_foreign_key(batch_op.f("fk_records_kind_code"), "product_kinds", ["kind_code"], ["code"])
        batch_op.create_foreign_key(batch_op.f("fk_records_stock_id"), "stock_lots", ["stock_id"], ["id"])

    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.add_column(sa.Column("boundary", sa.JSON(), nullable=True))


def downgrade() -> None:
    # What the older platform has no place for goes.
    newer = "SELECT id FROM records WHERE type = 'disease' OR batch_id IS NULL"
    op.execute(f"UPDATE records SET replaces_id = NULL WHERE replaces_id IN ({newer})")
    op.execute(f"DELETE FROM record_photos WHERE record_id IN ({newer})")
    op.execute("DELETE FROM records WHERE type = 'disease' OR batch_id IS NULL")
    with op.batch_alter_table("sites", schema=None) as batch_op:
        batch_op.drop_column("boundary")

    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_records_stock_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_records_kind_code"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_records_site_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_records_producer_id"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("uq_records_producer_id_entry_key"), type_="unique")
        batch_op.drop_index(batch_op.f("ix_records_stock_id"))
        batch_op.drop_index("ix_records_site_id_happened_on")
        batch_op.drop_constraint(op.f("ck_records_scope"), type_="check")
        batch_op.drop_constraint(op.f("ck_records_type"), type_="check")
        batch_op.alter_column("batch_id", existing_type=sa.Integer(), nullable=False)
        batch_op.create_check_constraint(op.f("ck_records_type"), f"type IN ({TYPES})")
        batch_op.drop_column("entry_key")
        batch_op.drop_column("stock_id")
        batch_op.drop_column("season_until")
        batch_op.drop_column("site_id")
        batch_op.drop_column("kind_code")
        batch_op.drop_column("producer_id")

    with op.batch_alter_table("product_stages", schema=None) as batch_op:
        batch_op.drop_column("rules")

    with op.batch_alter_table("product_kinds", schema=None) as batch_op:
        batch_op.drop_column("rules")

    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_batches_checked_on"))
        batch_op.drop_column("checked_on")

    op.drop_table("waivers")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_status_due_at")
        batch_op.drop_index(batch_op.f("ix_deliveries_channel_id"))

    op.drop_table("deliveries")
    with op.batch_alter_table("test_results", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_test_results_report_id"))

    op.drop_table("test_results")
    with op.batch_alter_table("record_series", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_record_series_record_id"))

    op.drop_table("record_series")
    with op.batch_alter_table("record_batches", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_record_batches_batch_id"))

    op.drop_table("record_batches")
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_findings_standing", sqlite_where=sa.text("gone_at IS NULL"), postgresql_where=sa.text("gone_at IS NULL")
        )
        batch_op.drop_index("ix_findings_producer_id_found_at")
        batch_op.drop_index("ix_findings_division_code_found_at")

    op.drop_table("findings")
    with op.batch_alter_table("commitment_certificates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_commitment_certificates_batch_id"))

    op.drop_table("commitment_certificates")
    with op.batch_alter_table("test_reports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_test_reports_site_id"))
        batch_op.drop_index(batch_op.f("ix_test_reports_entered_for_id"))
        batch_op.drop_index(batch_op.f("ix_test_reports_batch_id"))

    op.drop_table("test_reports")
    with op.batch_alter_table("stock_outs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stock_outs_stock_id"))

    op.drop_table("stock_outs")
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificates_valid_until"))
        batch_op.drop_index(batch_op.f("ix_certificates_checked_on"))

    op.drop_table("certificates")
    with op.batch_alter_table("stock_lots", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stock_lots_product_id"))
        batch_op.drop_index(batch_op.f("ix_stock_lots_lot_number"))

    op.drop_table("stock_lots")
    op.drop_table("input_label_uses")
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_documents_organisation_id"))

    op.drop_table("documents")
    with op.batch_alter_table("input_products", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_input_products_name"))

    op.drop_table("input_products")
    with op.batch_alter_table("channels", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_channels_organisation_id"))

    op.drop_table("channels")
    op.drop_table("limits")
    op.drop_table("gi_areas")
    op.drop_table("prohibited_substances")
