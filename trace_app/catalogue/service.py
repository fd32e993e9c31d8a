"""Product kinds, products and sites."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see
from trace_app.accounts.models import Division, Organisation, User
from trace_app.catalogue.kinds import BUILT_IN, KindFile, StageFile, read_kind
from trace_app.catalogue.models import Product, ProductKind, Site, Stage
from trace_app.db.base import utc_now
from trace_app.db.text import any_has_text
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.media.service import StoredPhoto, keep_photos
from trace_app.values import Facts

Row = TypeVar("Row", Product, Site)
GTIN_8 = "000000"
"""What a GTIN of 8 digits begins with as 14: it has a prefix of its own kind."""
REFERENCE = Path(__file__).parent / "reference"


class NameTaken(Problem):
    """A producer's products and sites have names of their own."""

    title = _("您已有名为“%(name)s”的记录，请换一个名称。")


class GtinTaken(Problem):
    """A GTIN is one product's."""

    title = _("商品条码 %(gtin)s 已登记在另一个产品上。请核对条码证书；确实是您的，请联系当地主管部门。")

    def __init__(self, gtin: str, holder: Organisation) -> None:
        super().__init__(gtin=gtin)
        self.holder = holder


class GtinOfAnother(Problem):
    """A GTIN begins with its company's GS1 prefix."""

    title = _("商品条码 %(gtin)s 不是以您的厂商识别代码编的。请核对条码证书。")


class StageInUse(Problem):
    """A stage that records refer to can't be left out of a kind."""

    title = _("工序 %(stages)s 已有记录，不能从品类中去掉。")


