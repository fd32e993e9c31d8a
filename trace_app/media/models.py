from __future__ import annotations

import builtins
import enum
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from media_store.clips import MAX_BYTES, MAX_SECONDS, SECONDS_OVER
from media_store.containers import Hidden, Refusal
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model


class ClipVerdict(enum.StrEnum):
    """What became of a clip that was looked at; all but the first are why it isn't kept."""

    READY = "ready"
    NO_CLIP = Refusal.NO_CLIP.value
    CUT_OFF = Refusal.CUT_OFF.value
    NO_PICTURE = Refusal.NO_PICTURE.value
    TOO_LONG = Refusal.TOO_LONG.value
    TOO_LARGE = Refusal.TOO_LARGE.value


class ClipKind(enum.StrEnum):
    """What the file of a clip is, whatever its name says: MP4 and its kin, or WebM and Matroska."""

    MP4 = "mp4"
    WEBM = "webm"


class Clip(Model):
    """A piece of film as it was received, byte by byte. It is looked at once, by a job, which says what it is."""

    __tablename__ = "clips"
    __table_args__ = (
        sa.CheckConstraint(f"bytes BETWEEN 1 AND {MAX_BYTES}", "bytes"),
        sa.CheckConstraint(f"milliseconds BETWEEN 0 AND {(MAX_SECONDS + SECONDS_OVER) * 1000}", "milliseconds"),
        sa.CheckConstraint("width > 0 AND height > 0", "size"),
        sa.CheckConstraint(
            "(verdict IS NULL) = (judged_at IS NULL) AND (verdict IS NULL) = (sha256 IS NULL)", "judged"
        ),
        sa.CheckConstraint(
            " AND ".join(
                f"(verdict IS NOT NULL AND verdict = 'ready') = ({column} IS NOT NULL)"
                for column in ("ending", "plays", "hidden", "codec", "width", "height", "milliseconds")
            ),
            "seen",
        ),
        sa.Index(
            "ix_clips_waiting",
            "id",
            sqlite_where=sa.text("verdict IS NULL"),
            postgresql_where=sa.text("verdict IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random: the clip's part in its web address and its keys in the store."""
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    file_name: Mapped[str] = mapped_column(sa.String(120))
    """The file's name where it came from."""
    bytes: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    """When all of it had come in."""
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    verdict: Mapped[ClipVerdict | None] = mapped_column(one_of(ClipVerdict, "verdict"))
    judged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sha256: Mapped[str | None] = mapped_column(sa.String(64))
    ending: Mapped[ClipKind | None] = mapped_column(one_of(ClipKind, "ending"))
    plays: Mapped[bool | None]
    """Whether every browser plays it; others are kept as evidence."""
    hidden: Mapped[str | None] = mapped_column(sa.String(2000))
    """Boxes of the file that the public doesn't get, as numbers with colons."""
    codec: Mapped[str | None] = mapped_column(sa.String(8))
    width: Mapped[int | None]
    height: Mapped[int | None]
    milliseconds: Mapped[int | None]

    @property
    def key(self) -> str:
        return f"clips/{self.name[:2]}/{self.name}.{self.ending}"

    @property
    def poster_key(self) -> str:
        return f"clips/{self.name[:2]}/{self.name}-poster.webp"

    @property
    def sheet_key(self) -> str:
        return f"clips/{self.name[:2]}/{self.name}-sheet.webp"

    @property
    def is_ready(self) -> bool:
        return self.verdict is ClipVerdict.READY

    @property
    def hidden_boxes(self) -> tuple[Hidden, ...]:
        return tuple(Hidden(*map(int, box.split(":"))) for box in (self.hidden or "").split())


class CameraPicture(Model):
    """One picture of a camera at a site. Those of a day go when it is over, but for one."""

    __tablename__ = "camera_pictures"
    __table_args__ = (
        sa.CheckConstraint("width > 0 AND height > 0 AND bytes > 0", "size"),
        sa.UniqueConstraint("camera_id", "taken_at"),
        sa.Index("ix_camera_pictures_camera_id_day", "camera_id", "day"),
        sa.Index(
            "uq_camera_pictures_of_day",
            "camera_id",
            "day",
            unique=True,
            sqlite_where=sa.text("is_of_day"),
            postgresql_where=sa.text("is_of_day"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[int] = mapped_column(sa.ForeignKey("cameras.id"))
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random: the picture's part in its web address and its keys in the store."""
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    day: Mapped[date]
    """The day of ``taken_at`` where the camera is."""
    is_of_day: Mapped[bool] = mapped_column(default=False)
    """Whether it is the one that stays of its day."""
    sha256: Mapped[str] = mapped_column(sa.String(64))
    bytes: Mapped[int]
    """The size of the picture and the small one together."""
    width: Mapped[int]
    height: Mapped[int]
    brightness: Mapped[float]
    contrast: Mapped[float]
    sharpness: Mapped[float]
    one_colour: Mapped[float]
    grey: Mapped[builtins.bytes] = mapped_column(sa.LargeBinary(2304), deferred=True)
    """What later pictures are compared with."""

    @property
    def key(self) -> str:
        return f"cameras/{self.name[:2]}/{self.name}.webp"

    @property
    def strip_key(self) -> str:
        return f"cameras/{self.name[:2]}/{self.name}-strip.webp"


class Document(Model):
    """A file that was handed in as it is: a test report, a certificate, a logger's readings. Never changed."""

    __tablename__ = "documents"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random, so that only who was given the address finds it."""
    file_name: Mapped[str] = mapped_column(sa.String(120))
    """The file's name where it came from."""
    kind: Mapped[str] = mapped_column(sa.String(10))
    """Its ending: pdf, csv, xlsx."""
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    @property
    def key(self) -> str:
        return f"documents/{self.name[:2]}/{self.name}.{self.kind}"


class Photo(Model):
    """A cleaned picture in the media store, in up to three sizes.

    When and where it was taken is evidence for the authority: neither is in the picture or on any public page.
    """

    __tablename__ = "photos"
    __table_args__ = (
        sa.CheckConstraint("width > 0 AND height > 0", "size"),
        sa.CheckConstraint("middle_width > 0 AND middle_width < width", "middle"),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", "latitude"),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", "longitude"),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", "place"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random: the photo's part in its web address and its keys in the store."""
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    width: Mapped[int]
    height: Mapped[int]
    middle_width: Mapped[int | None]
    """How wide its middle size is; None where it has none, being small itself or of before there were any."""
    sha256: Mapped[str] = mapped_column(sa.String(64))
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When, and below where, the file said that it was taken."""
    latitude: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 5))
    longitude: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 5))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    @property
    def key(self) -> str:
        return f"photos/{self.name[:2]}/{self.name}.webp"

    @property
    def middle_key(self) -> str:
        return f"photos/{self.name[:2]}/{self.name}-middle.webp"

    @property
    def thumbnail_key(self) -> str:
        return f"photos/{self.name[:2]}/{self.name}-small.webp"
