"""What the platform promises of a row, the database holds: wrong rows, written by plain SQL, are refused by both."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.world import SPRAYED, World
from trace_app.db.constraints import types_of
from trace_app.db.guards import GUARDS
from trace_app.extensions import db

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
EARLIER, LATER = "'2026-02-01 00:00:00'", "'2026-04-01 00:00:00'"
OTHERS_LOT = "(SELECT max(id) FROM batches WHERE lot_number = 'OTHERS')"
OTHERS = "(SELECT max(id) FROM {} WHERE producer_id = (SELECT producer_id FROM batches WHERE lot_number = 'OTHERS'))"
OWN_STOCK = "(SELECT min(id) FROM stock_lots)"


class Wrong(NamedTuple):
    """A row that is like a right one but for some columns, in SQL; ``by`` is what refuses it."""

    table: str
    by: str
    changes: dict[str, str]


FRESH: dict[str, dict[str, str]] = {
    "organisations": {"name": "'另一家'", "credit_code": "'91350100M000100Y99'", "gs1_prefix": "NULL"},
    "users": {"username": "'another'", "email": "NULL", "fs_uniquifier": "'another'"},
    "products": {"name": "'另一种'", "gtin": "NULL"},
    "sites": {"name": "'另一块'", "gln": "NULL"},
    "batches": {"lot_number": "'Q-2'"},
    "records": {"entry_key": "NULL", "replaces_id": "NULL", "correction_reason": "NULL"},
    "stock_lots": {"lot_number": "'S-2'"},
    "record_withdrawals": {"record_id": "(SELECT max(id) FROM records)"},
    "input_products": {"name": "'另一药'"},
    "input_label_uses": {"kind_code": "'ham'"},
    "certificates": {"number": "'C-2'"},
    "shipments": {"number": "'N-2'", "receipt_code": "'R-2'"},
    "shipment_lines": {"batch_id": OTHERS_LOT},
    "test_reports": {"report_key": "NULL"},
    "findings": {"key": "'x'"},
    "recalls": {"number": "'R-2'", "cause_id": "NULL"},
    "recall_notices": {"sequence": "2"},
    "recall_tasks": {"token": "'t2'", "organisation_id": "(SELECT max(id) FROM organisations)"},
    "label_runs": {"run_number": "77"},
    "packings": {'"index"': "1"},
    "photos": {"name": "'another'"},
    "photo_arrivals": {"name": f"'{1:032}'"},
    "photo_parts": {"name": "'another'", "start": "7"},
    "print_volumes": {"number": "2"},
    "limits": {"analyte": "'新'"},
    "prohibited_substances": {"name": "'新'"},
    "holidays": {"day": "'2031-01-01'"},
    "gi_areas": {"valid_from": "'2001-01-01'"},
    "suspicions": {'"index"': "5"},
    "divisions": {"code": "'999999'"},
    "counters": {"scope": "'z'"},
    "user_roles": {"user_id": "(SELECT max(id) FROM users)"},
}
"""What a copy of a row has to have of its own."""
WRONG = [
    Wrong("organisations", "credit_code_form", {"credit_code": "'91350100m000100y43'"}),
    Wrong("organisations", "credit_code_form", {"credit_code": "'91350100'"}),
    Wrong("organisations", "credit_code_form", {"credit_code": "'91350100M000100YO3'"}),
    Wrong("organisations", "gs1_prefix", {"gs1_prefix": "'69a1'"}),
    Wrong("organisations", "named", {"name": "''"}),
    Wrong("users", "named", {"username": "''"}),
    Wrong("user_roles", "uq_user_roles_user_id", {"user_id": "user_id", "role_id": "(SELECT max(id) FROM roles)"}),
    Wrong("products", "gtin", {"gtin": "'06901234567891'"}),
    Wrong("products", "gtin", {"gtin": "'6901234567892'"}),
    Wrong("products", "gtin", {"gtin": "'0690123456789X'"}),
    Wrong("sites", "gln", {"gln": "'6901234567899'"}),
    Wrong("sites", "place", {"longitude": "NULL"}),
    Wrong("batches", "closed_at", {"status": "'closed'"}),
    Wrong("batches", "closed_at", {"closed_at": LATER}),
    Wrong("batches", "released_goods", {"produced_on": "NULL"}),
    Wrong("batches", "days", {"started_on": "'2027-01-01'"}),
    Wrong("batches", "days", {"best_before": "'2020-01-01'"}),
    Wrong("batches", "days", {"produced_on": "'2025-01-01'"}),
    Wrong("batches", "lot_number", {"lot_number": "''"}),
    Wrong("batches", "lot_number", {"lot_number": "' Q-3'"}),
    Wrong("batches", "guard_unit_of_kind", {"unit": "''"}),
    Wrong("batches", "guard_unit_of_kind", {"unit": "'斤两'"}),
    Wrong("batches", "guard_still_offered",
          {"product_id": "(SELECT min(id) FROM products WHERE retired_at IS NOT NULL)"}),
    Wrong("batches", "fk_batches_own_product", {"product_id": OTHERS.format("products")}),
    Wrong("batches", "fk_batches_own_site", {"site_id": OTHERS.format("sites")}),
    Wrong("batches", "uq_batches_lot_number_alike", {"lot_number": "'qa-01'"}),
    Wrong("stock_lots", "type", {"supplier": "'" + "x" * 81 + "'"}),
    Wrong("stock_lots", "type", {"received_on": "'gestern'"}),
    Wrong("batches", "type", {"quantity": "'viel'"}),
    Wrong("batches", "type", {"quantity": "100000000000"}),
    Wrong("batches", "type", {"started_on": "'2025-02-30'"}),
    Wrong("batches", "type", {"created_at": "'nachts'"}),
    Wrong("batches", "type", {"version": "'eins'"}),
    Wrong("records", "amount", {"dose_unit": "NULL"}),
    Wrong("records", "amount", {"dose": "NULL"}),
    Wrong("records", "correction", {"correction_reason": "'verschrieben'"}),
    Wrong("records", "correction", {"replaces_id": "(SELECT max(id) FROM records)"}),
    Wrong("records", "fk_records_own_batch", {"batch_id": OTHERS_LOT}),
    Wrong("records", "fk_records_own_replaces", {"replaces_id": OTHERS.format("records"), "correction_reason": "'x'"}),
    Wrong("records", "fk_records_own_stock",
          {"stock_id": OTHERS.format("stock_lots"), "input_lot": "'S-1'", "product_name": "'药'"}),
    Wrong("records", "guard_stock_of_record", {"stock_id": OWN_STOCK, "input_lot": "'S-1'"}),
    Wrong("records", "guard_stock_of_record", {"stock_id": OWN_STOCK, "product_name": "'药'"}),
    Wrong("records", "type", {'"values"': "'{broken'"}),
    Wrong("record_withdrawals", "guard_nobody_relies", {"record_id": "(SELECT min(record_id) FROM record_batches)"}),
    Wrong("record_withdrawals", "reason", {"record_id": "(SELECT max(id) FROM records)", "reason": "''"}),
    Wrong("records", "guard_none_of_withdrawn",
          {"replaces_id": "(SELECT min(record_id) FROM record_withdrawals)", "correction_reason": "'x'"}),
    Wrong("record_batches", "guard_own_lot", {"batch_id": OTHERS_LOT}),
    Wrong("record_photos", "guard_own_photo", {"photo_id": "(SELECT max(id) FROM photos)"}),
    Wrong("product_photos", "guard_own_picture", {"photo_id": "(SELECT max(id) FROM photos)"}),
    Wrong("photos", "middle", {"middle_width": "width"}),
    Wrong("photos", "latitude", {"latitude": "91", "longitude": "0"}),
    Wrong("photos", "longitude", {"latitude": "0", "longitude": "181"}),
    Wrong("photos", "place", {"latitude": "NULL", "longitude": "1"}),
    Wrong("photo_arrivals", "one_owner", {"record_id": "NULL"}),
    Wrong("photo_arrivals", "one_owner", {"feedback_id": "1"}),
    Wrong("photo_arrivals", "bytes", {"bytes": "0"}),
    Wrong("photo_arrivals", "received", {"received": "bytes + 1"}),
    Wrong("photo_arrivals", "received", {"bytes": "NULL", "received": "1"}),
    Wrong("photo_arrivals", "finished", {"photo_id": "(SELECT max(id) FROM photos)"}),
    Wrong("photo_arrivals", "refused", {"photo_id": "(SELECT max(id) FROM photos)", "received": "bytes",
                                        "refused_at": EARLIER}),
    Wrong("photo_arrivals", "latitude", {"latitude": "91"}),
    Wrong("photo_arrivals", "longitude", {"longitude": "181"}),
    Wrong("photo_arrivals", "place", {"latitude": "NULL"}),
    Wrong("photo_arrivals", "name", {"name": "'short'"}),
    Wrong("photo_arrivals", "fk_photo_arrivals_own_record", {"record_id": OTHERS.format("records")}),
    Wrong("photo_parts", "place", {"start": "-1"}),
    Wrong("record_clips", "guard_own_clip", {"clip_id": "(SELECT max(id) FROM clips)"}),
    Wrong("stock_lots", "unit", {"unit": "'Sack'"}),
    Wrong("stock_lots", "lot_number", {"lot_number": "''"}),
    Wrong("stock_lots", "uq_stock_lots_lot_number_alike", {"lot_number": "'s - 1'"}),
    Wrong("input_products", "uq_input_products_registration_number_alike",
          {"name": "name", "registration_number": "'pd 20990001'"}),
    Wrong("input_label_uses", "unit", {"dose_unit": "NULL"}),
    Wrong("input_label_uses", "amounts", {"dose_min": "-1"}),
    Wrong("input_label_uses", "uq_input_label_uses_of_all_kinds", {"kind_code": "NULL"}),
    Wrong("certificates", "uq_certificates_number_alike", {"number": "'c-1'"}),
    Wrong("certificates", "fk_certificates_own_product", {"product_id": OTHERS.format("products")}),
    Wrong("certificates", "numbered", {"issuer": "''"}),
    Wrong("test_reports", "days", {"issued_on": "'2025-01-01'"}),
    Wrong("test_reports", "named", {"laboratory": "''"}),
    Wrong("test_reports", "correction", {"replaces_id": "id"}),
    Wrong("test_results", "detected", {"value": "NULL"}),
    Wrong("test_results", "type", {"detected": "7"}),
    Wrong("findings", "subject", {"certificate_id": "(SELECT max(id) FROM certificates)"}),
    Wrong("findings", "subject", {"batch_id": "NULL"}),
    Wrong("findings", "uq_findings_of_certificate", {"batch_id": "NULL", "rule": "'r'", "key": "'c'",
                                                     "certificate_id": "(SELECT min(id) FROM certificates)"}),
    Wrong("findings", "gone", {"gone_at": EARLIER}),
    Wrong("findings", "handled", {"handled_at": LATER}),
    Wrong("findings", "fk_findings_own_batch", {"batch_id": OTHERS_LOT}),
    Wrong("shipments", "cold_chain", {"least_celsius": "9", "most_celsius": "2"}),
    Wrong("shipments", "cold_chain", {"least_celsius": "2", "most_celsius": "NULL"}),
    Wrong("shipments", "withdrawn", {"withdrawn_at": LATER}),
    Wrong("shipments", "fk_shipments_own_consignee",
          {"consignee_id": "(SELECT id FROM consignees WHERE name = '别家的客户')"}),
    Wrong("shipment_temperatures", "period", {"ends_at": EARLIER}),
    Wrong("shipped_codes", "index", {'"index"': "-1"}),
    Wrong("shipped_codes", "guard_label_of_run", {'"index"': "9999"}),
    Wrong("lot_links", "withdrawn", {"withdrawn_at": LATER}),
    Wrong("lot_losses", "withdrawn", {"withdrawn_at": LATER}),
    Wrong("recalls", "in_force", {"in_force_at": "NULL"}),
    Wrong("recalls", "order", {"in_force_at": EARLIER}),
    Wrong("recalls", "lot_count", {"lot_count": "-1"}),
    Wrong("recall_notices", "sequence", {"sequence": "0"}),
    Wrong("recall_notices", "guard_second_officer", {"type": "'approve'"}),
    Wrong("recall_tasks", "acknowledged", {"acknowledged_at": LATER}),
    Wrong("label_runs", "sscc", {"sscc_stem": "'069012345'"}),
    Wrong("packings", "guard_larger_outside", {"run_id": "container_run_id", '"index"': "container_index"}),
    Wrong("packings", "guard_larger_outside",
          {"container_run_id": "run_id", "run_id": "container_run_id", "container_index": '"index"', '"index"': "0"}),
    Wrong("packings", "order", {"unpacked_at": EARLIER}),
    Wrong("voided_labels", "guard_void_of_run", {"last": "9999"}),
    Wrong("limits", "op", {"op": "'<'"}),
    Wrong("limits", "confidence", {"confidence": "'sure'"}),
    Wrong("prohibited_substances", "input_type", {"input_type": "'feed'"}),
    Wrong("holidays", "type", {"type": "'rest'"}),
    Wrong("gi_areas", "valid", {"valid_from": "'2002-01-01'", "valid_until": "'2001-01-01'"}),
    Wrong("divisions", "code", {"code": "'53O324'"}),
    Wrong("counters", "value", {"value": "-1"}),
]  # fmt: skip


PAIRS = {"user_roles", "record_batches", "record_photos", "record_clips", "product_photos"}
"""Tables of nothing but pairs: a copy of a right row would be the same pair."""


def _add(table: str, **values: Any) -> int:
    """A row with the model's own defaults; its id where it has one."""
    made = db.session.execute(sa.insert(db.metadata.tables[table]).values(values))
    return made.inserted_primary_key[0] if made.inserted_primary_key else 0  # type: ignore[no-any-return]


