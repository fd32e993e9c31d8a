"""Adding and correcting records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import defer, joinedload, lazyload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see
from trace_app.accounts.models import Author, User
from trace_app.arrivals.service import expect, moved, photos_go_to
from trace_app.batches import service as batches
from trace_app.batches.freshness import CHANGED, hold_in_order, judged_by_rules, shown_on_trace_pages
from trace_app.batches.models import Batch, BatchStatus
from trace_app.catalogue.models import Product, ProductKind, Site, Stage
from trace_app.db.base import utc_now
from trace_app.db.session import insert_into
from trace_app.db.text import any_has_text
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.inputs.ingredients import key_of, names_in
from trace_app.inputs.models import InputIngredient, InputProduct, LabelUse, StockLot
from trace_app.media.models import Photo
from trace_app.media.service import StoredPhoto, keep_photos
from trace_app.records.coverage import counts, coverage, covered_lots, is_replaced, records_covering
from trace_app.records.harvests import is_harvest, say_otherwise, say_when
from trace_app.records.models import Record, RecordIngredient, RecordType, RecordWithdrawal, record_batches
from trace_app.records.series import LoggerFile, copy_of, keep_series
from trace_app.values import Facts


def _with_stock_of(product_id: int) -> sa.ColumnElement[bool]:
    return covered_lots(Record.stock_id.in_(sa.select(StockLot.id).where(StockLot.product_id == product_id)))


shown_on_trace_pages(RecordWithdrawal, lambda one: covered_lots(Record.id == one.record_id))
shown_on_trace_pages(Record, lambda record: covered_lots(Record.id.in_([record.id, record.replaces_id])))
judged_by_rules(LabelUse, lambda use: _with_stock_of(use.product_id))
judged_by_rules(InputIngredient, lambda one: _with_stock_of(one.product_id))
judged_by_rules(InputProduct, lambda product: _with_stock_of(product.id))
judged_by_rules(StockLot, lambda stock: covered_lots(Record.stock_id == stock.id))


@dataclass(frozen=True, slots=True)
class Scope:
    """What a record is made for: one or more lots, or a whole site until the end of a season, by their ids."""

    batch_ids: tuple[int, ...] = ()
    site_id: int | None = None
    season_until: date | None = None

    @classmethod
    def of(cls, *batches: Batch) -> Scope:
        return cls(tuple(batch.id for batch in batches))


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done, fit for its kind. Made by `entry_for`."""

    kind_code: str
    type: RecordType
    stage_code: str | None
    facts: Facts


class RecordTypeDoesNotApply(Unprocessable):
    """The product's kind has no such records or stage."""

    title = _("“%(kind)s”没有这类记录或工序，请重新选择。")


class AlreadyCorrected(Problem):
    """A record is corrected once; then its correction is corrected.

    :ivar newer_id: of the correction that is in force.
    """

    title = _("这条记录已被更正过，请更正最新的那一条。")

    def __init__(self, newer: Record) -> None:
        super().__init__()
        self.newer_id = newer.id


class AlreadyWithdrawn(Problem):
    """What was withdrawn is neither corrected nor withdrawn again."""

    title = _("这条记录已撤回，不能再更改。请另记一条。")


class ReliedOn(Problem):
    """A record of a lot that is out is not taken back: others have relied on it."""

    title = _("批次 %(lot)s 已放行，别人已经依据这条记录，不能撤回。记错了请更正，原内容会保留。")


class KeyUsedOtherwise(Unprocessable):
    """The key of an entry stands for another one, of other content or of other lots."""

    code = "key-used-otherwise"
    title = _(
        "这个编号（Idempotency-Key）已经用来保存过另一条记录（第 %(record)d 号），这一条没有保存。"
        "同一条记录重发时内容要一样；新的记录请换一个编号。"
    )


class NotOfThisKind(Unprocessable):
    """One record is for lots of one kind."""

    title = _("批次 %(lot)s 不是“%(kind)s”，请分开记录。")


def stage_of(kind: ProductKind, code: str | None) -> Stage | None:
    """The stage of a kind with a code."""
    return None if code is None else next((stage for stage in kind.stages if stage.code == code), None)


