from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Branch, Division, Organisation
from trace_app.catalogue.kinds import StageField
from trace_app.db.base import UtcDateTime, gs1_number, one_of, utc_now
from trace_app.extensions import Model, db
from trace_app.media.models import Photo
from trace_app.values import StoredJson


class SiteKind(enum.StrEnum):
    PLOT = "plot"
    FARM = "farm"
    APIARY = "apiary"
    WORKSHOP = "workshop"
    STORE = "store"


class ProductKind(Model):
    """A kind of product with its own stages and inputs, loaded from a kind file."""

    __tablename__ = "product_kinds"

    code: Mapped[str] = mapped_column(sa.String(30), primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(40))
    name_en: Mapped[str] = mapped_column(sa.String(60))
    inputs: Mapped[list[str]] = mapped_column(sa.JSON)
    """Which input records apply: pesticide, fertiliser, feed, veterinary, ingredient."""
    units: Mapped[list[str]] = mapped_column(sa.JSON)
    facts: Mapped[list[str]] = mapped_column(sa.JSON)
    """What the trace page puts first, see `KindFile.facts`."""
    words: Mapped[dict[str, dict[str, str]]] = mapped_column(sa.JSON)
    """How the trace page speaks of this kind, by language: who, how, produced, started."""
    led_by: Mapped[Branch] = mapped_column(
        one_of(Branch, "led_by"), default=Branch.AGRICULTURE, server_default=Branch.AGRICULTURE.value
    )
    """Which authority leads a case of it."""
    rules: Mapped[StoredJson] = mapped_column(sa.JSON, default=dict)
    """What compliance is held against, see `KindRules`."""

    stages: Mapped[list[Stage]] = relationship(
        back_populates="kind", order_by="Stage.position", cascade="all, delete-orphan", lazy="selectin"
    )

    @property
    def record_types(self) -> list[str]:
        """Which types of record apply beside stages, care and video: its inputs, and diseases of what lives."""
        living = {"pesticide", "veterinary"} & set(self.inputs)
        return [*self.inputs, *(["disease"] if living else [])]


_STAGE_FIELDS = TypeAdapter(list[StageField])


class StageFields(sa.types.TypeDecorator[list[StageField]]):
    """Stage fields, stored as JSON."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: list[StageField] | None, dialect: sa.Dialect) -> list[StoredJson] | None:
        return None if value is None else [field.model_dump(mode="json") for field in value]

    def process_result_value(self, value: list[StoredJson] | None, dialect: sa.Dialect) -> list[StageField] | None:
        return None if value is None else _STAGE_FIELDS.validate_python(value)


class Stage(Model):
    """A step in the making of a kind, with the fields that its records have."""

    __tablename__ = "product_stages"
    __table_args__ = (sa.UniqueConstraint("kind_code", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind_code: Mapped[str] = mapped_column(sa.ForeignKey("product_kinds.code", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(sa.String(30))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(40))
    name_en: Mapped[str] = mapped_column(sa.String(60))
    role: Mapped[str | None] = mapped_column(sa.String(20))
    """``harvest``, ``slaughter`` or ``ageing``, where the stage is one of these to the rules."""
    fields: Mapped[list[StageField]] = mapped_column(StageFields)
    rules: Mapped[StoredJson] = mapped_column(sa.JSON, default=dict)
    """See `StageRules`."""

    kind: Mapped[ProductKind] = relationship(back_populates="stages")


product_photos = sa.Table(
    "product_photos",
    db.metadata,
    sa.Column("product_id", sa.ForeignKey("products.id", ondelete="RESTRICT"), primary_key=True),
    sa.Column("photo_id", sa.ForeignKey("photos.id", ondelete="RESTRICT"), primary_key=True),
)


class Product(Model):
    """What a producer sells under one name."""

    __tablename__ = "products"
    __table_args__ = (
        sa.UniqueConstraint("producer_id", "name"),
        sa.CheckConstraint("name != ''", "named"),
        sa.CheckConstraint(gs1_number("gtin", 14), "gtin"),
        sa.UniqueConstraint("producer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    kind_code: Mapped[str] = mapped_column(sa.ForeignKey("product_kinds.code"), index=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    name_en: Mapped[str] = mapped_column(sa.String(80), default="")
    brand: Mapped[str] = mapped_column(sa.String(40), default="", server_default="")
    """The trade mark that it is sold under."""
    net_content: Mapped[str] = mapped_column(sa.String(30), default="")
    """The net content as the label says it, such as 净重 500 克."""
    gtin: Mapped[str | None] = mapped_column(sa.String(14), unique=True)
    """The GTIN as 14 digits, for GS1 Digital Link: of one product in the world."""
    marks: Mapped[str] = mapped_column(sa.String(40), default="")
    """Geographical indication and certificates, as the label says them."""
    description: Mapped[str] = mapped_column(sa.String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was retired: it is no longer offered for what is new, and what was made of it or there stays."""

    producer: Mapped[Organisation] = relationship()
    kind: Mapped[ProductKind] = relationship()
    photos: Mapped[list[Photo]] = relationship(secondary=product_photos, order_by=Photo.id)


class Site(Model):
    """A place of production: plot, farm, apiary, workshop or store."""

    __tablename__ = "sites"
    __table_args__ = (
        sa.UniqueConstraint("producer_id", "name"),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", "latitude"),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", "longitude"),
        sa.CheckConstraint("area_mu > 0", "area_mu"),
        sa.CheckConstraint("name != ''", "named"),
        sa.CheckConstraint(gs1_number("gln", 13), "gln"),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", "place"),
        sa.UniqueConstraint("producer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    kind: Mapped[SiteKind] = mapped_column(one_of(SiteKind, "kind"))
    name: Mapped[str] = mapped_column(sa.String(60))
    name_en: Mapped[str] = mapped_column(sa.String(100), default="")
    division_code: Mapped[str] = mapped_column(sa.ForeignKey("divisions.code"), index=True)
    latitude: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 5))
    longitude: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 5))
    altitude_m: Mapped[int | None]
    area_mu: Mapped[Decimal | None] = mapped_column(sa.Numeric(9, 2))
    """1 mu is 666.67 square metres."""
    gln: Mapped[str | None] = mapped_column(sa.String(13), unique=True)
    """Global location number, for GS1 Digital Link."""
    boundary: Mapped[list[list[float]] | None] = mapped_column(sa.JSON)
    """Corners in order, as longitude and latitude; the last is joined to the first."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was retired: it is no longer offered for what is new, and what was made of it or there stays."""

    producer: Mapped[Organisation] = relationship()
    division: Mapped[Division] = relationship()