@pytest.fixture
def filled(world: World) -> Iterator[None]:
    """A row of each table, and a neighbour with a lot, a record, stock and a customer of its own."""
    one, other, officer = world.producer(), world.producer(), world.regulator()
    lot = world.released(one, lot_number="QA-01", best_before="2027-01-01")
    record = world.record(one, lot, "pesticide", **SPRAYED)
    others = world.batch(other, lot_number="OTHERS")
    withdrawn = world.record(other, others)
    world.record(other, others)
    run = world.run(one, lot, 5)
    with world.writing():
        producer, by = one.organisation_id, one.user_id
        product_id = db.session.scalar(sa.text("SELECT product_id FROM batches WHERE id = :id"), {"id": lot})
        key = db.session.scalar(sa.text("SELECT key_number FROM label_runs"))
        cases = _add("label_runs", batch_id=lot, key_number=key, run_number=70, level="case", count=2)
        drug = _add("input_products", owner_id=producer, type="pesticide", name="药", registration_number="PD20990001")
        _add(
            "input_label_uses",
            product_id=drug,
            kind_code=None,
            dose_min=Decimal(1),
            dose_max=Decimal(2),
            dose_unit="g_per_mu",
        )
        for who, number in ((producer, "S-1"), (other.organisation_id, "S-1")):
            _add(
                "stock_lots",
                producer_id=who,
                product_id=drug,
                lot_number=number,
                supplier="店",
                unit="kg",
                received_on=date(2026, 1, 1),
                quantity=Decimal(5),
            )
        _add("record_withdrawals", record_id=withdrawn, reason="记错")
        _add("products", producer_id=producer, kind_code="ginger", name="停用的姜", retired_at=MOMENT)
        document = _add(
            "documents", name="d", file_name="d.pdf", kind="pdf", bytes=5, sha256="0" * 64, organisation_id=producer
        )
        for who in (producer, other.organisation_id):
            name = f"own{who}"
            photo = _add("photos", name=name, organisation_id=who, width=9, height=9, sha256="0" * 64)
            clip = _add("clips", name=name, organisation_id=who, file_name="a.mp4", bytes=9)
            if who == producer:
                _add("record_photos", record_id=record, photo_id=photo)
                coming = _add(
                    "photo_arrivals",
                    name="0" * 32,
                    organisation_id=who,
                    record_id=record,
                    bytes=9,
                    latitude=Decimal("24.9"),
                    longitude=Decimal("104.3"),
                )
                _add("photo_parts", arrival_id=coming, start=0, bytes=4, name="part")
                _add("product_photos", product_id=product_id, photo_id=photo)
                _add("record_clips", record_id=record, clip_id=clip)
        certificate = _add(
            "certificates",
            producer_id=producer,
            product_id=product_id,
            type="gap",
            number="C-1",
            issuer="局",
            valid_from=date(2026, 1, 1),
            valid_until=date(2027, 1, 1),
            document_id=document,
        )
        report = _add(
            "test_reports",
            subject="product",
            batch_id=lot,
            report_number="T",
            laboratory="所",
            sampled_on=date(2026, 1, 1),
            issued_on=date(2026, 1, 2),
            verdict="pass",
            entered_by_id=by,
            entered_for_id=producer,
        )
        _add(
            "test_results",
            report_id=report,
            analyte="铅",
            detected=True,
            value=Decimal(1),
            unit="mg/kg",
            verdict="open",
        )
        about = {"rule": "r", "severity": "warn", "facts": {}, "producer_id": producer, "division_code": "530324"}
        _add("findings", key="a", batch_id=lot, found_at=MOMENT, **about)
        _add("findings", key="c", certificate_id=certificate, found_at=MOMENT, **about)
        customer = _add("consignees", sender_id=producer, name="客户")
        _add("consignees", sender_id=other.organisation_id, name="别家的客户")
        shipment = _add(
            "shipments",
            number="N-1",
            receipt_code="R-1",
            sender_id=producer,
            consignee_id=customer,
            consignee_name="客户",
            departed_at=MOMENT,
        )
        line = _add("shipment_lines", shipment_id=shipment, batch_id=lot, quantity=Decimal(1))
        _add("shipped_codes", line_id=line, run_id=run, index=0)
        _add(
            "shipment_temperatures",
            shipment_id=shipment,
            source="manual",
            starts_at=MOMENT,
            ends_at=MOMENT,
            least=1.0,
            most=2.0,
        )
        _add("lot_links", source_id=lot, target_id=others, quantity=Decimal(1), happened_on=date(2026, 1, 1))
        _add("lot_losses", batch_id=lot, holder_id=producer, quantity=Decimal(1), reason="坏")
        case = _add(
            "recalls",
            number="R-1",
            level=2,
            authority_id=officer.organisation_id,
            issued_by_id=officer.user_id,
            issued_at=MOMENT,
            in_force_at=MOMENT,
        )
        _add(
            "recall_notices",
            recall_id=case,
            sequence=1,
            type="issue",
            level=2,
            reason="x",
            advice="y",
            lot_count=1,
            issued_by_id=officer.user_id,
        )
        _add("recall_tasks", recall_id=case, organisation_id=producer, token="t", start_due_at=MOMENT)
        _add("packings", container_run_id=cases, container_index=0, run_id=run, index=0, packed_at=MOMENT)
        _add("voided_labels", run_id=run, first=0, last=0, reason="坏")
        _add("counters", name="n", scope="", period="", value=1)
        if not db.session.scalar(sa.text("SELECT count(*) FROM record_batches")):
            _add("record_batches", record_id=record, batch_id=lot)
    with world.app.app_context():
        yield
        db.session.remove()


