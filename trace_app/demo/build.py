"""Building the demonstration through the services that everyone uses: what it holds, a user could have entered."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from media_store.photos import clean_photo
from trace_app.accounts import service as accounts
from trace_app.accounts.credit_code import check_character
from trace_app.accounts.models import Author, Organisation, OrganisationKind, RoleName, User
from trace_app.batches import service as batches
from trace_app.batches.forms import BatchForm
from trace_app.batches.models import Batch, BatchStatus
from trace_app.catalogue import service as catalogue
from trace_app.catalogue.forms import ProductForm, SiteForm
from trace_app.catalogue.models import Product, Site
from trace_app.certificates.models import CertificateType
from trace_app.certificates.reminders import check_due_certificates
from trace_app.clips.models import ClipPart
from trace_app.clock import SHANGHAI, today
from trace_app.db.append_only import lifted
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.demo import cameras, consumers, households, movements, quality
from trace_app.demo.people import PEOPLE, Producer
from trace_app.demo.pictures import draw
from trace_app.demo.seasons import SEASONS, SeasonStep, last_autumn, season
from trace_app.extensions import db
from trace_app.flow.genealogy.service import link_lots
from trace_app.labels import packing, printing
from trace_app.labels import service as labels
from trace_app.labels.models import LabelLevel, LabelRun, PrintVolume
from trace_app.media.check import files_kept
from trace_app.media.service import media_store, stored_photos
from trace_app.recall_tasks.service import tell_everyone
from trace_app.recalls.forms import NoticeForm
from trace_app.recalls.models import Recall
from trace_app.recalls.service import issue_recall
from trace_app.records import service as records
from trace_app.records.forms import VALUE_PREFIX, form_for
from trace_app.records.models import RecordType
from trace_app.records.service import Scope
from trace_app.release.service import check_due, release_batch
from trace_app.settings import settings

PASSWORD = "qujing-demo"  # noqa: S105
KEPT = {
    "alembic_version", "divisions", "product_kinds", "product_stages", "label_keys", "roles", "prohibited_substances",
    "limits", "gi_areas", "holidays", "commitment_rules",
}  # fmt: skip
LABELS_EACH = 48
READY_DAYS = 12
"""Days from a lot's last record to its release."""
FAILED_REPORT = 900
"""The number of the laboratory's report by which a lot is recalled."""
DEMO_CASE_OF = 2
"""The number of the showcase in which a case is shown: ginger."""


def rebuild() -> None:
    """Delete all but reference data and label keys, and build the demonstration."""
    _clear()
    with transaction():
        chance = Random(530300)  # noqa: S311
        regulators = [(_organisation(OrganisationKind.REGULATOR, **one.facts), one) for one in PEOPLE.regulators]
        for organisation, one in regulators:
            _user(organisation, one.role, one.username, one.person)
        for colleague in PEOPLE.colleagues:
            office = accounts.user_by_name(colleague.of).organisation
            _user(office, colleague.role, colleague.username, colleague.person)
        for visitor in PEOPLE.visitors:
            role = accounts.ROLES_OF_KIND[visitor.kind][0]
            _user(_organisation(visitor.kind, **visitor.facts), role, visitor.username, visitor.person)
        quality.fill_catalogue(accounts.user_by_name("qujing"))
        for number, producer in enumerate(PEOPLE.producers, start=1):
            _producer(producer, number, chance)
        _genealogy()
        _certificates()
        _reports(chance)
    for batch in _showcases():
        with transaction():
            job = printing.order_labels(_owner(batch), batch, layout="a4-3x8", count=LABELS_EACH)
            # As it would have been: as soon as the lot could be labelled.
            job.run.created_at = job.created_at = batch.released_at or utc_now()
        printing.make_files(job.id)
    _pack_a_case(_showcases()[DEMO_CASE_OF])
    filmed = next(batch for batch in _showcases() if batch.product.kind_code == "ginger")
    cameras.watch(_owner(filmed), filmed)
    with transaction():
        movements.certify(_finished_lots(*SEASONS))
        movements.send_out(_finished_lots(*SEASONS), Random(530301))  # noqa: S311
    with transaction():
        quality.failed_report_on(accounts.user_by_name("lab"), _recalled_one(), FAILED_REPORT)
        recalled, held = _recall(), movements.hold(_held_one())
        drill = movements.drill(next(batch for batch in _showcases() if batch.product.kind_code == "ham"))
        over = movements.recalls_that_are_over(*_finished_lots("ginger")[-2:])
        told = [row.id for row in (recalled, held, drill, *over)]
    for recall_id in told:
        tell_everyone(recall_id)
    with transaction():
        movements.report_for_some(told[0])
        movements.report_for_some(told[2])
    check_due()
    check_due_certificates()
    consumers.look_things_up(_finished_lots(*SEASONS), Random(530302))  # noqa: S311
    consumers.say_something(next(batch for batch in _finished_lots(*SEASONS) if batch.product.kind_code == "ginger"))