def check_applies(kind: ProductKind, record_type: RecordType, stage_code: str | None) -> Stage | None:
    """The stage that is meant, after checking that the kind takes such a record.

    :raises RecordTypeDoesNotApply:
    """
    stage = stage_of(kind, stage_code)
    plain = {RecordType.STAGE, RecordType.CARE, RecordType.VIDEO}
    if (record_type not in plain and record_type not in kind.record_types) or (
        (record_type is RecordType.STAGE) != (stage is not None)
    ):
        raise RecordTypeDoesNotApply(kind=kind.name)
    return stage


def entry_for(kind: ProductKind, record_type: RecordType, stage_code: str | None, facts: Facts) -> Entry:
    """What was done, after checking that the kind takes such a record.

    :param facts: columns of `Record`, parsed by the record's form.
    :raises RecordTypeDoesNotApply:
    """
    check_applies(kind, record_type, stage_code)
    return Entry(kind.code, record_type, stage_code, facts)


def add_record(
    author: Author,
    scope: Scope,
    entry: Entry,
    *,
    photos: Sequence[StoredPhoto] = (),
    to_come: Sequence[str] = (),
    series: LoggerFile | None = None,
    entry_key: str | None = None,
) -> int:
    """Keep what was done and return the record's id. An entry that is sent again by its key is kept once.

    Records are what is written most, so this is an INSERT and the UPDATE that raises the lots' versions, no more:
    the UPDATE finds only lots that are the producer's own, of the kind, and take records, and holds them until the
    commit.

    :raises NotFound, NotOfThisKind, UnderRecall, AlreadyClosed, PhotoRefused, TooManyPhotos, BadSeries:
    :raises KeyUsedOtherwise:
    """
    connection = db.session.connection()
    values = {
        **_NOTHING,
        "producer_id": author.organisation_id,
        "kind_code": entry.kind_code,
        "batch_id": scope.batch_ids[0] if scope.batch_ids else None,
        "site_id": scope.site_id,
        "season_until": scope.season_until,
        "type": entry.type,
        "stage_code": entry.stage_code,
        "entry_key": entry_key,
        "created_at": utc_now(),
        "created_by_id": author.id,
        **entry.facts,
    }
    takes_stock = values["input_lot"] is not None and values["stock_id"] is None
    record_id: int | None = connection.execute(_insert(connection.dialect.name, takes_stock), values).scalar()
    if record_id is None:
        return _same_as_before(connection.execute(_KNOWN, values).scalar_one(), scope, entry)
    _raise_versions(connection, author, scope, entry, record_id)
    if ingredients := ingredients_of(entry.type, entry.facts):
        connection.execute(sa.insert(RecordIngredient), [{"record_id": record_id, **one} for one in ingredients])
    if len(scope.batch_ids) > 1:
        further = [{"record_id": record_id, "batch_id": batch_id} for batch_id in scope.batch_ids[1:]]
        connection.execute(sa.insert(record_batches), further)
    if entry.type is RecordType.STAGE and scope.batch_ids and is_harvest(entry.kind_code, entry.stage_code):
        say_when(author.id, scope.batch_ids, entry.facts["happened_on"])
    expect(author, to_come, len(photos), record_id=record_id)
    if photos or series:
        record = db.session.get_one(Record, record_id)
        record.photos = keep_photos(author, photos)
        record.series = keep_series(author, series) if series else []
        db.session.flush()
    return record_id


def ingredients_of(record_type: RecordType, facts: Facts) -> list[dict[str, str]]:
    """The rows of the active ingredients that a record names; where it names none, of what was used."""
    if record_type not in (RecordType.PESTICIDE, RecordType.VETERINARY):
        return []
    names = names_in(facts.get("active_ingredient") or facts.get("product_name"))
    rows = {key: {"key": key, "name": name} for name in reversed(names) if (key := key_of(name))}
    return list(rows.values())


def _same_as_before(record_id: int, scope: Scope, entry: Entry) -> int:
    """The id of the record that was kept under an entry's key before, where it is the same entry.

    :raises KeyUsedOtherwise:
    """
    known = db.session.get_one(Record, record_id)
    lots = {known.batch_id, *(lot.id for lot in known.further_batches)} - {None}
    told: Facts = {"kind_code": entry.kind_code, "type": entry.type, "stage_code": entry.stage_code}
    told |= {"site_id": scope.site_id, "season_until": scope.season_until, **entry.facts}
    if lots != set(scope.batch_ids) or any(
        not _alike(getattr(known, name), value)
        # The stock lot is looked for where none is named.
        for name, value in told.items()
        if name != "stock_id" or value is not None
    ):
        raise KeyUsedOtherwise(record=record_id)
    return record_id