def _copy(table: str, changes: dict[str, str]) -> str:
    """An INSERT of a row like the first of a table, but for some columns."""
    columns = [column for column in db.metadata.tables[table].columns if column.computed is None]
    if table in ("batches", "records"):
        first = {"batches": "lot_number = 'QA-01'", "records": "product_name LIKE '苯醚%'"}[table]
    elif table == "user_roles":
        first = "user_id = (SELECT min(user_id) FROM user_roles)"
    else:
        one = db.metadata.tables[table].primary_key.columns.values()[0].name
        first = f'"{one}" = (SELECT min("{one}") FROM {table})'
    kept = [column.name for column in columns if not (column.name == "id" and column.primary_key)]
    new = {name.strip('"'): value for name, value in (FRESH.get(table, {}) | changes).items()}
    values = ", ".join(new.get(name, f'"{name}"') for name in kept)
    names = ", ".join(f'"{name}"' for name in kept)
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {first} LIMIT 1"


def _refused_by(statement: str) -> str:
    """What refuses a statement, in words of both databases."""
    with pytest.raises(sa.exc.DBAPIError) as refusal, db.engine.begin() as connection:
        connection.exec_driver_sql(statement.replace("%", "%%"))
    told = str(refusal.value.orig)
    state = getattr(refusal.value.orig, "sqlstate", None)
    is_of_type = isinstance(refusal.value, sa.exc.DataError) or state == "42804" or "_types" in told
    return f"type: {told}" if is_of_type else told