def _genealogy() -> None:
    """Ham and honey that went into the cakes: the baker's own, and others'."""
    of_kind = {kind: _finished_lots(kind) for kind in ("ham", "honey", "ham_mooncake")}
    for number, cakes in enumerate(of_kind["ham_mooncake"]):
        hams = [ham for ham in of_kind["ham"] if ham.produced_on and ham.produced_on <= (cakes.produced_on or today())]
        own = [ham for ham in hams if ham.producer_id == cakes.producer_id]
        sources = [*own[:1], *hams[number : number + 1], *of_kind["honey"][number : number + 1]]
        for source in dict.fromkeys(sources):
            quantity = Decimal(24 if source.unit == "leg" else 40)
            link_lots(_owner(cakes), source, cakes, quantity=quantity, happened_on=cakes.started_on + timedelta(days=1))


def _finished_lots(*kind_codes: str) -> list[Batch]:
    query = (
        db.select(Batch)
        .join(Batch.product)
        .where(Product.kind_code.in_(kind_codes), Batch.status == BatchStatus.RELEASED)
    )
    return list(db.session.scalars(query.order_by(Batch.id)))


def _certificates() -> None:
    """One that holds, one that ends soon, one that has expired."""
    quality.certify(accounts.user_by_name("banqiao"), CertificateType.GREEN_FOOD, "LB-99-2400001A", days_left=420)
    quality.certify(accounts.user_by_name("xuanhe"), CertificateType.FOOD_LICENCE, "SC10453038100001", days_left=40)
    quality.certify(accounts.user_by_name("jiulong"), CertificateType.ORGANIC, "099OP2300007", days_left=-9)


def _reports(chance: Random) -> None:
    """The laboratory's on every third lot, but on that of the recall: it failed later."""
    laboratory = accounts.user_by_name("lab")
    recalled = _recalled_one()
    lots = db.session.scalars(db.select(Batch).where(Batch.status != BatchStatus.DRAFT).order_by(Batch.id)).all()
    shown = {batch.id for batch in _showcases()}
    for number, batch in enumerate(lots, start=1):
        if batch.id != recalled.id and (batch.id in shown or number % 3 == 0):
            quality.report_on(laboratory, batch, chance, number)
    quality.soil_report(accounts.user_by_name("banqiao"), next(b for b in lots if b.product.kind_code == "ginger"))


def _pack_a_case(batch: Batch) -> None:
    """Two cases with SSCCs, and ten items with a PIN each in the first of them."""
    owner = _owner(batch)
    orders: tuple[dict[str, Any], ...] = (
        {"layout": "roll-100x100", "count": 2, "level": LabelLevel.CASE, "items_each": 10},
        {"layout": "roll-60x40", "count": 10, "pin": True, "format_name": "tspl"},
    )
    runs = []
    for order in orders:
        with transaction():
            job = printing.order_labels(owner, batch, **order)
            runs.append(job.run_id)
        printing.make_files(job.id)
    cases, items = (db.session.get_one(LabelRun, run) for run in runs)
    for code in labels.codes_of(items, 0, items.count):
        with transaction():
            packing.pack(owner, labels.label_of_code(labels.code_of(cases, 0)), code)


