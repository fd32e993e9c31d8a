"""Everyday writes of one producer at the same time, on PostgreSQL: none is refused for another's sake, and nothing is
numbered twice."""

import io
import itertools
import random
import threading
import time
from collections import Counter

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.trace_app.test_shipping import FORM, _orders
from tests.world import World, at_once, photo
from trace_app.batches.models import Batch
from trace_app.certificates.models import CommitmentCertificate
from trace_app.db.session import repeated, transaction
from trace_app.error_pages import MEANINGS
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment
from trace_app.labels.models import LabelRun
from trace_app.recalls.models import Recall
from trace_app.workbooks.models import Import, ImportStatus

THREADS = 8
SECONDS = 25
"""After which no further pair is begun."""
CARE = {"happened_on": "2025-06-01", "note": "除草"}
LABELS = {"count": "2", "level": "item", "stock": "roll-100x100", "format": "csv", "per_volume": ""}
NOTICE = {"level": "2", "reason": "镉超标", "advice": "停止食用", "reason_en": "Cadmium", "advice_en": "Do not eat"}

pytestmark = pytest.mark.parametrize("app", ["postgresql"], indirect=True)


class Farm:
    """A producer and what it writes: two lots that all sell from, and some that are released, received and recalled."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.grower = world.household(gs1_prefix="6901234")
        self.site = world.site(self.grower)
        facts = {"site_id": self.site, "product_id": world.product(self.grower)}
        self.lots = [world.released(self.grower, lot_number=f"AT-{n}", **facts) for n in range(2)]
        self.bad = itertools.cycle([world.released(self.grower, **facts) for _ in range(6)])
        drafts = [world.batch(self.grower, **facts) for _ in range(12)]
        for draft in drafts:
            world.complete(self.grower, draft)
        self.drafts = itertools.cycle(drafts)
        client = world.client(self.grower)
        for _ in range(12):
            assert client.post("/shipments/new", data=FORM | {f"q-{self.lots[0]}": "1"}).status_code == 302
        with world.app.app_context():
            sent = [(row.receipt_code, row.lines[0].id) for row in db.session.scalars(sa.select(Shipment))]
        self.sent = itertools.cycle(sent)
        self.orders_so_far = itertools.count(1)

    def _both(self) -> list[int]:
        return random.sample(self.lots, 2)

    def record(self, client: FlaskClient) -> TestResponse:
        lots = [str(lot) for lot in self._both()]
        return client.post("/field/ginger/care", data=CARE | {"scope": "lots", "batch_ids": lots})

    def season(self, client: FlaskClient) -> TestResponse:
        scope = {"scope": "site", "site_id": str(self.site), "season_until": "2025-12-31"}
        return client.post("/field/ginger/care", data=CARE | scope)

    def shipment(self, client: FlaskClient) -> TestResponse:
        return client.post("/shipments/new", data=FORM | {f"q-{lot}": "1" for lot in self._both()})

    def receipt(self, client: FlaskClient) -> TestResponse:
        code, line = next(self.sent)
        data = {"received_at": "2026-11-21T09:00", "received_by": "张店长", f"q-{line}": "1"}
        return client.post(f"/receive/{code}", data=data)

    def certificate(self, client: FlaskClient) -> TestResponse:
        data = {"quantity": "1", "bases": ["own_control"]}
        return client.post(f"/batches/{random.choice(self.lots)}/commitments", data=data)

    def labels(self, client: FlaskClient) -> TestResponse:
        return client.post(f"/batches/{random.choice(self.lots)}/labels", data=LABELS)

    def cases(self, client: FlaskClient) -> TestResponse:
        return client.post(f"/batches/{random.choice(self.lots)}/labels", data=LABELS | {"level": "case"})

    def release(self, client: FlaskClient) -> TestResponse:
        return client.post(f"/batches/{next(self.drafts)}/release")

    def recall(self, client: FlaskClient) -> TestResponse:
        return client.post(f"/batches/{next(self.bad)}/recall", data=NOTICE)

    def orders(self, client: FlaskClient) -> TestResponse:
        number, lots = next(self.orders_so_far), self._both()
        rows: list[list[object]] = [
            [
                "淘宝",
                f"T{number}-{n}",
                f"王{n}",
                "",
                "昆明市",
                f"AT-{self.lots.index(lot)}",
                1,
                "2026-11-20",
                "快递",
                "1",
            ]
            for n, lot in enumerate(lots)
        ]
        looked = client.post("/workbooks", data={"what": "orders", "file": _orders(rows)})
        return client.post(f"{looked.location}/all")


WRITES = [
    "record",
    "season",
    "shipment",
    "receipt",
    "certificate",
    "labels",
    "cases",
    "release",
    "recall",
    "orders",
]
MUST_WORK = {"record", "season", "shipment", "certificate", "labels", "cases", "orders"}
"""What finds enough for all. A second release, receipt or recall of one thing is told that it was done."""


def test_pairs_of_everyday_writes_stand_in_nobodys_way(world: World) -> None:
    farm = Farm(world)
    pairs = list(itertools.combinations_with_replacement(WRITES, 2))
    random.shuffle(pairs)
    pairs += pairs[: len(pairs) % 2]
    clients = [world.client(farm.grower) for _ in range(THREADS)]
    for client in clients:
        client.token()
    answers: list[tuple[str, TestResponse]] = []
    late = threading.Event()
    end = time.monotonic() + SECONDS
    together = threading.Barrier(THREADS, action=lambda: late.set() if time.monotonic() > end else None)

    def work(place: int) -> None:
        # Two pairs at a time, each in two threads of each write.
        for pair in pairs[place // 4 :: 2]:
            together.wait(30)
            if late.is_set():
                return
            name = pair[place % 2]
            answers.append((name, getattr(farm, name)(clients[place])))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = str(MEANINGS[409])
    told = Counter((name, answer.status_code) for name, answer in answers)
    assert len(answers) >= 5 * THREADS, told
    assert [
        (name, answer.text) for name, answer in answers if answer.status_code >= 500 or refused in answer.text
    ] == []
    assert {(name, status) for name, status in told if name in MUST_WORK and status != 302} == set(), told
    _nothing_twice(world, told)


def _nothing_twice(world: World, told: Counter[tuple[str, int]]) -> None:
    with world.app.app_context():
        runs = db.session.execute(
            sa.select(LabelRun.run_number, LabelRun.sscc_first, LabelRun.count).order_by(LabelRun.run_number)
        ).all()
        assert [row.run_number for row in runs] == list(range(len(runs)))
        serials = sorted(row.sscc_first for row in runs if row.sscc_first is not None)
        assert serials == list(range(0, 2 * len(serials), 2))
        assert len(serials) == told["cases", 302]
        indices = sorted(db.session.scalars(sa.select(CommitmentCertificate.index)))
        assert indices == list(range(told["certificate", 302]))
        for numbers in (CommitmentCertificate.number, Shipment.number, Recall.number):
            found = list(db.session.scalars(sa.select(numbers)))
            assert len(found) == len(set(found))
        assert db.session.scalar(sa.select(sa.func.count(Shipment.id))) == (
            12 + told["shipment", 302] + 2 * told["orders", 302]
        )
        left = sa.select(sa.func.count(Import.id)).where(Import.status != ImportStatus.DONE)
        assert db.session.scalar(left) == 0


def test_weighing_a_household_and_renaming_it_or_its_plot_never_wait_for_one_another_in_a_circle(world: World) -> None:
    grower = world.producer()
    plot, household = world.site(grower), world.member(grower, "张家")
    lot = world.batch(grower, site_id=plot)
    client = world.client(grower)
    tilled = {"site_id": plot, "begins_on": "2025-01-01"}
    assert client.post(f"/households/{household}/plots", data=tilled).status_code == 302
    world.weigh(grower, lot, household, "1")
    numbers = itertools.count()

    def weigh(client: FlaskClient) -> int:
        data = {"household_id": household, "quantity": "1", "happened_on": "2025-11-06", "plot_id": plot}
        return client.post(f"/field/weighings/{lot}", data=data).status_code

    def rename(client: FlaskClient) -> int:
        data = {"name": f"张家{next(numbers)}", "village": "示例村", "number": "", "phone": "", "note": ""}
        return client.post(f"/households/{household}/edit", data=data).status_code

    def rename_plot(client: FlaskClient) -> int:
        data = {"kind": "plot", "name": f"地 {next(numbers)}", "division_code": "530324102"}
        return client.post(f"/sites/{plot}", data=data).status_code

    kinds = [weigh, rename, weigh, rename_plot] * 2
    clients = [world.client(grower) for _kind in kinds]
    for one in clients:
        one.token()
    before = _deadlocks(world)
    answers = at_once(
        [lambda act=act, one=one: [act(one) for _time in range(6)] for act, one in zip(kinds, clients, strict=True)]
    )
    assert answers == [[302] * 6] * len(kinds)
    assert _deadlocks(world) == before
    with world.app.app_context():
        assert db.session.get_one(Batch, lot).quantity == 25


def _deadlocks(world: World) -> int:
    """How often the database broke off a transaction for a circle, once all of its sessions have said so."""
    with world.app.app_context():
        db.engine.dispose()
        time.sleep(1.5)
        count = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(db.session.scalar(count) or 0)


def test_a_request_that_the_database_breaks_off_is_done_again_with_its_files(world: World) -> None:
    grower = world.producer()
    first, second = sorted(world.released(grower, quantity="100") for _ in range(2))
    client = world.client(grower)
    client.token()
    hold = sa.text("SELECT id FROM batches WHERE id = :lot FOR NO KEY UPDATE")
    form = FORM | {f"q-{first}": "1", f"q-{second}": "1", "photos": (io.BytesIO(photo()), "a.jpg")}
    answers: list[TestResponse] = []
    request = threading.Thread(target=lambda: answers.append(client.post("/shipments/new", data=form)))
    with world.app.app_context(), db.engine.connect() as other:
        other.execute(hold, {"lot": second})
        request.start()
        _wait_for_who_waits(world)
        # Now each waits for the other. The request has waited longer: PostgreSQL ends it first.
        other.execute(hold, {"lot": first})
        other.rollback()
    request.join()
    assert answers[0].status_code == 302, answers[0].text
    with world.app.app_context():
        [shipment] = db.session.scalars(sa.select(Shipment))
        assert len(shipment.lines) == 2
        assert len(shipment.photos) == 1


def _wait_for_who_waits(world: World) -> None:
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
        while not watcher.execute(waiting).scalar():
            time.sleep(0.02)


def test_what_has_committed_something_is_not_done_again(world: World) -> None:
    from psycopg.errors import DeadlockDetected

    times: list[int] = []

    def two_steps() -> None:
        times.append(1)
        with transaction():
            pass
        raise sa.exc.OperationalError("SELECT", {}, DeadlockDetected())

    def one_step() -> None:
        times.append(1)
        raise sa.exc.OperationalError("SELECT", {}, DeadlockDetected())

    with world.app.app_context():
        for use_case, expected in ((two_steps, 1), (one_step, 3)):
            times.clear()
            with pytest.raises(sa.exc.OperationalError):
                repeated(use_case)
            assert len(times) == expected
