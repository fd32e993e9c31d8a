from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Division, Organisation, User
from trace_app.batches.models import Batch
from trace_app.db.base import MANY, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.labels.models import LabelRun
from trace_app.language import language, named
from trace_app.media.models import Document, Photo


class Consignee(Model):
    """Someone goods are sent to, in the address book of who sends them: two people of one name are two.

    It offers what to write into the next shipment. What was sent, and to whom, stands in the shipment.
    """

    __tablename__ = "consignees"
    __table_args__ = (
        sa.UniqueConstraint("sender_id", "name", "phone"),
        sa.Index("ix_consignees_name", "name"),
        sa.UniqueConstraint("sender_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sender_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"))
    """Which organisation of the platform it is, as the sender said."""
    name: Mapped[str] = mapped_column(sa.String(100))
    phone: Mapped[str] = mapped_column(sa.String(30), default="")
    email: Mapped[str] = mapped_column(sa.String(255), default="")
    division_code: Mapped[str | None] = mapped_column(sa.ForeignKey("divisions.code"))
    address: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    sender: Mapped[Organisation] = relationship(foreign_keys=[sender_id])
    organisation: Mapped[Organisation | None] = relationship(foreign_keys=[organisation_id])


shipment_photos = sa.Table(
    "shipment_photos",
    Model.metadata,
    sa.Column("shipment_id", sa.ForeignKey("shipments.id"), primary_key=True),
    sa.Column("photo_id", sa.ForeignKey("photos.id"), primary_key=True),
)