@pytest.mark.usefixtures("filled")
def test_the_database_refuses_each_wrong_row_and_takes_the_right_one(app: Flask) -> None:
    taken, otherwise = [], []
    for wrong in WRONG:
        by = wrong.by if wrong.by[:3] in ("fk_", "uq_", "gua") or wrong.by == "type" else f"ck_{wrong.table}_{wrong.by}"
        try:
            told = _refused_by(_copy(wrong.table, wrong.changes))
        except pytest.fail.Exception:
            taken.append(wrong)
            continue
        if by.startswith("guard_"):
            by = f"refused by {by.removeprefix('guard_')}"
        if app.extensions["sqlalchemy"].engine.dialect.name == "sqlite":
            by = {"fk_": "FOREIGN KEY", "uq_": "UNIQUE"}.get(by[:3], by)
        if by not in told:
            otherwise.append((wrong, told[:200]))
    assert (taken, otherwise) == ([], [])


@pytest.mark.usefixtures("filled")
def test_what_is_refused_is_not_refused_for_something_else() -> None:
    for table in sorted({wrong.table for wrong in WRONG} - PAIRS):
        with db.engine.connect() as connection:
            connection.exec_driver_sql(_copy(table, {}).replace("%", "%%"))
            connection.rollback()


@pytest.mark.usefixtures("filled")
def test_a_released_lot_is_no_draft_again_and_a_closed_one_stays_closed() -> None:
    draft = "UPDATE batches SET status = 'draft', released_at = NULL WHERE lot_number = 'QA-01'"
    assert "no_way_back" in _refused_by(draft)
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE batches SET status = 'closed', closed_at = {LATER} WHERE lot_number = 'QA-01'"
        )
    assert "no_way_back" in _refused_by(
        "UPDATE batches SET status = 'released', closed_at = NULL WHERE lot_number = 'QA-01'"
    )