def overview() -> str:
    """Where to go, whom to sign in as, and a trace page of each product."""
    home = settings().home
    lines = [
        "",
        f"  Open {home}",
        "",
        f"  Sign in at {home}/login with the password {PASSWORD} as",
        "    banqiao   producer (ginger, Luoping)",
        "    luoping   county regulator",
        "    qujing    city administrator",
        "    shiban    city regulator; approves what a county recalls at level I",
        "    lab       laboratory",
        "    buyer     buyer",
        "",
        "  A trace page of each product:",
    ]
    for batch in _showcases():
        runs = labels.runs_of(batch)[::-1]
        if runs:
            state = "  (recalled)" if batch.recalled else ""
            lines.append(f"    {home}/{labels.code_of(runs[0], 0)}  {batch.product.name}{state}")
    return "\n".join(lines) + "\n"


def _clear() -> None:
    parts = [part.key for part in db.session.scalars(db.select(ClipPart))]
    kept = [key for key, _sha256 in files_kept()]
    for key in [*parts, *kept, *db.session.scalars(db.select(PrintVolume.file_key))]:
        media_store().delete(key)
    with transaction(), lifted(db.session.connection()):
        for table in reversed(db.metadata.sorted_tables):
            if table.name not in KEPT:
                db.session.execute(table.delete())


def _organisation(kind: OrganisationKind, **facts: Any) -> Organisation:
    return accounts.create_organisation(None, kind=kind, **facts)


def _user(organisation: Organisation, role: RoleName, username: str, full_name: str) -> User:
    return accounts.create_user(
        None,
        organisation,
        role,
        username=username,
        full_name=full_name,
        email=f"{username}@demo.example",
        password=PASSWORD,
    )