def _alike(kept: object, sent: object) -> bool:
    """Whether a value was kept for what is sent: numbers are kept with three places."""
    if isinstance(kept, Decimal) and isinstance(sent, Decimal | int):
        return abs(kept - sent) <= Decimal("0.0005")
    return kept == sent


_NOTHING: dict[str, object] = {
    column.name: column.default.arg if column.default is not None and not column.default.is_callable else None
    for column in Record.__table__.columns
    if column.name not in {"id", "created_at"} and column.computed is None
}
_KNOWN = sa.select(Record.id).where(
    Record.producer_id == sa.bindparam("producer_id"), Record.entry_key == sa.bindparam("entry_key")
)


@cache
def _insert(database: str, takes_stock: bool) -> Any:
    """The INSERT that does nothing where the producer's entry is known.

    :param takes_stock: look for the stock lot by the input's lot number and name.
    """
    values: dict[str, sa.ColumnElement[Any]] = {
        name: sa.bindparam(name, type_=Record.__table__.c[name].type) for name in [*_NOTHING, "created_at"]
    }
    if takes_stock:
        values["stock_id"] = _stock_named(
            values["producer_id"], values["input_lot"], sa.cast(values["type"], sa.String), values["product_name"]
        ).scalar_subquery()
    return (
        insert_into(Record.__table__, database)
        .values(values)
        .on_conflict_do_nothing(index_elements=["producer_id", "entry_key"])
        .returning(Record.__table__.c.id)
    )


_RAISE_LOTS = (
    sa.update(Batch)
    .where(
        Batch.id.in_(sa.bindparam("batch_ids", expanding=True)),
        Batch.producer_id == sa.bindparam("producer"),
        Batch.status != BatchStatus.CLOSED,
        ~Batch.recalled,
        Batch.product_id.in_(sa.select(Product.id).where(Product.kind_code == sa.bindparam("kind"))),
    )
    .values(CHANGED)
)
_HOLD_LOTS = (
    sa.select(Batch.id)
    .where(Batch.id.in_(sa.bindparam("batch_ids", expanding=True)))
    .order_by(Batch.id)
    .with_for_update(key_share=True)
)


def _raise_versions(connection: sa.Connection, author: Author, scope: Scope, entry: Entry, record_id: int) -> None:
    """Hold the lots and raise their versions, as `trace_app.batches.freshness` does for what the session writes."""
    if scope.site_id is not None:
        own = sa.select(Site.id).where(Site.id == scope.site_id, Site.producer_id == author.organisation_id)
        if connection.execute(own).scalar() is None:
            raise NotFound
        lots = covered_lots(Record.id == record_id)
        hold_in_order(connection, lots)
        connection.execute(sa.update(Batch).where(lots).values(CHANGED))
        return
    facts = {"batch_ids": scope.batch_ids, "producer": author.organisation_id, "kind": entry.kind_code}
    if len(scope.batch_ids) > 1:
        # Whoever takes several takes them in one order.
        connection.execute(_HOLD_LOTS, facts)
    if connection.execute(_RAISE_LOTS, facts).rowcount != len(scope.batch_ids):
        _say_which(author, scope, entry)


def _say_which(author: Author, scope: Scope, entry: Entry) -> None:
    """Raise what is wrong with the first lot that can't take the record."""
    for batch_id in sorted(scope.batch_ids):
        batch = db.session.get(Batch, batch_id)
        if batch is None or batch.producer_id != author.organisation_id:
            raise NotFound
        if batch.product.kind_code != entry.kind_code:
            raise NotOfThisKind(lot=batch.lot_number, kind=entry.kind_code)
        batches.must_take_records(batch)


