from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.catalogue.models import Site
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model

LEAST_MINUTES, MOST_MINUTES = 5, 120


class CameraSource(enum.StrEnum):
    """How a camera's picture is asked for."""

    SNAPSHOT = "snapshot"
    """A picture by HTTP."""
    HLS = "hls"
    """Pieces of a stream by HTTP, as platforms of camera makers give them out."""
    RTSP = "rtsp"
    """The camera's own stream."""


class CameraFailure(enum.StrEnum):
    """Why no picture came."""

    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    REDIRECTED = "redirected"
    NOT_ALLOWED = "not_allowed"
    NO_PICTURE = "no_picture"


class CameraTrouble(enum.StrEnum):
    """What a camera's owner is told of."""

    SILENT = "silent"
    BLACK = "black"
    FROZEN = "frozen"
    COVERED = "covered"
    BLURRED = "blurred"
    MOVED = "moved"


class Camera(Model):
    """A camera that looks at a site. Its address, which may hold a password, is kept sealed."""

    __tablename__ = "cameras"
    __table_args__ = (
        sa.CheckConstraint(f"every_minutes BETWEEN {LEAST_MINUTES} AND {MOST_MINUTES}", "every_minutes"),
        sa.CheckConstraint("misses >= 0", "misses"),
        sa.UniqueConstraint("site_id", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    site_id: Mapped[int] = mapped_column(sa.ForeignKey("sites.id"))
    name: Mapped[str] = mapped_column(sa.String(40))
    source: Mapped[CameraSource] = mapped_column(one_of(CameraSource, "source"))
    sealed_address: Mapped[str] = mapped_column(sa.String(2000), deferred=True)
    every_minutes: Mapped[int]
    on_trace_page: Mapped[bool]
    """Whether the pictures of days stand on the pages of the lots that grew there."""
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    """When it is looked at next."""
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The moment of its latest picture."""
    misses: Mapped[int] = mapped_column(default=0)
    """How often in a row no picture came."""
    failure: Mapped[CameraFailure | None] = mapped_column(one_of(CameraFailure, "failure"))
    """Why, the last time."""
    sorted_until: Mapped[date | None]
    """The day before which one picture of each day is left."""

    site: Mapped[Site] = relationship()
    alarms: Mapped[list[CameraAlarm]] = relationship(order_by="CameraAlarm.id.desc()", viewonly=True)


class CameraAlarm(Model):
    """Something that was wrong with a camera, from when until when. The owner was told of both."""

    __tablename__ = "camera_alarms"
    __table_args__ = (
        sa.CheckConstraint("until IS NULL OR until >= since", "until"),
        sa.Index(
            "uq_camera_alarms_open",
            "camera_id",
            "trouble",
            unique=True,
            sqlite_where=sa.text("until IS NULL"),
            postgresql_where=sa.text("until IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(sa.ForeignKey("cameras.id"), index=True)
    trouble: Mapped[CameraTrouble] = mapped_column(one_of(CameraTrouble, "trouble"))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    camera: Mapped[Camera] = relationship()
