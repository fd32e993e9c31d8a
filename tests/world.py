"""Makes what a test needs, so that the test states only what matters to it."""

from __future__ import annotations

import io
import itertools
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from trace_app.accounts import service as accounts
from trace_app.accounts.credit_code import check_character
from trace_app.accounts.models import Author, OrganisationKind, RoleName, TokenScope, User
from trace_app.accounts.tokens import create_token
from trace_app.batches import service as batches
from trace_app.batches.forms import BatchForm
from trace_app.batches.models import Batch
from trace_app.catalogue import service as catalogue
from trace_app.catalogue.forms import ProductForm, SiteForm
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.households import service as households
from trace_app.households.forms import HouseholdForm
from trace_app.labels import printing
from trace_app.labels import service as labels
from trace_app.labels.keys import code_book
from trace_app.labels.models import LabelLevel
from trace_app.recalls.models import NoticeText
from trace_app.recalls.service import issue_recall
from trace_app.records import service as records
from trace_app.records.forms import form_for
from trace_app.records.models import RecordType
from trace_app.records.service import Scope
from trace_app.release import service as quality
from trace_app.scanning.reading import page_state
from trace_app.weighings import service as weighings
from trace_app.weighings.service import HouseholdDelivery

Answer = TypeVar("Answer")
PASSWORD = "long enough for tests"
SPRAYED = {
    "happened_on": "2025-09-15",
    "product_name": "苯醚甲环唑 10% 水分散粒剂",
    "registration_number": "PD20990002",
    "active_ingredient": "苯醚甲环唑",
    "dose": "40",
    "dose_unit": "g_per_mu",
    "area_mu": "42",
    "method": "spray",
    "target": "叶斑病",
    "operator": "李大姐",
    "interval_days": "14",
}
HARVESTED = {"happened_on": "2025-11-06", "values-quantity_kg": "8600", "operator": "李大姐"}
MANDATORY: dict[str, list[tuple[str, str | None, dict[str, str]]]] = {
    "ginger": [
        ("stage", "planting", {"happened_on": "2025-03-12"}),
        ("stage", "harvest", HARVESTED),
    ],
    "coix": [
        ("stage", "sowing", {"happened_on": "2025-04-20"}),
        ("stage", "harvest", HARVESTED),
    ],
    "honey": [
        ("stage", "bloom", {"happened_on": "2025-03-12", "values-plant": "油菜花"}),
        ("stage", "extraction", HARVESTED),
    ],
    "ham": [
        ("stage", "slaughter", {"happened_on": "2024-11-20", "values-quarantine_certificate": "滇示例 1"}),
        ("stage", "salting", {"happened_on": "2024-11-22"}),
        ("stage", "fermenting", {"happened_on": "2025-01-20"}),
    ],
    "ham_mooncake": [
        (
            "ingredient",
            None,
            {"happened_on": "2025-11-05", "product_name": "火腿", "dose": "300", "dose_unit": "kg", "source": "本厂"},
        ),
        ("stage", "baking", {"happened_on": "2025-11-06"}),
        ("stage", "metal_check", {"happened_on": "2025-11-06", "values-result": "pass"}),
    ],
}
"""The records without which a lot of a kind is not released."""
KIND_SITE = {"ginger": "plot", "coix": "plot", "honey": "apiary", "ham": "workshop", "ham_mooncake": "workshop"}
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
WITHOUT_TOKEN = re.compile(r"^/api/|^/[^/]+/(pin|feedback)$")
"""Where a form or a program sends no token: the API, and the two pages that know nobody."""
FIRST_ADDRESS = ip_address("198.18.0.0")
"""The first address of a network for tests (RFC 2544)."""
RECALL = {"level": 2, "reason": "镉超标", "advice": "停止食用", "reason_en": "Cadmium", "advice_en": "Do not eat"}


