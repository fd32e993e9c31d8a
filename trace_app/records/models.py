from __future__ import annotations

import enum
from datetime import date, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import ProductKind, Site
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model, db
from trace_app.folding import folded
from trace_app.inputs.models import StockLot
from trace_app.media.models import Clip, Document, Photo
from trace_app.values import StoredJson


class RecordType(enum.StrEnum):
    PESTICIDE = "pesticide"
    FERTILISER = "fertiliser"
    FEED = "feed"
    VETERINARY = "veterinary"
    INGREDIENT = "ingredient"
    STAGE = "stage"
    CARE = "care"
    DISEASE = "disease"
    VIDEO = "video"


INPUT_TYPES = frozenset(
    {RecordType.PESTICIDE, RecordType.FERTILISER, RecordType.FEED, RecordType.VETERINARY, RecordType.INGREDIENT}
)

record_photos = sa.Table(
    "record_photos",
    db.metadata,
    sa.Column("record_id", sa.ForeignKey("records.id", ondelete="RESTRICT"), primary_key=True),
    sa.Column("photo_id", sa.ForeignKey("photos.id", ondelete="RESTRICT"), primary_key=True),
)


REFUSAL_TOLD = timedelta(days=7)
"""How long the sender of a clip is told that it was not taken."""
record_clips = sa.Table(
    "record_clips",
    db.metadata,
    sa.Column("record_id", sa.ForeignKey("records.id", ondelete="RESTRICT"), primary_key=True),
    sa.Column("clip_id", sa.ForeignKey("clips.id", ondelete="RESTRICT"), primary_key=True, index=True),
)


record_batches = sa.Table(
    "record_batches",
    db.metadata,
    sa.Column("record_id", sa.ForeignKey("records.id", ondelete="RESTRICT"), primary_key=True),
    sa.Column("batch_id", sa.ForeignKey("batches.id"), primary_key=True, index=True),
)


def _own(column: str, table: str) -> sa.ForeignKeyConstraint:
    """A key by which a record names the producer's own alone. It is looked at when the transaction commits: the service
    asks only after the INSERT, and says what is wrong."""
    return sa.ForeignKeyConstraint(
        ["producer_id", column],
        [f"{table}.producer_id", f"{table}.id"],
        name=f"fk_records_own_{column.removesuffix('_id')}",
        deferrable=True,
        initially="DEFERRED",
    )


QUANTITY = "quantity"
"""What the codes of stages' fields begin with that say how much there was."""