def load_divisions() -> None:
    """Bring the divisions table in line with the lists that the project ships."""
    known = {division.code: division for division in db.session.scalars(db.select(Division))}
    new = []
    for name in ("divisions_china.csv", "divisions.csv"):
        with (REFERENCE / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                facts = {column: value or None for column, value in row.items()}
                if (division := known.get(row["code"])) is None:
                    new.append(facts)
                    continue
                for column, value in facts.items():
                    if getattr(division, column) != value:
                        setattr(division, column, value)
    if new:
        db.session.execute(sa.insert(Division), new)


def load_built_in_kinds() -> None:
    for path in sorted(BUILT_IN.glob("*.toml")):
        load_kind(read_kind(path.read_text("utf-8")))


def load_kind(file: KindFile) -> ProductKind:
    """Add a kind or bring it in line with its file. Stages that the file no longer has go.

    :raises StageInUse: where records refer to such a stage.
    """
    kind = db.session.get(ProductKind, file.code) or ProductKind(code=file.code)
    # What has been changed is known until it is written.
    with db.session.no_autoflush:
        kind.position, kind.name, kind.name_en = file.position, file.name, file.name_en
        kind.inputs, kind.units, kind.facts = list(file.inputs), file.units, file.facts
        kind.led_by = file.led_by
        kind.rules = file.rules.model_dump(mode="json")
        kind.words = {language: words.model_dump() for language, words in file.words.items()}
        known = {stage.code: stage for stage in kind.stages}
        gone = set(known) - {stage.code for stage in file.stages}
        used = _stages_in_use(file.code) & gone
        if used:
            raise StageInUse(stages="、".join(sorted(known[code].name for code in used)))
        kind.stages = [
            _stage(known.get(stage.code) or Stage(code=stage.code), position, stage)
            for position, stage in enumerate(file.stages)
        ]
        db.session.add(kind)
    db.session.flush()
    return kind


def _stage(stage: Stage, position: int, file: StageFile) -> Stage:
    stage.position = position
    stage.name, stage.name_en, stage.role, stage.fields = file.name, file.name_en, file.role, file.fields
    stage.rules = file.rules.model_dump(mode="json")
    return stage


def _stages_in_use(kind_code: str) -> set[str]:
    # The records table belongs to a feature above this one, so it is named, not imported.
    query = sa.text("SELECT DISTINCT stage_code FROM records WHERE kind_code = :kind AND stage_code IS NOT NULL")
    return set(db.session.scalars(query, {"kind": kind_code}))


class GlnTaken(Problem):
    title = _("这个 GLN 已登记在另一个基地，请核对。")


def kinds() -> list[ProductKind]:
    return list(db.session.scalars(db.select(ProductKind).order_by(ProductKind.position)))


def kind_named(code: str) -> ProductKind:
    """:raises NotFound: where there is no kind of this code."""
    kind = db.session.get(ProductKind, code)
    if kind is None:
        raise NotFound
    return kind


def products_of(producer: Organisation) -> list[Product]:
    """A producer's products that are offered for what is new."""
    return [product for product in all_products_of(producer) if product.retired_at is None]


def all_products_of(producer: Organisation) -> list[Product]:
    """A producer's products, those too that were retired, which stand last."""
    query = db.select(Product).filter_by(producer_id=producer.id)
    return list(db.session.scalars(query.order_by(Product.retired_at.is_not(None), Product.id)))


def sites_of(producer: Organisation) -> list[Site]:
    """A producer's sites that are offered for what is new."""
    return [site for site in all_sites_of(producer) if site.retired_at is None]


def all_sites_of(producer: Organisation) -> list[Site]:
    """A producer's sites, those too that were retired, which stand last."""
    query = db.select(Site).filter_by(producer_id=producer.id)
    return list(db.session.scalars(query.order_by(Site.retired_at.is_not(None), Site.id)))


def retire(user: User, row: Product | Site) -> None:
    """Have one of the user's own products or sites be offered no longer. What was made of it or there stays."""
    if row.retired_at is None:
        row.retired_at = utc_now()
        audit.note(user, "retire", row, name=row.name)


def bring_back(user: User, row: Product | Site) -> None:
    """Have what was retired be offered again."""
    if row.retired_at is not None:
        row.retired_at = None
        audit.note(user, "bring-back", row, name=row.name)


def own_products(user: User, search: str = "") -> sa.Select[Product]:
    """The products of a user's organisation, in no order.

    :param search: part of a name, brand or bar code.
    """
    return _own(Product, user, search, Product.name, Product.name_en, Product.brand, Product.gtin)


def own_sites(user: User, search: str = "") -> sa.Select[Site]:
    """The sites of a user's organisation, in no order.

    :param search: part of a name.
    """
    return _own(Site, user, search, Site.name, Site.name_en)


def _own(model: type[Row], user: User, search: str, *columns: sa.SQLColumnExpression[str | None]) -> sa.Select[Row]:
    query = sa.select(model).where(model.producer_id == user.organisation_id)
    if search:
        query = query.where(any_has_text(search, *columns))
    return query


def product_for(user: User, product_id: int) -> Product:
    """A product that the user may see.

    :raises NotFound: where there is none.
    """
    product = db.session.get(Product, product_id)
    if product is None or not may_see(user, product.producer_id, product.producer.division_code):
        raise NotFound
    return product


def site_for(user: User, site_id: int) -> Site:
    """A site that the user may see.

    :raises NotFound: where there is none.
    """
    site = db.session.get(Site, site_id)
    if site is None or not may_see(user, site.producer_id, site.division_code):
        raise NotFound
    return site


def save_product(user: User, product: Product | None, **facts: Any) -> Product:
    """Add or change one of the user's own products.

    :raises NameTaken: where another has the name.
    :raises GtinTaken, GtinOfAnother:
    """
    row = product or Product(producer_id=user.organisation_id)
    _check_name(row, facts["name"])
    if (gtin := facts.get("gtin")) and gtin != row.gtin:
        _check_gtin(user.organisation, row, gtin)
    return _save(user, row, facts)


def _check_gtin(producer: Organisation, row: Product, gtin: str) -> None:
    """:raises GtinTaken, GtinOfAnother:"""
    with db.session.no_autoflush:
        other = db.session.scalar(db.select(Product).where(Product.gtin == gtin, Product.id != row.id))
        if other is not None:
            raise GtinTaken(gtin, other.producer)
        if gtin.startswith(GTIN_8):
            return
        # Behind the indicator digit a GTIN begins with its company's prefix.
        if producer.gs1_prefix and not gtin[1:].startswith(producer.gs1_prefix):
            raise GtinOfAnother(gtin=gtin)
        prefixes = [gtin[1 : 1 + length] for length in range(4, 13)]
        owner = db.session.scalar(
            db.select(Organisation).where(Organisation.gs1_prefix.in_(prefixes), Organisation.id != producer.id)
        )
        if owner is not None and not producer.gs1_prefix:
            raise GtinTaken(gtin, owner)


def save_site(user: User, site: Site | None, **facts: Any) -> Site:
    """Add or change one of the user's own sites.

    :raises NameTaken: where another has the name.
    """
    row = site or Site(producer_id=user.organisation_id)
    _check_name(row, facts["name"])
    if gln := facts.get("gln"):
        with db.session.no_autoflush:
            other = db.session.scalar(db.select(Site).where(Site.gln == gln, Site.id != row.id))
        if other is not None:
            raise GlnTaken
    return _save(user, row, facts)


def _check_name(row: Product | Site, name: str) -> None:
    with db.session.no_autoflush:
        model = type(row)
        known = db.session.scalar(db.select(model.id).filter_by(producer_id=row.producer_id, name=name))
    if known not in (None, row.id):
        raise NameTaken(name=name)


def _save(user: User, row: Row, facts: Facts) -> Row:
    action = "change" if row.id else "create"
    for name, value in facts.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
    db.session.add(row)
    db.session.flush()
    audit.note(user, action, row, **{name: str(value) for name, value in facts.items()})
    return row


def add_product_photos(user: User, product: Product, photos: Sequence[StoredPhoto]) -> None:
    """Keep photos of a product, all or none."""
    product.photos += keep_photos(user, photos, already=len(product.photos))
    db.session.flush()
    audit.note(user, "add-photos", product, count=len(photos))


def remove_product_photo(user: User, product: Product, photo_id: int) -> None:
    """Take a photo off a product. The file stays in the store: a printed page may still show it."""
    product.photos = [photo for photo in product.photos if photo.id != photo_id]
    audit.note(user, "remove-photo", product, photo=photo_id)