def _producer(sketch: Producer, number: int, chance: Random) -> None:
    body = f"93{sketch.division[:6]}MA6DEM{number:02d}X"
    organisation = _organisation(
        OrganisationKind.PRODUCER,
        name=sketch.name,
        name_en=sketch.name_en,
        division_code=sketch.division,
        credit_code=body + check_character(body),
        gs1_prefix=sketch.gtin[1:8] if sketch.gtin else f"952{number:05d}",
        phone=f"0874-0000{number:03d}",
        address=sketch.address,
        legal_representative=sketch.person,
        responsible_person=sketch.person,
        contact_email=f"{sketch.username}@demo.example",
    )
    user = _user(organisation, RoleName.PRODUCER, sketch.username, sketch.person)
    sites = [catalogue.save_site(user, None, **SiteForm.parse(site).facts) for site in sketch.sites]
    if sketch.username == "banqiao":
        households.register(user, sites[0])
    for kind_code in sketch.products:
        facts = {"kind_code": kind_code, "gtin": sketch.gtin, **PEOPLE.products[kind_code]}
        product = catalogue.save_product(user, None, **ProductForm.parse(facts).facts)
        with stored_photos([clean_photo(draw(kind_code, number * 10 + n)) for n in range(2)]) as photos:
            catalogue.add_product_photos(user, product, photos)
        newest = last_autumn(today())
        for lot in range(sketch.lots):
            site = sites[lot % len(sites)]
            _batch(user, product, site, newest - lot // 2, lot, chance)


def _batch(user: User, product: Product, site: Site, year: int, lot: int, chance: Random) -> None:
    kind, plan = product.kind_code, SEASONS[product.kind_code]
    steps = sorted(season(kind, year, chance, user.full_name), key=lambda step: step.day)
    of_stage = {step.stage: step for step in reversed(steps)}
    finished = of_stage[plan.finishes].day
    made, field = plan.quantity
    # The newest lot of those who have many is still being made.
    draft = lot == 0 and kind in {"ginger", "ham"} and user.username in {"luoxiong", "tangtang"}
    facts = BatchForm.parse(
        {
            "product_id": product.id,
            "site_id": site.id,
            "lot_number": f"{plan.prefix}-{year}-{site.id:02d}{lot + 1:02d}",
            "quantity": of_stage[made].values[VALUE_PREFIX + field],
            "unit": plan.unit,
            "started_on": of_stage[plan.begins].day,
            "produced_on": None if draft else finished,
            "best_before": None if draft else finished + timedelta(days=plan.shelf_days),
        },
        user=user,
    ).batch_facts
    batch = batches.register_batch(user, facts)
    if draft and kind == "ginger":
        steps.insert(-4, SeasonStep("pesticide", None, steps[-4].day, quality.QUALITY.forbidden))
    if kind == "ginger" and user.username == "banqiao" and lot == 0:
        households.deliver(user, batch, finished)
    waived = kind == "ginger" and user.username == "banqiao" and lot == 1
    for step in steps[: -3 if draft else None]:
        strong = waived and step.values.get("product_name", "").startswith("苯醚甲环唑")
        _record(user, batch, step._replace(values=step.values | {"dose": 60}) if strong else step, kind, lot)
    if waived:
        reason = "已核实：一次用量超过标签上限，采收前送检，苯醚甲环唑残留未检出，准予放行。"
        quality.waive_all(accounts.user_by_name("luoping"), batch, reason)
    if not draft:
        release_batch(user, batch)
        # As it would have been: when the last is done and the laboratory has answered.
        ready = datetime.combine(steps[-1].day + timedelta(days=READY_DAYS), time(16), SHANGHAI)
        batch.released_at = min(ready, utc_now())
        if year < last_autumn(today()) and lot % 2:
            batches.close_batch(user, batch)


def _record(user: User, batch: Batch, step: SeasonStep, kind: str, lot: int) -> None:
    stage = records.stage_of(batch.product.kind, step.stage)
    quality.stock_up(user, step.values, step.day)
    record_type = RecordType(step.type)
    form = form_for(record_type, stage).parse({"happened_on": step.day, **step.values})
    with_photo = (
        lot == 0 and stage is not None and (stage.role or step.stage in {"planting", "sowing", "bloom", "filling"})
    )
    photos = [clean_photo(draw(kind, step.day.toordinal()))] if with_photo else []
    entry = records.entry_for(batch.product.kind, record_type, step.stage, form.facts)
    series = quality.logger_file(step.day) if step.stage == "fermenting" and lot == 0 else None
    with stored_photos(photos) as stored:
        records.add_record(Author.of(user), Scope.of(batch), entry, photos=stored, series=series)


def _showcases() -> list[Batch]:
    """One released batch of each product, the coix seed of which is the recalled one."""
    found = []
    for kind_code in SEASONS:
        query = (
            db.select(Batch)
            .join(Batch.product)
            .where(Product.kind_code == kind_code, Batch.status == BatchStatus.RELEASED)
            .order_by(Batch.id)
            .limit(1)
        )
        batch = db.session.scalar(query)
        if batch is not None:
            found.append(batch)
    return found


def _owner(batch: Batch) -> User:
    return batch.producer.users[0]


def _recalled_one() -> Batch:
    return next(batch for batch in _showcases() if batch.product.kind_code == "coix")


def _held_one() -> Batch:
    """The last lot of honey on sale."""
    return _finished_lots("honey")[-1]


def _recall() -> Recall:
    """The county's recall of what was sold before its test had failed."""
    form = NoticeForm.parse(quality.QUALITY.recall)
    return issue_recall(accounts.user_by_name("shizong"), _recalled_one(), form.notice_text)