class Record(Model):
    """One thing done on one day to a lot, to several, or to a whole site for a season.

    Never changed: a correction is a new record that names the old. What all records of an input share stands
    in columns, because recalls and rules search by it; what only a kind's own stage asks for stands in ``values``.
    """

    __tablename__ = "records"
    __table_args__ = (
        sa.Index("ix_records_batch_id_happened_on", "batch_id", "happened_on"),
        sa.Index("ix_records_producer_id_happened_on", "producer_id", "happened_on"),
        sa.Index("ix_records_site_id_happened_on", "site_id", "happened_on"),
        sa.Index("ix_records_input_lot", "input_lot", postgresql_ops={"input_lot": "text_pattern_ops"}),
        sa.Index("ix_records_input_lot_fold", "input_lot_fold", postgresql_ops={"input_lot_fold": "text_pattern_ops"}),
        sa.CheckConstraint("(type = 'stage') = (stage_code IS NOT NULL)", "stage_code"),
        sa.CheckConstraint(
            "(batch_id IS NULL) = (site_id IS NOT NULL) AND (site_id IS NULL) = (season_until IS NULL)", "scope"
        ),
        sa.UniqueConstraint("producer_id", "entry_key"),
        sa.CheckConstraint("dose > 0", "dose"),
        sa.CheckConstraint("area_mu > 0", "area_mu"),
        sa.CheckConstraint("interval_days >= 0", "interval_days"),
        sa.CheckConstraint("type != 'pesticide' OR interval_days IS NOT NULL", "pesticide_has_interval"),
        sa.CheckConstraint("(dose IS NULL) = (dose_unit IS NULL)", "amount"),
        sa.CheckConstraint(
            "(replaces_id IS NULL) = (correction_reason IS NULL) AND (replaces_id IS NULL OR replaces_id != id)",
            "correction",
        ),
        sa.UniqueConstraint("producer_id", "id"),
        _own("batch_id", "batches"),
        _own("site_id", "sites"),
        _own("stock_id", "stock_lots"),
        sa.ForeignKeyConstraint(
            ["producer_id", "replaces_id"], ["records.producer_id", "records.id"], name="fk_records_own_replaces"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    kind_code: Mapped[str] = mapped_column(sa.ForeignKey("product_kinds.code"))
    """The kind whose stages and inputs the record is of."""
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("batches.id"))
    """The lot, the first where there are several; None for a whole site."""
    site_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sites.id"))
    season_until: Mapped[date | None]
    """The last day on which a lot may begin that a whole site's record still counts for."""
    type: Mapped[RecordType] = mapped_column(one_of(RecordType, "type"))
    stage_code: Mapped[str | None] = mapped_column(sa.String(30))
    happened_on: Mapped[date]
    operator: Mapped[str] = mapped_column(sa.String(40), default="")
    note: Mapped[str] = mapped_column(sa.String(500), default="")
    product_name: Mapped[str | None] = mapped_column(sa.String(80))
    """The name that an input is sold under."""
    registration_number: Mapped[str | None] = mapped_column(sa.String(40))
    active_ingredient: Mapped[str | None] = mapped_column(sa.String(80))
    source: Mapped[str | None] = mapped_column(sa.String(80))
    """Who supplied an input."""
    input_lot: Mapped[str | None] = mapped_column(sa.String(40))
    input_lot_fold: Mapped[str | None] = mapped_column(sa.String(40), folded("input_lot"), deferred=True)
    stock_id: Mapped[int | None] = mapped_column(sa.ForeignKey("stock_lots.id"), index=True)
    """The stock lot it was taken from, where the producer keeps stock."""
    dose: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 3))
    dose_unit: Mapped[str | None] = mapped_column(sa.String(20))
    area_mu: Mapped[Decimal | None] = mapped_column(sa.Numeric(9, 2))
    method: Mapped[str | None] = mapped_column(sa.String(30))
    target: Mapped[str | None] = mapped_column(sa.String(60))
    """The pest, disease or purpose."""
    interval_days: Mapped[int | None]
    """Pre-harvest interval of a pesticide, withdrawal period of a veterinary drug."""
    video_url: Mapped[str | None] = mapped_column(sa.String(500))
    values: Mapped[StoredJson] = mapped_column(sa.JSON, default=dict)
    replaces_id: Mapped[int | None] = mapped_column(sa.ForeignKey("records.id"), unique=True)
    correction_reason: Mapped[str | None] = mapped_column(sa.String(300))
    entry_key: Mapped[str | None] = mapped_column(sa.String(40))
    """Made where the entry was made, so that one sent twice is kept once."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    producer: Mapped[Organisation] = relationship()
    kind: Mapped[ProductKind] = relationship()
    batch: Mapped[Batch | None] = relationship(foreign_keys=[batch_id])
    further_batches: Mapped[list[Batch]] = relationship(secondary=record_batches, order_by=Batch.id, lazy="select")
    site: Mapped[Site | None] = relationship(foreign_keys=[site_id])
    stock: Mapped[StockLot | None] = relationship(foreign_keys=[stock_id])
    series: Mapped[list[RecordSeries]] = relationship(
        back_populates="record", order_by="RecordSeries.id", lazy="selectin", cascade="all, delete-orphan"
    )
    replaces: Mapped[Record | None] = relationship(
        foreign_keys=[replaces_id], remote_side=[id], back_populates="replaced_by"
    )
    replaced_by: Mapped[Record | None] = relationship(
        foreign_keys=[replaces_id], back_populates="replaces", uselist=False
    )
    withdrawal: Mapped[RecordWithdrawal | None] = relationship(lazy="select", viewonly=True)
    photos: Mapped[list[Photo]] = relationship(secondary=record_photos, order_by=Photo.id, lazy="selectin")
    clips: Mapped[list[Clip]] = relationship(secondary=record_clips, order_by=Clip.id, lazy="selectin")
    created_by: Mapped[User | None] = relationship()

    @property
    def is_shared(self) -> bool:
        """Whether it is of several lots: what it counts is of all of them together."""
        return self.site_id is not None or bool(self.further_batches)

    @property
    def is_in_force(self) -> bool:
        """Whether it counts: no other takes its place, and it was not withdrawn."""
        return self.replaced_by is None and self.withdrawal is None

    @property
    def clips_ready(self) -> list[Clip]:
        """The clips that can be shown, each once however often it was sent."""
        first: dict[str | None, Clip] = {}
        for clip in self.clips:
            if clip.is_ready:
                first.setdefault(clip.sha256, clip)
        return list(first.values())

    @property
    def clips_standing(self) -> list[Clip]:
        """The clips that can be shown, and those that are still to be looked at."""
        ready = self.clips_ready
        return [clip for clip in self.clips if clip in ready or clip.verdict is None]

    @property
    def clips_told(self) -> list[Clip]:
        """The clips that their sender is told of: not those that were refused many days ago."""
        since = utc_now() - REFUSAL_TOLD
        return [clip for clip in self.clips if clip.is_ready or clip.judged_at is None or clip.judged_at > since]

    @property
    def label_days(self) -> int | None:
        """The interval that the label of the input asks for, where the producer keeps stock of it."""
        use = self.stock.product.use_on(self.kind_code) if self.stock is not None else None
        return use.interval_days if use else None


class RecordWithdrawal(Model):
    """A producer's word that a record is none, such as one that was made for the wrong lot. Rows are only ever added.

    The record stays where it was shown, marked and with the reason; rules, stock and recalls no longer count it. Only
    a record of drafts is withdrawn: once a lot is out, others have relied on it, and it is corrected.
    """

    __tablename__ = "record_withdrawals"
    __table_args__ = (sa.CheckConstraint("reason != ''", "reason"),)

    record_id: Mapped[int] = mapped_column(
        sa.ForeignKey("records.id", ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    reason: Mapped[str] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    created_by: Mapped[User | None] = relationship()


class RecordIngredient(Model):
    """An active ingredient that a record of a pesticide or veterinary drug names. Rows are only ever added.

    By these a recall and a search find what was used. What stands on the label of the stock counts beside it.
    """

    __tablename__ = "record_ingredients"
    __table_args__ = (sa.CheckConstraint("name != '' AND \"key\" != ''", "named"),)

    record_id: Mapped[int] = mapped_column(sa.ForeignKey("records.id", ondelete="RESTRICT"), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(60), primary_key=True, index=True)
    """The name as it is compared, see `trace_app.inputs.ingredients.key_of`."""
    name: Mapped[str] = mapped_column(sa.String(60))


class RecordSeries(Model):
    """Readings of a logger over a stage: temperature or humidity, thinned out, with the file they came from."""

    __tablename__ = "record_series"
    __table_args__ = (sa.CheckConstraint("ends_at >= starts_at AND count > 0 AND most >= least", "range"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    record_id: Mapped[int] = mapped_column(sa.ForeignKey("records.id", ondelete="RESTRICT"), index=True)
    quantity: Mapped[str] = mapped_column(sa.String(20))
    """``temperature`` in degrees Celsius or ``humidity`` in percent."""
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    count: Mapped[int]
    """Readings in the file."""
    least: Mapped[float]
    most: Mapped[float]
    mean: Mapped[float]
    points: Mapped[list[list[float]]] = mapped_column(sa.JSON)
    """Seconds since the start, least and most of each stretch, in order."""
    document_id: Mapped[int] = mapped_column(sa.ForeignKey("documents.id"))

    record: Mapped[Record] = relationship(back_populates="series")
    document: Mapped[Document] = relationship()
