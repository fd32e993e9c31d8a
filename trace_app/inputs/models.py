from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.folding import folded


class InputType(enum.StrEnum):
    PESTICIDE = "pesticide"
    FERTILISER = "fertiliser"
    VETERINARY = "veterinary"
    FEED = "feed"
    INGREDIENT = "ingredient"


class InputProduct(Model):
    """A farm input as its own label describes it.

    A producer's products are its own; those of a regulator are offered to every producer.
    """

    __tablename__ = "input_products"
    __table_args__ = (
        sa.UniqueConstraint("owner_id", "type", "name", "registration_number"),
        sa.Index(
            "ix_input_products_registration_fold",
            "registration_fold",
            postgresql_ops={"registration_fold": "text_pattern_ops"},
        ),
        sa.CheckConstraint("name != ''", "named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    type: Mapped[InputType] = mapped_column(one_of(InputType, "type"))
    name: Mapped[str] = mapped_column(sa.String(80), index=True)
    registration_number: Mapped[str] = mapped_column(sa.String(40), default="")
    """PD, LS or WP of a pesticide, 兽药字 of a veterinary drug, 准字 of a fertiliser; empty where none is needed."""
    registration_fold: Mapped[str] = mapped_column(sa.String(40), folded("registration_number"), deferred=True)
    maker: Mapped[str] = mapped_column(sa.String(80), default="")
    nutrients: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    """What a fertiliser contains: n_percent, p_percent, k_percent."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    owner: Mapped[Organisation] = relationship()
    uses: Mapped[list[LabelUse]] = relationship(
        back_populates="product", cascade="all, delete-orphan", order_by="LabelUse.id", lazy="selectin"
    )

    ingredients: Mapped[list[InputIngredient]] = relationship(
        cascade="all, delete-orphan", order_by="InputIngredient.position"
    )
    """Not loaded with it: trace pages need none."""

    @property
    def active_ingredient(self) -> str:
        """The names of its active ingredients, as a record has them."""
        return "、".join(ingredient.name for ingredient in self.ingredients)

    def use_on(self, kind_code: str) -> LabelUse | None:
        """What the label says for a kind: its own line, else the one for all."""
        own = next((use for use in self.uses if use.kind_code == kind_code), None)
        return own or next((use for use in self.uses if use.kind_code is None), None)


class InputIngredient(Model):
    """An active ingredient of an input, with its content as it is printed on the label."""

    __tablename__ = "input_ingredients"
    __table_args__ = (sa.CheckConstraint("name != '' AND \"key\" != ''", "named"),)

    product_id: Mapped[int] = mapped_column(sa.ForeignKey("input_products.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The ingredient's place on the label."""
    name: Mapped[str] = mapped_column(sa.String(60))
    key: Mapped[str] = mapped_column(sa.String(60), index=True)
    """The name as it is compared, see `ingredients.key_of`."""
    content: Mapped[str] = mapped_column(sa.String(60), default="")


class LabelUse(Model):
    """What a product's label allows on one kind of product, or on all."""

    __tablename__ = "input_label_uses"
    __table_args__ = (
        sa.UniqueConstraint("product_id", "kind_code"),
        sa.Index(
            "uq_input_label_uses_of_all_kinds",
            "product_id",
            unique=True,
            sqlite_where=sa.text("kind_code IS NULL"),
            postgresql_where=sa.text("kind_code IS NULL"),
        ),
        sa.CheckConstraint("interval_days >= 0", "interval_days"),
        sa.CheckConstraint("dose_min <= dose_max", "dose"),
        sa.CheckConstraint("max_applications > 0", "max_applications"),
        sa.CheckConstraint("(dose_min IS NULL AND dose_max IS NULL) OR dose_unit IS NOT NULL", "unit"),
        sa.CheckConstraint("dose_min >= 0 AND dose_max >= 0", "amounts"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(sa.ForeignKey("input_products.id", ondelete="CASCADE"))
    kind_code: Mapped[str | None] = mapped_column(sa.ForeignKey("product_kinds.code"))
    interval_days: Mapped[int | None]
    """Pre-harvest interval, or withdrawal period."""
    dose_min: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 3))
    dose_max: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 3))
    dose_unit: Mapped[str | None] = mapped_column(sa.String(20))
    max_applications: Mapped[int | None]
    """How often it may be applied in one season."""

    product: Mapped[InputProduct] = relationship(back_populates="uses")


class StockLot(Model):
    """One lot of an input that a producer received."""

    __tablename__ = "stock_lots"
    __table_args__ = (
        sa.UniqueConstraint("producer_id", "product_id", "lot_number"),
        sa.Index("ix_stock_lots_producer_id_received_on", "producer_id", "received_on"),
        sa.Index("ix_stock_lots_producer_id_lot_number", "producer_id", "lot_number"),
        sa.CheckConstraint("quantity > 0", "quantity"),
        sa.CheckConstraint("lot_number != ''", "lot_number"),
        sa.CheckConstraint("unit IN ('kg', 'g', 't', 'L', 'mL', 'bottle', 'piece')", "unit"),
        sa.UniqueConstraint("producer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    product_id: Mapped[int] = mapped_column(sa.ForeignKey("input_products.id"), index=True)
    lot_number: Mapped[str] = mapped_column(sa.String(40), index=True)
    supplier: Mapped[str] = mapped_column(sa.String(80))
    received_on: Mapped[date]
    expires_on: Mapped[date | None]
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(12, 3))
    unit: Mapped[str] = mapped_column(sa.String(10))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    product: Mapped[InputProduct] = relationship(lazy="joined")
    producer: Mapped[Organisation] = relationship()
    outs: Mapped[list[StockOut]] = relationship(back_populates="stock", order_by="StockOut.id")


class StockOutReason(enum.StrEnum):
    RETURNED = "returned"
    DISPOSED = "disposed"
    LOST = "lost"


class StockOut(Model):
    """What left a stock lot otherwise than by use; use is what records say."""

    __tablename__ = "stock_outs"
    __table_args__ = (sa.CheckConstraint("quantity > 0", "quantity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    stock_id: Mapped[int] = mapped_column(sa.ForeignKey("stock_lots.id"), index=True)
    happened_on: Mapped[date]
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(12, 3))
    reason: Mapped[StockOutReason] = mapped_column(one_of(StockOutReason, "reason"))
    note: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    stock: Mapped[StockLot] = relationship(back_populates="outs")
