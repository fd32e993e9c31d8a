import re
import secrets
from collections import Counter

from flask import Flask

from tests.conftest import app_for, set_up, settings_for
from tests.world import World
from trace_app.accounts.models import Organisation, OrganisationKind
from trace_app.accounts.service import user_by_name
from trace_app.batches.models import Batch, BatchStatus
from trace_app.certificates.models import Certificate
from trace_app.certificates.service import certificates_shown
from trace_app.clock import local, today
from trace_app.demo import build
from trace_app.extensions import db
from trace_app.feedback.models import Feedback
from trace_app.findings.service import standing
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.shipments.models import Receipt, ShipmentLine
from trace_app.labels.models import LabelRun
from trace_app.laboratory import reports as lab_reports
from trace_app.laboratory.models import TestReport, Verdict
from trace_app.media.models import Photo
from trace_app.recalls.cases import second_officers
from trace_app.recalls.models import Recall, RecallKind
from trace_app.recalls.published import recalls_of
from trace_app.records.models import Record
from trace_app.records.service import in_force, records_of, records_shown
from trace_app.release.service import check_lot
from trace_app.scanning.models import ScanItem


def _picture(app: Flask) -> list[object]:
    """Everything that must come out the same each time."""
    with app.app_context():
        lots = [
            (b.lot_number, b.product.name, str(b.quantity), b.started_on, b.produced_on, b.state, len(records_of(b)))
            for b in db.session.scalars(db.select(Batch).order_by(Batch.lot_number))
        ]
        photos = sorted(db.session.scalars(db.select(Photo.sha256)))
        return [*lots, *photos]


def test_three_producers_in_each_county_and_thirty_batches_over_all_five_products(demo: Flask) -> None:
    with demo.app_context():
        producers = db.session.scalars(db.select(Organisation).filter_by(kind=OrganisationKind.PRODUCER)).all()
        assert Counter(p.division_code[:6] for p in producers) == {"530381": 3, "530324": 3, "530323": 3}
        assert all(p.name.startswith("示例") for p in producers)
        lots = db.session.scalars(db.select(Batch)).all()
        assert len(lots) >= 30
        assert {b.product.kind_code for b in lots} == {"ham", "ham_mooncake", "ginger", "honey", "coix"}
        assert sum(b.recalled for b in lots) == 2
        recalls = db.session.scalars(db.select(Recall).filter_by(kind=RecallKind.RECALL)).all()
        assert sorted(recall.status.value for recall in recalls) == ["active", "completed", "withdrawn"]
        assert {b.state for b in lots} == {"draft", "released", "closed", "held", "recalled"}


def test_every_released_batch_has_full_records(demo: Flask) -> None:
    with demo.app_context():
        for batch in db.session.scalars(db.select(Batch)):
            records = in_force(records_of(batch))
            assert len(records) >= 6, batch.lot_number
            if batch.product.kind.inputs and batch.state != "draft":
                assert any(record.product_name for record in records), batch.lot_number
        assert db.session.scalar(db.select(db.func.count(Record.id))) > 250


def test_trace_pages_show_what_is_in_force(demo: Flask) -> None:
    with demo.app_context():
        lots = db.session.scalars(db.select(Batch)).all()
        for lot in lots:
            assert records_shown(lot) == in_force(records_of(lot))
        shown = [record for lot in lots for record in records_shown(lot)]
        assert any(record.photos for record in shown)
        assert any(record.label_days for record in shown)
        reports = db.session.scalars(db.select(TestReport).order_by(TestReport.sampled_on, TestReport.id)).all()[::-1]
        replaced = {report.replaces_id for report in reports}
        for lot in lots:
            assert lab_reports.tests_of(lot) == [
                r for r in reports if (r.batch_id == lot.id or r.site_id == lot.site_id) and r.id not in replaced
            ]
            held = db.session.scalars(
                db.select(Certificate).filter_by(producer_id=lot.producer_id).order_by(Certificate.id)
            )
            fitting = [c for c in held if c.valid_on(today()) and c.product_id in {None, lot.product_id}]
            assert certificates_shown(lot) == fitting
        assert {len(lab_reports.tests_of(lot)) for lot in lots} >= {0, 1, 2}
        assert any(certificates_shown(lot) for lot in lots)