class Browser(FlaskClient):
    """Sends forms and reads answers as a browser does.

    Every answer is read to its end, so that files are closed. A form is sent with the token of a page of the platform,
    as it is in the form's hidden field. Each browser has an address of its own, as visitors have.
    """

    _addresses = itertools.count(1)
    _token = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.environ_base["REMOTE_ADDR"] = str(FIRST_ADDRESS + next(self._addresses) % 65_000)

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("method") == "POST" and args and not WITHOUT_TOKEN.search(args[0]):
            data = kwargs.get("data")
            if (data is None or isinstance(data, dict)) and "csrf_token" not in (data or {}) and "json" not in kwargs:
                kwargs["data"] = {"csrf_token": self.token(), **(data or {})}
            if args[0] == "/logout":
                self._token = ""
        return super().open(*args, **{"buffered": True, **kwargs})

    def token(self) -> str:
        """The token that the front page gave this browser, for as long as its session lasts."""
        if not self._token or self.get_cookie("session") is None:
            page = super().open("/", buffered=True).text
            found = TOKEN.search(page)
            assert found, page
            self._token = found[1]
        return self._token


@dataclass(frozen=True)
class Actor:
    """A user with the organisation that it acts for."""

    username: str
    user_id: int
    organisation_id: int


def at_once(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """Several people do something at the same time."""
    begin = threading.Barrier(len(calls))

    def one(call: Callable[[], Answer]) -> Answer:
        begin.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(one, calls))