class Shipment(Model):
    """Goods on their way from an organisation to a consignee (EPCIS bizStep shipping), or back again.

    Whom they went to stands here as it was on that day, and is never changed. What was entered wrongly is withdrawn
    with a reason and entered again.
    """

    __tablename__ = "shipments"
    __table_args__ = (
        sa.Index("ix_shipments_sender_id_departed_at", "sender_id", "departed_at"),
        sa.Index("ix_shipments_sent_to_departed_at", "consignee_organisation_id", "departed_at"),
        sa.Index("ix_shipments_sender_id_number", "sender_id", "number"),
        sa.Index("ix_shipments_vehicle", "vehicle", postgresql_ops={"vehicle": "text_pattern_ops"}),
        # The number's own index, of its uniqueness, knows no beginnings where the database sorts by a language.
        sa.Index("ix_shipments_number", "number", postgresql_ops={"number": "text_pattern_ops"}),
        sa.Index("ix_shipments_order", "sender_id", "platform", "order_number"),
        sa.CheckConstraint(
            "CASE WHEN returns_id IS NULL THEN sender_id IS NOT NULL AND consignee_id IS NOT NULL AND report_id IS NULL"
            " ELSE consignee_id IS NULL AND consignee_organisation_id IS NOT NULL END",
            "parties",
        ),
        sa.CheckConstraint(
            "(least_celsius IS NULL) = (most_celsius IS NULL)"
            " AND (least_celsius IS NULL OR least_celsius <= most_celsius)",
            "cold_chain",
        ),
        sa.CheckConstraint("withdrawn_at IS NULL OR withdrawn_reason != ''", "withdrawn"),
        sa.CheckConstraint("consignee_name != ''", "consignee"),
        sa.ForeignKeyConstraint(
            ["sender_id", "consignee_id"], ["consignees.sender_id", "consignees.id"], name="fk_shipments_own_consignee"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(24), unique=True)
    """The sender's, such as 12-20261125-003."""
    receipt_code: Mapped[str] = mapped_column(sa.String(13), unique=True)
    """Random: with it the buyer confirms what arrived, by link or typed."""
    returns_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shipments.id"), index=True)
    """The shipment of which the goods go back, to who sent it; None of goods on their first way."""
    report_id: Mapped[int | None] = mapped_column(sa.ForeignKey("recall_reports.id"))
    """What a party said in a recall: that it sends these goods back."""
    sender_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"))
    """None where who sends goods back is not on the platform."""
    consignee_id: Mapped[int | None] = mapped_column(sa.ForeignKey("consignees.id"), index=True)
    """The address book's entry, by which shipments to one person are known for one person's; None of a return."""
    consignee_name: Mapped[str] = mapped_column(sa.String(100))
    consignee_phone: Mapped[str] = mapped_column(sa.String(30), default="")
    consignee_address: Mapped[str] = mapped_column(sa.String(200), default="")
    consignee_division_code: Mapped[str | None] = mapped_column(sa.ForeignKey("divisions.code"))
    consignee_organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    """The organisation that holds the goods and sees the shipment; None where the consignee isn't on the platform."""
    departed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    carrier: Mapped[str] = mapped_column(sa.String(60), default="")
    vehicle: Mapped[str] = mapped_column(sa.String(20), default="")
    """Its plate, or the number of a parcel."""
    driver: Mapped[str] = mapped_column(sa.String(30), default="")
    driver_phone: Mapped[str] = mapped_column(sa.String(30), default="")
    least_celsius: Mapped[float | None]
    """What the goods may be carried at; None where there is no cold chain."""
    most_celsius: Mapped[float | None]
    platform: Mapped[str] = mapped_column(sa.String(30), default="")
    """The platform of an online order, which has its number beside it."""
    order_number: Mapped[str] = mapped_column(sa.String(60), default="")
    note: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_reason: Mapped[str] = mapped_column(sa.String(300), default="")

    sender: Mapped[Organisation | None] = relationship(foreign_keys=[sender_id])
    consignee: Mapped[Consignee | None] = relationship(foreign_keys=[consignee_id])
    returns: Mapped[Shipment | None] = relationship(remote_side=[id], back_populates="returned_by")
    returned_by: Mapped[list[Shipment]] = relationship(back_populates="returns", order_by="Shipment.id")
    consignee_division: Mapped[Division | None] = relationship()
    consignee_organisation: Mapped[Organisation | None] = relationship(foreign_keys=[consignee_organisation_id])
    created_by: Mapped[User | None] = relationship()
    lines: Mapped[list[ShipmentLine]] = relationship(back_populates="shipment", order_by="ShipmentLine.id")
    temperatures: Mapped[list[Temperature]] = relationship(order_by="Temperature.starts_at")
    photos: Mapped[list[Photo]] = relationship(secondary=shipment_photos, order_by=Photo.id)
    receipts: Mapped[list[Receipt]] = relationship(
        back_populates="shipment", foreign_keys="Receipt.shipment_id", order_by="Receipt.id"
    )

    @property
    def sender_name(self) -> str:
        """Who sent it, in the reader's language: an organisation, or whom the goods had gone to."""
        if self.sender is not None:
            return named(self.sender)
        return self.returns.receiver_name if self.returns is not None else ""

    @property
    def receiver_name(self) -> str:
        """Whom it goes to, as it was called on that day; an organisation on English pages by its English name."""
        known = self.consignee_organisation
        if known is not None and language() == "en" and known.name_en:
            return known.name_en
        return self.consignee_name

    @property
    def sender_phone(self) -> str:
        if self.sender is not None:
            return self.sender.phone
        return self.returns.consignee_phone if self.returns is not None else ""

    @property
    def settled(self) -> bool:
        """Whether it is known of all of it that it came, was refused, or won't come."""
        return bool(self.receipts) and not any(line.open for line in self.lines)

    @property
    def too_warm_or_cold(self) -> list[Temperature]:
        """Readings outside of what the goods may be carried at."""
        if self.least_celsius is None or self.most_celsius is None:
            return []
        return [t for t in self.temperatures if t.least < self.least_celsius or t.most > self.most_celsius]


class ShipmentLine(Model):
    """A lot in a shipment. What is known of it is kept by the database, which adds each line of a receipt."""

    __tablename__ = "shipment_lines"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0", "quantity"),
        sa.CheckConstraint("round(received + refused + missing, 3) <= quantity", "known"),
        sa.CheckConstraint("round(returned + missing, 3) <= quantity", "returned"),
        sa.UniqueConstraint("shipment_id", "batch_id"),
        sa.Index("ix_shipment_lines_batch_id", "batch_id", "shipment_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shipment_id: Mapped[int] = mapped_column(sa.ForeignKey("shipments.id"))
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    """The quantity in the lot's unit."""
    received: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3), server_default="0")
    """How much came, by all receipts together."""
    refused: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3), server_default="0")
    """How much the consignee did not take: it goes back as a return."""
    missing: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3), server_default="0")
    """How much did not come and won't."""
    returned: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3), server_default="0")
    """How much is back again where it was sent from."""

    shipment: Mapped[Shipment] = relationship(back_populates="lines")
    batch: Mapped[Batch] = relationship()
    codes: Mapped[list[ShippedCode]] = relationship(back_populates="line", order_by="ShippedCode.id")

    @property
    def open(self) -> Decimal:
        """How much nobody has said anything of yet."""
        return self.quantity - self.received - self.refused - self.missing

    @property
    def on_its_way_back(self) -> Decimal:
        """How much was sent back, whether it is back again or not; what did not come of it is lost on the way."""
        lines = (line for way in self.shipment.returned_by if way.withdrawn_at is None for line in way.lines)
        return sum((line.quantity for line in lines if line.batch_id == self.batch_id), Decimal(0))

    @property
    def returnable(self) -> Decimal:
        return self.quantity - self.missing - self.on_its_way_back