def correct_record(
    user: User,
    old: Record,
    facts: Facts,
    reason: str,
    photos: Sequence[StoredPhoto] = (),
    *,
    to_come: Sequence[str] = (),
    series: LoggerFile | None = None,
    entry_key: str | None = None,
) -> Record:
    """Add a record that takes another's place, for the same lots. The old one stays; what came with it carries over.

    :raises AlreadyCorrected, AlreadyWithdrawn, UnderRecall, AlreadyClosed, PhotoRefused, TooManyPhotos, BadSeries:
    """
    for batch in sorted(batches_of(old), key=lambda batch: batch.id):
        batches.must_take_records(batch)
    if old.site is not None:
        db.session.refresh(old.site, with_for_update={"of": Site, "key_share": True})
    if known := entered_before(user, entry_key):
        return known
    if db.session.get(RecordWithdrawal, old.id) is not None:
        raise AlreadyWithdrawn
    newer = db.session.scalar(db.select(Record).filter_by(replaces_id=old.id))
    if newer is not None:
        raise AlreadyCorrected(latest(newer))
    record = Record(
        producer_id=old.producer_id,
        kind_code=old.kind_code,
        batch_id=old.batch_id,
        site_id=old.site_id,
        season_until=old.season_until,
        type=old.type,
        stage_code=old.stage_code,
        replaces_id=old.id,
        correction_reason=reason,
        entry_key=entry_key,
        created_by_id=user.id,
        **_with_stock(user, old.type, facts),
    )
    record.further_batches = list(old.further_batches)
    record.photos = [*old.photos, *keep_photos(user, photos, already=len(old.photos))]
    record.clips = list(old.clips)
    record.series = keep_series(user, series) if series else [copy_of(one) for one in old.series]
    db.session.add(record)
    db.session.flush()
    expect(user, to_come, len(record.photos) + moved(old.id, record.id), record_id=record.id)
    db.session.add_all(RecordIngredient(record_id=record.id, **one) for one in ingredients_of(old.type, facts))
    for batch in batches_of(old):
        audit.note(user, "correct-record", batch, record=record.id, reason=reason)
    say_otherwise(user, batches_of(old), old, record.happened_on)
    return record


def withdraw_record(user: User, record: Record, reason: str) -> RecordWithdrawal:
    """Say that a record is none. It stays, marked with the reason, and counts no more.

    :raises ReliedOn, UnderRecall, AlreadyClosed, AlreadyCorrected, AlreadyWithdrawn:
    """
    if record.site is not None:
        db.session.refresh(record.site, with_for_update={"of": Site, "key_share": True})
    lots = list(db.session.scalars(db.select(Batch).where(covered_lots(Record.id == record.id)).order_by(Batch.id)))
    for batch in lots:
        batches.must_take_records(batch)
        if batch.status is not BatchStatus.DRAFT:
            raise ReliedOn(lot=batch.lot_number)
    if db.session.get(RecordWithdrawal, record.id) is not None:
        raise AlreadyWithdrawn
    newer = db.session.scalar(db.select(Record).filter_by(replaces_id=record.id))
    if newer is not None:
        raise AlreadyCorrected(latest(newer))
    row = RecordWithdrawal(record_id=record.id, reason=reason, created_by_id=user.id)
    db.session.add(row)
    db.session.flush()
    for batch in lots:
        audit.note(user, "withdraw-record", batch, record=record.id, reason=reason)
    say_otherwise(user, batches_of(record), record, None)
    return row


def relied_on(records: Sequence[Record]) -> frozenset[int]:
    """The ids of those records that can't be withdrawn, since a lot that they count for is out."""
    ids = [record.id for record in records]
    pairs = coverage(Record.id.in_(ids), Batch.status != BatchStatus.DRAFT).subquery()
    return frozenset(db.session.scalars(sa.select(pairs.c.record_id).distinct())) if ids else frozenset()


def lots_relying(record: Record) -> list[Batch]:
    """The lots that are out and keep a record from being withdrawn; the first by its id before the others."""
    out = db.select(Batch).where(covered_lots(Record.id == record.id), Batch.status != BatchStatus.DRAFT)
    return list(db.session.scalars(out.order_by(Batch.id)))


def add_photo(record_id: int, photo: Photo) -> None:
    """Have a photo that came after its record stand with the one in force there, while nobody corrects it.

    It was told of when the record was made; so it is taken when the lots take no further records, too.
    """
    record = db.session.get_one(Record, record_id)
    lots = [batch.id for batch in batches_of(record)]
    hold_in_order(db.session.connection(), Batch.id.in_(lots))
    if record.site is not None:
        db.session.refresh(record.site, with_for_update={"of": Site, "key_share": True})
    db.session.expire(record)
    in_force = latest(record)
    in_force.photos.append(photo)
    db.session.flush()


