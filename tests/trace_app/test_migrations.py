"""One history, up and down, on both databases."""

from datetime import UTC, datetime, timedelta

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from tests.conftest import app_for, settings_for
from tests.served import database
from tests.snapshots import SQLiteSnapshot
from trace_app.batches.models import Batch
from trace_app.certificates.models import CommitmentCertificate
from trace_app.db.append_only import lifted
from trace_app.db.base import is_of_the_models
from trace_app.extensions import db
from trace_app.findings.models import Waiver

pytestmark = pytest.mark.both_databases


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path) -> Flask:
    """An application on a database with nothing in it."""
    url = ""
    if request.param == "postgresql":
        url = database(request.getfixturevalue("postgresql_url"), "bare")
    return app_for(settings_for(tmp_path, database_url=url))


def _tables() -> set[str]:
    names = sa.inspect(db.engine).get_table_names()
    return {name for name in names if is_of_the_models(name, "table", {})} - {"alembic_version"}


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


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_the_history_gives_what_the_models_say(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_name": is_of_the_models}
            )
            assert compare_metadata(context, db.metadata) == []
        db.engine.dispose()


def test_the_database_itself_holds_the_rules(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade()
        checks = {check["name"] for table in _tables() for check in sa.inspect(db.engine).get_check_constraints(table)}
        assert {"ck_batches_quantity", "ck_organisations_producer_has_number", "ck_recalls_level"} <= checks
        db.engine.dispose()


BEFORE_THE_PRINT_ROOM = """
INSERT INTO divisions VALUES ('530324', '罗平县', 'Luoping County', NULL, 'county');
INSERT INTO organisations (id, kind, name, name_en, credit_code, division_code, address, phone, created_at)
    VALUES (1, 'producer', '合作社', '', '91350100M000100Y43', '530324', '', '', '2026-01-01 00:00:00');
INSERT INTO product_kinds VALUES ('ginger', 1, '姜', 'Ginger', '[]', '[]', '[]', '{}');
INSERT INTO products (id, producer_id, kind_code, name, name_en, net_content, description, created_at)
    VALUES (1, 1, 'ginger', '姜', '', '', '', '2026-01-01 00:00:00');
INSERT INTO sites (id, producer_id, kind, name, name_en, division_code, created_at)
    VALUES (1, 1, 'plot', '地', '', '530324', '2026-01-01 00:00:00');
INSERT INTO batches (id, producer_id, product_id, site_id, division_code, lot_number, quantity, unit, started_on, status,
    version, created_at) VALUES (1, 1, 1, 1, '530324', 'L1', 5, 'kg', '2026-01-01', 'draft', 1, '2026-01-01 00:00:00');
INSERT INTO label_keys VALUES (1, 'ffff', '2026-01-01 00:00:00');
INSERT INTO label_runs (id, batch_id, key_number, stock, count, status, failure, file_key, file_bytes, created_at)
    VALUES (7, 1, 1, 'a4-3x8', 48, 'ready', '', 'labels/7-ab.pdf', 12345, '2026-01-02 00:00:00'),
           (8, 1, 1, 'roll-60x40', 10, 'failed', 'KeyError', NULL, NULL, '2026-01-03 00:00:00')
"""


def _execute(statements: str) -> None:
    """SQL apart by semicolons, in a transaction."""
    with db.engine.begin() as connection:
        for statement in statements.split(";"):
            connection.execute(sa.text(statement))


_climbed_to: dict[str, SQLiteSnapshot] = {}


def _begin(revision: str) -> None:
    """Have an empty database hold the rows from before the print room, carried on to a revision; climbed to once."""
    url = db.engine.url
    before = f"before_{revision}"
    if url.drivername.startswith("postgresql"):
        server = url.set(database="trace").render_as_string(hide_password=False)
        db.engine.dispose()
        if before not in _databases(server):
            _climb(revision)
            db.engine.dispose()
            database(server, before, template="bare")
        else:
            database(server, "bare", template=before)
    elif before in _climbed_to:
        _climbed_to[before].restore()
    else:
        _climb(revision)
        _climbed_to[before] = SQLiteSnapshot()


def _climb(revision: str) -> None:
    flask_migrate.upgrade(revision="0001")
    _execute(BEFORE_THE_PRINT_ROOM)
    flask_migrate.upgrade(revision=revision)


def _databases(server: str) -> set[str]:
    engine = sa.create_engine(server)
    with engine.connect() as connection:
        names = set(connection.scalars(sa.text("SELECT datname FROM pg_database")))
    engine.dispose()
    return names


def test_labels_printed_before_the_print_room_keep_their_codes_and_files(bare: Flask) -> None:
    with bare.app_context():
        _begin("0001")
        flask_migrate.upgrade()
        with db.engine.connect() as connection:
            runs = connection.execute(sa.text("SELECT id, count, level, voided FROM label_runs ORDER BY id")).all()
            assert [tuple(run) for run in runs] == [(7, 48, "item", ""), (8, 10, "item", "")]
            jobs = connection.execute(
                sa.text("SELECT run_id, status, layout_name FROM print_jobs ORDER BY run_id")
            ).all()
            assert [tuple(job) for job in jobs] == [(7, "ready", "a4-3x8"), (8, "failed", "roll-60x40")]
            files = connection.execute(sa.text("SELECT file_key, file_bytes, count FROM print_volumes")).all()
            assert [tuple(file) for file in files] == [("labels/7-ab.pdf", 12345, 48)]
        flask_migrate.downgrade(revision="0001")
        with db.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT id, stock, status, file_key FROM label_runs ORDER BY id")).all()
            assert tuple(rows[0]) == (7, "a4-3x8", "ready", "labels/7-ab.pdf")
            assert rows[1].status == "failed"
        db.engine.dispose()


def test_records_made_before_sites_and_stock_keep_their_lots(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade(revision="0001")
        record = """INSERT INTO records (id, batch_id, type, stage_code, happened_on, operator, note, "values", created_at)
            VALUES (1, 1, 'care', NULL, '2026-01-02', '', '除草', '{}', '2026-01-02 00:00:00')"""
        _execute(f"{BEFORE_THE_PRINT_ROOM}; {record}")
        flask_migrate.upgrade(revision="0017")
        with db.engine.begin() as connection:
            row = connection.execute(sa.text("SELECT producer_id, kind_code, batch_id, site_id FROM records")).one()
            assert tuple(row) == (1, "ginger", 1, None)
            connection.execute(
                sa.text(
                    "INSERT INTO records (id, producer_id, kind_code, site_id, season_until, type, happened_on, operator,"
                    """ note, "values", created_at) VALUES (2, 1, 'ginger', 1, '2026-12-31', 'disease', '2026-01-03', '', '', '{}',"""
                    " '2026-01-03 00:00:00')"
                )
            )
        flask_migrate.downgrade(revision="0002")
        with db.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT id, batch_id, note FROM records")).all() == [(1, 1, "除草")]
        db.engine.dispose()


RECALLED = """
INSERT INTO users (id, email, username, full_name, password, active, fs_uniquifier, organisation_id, created_at)
    VALUES (1, 'o@demo.example', 'officer', '', '', true, 'x', 1, '2026-01-01 00:00:00');
INSERT INTO recalls (id, number, kind, status, level, voluntary, authority_id, issued_by_id, issued_at, in_force_at, scope,
    lot_count) VALUES (1, 'R-1', 'recall', 'active', 2, false, 1, 1, '2026-02-01 00:00:00', '2026-02-02 00:00:00', '{}', 1),
    (2, 'H-1', 'hold', 'active', 2, false, 1, 1, '2026-02-03 00:00:00', '2026-02-03 00:00:00', '{}', 1);
INSERT INTO recall_batches (recall_id, batch_id, added_in) VALUES (1, 1, 1), (2, 1, 1)
"""


def test_what_stops_a_lot_is_in_its_row_again_one_step_back(bare: Flask) -> None:
    with bare.app_context():
        _begin("0026")
        _execute(RECALLED)
        flask_migrate.upgrade(revision="0038")
        flask_migrate.downgrade(revision="0010")
        with db.engine.connect() as connection:
            row = connection.execute(sa.text("SELECT recalled_at, recall_level, held_at FROM batches")).one()
            assert (str(row[0])[:10], row[1], str(row[2])[:10]) == ("2026-02-02", 2, "2026-02-03")
        flask_migrate.upgrade(revision="0026")
        db.engine.dispose()


HELD = """
INSERT INTO users (id, email, username, full_name, password, active, fs_uniquifier, organisation_id, created_at)
    VALUES (1, 'o@demo.example', 'officer', '', '', true, 'x', 1, '2026-01-01 00:00:00');
INSERT INTO recalls (id, number, kind, status, level, voluntary, authority_id, issued_by_id, issued_at, in_force_at,
    finish_due_on, scope, lot_count) VALUES
    (1, 'R-1', 'recall', 'active', 2, false, 1, 1, '2026-02-01 00:00:00', '2026-02-01 00:00:00', '2026-03-01', '{}', 1),
    (2, 'H-1', 'hold', 'active', 3, false, 1, 1, '2026-02-01 00:00:00', '2026-02-01 00:00:00', '2026-03-01', '{}', 1);
INSERT INTO recall_notices (recall_id, sequence, type, level, reason, reason_en, advice, advice_en, note, scope,
    lots_added, lots_removed, lot_count, issued_by_id, issued_at)
    VALUES (2, 1, 'issue', 3, 'x', '', 'y', '', '', '{}', 1, 0, 1, 1, '2026-02-01 00:00:00');
INSERT INTO recall_tasks (recall_id, organisation_id, token, sent_at, start_due_at, finish_due_on, acknowledged_by)
    VALUES (1, 1, 'a', '2026-02-01 00:00:00', '2026-02-03 00:00:00', '2026-03-01', ''),
           (2, 1, 'b', '2026-02-01 00:00:00', '2026-02-04 00:00:00', '2026-03-01', '')
"""


def test_holds_lose_their_level_and_last_day_and_their_notices_stay(bare: Flask) -> None:
    def rows(query: str) -> list[tuple[object, ...]]:
        with db.engine.connect() as connection:
            return [tuple(str(value) for value in row) for row in connection.execute(sa.text(query))]

    cases = "SELECT number, level, finish_due_on FROM recalls ORDER BY id"
    last_days = "SELECT token, finish_due_on FROM recall_tasks ORDER BY token"
    with bare.app_context():
        _begin("0026")
        _execute(HELD)
        flask_migrate.upgrade(revision="0028")
        assert rows(cases) == [("R-1", "2", "2026-03-01"), ("H-1", "None", "None")]
        assert rows(last_days) == [("a", "2026-03-01"), ("b", "None")]
        assert rows("SELECT level FROM recall_notices") == [("3",)]
        flask_migrate.downgrade(revision="0026")
        assert rows(cases) == [("R-1", "2", "2026-03-01"), ("H-1", "3", "2026-02-01")]
        assert [token for token, day in rows(last_days) if day == "None"] == []
        flask_migrate.upgrade(revision="0028")
        db.engine.dispose()


WITHDRAWN = """
INSERT INTO users (id, email, username, full_name, password, active, fs_uniquifier, organisation_id, created_at)
    VALUES (1, 'u', 'u', '', '', TRUE, 'u', 1, '2026-01-01 00:00:00');
INSERT INTO commitment_certificates (id, number, batch_id, quantity, unit, consignee, bases, issued_on, facts, run_id,
    withdrawn_at, withdrawn_reason, created_at, created_by_id)
    VALUES (1, 'a', 1, 1, 'kg', '', '[]', '2026-02-01', '{}', 7, '2026-02-02 00:00:00', '开错', '2026-02-01 00:00:00', 1),
           (2, 'b', 1, 1, 'kg', '', '[]', '2026-02-01', '{}', 8, NULL, '', '2026-02-01 00:00:00', 1)
"""


def test_certificates_that_were_withdrawn_before_are_void(bare: Flask) -> None:
    with bare.app_context():
        _begin("0011")
        _execute(WITHDRAWN)
        flask_migrate.upgrade(revision="0017")
        with db.engine.connect() as connection:
            voided = connection.execute(sa.text("SELECT id, voided FROM label_runs ORDER BY id")).all()
            assert [tuple(row) for row in voided] == [(7, "0-0"), (8, "")]
            told = connection.execute(sa.text("SELECT run_id, first, last, reason FROM voided_labels")).all()
            assert [tuple(row) for row in told] == [(7, 0, 0, "开错")]
        db.engine.dispose()


def test_certificates_of_before_keep_the_sample_of_2021_and_are_their_producers(bare: Flask) -> None:
    certificates = "SELECT number, issuer_id, per_batch FROM commitment_certificates ORDER BY id"
    suggested = """INSERT INTO suggestions (id, organisation_id, catalogue, content, basis, created_at, created_by_id)
        VALUES (1, 1, 'commitment_rules', '改', '令', '2026-11-30 00:00:00', 1)"""
    with bare.app_context():
        _begin("0011")
        _execute(WITHDRAWN)
        flask_migrate.upgrade(revision="0038")
        with db.engine.connect() as connection:
            rows = connection.execute(sa.text(certificates)).all()
        assert [(row.number, row.issuer_id, bool(row.per_batch)) for row in rows] == [("a", 1, False), ("b", 1, False)]
        with db.engine.connect() as connection:
            samples = connection.scalars(sa.select(CommitmentCertificate.sample)).all()
        assert [sample["bases"]["own_word"]["zh"] for sample in samples] == ["自我承诺", "自我承诺"]
        with pytest.raises(sa.exc.IntegrityError):
            _execute("UPDATE commitment_certificates SET quantity = 2")
        _execute(suggested)
        with pytest.raises(SystemExit):
            flask_migrate.downgrade(revision="0035")
        # On SQLite each step back stands by itself.
        flask_migrate.upgrade()
        with db.engine.begin() as connection, lifted(connection):
            connection.execute(sa.text("DELETE FROM suggestions"))
        flask_migrate.downgrade(revision="0035")
        with db.engine.connect() as connection:
            assert connection.scalars(sa.text("SELECT number FROM commitment_certificates ORDER BY id")).all() == [
                "a",
                "b",
            ]
        flask_migrate.upgrade(revision="0038")
        db.engine.dispose()


SENT = """
INSERT INTO consignees (id, sender_id, organisation_id, name, phone, email, division_code, address, created_at)
    VALUES (1, 1, NULL, '李伟', '13800000001', '', '530324', '罗平县 1 号', '2026-01-01 00:00:00');
INSERT INTO shipments (id, number, receipt_code, sender_id, consignee_id, departed_at, carrier, vehicle, driver,
    driver_phone, platform, order_number, note, created_at, withdrawn_reason) VALUES (1, 'S-1', '0000000000000', 1, 1,
    '2026-01-02 00:00:00', '', '', '', '', '', '', '', '2026-01-02 00:00:00', '');
UPDATE recall_batches SET removed_in = 2 WHERE recall_id = 1;
INSERT INTO recall_exclusions (recall_id, batch_id, reason) VALUES (1, 1, '检测合格'), (2, 1, '一直在外');
INSERT INTO findings (id, rule, key, severity, facts, record_ids, producer_id, division_code, batch_id, found_at,
    handled_note) VALUES (1, 'dose', 'record:1', 'block', '{"most": "50"}', '[]', 1, '530324', 1, '2026-01-01 00:00:00', '');
INSERT INTO waivers (id, finding_id, authority_id, reason, created_at, created_by_id)
    VALUES (1, 1, 1, '准予', '2026-01-01 00:00:00', 1)
"""


def test_what_stood_in_the_address_book_and_in_findings_stands_where_it_stays(bare: Flask) -> None:
    with bare.app_context():
        _begin("0016")
        _execute(RECALLED)
        _execute(SENT)
        flask_migrate.upgrade()
        again = "INSERT INTO recall_batches (recall_id, batch_id, added_in) VALUES (1, 1, 3)"
        other = """INSERT INTO consignees (id, sender_id, name, phone, email, address, created_at)
            VALUES (2, 1, '李伟', '13900000002', '', '', '2026-01-01 00:00:00')"""
        with db.engine.connect() as connection:
            [sent] = connection.execute(sa.text("SELECT * FROM shipments")).mappings()
            assert (sent["consignee_name"], sent["consignee_phone"]) == ("李伟", "13800000001")
            assert (sent["consignee_address"], sent["consignee_division_code"]) == ("罗平县 1 号", "530324")
            assert sent["consignee_organisation_id"] is None
            out = connection.execute(sa.text("SELECT * FROM recall_exclusions ORDER BY recall_id")).all()
            assert [(row.recall_id, row.left_out_in, row.reason) for row in out] == [
                (1, 2, "检测合格"),
                (2, 1, "一直在外"),
            ]
            assert connection.scalar(db.select(Waiver.facts)) == {"most": "50"}
        _execute(f"{again}; {other}")
        for refused in (
            again.replace("3)", "4)"),
            other.replace("(2,", "(3,"),
            "UPDATE shipments SET consignee_name = 'x'",
        ):
            with pytest.raises(sa.exc.IntegrityError):
                _execute(refused)
        flask_migrate.downgrade(revision="0016")
        with db.engine.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT added_in, removed_in FROM recall_batches WHERE recall_id = 1")
            ).all()
            assert [tuple(row) for row in rows] == [(3, None)]
            names = connection.scalars(sa.text("SELECT name FROM consignees ORDER BY id")).all()
            assert names == ["李伟", "李伟 13900000002 2"]
            assert connection.scalar(sa.text("SELECT count(*) FROM recall_exclusions")) == 2
        _execute("UPDATE audit_events SET action = 'x'")
        flask_migrate.upgrade(revision="0018")
        db.engine.dispose()


NUMBERED = """
INSERT INTO users (id, email, username, full_name, password, active, fs_uniquifier, organisation_id, created_at)
    VALUES (1, 'u', 'u', '', '', TRUE, 'u', 1, '2026-01-01 00:00:00');
UPDATE organisations SET gs1_prefix = '6901234', next_sscc = 12;
UPDATE label_runs SET sscc_stem = '06909999', sscc_first = 40, level = 'case' WHERE id = 8;
INSERT INTO commitment_certificates (id, number, batch_id, quantity, unit, consignee, bases, issued_on, facts, run_id,
    withdrawn_reason, created_at, created_by_id)
    VALUES (1, '530324-2025-00001-0007', 1, 1, 'kg', '', '[]', '2025-02-01', '{}', 7, '', '2025-02-01 00:00:00', 1),
           (2, '530324-2026-00001-0001', 1, 1, 'kg', '', '[]', '2026-02-01', '{}', 8, '', '2026-02-01 00:00:00', 1);
INSERT INTO recalls (id, number, kind, status, level, voluntary, authority_id, issued_by_id, issued_at, scope, lot_count)
    VALUES (1, '530324-2026-0003', 'recall', 'active', 2, false, 1, 1, '2026-02-01 00:00:00', '{}', 1),
           (2, '530324-H2026-0002', 'hold', 'active', 2, false, 1, 1, '2026-02-03 00:00:00', '{}', 1);
INSERT INTO consignees (id, sender_id, name, phone, email, address, created_at)
    VALUES (1, 1, '超市', '', '', '', '2026-11-25 00:00:00');
INSERT INTO shipments (id, number, receipt_code, sender_id, consignee_id, departed_at, carrier, vehicle, driver,
    driver_phone, platform, order_number, note, withdrawn_reason, created_at, created_by_id)
    VALUES (1, '1-20261125-001', 'A', 1, 1, '2026-11-25 00:00:00', '', '', '', '', '', '', '', '',
            '2026-11-25 00:00:00', 1)
"""


def test_what_was_numbered_before_keeps_its_number_and_counters_go_on_behind_it(bare: Flask) -> None:
    with bare.app_context():
        _begin("0016")
        _execute(NUMBERED)
        for revision in ("head", "0038"):
            flask_migrate.upgrade(revision=revision)
            with db.engine.connect() as connection:
                runs = connection.execute(sa.text("SELECT id, key_number, run_number FROM label_runs ORDER BY id"))
                assert [tuple(run) for run in runs] == [(7, 1, 7), (8, 1, 8)]
                held = connection.execute(sa.text('SELECT run_id, "index" FROM commitment_certificates ORDER BY id'))
                assert [tuple(row) for row in held] == [(7, 0), (8, 0)]
                counters = connection.execute(sa.text("SELECT name, scope, period, value FROM counters"))
                assert {tuple(row) for row in counters} == {
                    ("label_run", "1", "", 9),
                    ("sscc", "06901234", "", 12),
                    ("sscc", "06909999", "", 50),
                    ("certificate", "1", "2025", 7),
                    ("certificate", "1", "2026", 1),
                    ("recall", "530324-", "2026", 3),
                    ("recall", "530324-H", "2026", 2),
                    ("shipment", "1", "2026", 1),
                }
            flask_migrate.downgrade(revision="0016")
            with db.engine.connect() as connection:
                assert connection.execute(sa.text("SELECT next_sscc FROM organisations")).scalar() == 12
        db.engine.dispose()


def test_no_way_back_is_offered_where_printed_codes_would_lose_their_meaning(bare: Flask) -> None:
    with bare.app_context():
        _begin("0001")
        flask_migrate.upgrade()
        _execute("UPDATE label_runs SET run_number = 0 WHERE id = 8")
        with pytest.raises(SystemExit):
            flask_migrate.downgrade(revision="0016")
        with db.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM counters")).scalar() == 1
        db.engine.dispose()


ENDED_BEFORE = """
INSERT INTO users (id, email, username, full_name, password, active, fs_uniquifier, organisation_id, created_at)
    VALUES (1, 'u', 'u', '', '', TRUE, 'u', 1, '2026-01-01 00:00:00');
INSERT INTO recalls (id, number, kind, status, level, voluntary, authority_id, issued_by_id, issued_at, ended_at, scope,
    lot_count)
    VALUES (1, 'R', 'recall', 'ended', 2, FALSE, 1, 1, '2026-02-01 00:00:00', '2026-02-09 00:00:00', '{}', 1),
           (2, 'H', 'hold', 'ended', 2, FALSE, 1, 1, '2026-02-01 00:00:00', '2026-02-09 00:00:00', '{}', 1),
           (3, 'M', 'drill', 'ended', 2, FALSE, 1, 1, '2026-02-01 00:00:00', '2026-02-09 00:00:00', '{}', 1),
           (4, 'N', 'recall', 'rejected', 1, FALSE, 1, 1, '2026-02-01 00:00:00', NULL, '{}', 1);
INSERT INTO recall_notices (id, recall_id, sequence, type, level, reason, reason_en, advice, advice_en, note, scope,
    lots_added, lots_removed, lot_count, issued_by_id, issued_at)
    SELECT id, id, 1, 'end', level, '', '', '', '', '', '{}', 0, 0, 1, 1, '2026-02-09 00:00:00' FROM recalls;
INSERT INTO recall_batches (recall_id, batch_id, added_in) SELECT id, 1, 1 FROM recalls
"""


def test_recalls_that_had_ended_count_as_completed_and_their_lots_stay_withdrawn(bare: Flask) -> None:
    def told() -> list[tuple[str, ...]]:
        query = "SELECT r.status, n.type FROM recalls r JOIN recall_notices n ON n.recall_id = r.id ORDER BY r.id"
        with db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    with bare.app_context():
        _begin("0018")
        _execute(ENDED_BEFORE)
        flask_migrate.upgrade()
        assert told()[:3] == [("completed", "complete"), ("lifted", "lift"), ("ended", "end")]
        with db.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT version FROM batches")).scalar_one() == 2
            ended = connection.execute(sa.text("SELECT ended_at FROM recalls WHERE id = 4")).scalar_one()
            assert str(ended)[:10] == "2026-02-09"
            lot = db.session.get_one(Batch, 1)
            assert lot.state == "recalled"
        db.session.remove()
        with pytest.raises(sa.exc.IntegrityError):
            _execute("UPDATE recall_notices SET type = 'withdraw'")
        flask_migrate.downgrade(revision="0018")
        assert told()[:3] == [("ended", "end")] * 3
        with pytest.raises(sa.exc.IntegrityError):
            _execute("DELETE FROM recall_notices")
        db.engine.dispose()


SOLD = """
INSERT INTO organisations (id, kind, name, name_en, credit_code, division_code, address, phone, created_at)
    VALUES (2, 'producer', '姜厂', '', '91350100M000100Y44', '530324', '', '', '2026-01-01 00:00:00');
INSERT INTO products (id, producer_id, kind_code, name, name_en, net_content, description, created_at)
    VALUES (2, 2, 'ginger', '姜片', '', '', '', '2026-01-01 00:00:00');
INSERT INTO sites (id, producer_id, kind, name, name_en, division_code, created_at)
    VALUES (2, 2, 'workshop', '车间', '', '530324', '2026-01-01 00:00:00');
INSERT INTO batches (id, producer_id, product_id, site_id, division_code, lot_number, quantity, unit, started_on, status,
    version, created_at)
    VALUES (2, 2, 2, 2, '530324', 'L2', 9, 'kg', '2026-01-01', 'draft', 1, '2026-01-01 00:00:00'),
        (3, 1, 1, 1, '530324', 'L3', 10.5, 'kg', '2026-01-01', 'draft', 1, '2026-01-01 00:00:00');
INSERT INTO consignees (id, sender_id, organisation_id, name, phone, email, address, created_at)
    VALUES (1, 1, 2, '姜厂', '', '', '', '2026-01-01 00:00:00'), (2, 1, NULL, '超市', '', '', '', '2026-01-01 00:00:00');
INSERT INTO shipments (id, number, receipt_code, sender_id, consignee_id, consignee_name, consignee_phone,
    consignee_address, consignee_organisation_id, departed_at, carrier, vehicle, driver, driver_phone, platform,
    order_number, note, created_at, withdrawn_at, withdrawn_reason) VALUES
    (1, 'A', 'A', 1, 1, '姜厂', '', '', 2, '2026-01-05 00:00:00', '', '', '', '', '', '', '', '2026-01-05 00:00:00',
        NULL, ''),
    (2, 'B', 'B', 1, 2, '超市', '', '', NULL, '2026-01-05 00:00:00', '', '', '', '', '', '', '', '2026-01-05 00:00:00',
        NULL, ''),
    (3, 'C', 'C', 1, 1, '姜厂', '', '', 2, '2026-01-05 00:00:00', '', '', '', '', '', '', '', '2026-01-05 00:00:00',
        '2026-01-06 00:00:00', '错');
INSERT INTO shipment_lines (id, shipment_id, batch_id, quantity) VALUES (1, 1, 3, 4), (2, 2, 1, 7), (3, 3, 3, 9);
INSERT INTO receipts (id, shipment_id, received_at, received_by, note, created_at)
    VALUES (1, 1, '2026-01-06 00:00:00', '张', '少了', '2026-01-06 00:00:00');
INSERT INTO receipt_lines (receipt_id, line_id, quantity) VALUES (1, 1, 3.5);
INSERT INTO lot_links (id, source_id, target_id, quantity, happened_on, note, created_at, withdrawn_at, withdrawn_reason)
    VALUES (1, 3, 2, 2, '2026-01-07', '', '2026-01-07 00:00:00', NULL, ''),
        (2, 3, 2, 3, '2026-01-07', '', '2026-01-07 00:00:00', NULL, ''),
        (3, 1, 2, 1, '2026-01-07', '', '2026-01-07 00:00:00', '2026-01-08 00:00:00', '错');
INSERT INTO lot_losses (id, batch_id, holder_id, quantity, reason, happened_at, withdrawn_reason)
    VALUES (1, 3, 1, 0.25, '霉变', '2026-01-08 00:00:00', '')
"""
"""Goods of before the ledger: the shop was sent 7 of lot 1, which had 5; of lot 3, the second producer was sent 4 and
received 3.5, and used 5."""


def test_goods_of_before_are_in_the_ledger_and_what_was_overdrawn_is_said(bare: Flask) -> None:
    with bare.app_context():
        _begin("0029")
        _execute(SOLD)
        for revision in ("head", "0038"):
            flask_migrate.upgrade(revision=revision)
            with db.engine.connect() as connection:
                held = connection.execute(
                    sa.text("SELECT batch_id, holder_id, quantity FROM lot_holdings ORDER BY batch_id, holder_id")
                )
                # 1.5 of what was used beyond what had arrived came from the producer.
                assert [(lot, holder, float(left)) for lot, holder, left in held] == [
                    (1, 1, 0),
                    (2, 2, 9),
                    (3, 1, 4.75),
                    (3, 2, 0),
                ]
                said = connection.execute(
                    sa.text("SELECT batch_id, quantity, note FROM lot_moves WHERE cause = 'corrected'")
                )
                assert [(lot, float(amount), note[:5]) for lot, amount, note in said] == [(1, 2, "升级时补记")]
            with pytest.raises(sa.exc.IntegrityError):
                _execute("UPDATE lot_holdings SET quantity = -1 WHERE batch_id = 3")
            flask_migrate.downgrade(revision="0029")
        db.engine.dispose()


ACCOUNTS_OF_OTHERS = """
INSERT INTO divisions VALUES ('530324', '罗平县', 'Luoping County', NULL, 'county');
INSERT INTO organisations (id, kind, name, name_en, credit_code, division_code, address, phone, created_at)
    VALUES (1, 'producer', '合作社', '', '91350100M000100Y43', '530324', '', '', '2026-01-01 00:00:00');
INSERT INTO users (id, email, username, full_name, password, active, fs_uniquifier, organisation_id, created_at)
    VALUES (1, 'a@x.org', 'chief', '管', 'x', true, 'a', 1, '2026-01-01 00:00:00'),
           (2, 'b@x.org', 'made', '甲', 'x', true, 'b', 1, '2026-01-01 00:00:00'),
           (3, 'c@x.org', 'changed', '乙', 'x', true, 'c', 1, '2026-01-01 00:00:00'),
           (4, 'd@x.org', 'reset', '丙', 'x', true, 'd', 1, '2026-01-01 00:00:00');
INSERT INTO user_sessions (id, user_id, digest, device, lasting, began_at, seen_at)
    VALUES (1, 1, 'a', '', true, '2026-01-01 00:00:00', '2026-01-01 00:00:00'),
           (2, 2, 'b', '', true, '2026-01-01 00:00:00', '2026-01-01 00:00:00');
INSERT INTO audit_events (id, at, actor_id, action, subject_type, subject_id, facts)
    VALUES (1, '2026-01-01 00:00:00', NULL, 'create', 'users', 1, '{}'),
           (2, '2026-01-01 00:00:00', 1, 'create', 'users', 2, '{}'),
           (3, '2026-01-01 00:00:00', 1, 'create', 'users', 3, '{}'),
           (4, '2026-01-02 00:00:00', 3, 'set-password', 'users', 3, '{}'),
           (5, '2026-01-02 00:00:00', 4, 'set-password', 'users', 4, '{}'),
           (6, '2026-01-03 00:00:00', 1, 'set-password', 'users', 4, '{}')
"""


def test_passwords_that_others_set_are_to_be_changed_and_nobody_is_lost_on_the_way_back(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade(revision="0029")
        _execute(ACCOUNTS_OF_OTHERS)
        flask_migrate.upgrade(revision="0033")
        with db.engine.connect() as connection:
            due = connection.execute(sa.text("SELECT id FROM users WHERE password_change_due ORDER BY id")).scalars()
            assert list(due) == [2, 4]
            going_on = connection.execute(sa.text("SELECT id FROM user_sessions WHERE ended_at IS NULL")).scalars()
            assert list(going_on) == [1]
        _execute("UPDATE users SET email = NULL, password = NULL WHERE id > 2")
        flask_migrate.downgrade(revision="0029")
        with db.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT email, password FROM users WHERE id > 2 ORDER BY id")).all()
            assert [tuple(row) for row in rows] == [
                ("changed@no-address.invalid", "!"),
                ("reset@no-address.invalid", "!"),
            ]
        db.engine.dispose()


def test_tokens_from_before_go_on_for_all_that_they_did_and_end_one_day(bare: Flask) -> None:
    with bare.app_context():
        flask_migrate.upgrade(revision="0029")
        token = """INSERT INTO api_tokens (id, user_id, name, prefix, digest, created_at)
            VALUES (1, 2, '秤', 'qj_abc', 'd', '2026-01-01 00:00:00')"""
        _execute(f"{ACCOUNTS_OF_OTHERS}; {token}")
        flask_migrate.upgrade()
        with db.engine.connect() as connection:
            query = (
                "SELECT for_read AND for_records AND for_labels AND for_recalls AS everything, digest FROM api_tokens"
            )
            row = connection.execute(sa.text(query)).one()
            assert (bool(row.everything), row.digest) == (True, "d")
            left = connection.scalar(sa.select(db.metadata.tables["api_tokens"].c.expires_at))
            assert timedelta(days=89) < left - datetime.now(UTC) < timedelta(days=91)
        flask_migrate.downgrade(revision="0029")
        with db.engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT digest FROM api_tokens")) == "d"
        db.engine.dispose()