class ShippedCode(Model):
    """A label in a shipment, as it was scanned: an item, a case or a pallet with all in it."""

    __tablename__ = "shipped_codes"
    __table_args__ = (
        sa.Index("ix_shipped_codes_label", "run_id", "index"),
        sa.CheckConstraint('"index" >= 0', "index"),
    )

    id: Mapped[int] = mapped_column(MANY, primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("shipment_lines.id"), index=True)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"))
    index: Mapped[int]

    line: Mapped[ShipmentLine] = relationship(back_populates="codes")
    run: Mapped[LabelRun] = relationship()


class TemperatureSource(enum.StrEnum):
    MANUAL = "manual"
    LOGGER = "logger"


class Temperature(Model):
    """What was measured on the way: one reading by hand, or a logger's series. Degrees Celsius."""

    __tablename__ = "shipment_temperatures"
    __table_args__ = (
        sa.CheckConstraint("most >= least", "range"),
        sa.CheckConstraint("ends_at >= starts_at AND count > 0", "period"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shipment_id: Mapped[int] = mapped_column(sa.ForeignKey("shipments.id"), index=True)
    source: Mapped[TemperatureSource] = mapped_column(one_of(TemperatureSource, "source"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    count: Mapped[int] = mapped_column(default=1)
    least: Mapped[float]
    most: Mapped[float]
    outside_minutes: Mapped[float | None]
    """How long a series was outside of what the goods may be carried at."""
    points: Mapped[list[list[float]]] = mapped_column(sa.JSON, default=list)
    """The series in stretches: seconds from its start, the least and the most of each."""
    document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    noted_by: Mapped[str] = mapped_column(sa.String(60), default="")

    document: Mapped[Document | None] = relationship()


class Receipt(Model):
    """That some of a shipment arrived, or was refused, as the buyer says (EPCIS bizStep receiving). Never changed; what
    comes later has a receipt of its own."""

    __tablename__ = "receipts"

    id: Mapped[int] = mapped_column(primary_key=True)
    shipment_id: Mapped[int] = mapped_column(sa.ForeignKey("shipments.id"), index=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_by: Mapped[str] = mapped_column(sa.String(60))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    """Where the buyer confirmed with an account."""
    note: Mapped[str] = mapped_column(sa.String(300), default="")
    return_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shipments.id"), unique=True)
    """The shipment by which what was refused goes back."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    shipment: Mapped[Shipment] = relationship(back_populates="receipts", foreign_keys=[shipment_id])
    lines: Mapped[list[ReceiptLine]] = relationship(back_populates="receipt", order_by="ReceiptLine.line_id")


class ReceiptLine(Model):
    """How much of a line arrived, was refused, and did not come and won't, in the lot's unit."""

    __tablename__ = "receipt_lines"
    __table_args__ = (
        sa.CheckConstraint(
            "quantity >= 0 AND refused >= 0 AND missing >= 0 AND quantity + refused + missing > 0", "quantity"
        ),
        sa.CheckConstraint("refused = 0 OR reason != ''", "reason"),
    )

    receipt_id: Mapped[int] = mapped_column(sa.ForeignKey("receipts.id"), primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("shipment_lines.id"), primary_key=True)
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    refused: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3), default=Decimal(0), server_default="0")
    missing: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3), default=Decimal(0), server_default="0")
    reason: Mapped[str] = mapped_column(sa.String(200), default="", server_default="")
    """Why it was refused."""

    receipt: Mapped[Receipt] = relationship(back_populates="lines")
    line: Mapped[ShipmentLine] = relationship()


class LossKind(enum.StrEnum):
    LOST = "lost"
    SAMPLED = "sampled"
    DESTROYED = "destroyed"


class LotLoss(Model):
    """What was lost of a lot: spoiled, dried away, taken as samples, destroyed. In the lot's unit."""

    __tablename__ = "lot_losses"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0", "quantity"),
        sa.CheckConstraint("withdrawn_at IS NULL OR withdrawn_reason != ''", "withdrawn"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    holder_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    """Who lost it."""
    kind: Mapped[LossKind] = mapped_column(one_of(LossKind, "kind"), default=LossKind.LOST, server_default="lost")
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    reason: Mapped[str] = mapped_column(sa.String(100))
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_reason: Mapped[str] = mapped_column(sa.String(300), default="")