photos_go_to("record_id", add_photo)


def unsaved(old: Record, facts: Facts) -> Record:
    """What a correction would be, to be compared and thrown away."""
    with db.session.no_autoflush:
        record = Record(type=old.type, stage_code=old.stage_code, kind=old.kind, **facts)
        if record in db.session:
            db.session.expunge(record)
    return record


def entered_before(user: User, entry_key: str | None) -> Record | None:
    """The record that was kept under an entry's key."""
    if not entry_key:
        return None
    return db.session.scalar(sa.select(Record).filter_by(entry_key=entry_key, producer_id=user.organisation_id))


def _stock_named(producer_id: Any, lot_number: Any, input_type: Any, product_name: Any) -> sa.Select[int]:
    """The id of the stock lot that a record means by the numbers and names that it gives; values, or parameters."""
    return (
        sa.select(StockLot.id)
        .join(InputProduct, InputProduct.id == StockLot.product_id)
        .where(
            StockLot.producer_id == producer_id,
            StockLot.lot_number == lot_number,
            InputProduct.type == input_type,
            InputProduct.name == product_name,
        )
        .order_by(StockLot.id)
        .limit(1)
    )


def _with_stock(user: User, record_type: RecordType, facts: Facts) -> Facts:
    """The facts with the stock lot that they name by its number, where there is one."""
    lot_number = facts.get("input_lot")
    if not lot_number or facts.get("stock_id") is not None:
        return facts
    named = _stock_named(user.organisation_id, lot_number, record_type.value, facts.get("product_name"))
    found = db.session.scalar(named)
    return facts | {"stock_id": found}


def _takes_records(user: User) -> list[sa.ColumnElement[bool]]:
    return [
        Batch.producer_id == user.organisation_id,
        Batch.status != BatchStatus.CLOSED,
        ~Batch.recalled,
    ]


OFFERED = 1000
"""How many lots a form offers at most: what a request may bring of them."""


def open_lots(user: User, kind: ProductKind) -> list[Batch]:
    """The producer's lots of a kind that take records, drafts first, the newest first; as many as a page can offer."""
    query = (
        db.select(Batch)
        .where(*_takes_records(user), Batch.product_id.in_(_products_of(kind)))
        .options(lazyload("*"), joinedload(Batch.site).lazyload("*"), defer(Batch._recalled), defer(Batch._held))
        .order_by(Batch.status, Batch.created_at.desc(), Batch.id.desc())
        .limit(OFFERED)
    )
    return list(db.session.scalars(query))


def _products_of(kind: ProductKind) -> sa.Select[int]:
    return sa.select(Product.id).where(Product.kind_code == kind.code)


def open_kinds(user: User) -> list[tuple[ProductKind, int]]:
    """The kinds of which a producer has lots that take records, with how many."""
    query = sa.select(Product.kind_code, sa.func.count(Batch.id)).join(Batch, Batch.product_id == Product.id)
    query = query.where(*_takes_records(user)).group_by(Product.kind_code)
    counts = {code: int(count) for code, count in db.session.execute(query)}
    kinds = sa.select(ProductKind).where(ProductKind.code.in_(counts)).order_by(ProductKind.position)
    return [(kind, counts[kind.code]) for kind in db.session.scalars(kinds)]


def open_lot_numbers(user: User, kind: ProductKind) -> set[str]:
    """The numbers of all lots of a kind that take records."""
    query = db.select(Batch.lot_number).join(Batch.product).where(Product.kind_code == kind.code, *_takes_records(user))
    return set(db.session.scalars(query))


def own_among(user: User, batch_ids: list[int]) -> set[int]:
    """Those of the ids that are the producer's own lots', whether these take records or not."""
    query = sa.select(Batch.id).where(Batch.producer_id == user.organisation_id, Batch.id.in_(batch_ids))
    return set(db.session.scalars(query)) if batch_ids else set()


def batches_of(record: Record) -> list[Batch]:
    """The lots that a record was made for; none where it is for a whole site."""
    return ([record.batch] if record.batch is not None else []) + list(record.further_batches)