def test_every_guard_has_a_wrong_row_that_it_refuses() -> None:
    tried = {wrong.by.removeprefix("guard_") for wrong in WRONG if wrong.by.startswith("guard_")} | {"no_way_back"}
    assert {one.name for one in GUARDS} == tried


def test_all_checks_of_the_models_are_in_the_database(app: Flask) -> None:
    with app.app_context():
        found = sa.inspect(db.engine)
        for table in db.metadata.tables.values():
            have = {check["name"] for check in found.get_check_constraints(table.name)}
            want = {
                str(db.engine.dialect.identifier_preparer.format_constraint(check))
                for check in table.constraints
                if isinstance(check, sa.CheckConstraint)
            }
            own = {f"ck_{table.name}_types"} if db.engine.dialect.name == "sqlite" else set()
            assert have == want | own, table.name


def test_sqlite_holds_the_types_of_every_column_as_postgresql_does(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            kinds = connection.scalars(
                sa.text("SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'public'")
            )
            assert "USER-DEFINED" not in set(kinds)
            return
        for table in db.metadata.tables:
            checks = {check["name"]: check["sqltext"] for check in sa.inspect(connection).get_check_constraints(table)}
            assert checks[f"ck_{table}_types"] == types_of(connection, table), table


def test_nothing_is_filled_in_by_the_database_that_the_models_do_not_say(app: Flask) -> None:
    with app.app_context():
        found = sa.inspect(db.engine)
        for table in db.metadata.tables.values():
            for there in found.get_columns(table.name):
                column = table.columns[there["name"]]
                given = there["default"] is not None and not str(there["default"]).startswith("nextval(")
                said = column.server_default is not None and column.computed is None
                assert (given and not there.get("computed")) == said, f"{table.name}.{column.name}"