def test_what_was_sent_had_been_released(demo: Flask) -> None:
    with demo.app_context():
        sent = db.session.scalars(db.select(ShipmentLine)).all()
        assert sent
        assert all(line.batch.released_at <= line.shipment.departed_at for line in sent)


def test_rebuilding_gives_the_same_again(demo: Flask) -> None:
    before = _picture(demo)
    with demo.app_context():
        build.rebuild()
    assert _picture(demo) == before


def test_the_logins_and_links_that_it_prints_work(demo: Flask) -> None:
    with demo.app_context():
        text = build.overview()
    paths = re.findall(r"http://127\.0\.0\.1:8000(/1\w{12})\b", text)
    assert len(paths) == 5
    pages = [World(demo).client().get(path).text for path in paths]
    assert sum("正在召回" in page for page in pages) == 1
    for username in re.findall(r"^    (\w+)   ", text, flags=re.M):
        client = demo.test_client()
        assert client.post("/login", data={"email": username, "password": build.PASSWORD}).status_code == 302
        assert client.get("/start", follow_redirects=True).status_code == 200


def test_what_a_county_recalls_at_level_one_can_be_approved(demo: Flask) -> None:
    with demo.app_context():
        first = user_by_name("luoping")
        assert [one.username for one in second_officers(first, first.organisation)] == ["shiban"]
        assert "shiban" in build.overview()


def test_it_stays_out_of_production(tmp_path) -> None:
    settings = settings_for(
        tmp_path,
        environment="production",
        secret_key=secrets.token_urlsafe(48),
        public_url="https://t.example.org",
        sqlite_in_production=True,
        rate_limits=True,
    )
    app = app_for(settings)
    set_up(app)
    result = app.test_cli_runner().invoke(args=["demo", "--yes"])
    assert result.exit_code == 1
    assert "production" in result.output


def test_the_rules_find_nothing_that_stops_what_was_released(demo: Flask) -> None:
    with demo.app_context():
        lots = db.session.scalars(db.select(Batch).where(Batch.status != BatchStatus.DRAFT, ~Batch.recalled)).all()
        assert len(lots) >= 20
        for lot in lots:
            check_lot(lot)
            left = [finding.rule for finding in standing(lot) if finding.stops_release and finding.waiver is None]
            assert left == [], lot.lot_number
        db.session.rollback()


def test_no_lot_was_released_or_sent_on_a_test_that_it_had_failed(demo: Flask) -> None:
    with demo.app_context():
        failed = db.session.scalars(db.select(TestReport).where(TestReport.verdict == Verdict.FAIL)).all()
        assert failed
        for report in failed:
            lot = report.batch
            assert lot.released_at
            assert local(lot.released_at).date() < report.sampled_on, lot.lot_number
            sent = db.session.scalars(db.select(ShipmentLine).filter_by(batch_id=lot.id)).all()
            assert sent
            assert all(local(line.shipment.departed_at).date() < report.sampled_on for line in sent)
            assert lot.recalled
            assert report.report_number in recalls_of(lot)[0].notice.basis


def test_labels_follow_the_release_and_scans_follow_the_label(demo: Flask) -> None:
    with demo.app_context():
        runs = {run.id: run for run in db.session.scalars(db.select(LabelRun))}
        assert runs
        for run in runs.values():
            lot = db.session.get(Batch, run.batch_id) if run.batch_id else None
            assert lot is None or run.created_at >= lot.released_at, lot.lot_number
        items = db.session.scalars(db.select(ScanItem)).all()
        assert items
        assert [item for item in items if item.first_at < runs[item.run_id].created_at.replace(microsecond=0)] == []
        for feedback in db.session.scalars(db.select(Feedback)):
            assert feedback.created_at >= feedback.batch.released_at


def test_nothing_is_used_received_or_told_before_it_was_there(demo: Flask) -> None:
    with demo.app_context():
        for receipt in db.session.scalars(db.select(Receipt)):
            assert receipt.received_at >= receipt.shipment.departed_at
        for link in db.session.scalars(db.select(LotLink)):
            source = db.session.get_one(Batch, link.source_id)
            assert source.produced_on
            assert source.produced_on <= link.happened_on
        for report in db.session.scalars(db.select(TestReport)):
            assert report.sampled_on <= report.issued_on <= today()
        for record in db.session.scalars(db.select(Record).where(Record.stock_id.is_not(None))):
            assert record.stock.received_on <= record.happened_on