def latest(record: Record) -> Record:
    """The record that is in force where this one stood."""
    while record.replaced_by is not None:
        record = record.replaced_by
    return record


def story_of(record: Record) -> list[Record]:
    """A record with all that it replaces and that replace it, the oldest first."""
    chain = [latest(record)]
    while chain[0].replaces is not None:
        chain.insert(0, chain[0].replaces)
    return chain


def own_records(user: User, search: str = "", record_type: RecordType | None = None) -> sa.Select[Record]:
    """The records of a user's organisation that no other replaces, withdrawn ones among them, in no order.

    :param search: part of a lot's or an input's number, an input's name, an operator or a note.
    """
    query = sa.select(Record).where(Record.producer_id == user.organisation_id, ~is_replaced())
    if record_type is not None:
        query = query.where(Record.type == record_type)
    if search:
        lots = sa.select(Batch.id).where(Batch.producer_id == user.organisation_id, batches.has_number(search))
        named = sa.select(record_batches.c.record_id).where(record_batches.c.batch_id.in_(lots))
        said = any_has_text(search, Record.product_name, Record.input_lot, Record.operator, Record.note)
        query = query.where(sa.or_(said, Record.batch_id.in_(lots), Record.id.in_(named)))
    return query


def records_of(batch: Batch) -> list[Record]:
    """All records of a batch, the latest day first, with those that were replaced."""
    query = (
        db.select(Record)
        .where(records_covering(batch.id))
        .options(
            joinedload(Record.created_by, innerjoin=False).lazyload(User.roles),
            joinedload(Record.replaced_by).lazyload("*"),
            joinedload(Record.withdrawal).lazyload("*"),
            joinedload(Record.stock).joinedload(StockLot.product).selectinload(InputProduct.ingredients),
        )
        .order_by(Record.happened_on.desc(), Record.id.desc())
    )
    return list(db.session.scalars(query))


def records_shown(batch: Batch) -> list[Record]:
    """The records of a batch that no other replaces, the latest day first, with what its trace page shows of them."""
    return list(db.session.scalars(_records_shown(), {"batch_id": batch.id}))


@cache
def _records_shown() -> sa.Select[Record]:
    return (
        sa.select(Record)
        .where(records_covering(sa.bindparam("batch_id")), counts())
        .options(
            lazyload(Record.series),
            joinedload(Record.stock).joinedload(StockLot.product).selectinload(InputProduct.uses),
        )
        .order_by(Record.happened_on.desc(), Record.id.desc())
    )


def site_records(user: User) -> list[Record]:
    """The latest records that a producer made for whole sites."""
    query = (
        db.select(Record)
        .where(Record.producer_id == user.organisation_id, Record.site_id.is_not(None))
        .options(joinedload(Record.site), joinedload(Record.replaced_by), joinedload(Record.withdrawal))
        .order_by(Record.happened_on.desc(), Record.id.desc())
        .limit(50)
    )
    return list(db.session.scalars(query))


def in_force(records: list[Record]) -> list[Record]:
    """The records that no other replaces and that were not withdrawn."""
    replaced = {record.replaces_id for record in records}
    return [record for record in records if record.id not in replaced and record.withdrawal is None]


def record_for(user: User, record_id: int) -> Record:
    """A record of a batch or site that the user may see.

    :raises NotFound: where there is none.
    """
    record = db.session.get(Record, record_id)
    if record is None:
        raise NotFound
    place = record.batch or record.site
    if place is None or not may_see(user, record.producer_id, place.division_code):
        raise NotFound
    return record


def own_record(user: User, record_id: int) -> Record:
    """A record of the user's own.

    :raises NotFound: where there is none.
    """
    record = record_for(user, record_id)
    if record.producer_id != user.organisation_id:
        raise NotFound
    return record


def last_like(user: User, kind: ProductKind, record_type: RecordType, stage_code: str | None) -> Record | None:
    """The record of the same sort, made for the kind, whose day is the latest: its values are offered again."""
    query = (
        sa.select(Record)
        .where(
            Record.producer_id == user.organisation_id,
            Record.kind_code == kind.code,
            Record.type == record_type,
            Record.stage_code == stage_code if stage_code else Record.stage_code.is_(None),
            counts(),
        )
        .order_by(Record.happened_on.desc(), Record.id.desc())
        .limit(1)
    )
    return db.session.scalar(query)