class World:
    def __init__(self, app: Flask) -> None:
        self.app = app
        self._numbers = itertools.count(1)

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self.app.app_context(), transaction():
            yield

    def actor(self, kind: OrganisationKind, role: RoleName, division: str, **facts: Any) -> Actor:
        number = next(self._numbers)
        with self.writing():
            organisation = accounts.create_organisation(
                None,
                kind=kind,
                name=facts.pop("name", f"单位 {number}"),
                name_en=f"Organisation {number}",
                division_code=division,
                **facts,
            )
            user = accounts.create_user(
                None,
                organisation,
                role,
                username=f"user{number}",
                email=f"user{number}@example.org",
                full_name=f"某人 {number}",
                password=PASSWORD,
            )
            return Actor(user.username, user.id, organisation.id)

    def producer(self, division: str = "530324102", **facts: Any) -> Actor:
        body = f"93530324MA6T{next(self._numbers):04d}X"
        facts.setdefault("credit_code", body + check_character(body))
        return self.actor(OrganisationKind.PRODUCER, RoleName.PRODUCER, division, **facts)

    def household(self, **facts: Any) -> Actor:
        """A producer that is no enterprise or cooperative, by its credit code."""
        body = f"92530324MA6T{next(self._numbers):04d}X"
        return self.producer(credit_code=body + check_character(body), **facts)

    def regulator(self, jurisdiction: str = "530324") -> Actor:
        return self.actor(OrganisationKind.REGULATOR, RoleName.REGULATOR, "530324", jurisdiction_code=jurisdiction)

    def administrator(self, jurisdiction: str = "530300") -> Actor:
        place = "530302" if jurisdiction == "530300" else jurisdiction
        return self.actor(OrganisationKind.REGULATOR, RoleName.ADMINISTRATOR, place, jurisdiction_code=jurisdiction)

    def laboratory(self) -> Actor:
        return self.actor(OrganisationKind.LABORATORY, RoleName.LABORATORY, "530302")

    def buyer(self) -> Actor:
        return self.actor(OrganisationKind.BUYER, RoleName.BUYER, "530302")

    def client(self, actor: Actor | None = None, language: str = "zh") -> FlaskClient:
        """A browser, signed in as someone or no one."""
        client = self.app.test_client()
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        if actor:
            answer = client.post("/login", data={"email": actor.username, "password": PASSWORD})
            assert answer.status_code == 302, answer.text
        return client

    def token(self, actor: Actor, *scopes: TokenScope) -> dict[str, str]:
        """The headers of an API call.

        :param scopes: what the token is for; all where none is named.
        """
        with self.writing():
            user = db.session.get_one(User, actor.user_id)
            _token, text = create_token(user, "tests", scopes or tuple(TokenScope))
        return {"Authorization": f"Bearer {text}"}

    def product(self, actor: Actor, kind: str = "ginger", **facts: Any) -> int:
        values = {"kind_code": kind, "name": f"产品 {next(self._numbers)}", "net_content": "净重 500 克", **facts}
        with self.writing():
            user = db.session.get_one(User, actor.user_id)
            return catalogue.save_product(user, None, **ProductForm.parse(values).facts).id

    def site(self, actor: Actor, division: str = "530324102", **facts: Any) -> int:
        values = {
            "kind": "plot",
            "name": f"基地 {next(self._numbers)}",
            "division_code": division,
            "latitude": "24.8852",
            "longitude": "104.3086",
            "altitude_m": 1480,
            "area_mu": 42,
            **facts,
        }
        with self.writing():
            user = db.session.get_one(User, actor.user_id)
            return catalogue.save_site(user, None, **SiteForm.parse(values).facts).id

    def batch(self, actor: Actor, kind: str = "ginger", division: str = "530324102", **facts: Any) -> int:
        """A draft."""
        product_facts = {"name": facts.pop("product_name")} if "product_name" in facts else {}
        values = {
            "product_id": facts.pop("product_id", None) or self.product(actor, kind, **product_facts),
            "site_id": facts.pop("site_id", None) or self.site(actor, division, kind=KIND_SITE[kind]),
            "lot_number": f"L{next(self._numbers)}",
            "quantity": "8600",
            "unit": "leg" if kind == "ham" else "box" if kind == "ham_mooncake" else "kg",
            "started_on": "2025-03-12",
            "produced_on": "2025-11-06",
            **facts,
        }
        with self.writing():
            user = db.session.get_one(User, actor.user_id)
            return batches.register_batch(user, BatchForm.parse(values, user=user).batch_facts).id

    def member(self, actor: Actor, name: str, village: str = "示例村 1 组", **facts: Any) -> int:
        """A household of a cooperative."""
        with self.writing():
            user = db.session.get_one(User, actor.user_id)
            return households.register(user, HouseholdForm.parse({"name": name, "village": village, **facts}).facts).id

    def weigh(
        self, actor: Actor, batch_id: int, household_id: int, quantity: str, happened_on: str = "2025-11-06"
    ) -> int:
        """What a household delivered to a draft."""
        with self.writing():
            user = db.session.get_one(User, actor.user_id)
            household = households.own_household(user, household_id)
            delivery = HouseholdDelivery(household, Decimal(quantity), date.fromisoformat(happened_on))
            return weighings.weigh(user, db.session.get_one(Batch, batch_id), delivery).id

    def record(
        self, actor: Actor, batch_id: int, record_type: str = "care", stage: str | None = None, **values: Any
    ) -> int:
        with self.writing():
            user = db.session.get_one(User, actor.user_id)
            batch = db.session.get_one(Batch, batch_id)
            kind = RecordType(record_type)
            if kind is RecordType.CARE:
                values = {"happened_on": "2025-06-01", "note": "除草", **values}
            form = form_for(kind, records.stage_of(batch.product.kind, stage)).parse(values)
            entry = records.entry_for(batch.product.kind, kind, stage, form.facts)
            return records.add_record(Author.of(user), Scope.of(batch), entry)

    def entry(self, batch_id: int, record_type: str, stage: str | None = None) -> str:
        """Where a record of a lot is entered."""
        with self.app.app_context():
            kind = db.session.get_one(Batch, batch_id).product.kind_code
        return f"/field/{kind}/{record_type}{f'/{stage}' if stage else ''}?batch={batch_id}"

    def enter(
        self, client: FlaskClient, batch_id: int, record_type: str, stage: str | None = None, **values: Any
    ) -> Any:
        """Fill in the entry form for one lot."""
        data = {"scope": "lots", "batch_ids": str(batch_id), **values}
        return client.post(self.entry(batch_id, record_type, stage), data=data)

    def complete(self, actor: Actor, batch_id: int) -> None:
        """Make the records that a lot of its kind must have."""
        with self.app.app_context():
            kind = db.session.get_one(Batch, batch_id).product.kind_code
        for record_type, stage, values in MANDATORY[kind]:
            self.record(actor, batch_id, record_type, stage, **values)

    def released(self, actor: Actor, kind: str = "ginger", **facts: Any) -> int:
        """A released batch with the records that it must have."""
        batch_id = self.batch(actor, kind, **facts)
        self.complete(actor, batch_id)
        with self.writing():
            quality.release_batch(db.session.get_one(User, actor.user_id), db.session.get_one(Batch, batch_id))
        return batch_id

    def run(self, actor: Actor, batch_id: int, count: int = 3, layout: str = "roll-60x40", **facts: Any) -> int:
        """A finished label run."""
        facts = {"marked_elsewhere": True} | facts
        facts["level"] = LabelLevel(facts.get("level", "item"))
        with self.writing():
            user, batch = db.session.get_one(User, actor.user_id), db.session.get_one(Batch, batch_id)
            job = printing.order_labels(user, batch, layout=layout, count=count, **facts)
            run_id, job_id = job.run_id, job.id
        with self.app.app_context():
            printing.make_files(job_id)
        return run_id

    def files(self, actor: Actor, run_id: int) -> list[bytes]:
        """The files of a run's first print job, as its producer downloads them."""
        with self.app.app_context():
            job = db.session.get_one(labels.LabelRun, run_id).jobs[0]
            paths = [f"/labels/jobs/{job.id}/{volume.number}" for volume in job.volumes]
        client = self.client(actor)
        return [client.get(path).data for path in paths]

    def code(self, run_id: int, index: int = 0) -> str:
        with self.app.app_context():
            return labels.code_of(db.session.get_one(labels.LabelRun, run_id), index)

    def unmade(self, run_id: int, index: int, runs_on: int = 0) -> str:
        """A code that is rightly encrypted, of a label that need not have been made.

        :param runs_on: of so many runs later.
        """
        with self.app.app_context():
            row = db.session.get_one(labels.LabelRun, run_id)
            return code_book().code(row.run_number + runs_on, index, key_number=row.key_number)

    def sscc(self, run_id: int, index: int = 0) -> str:
        """The number of a case or pallet, of a producer that has a GS1 company prefix."""
        with self.app.app_context():
            numbers = labels.labels_of(db.session.get_one(labels.LabelRun, run_id), 0, index + 1).sscc
            assert numbers is not None
            return str(numbers.digits(index, 1).tobytes().decode())

    def labelled(self, actor: Actor, kind: str = "ginger", **facts: Any) -> tuple[int, str]:
        """A released batch and the code of its first label."""
        batch_id = self.released(actor, kind, **facts)
        return batch_id, self.code(self.run(actor, batch_id, 1))

    def recall(self, actor: Actor, batch_id: int) -> str:
        """The number of the notice."""
        with self.writing():
            user, batch = db.session.get_one(User, actor.user_id), db.session.get_one(Batch, batch_id)
            return issue_recall(user, batch, NoticeText(**RECALL)).number

    def version(self, batch_id: int) -> tuple[Any, ...]:
        """What tells one state of a batch's page from another; the later is the greater."""
        with self.app.app_context():
            return tuple(db.session.execute(sa.select(*page_state()).where(Batch.id == batch_id)).one())


def photo(colour: str = "green", size: tuple[int, int] = (320, 200), form: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form, **options)
    return out.getvalue()


def sheet_with(*cells: str) -> bytes:
    """A workbook with one sheet that has these cells."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    body = "".join(f'<row><c r="{cell}"><v>1</v></c></row>' for cell in cells)
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{relations}"><Relationship Id="r" Type="{office}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{relations}"><Relationship Id="r1"'
        f' Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def day(text: str) -> date:
    return date.fromisoformat(text)


def pdf() -> bytes:
    """A PDF of one empty page."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(100, 100))
    canvas.drawString(10, 50, "test")
    canvas.save()
    return out.getvalue()
