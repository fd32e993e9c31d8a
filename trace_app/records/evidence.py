"""When and where the photos of a record were taken, beside its day and its site: evidence for the authority alone."""

from __future__ import annotations

from typing import NamedTuple

from trace_app.catalogue.models import Site
from trace_app.catalogue.positions import km_from_site
from trace_app.clock import local
from trace_app.media.models import Photo
from trace_app.records.models import Record


class PhotoEvidence(NamedTuple):
    """What a photo's file said of its making, and how far that is from its record."""

    photo: Photo
    km: float | None
    """How far it is from the nearest site that the record is of; None where either place is unknown."""
    days: int | None
    """How many days lie between it and the record's day."""


def photo_evidence(record: Record) -> list[PhotoEvidence]:
    """What is known of the photos of a record, in their order."""
    # Most photos of most records say nothing: sites are looked up where one says where it was taken.
    sites = _sites(record) if any(photo.latitude is not None for photo in record.photos) else []
    return [PhotoEvidence(photo, _km(photo, sites), _days(photo, record)) for photo in record.photos]


def _sites(record: Record) -> list[Site]:
    if record.site is not None:
        return [record.site]
    first = [record.batch] if record.batch is not None else []
    return [batch.site for batch in [*first, *record.further_batches]]


def _km(photo: Photo, sites: list[Site]) -> float | None:
    if photo.longitude is None or photo.latitude is None:
        return None
    away = [km_from_site(site, float(photo.longitude), float(photo.latitude)) for site in sites]
    return min((km for km in away if km is not None), default=None)


def _days(photo: Photo, record: Record) -> int | None:
    return None if photo.taken_at is None else abs((local(photo.taken_at).date() - record.happened_on).days)
