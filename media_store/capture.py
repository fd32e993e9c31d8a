"""When and where a photo says that it was taken (Exif 2.32, 4.6.5 and 4.6.6)."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import Image

CHINA = timezone(timedelta(hours=8))
"""The clock of a camera that does not say by which one it goes."""
FIRST_YEAR = 2000
"""Cameras whose clock was never set begin in 1970 or 1980."""
_DETAILS, _PLACE = 0x8769, 0x8825
_TAKEN, _OFFSET = 0x9003, 0x9011
_WRITTEN = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_AHEAD = re.compile(r"([+-])(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class Capture:
    """What is said of a photo's making; each may be missing. Latitude and longitude go together."""

    taken_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None


UNTOLD = Capture()


def capture_of(picture: Image.Image) -> Capture:
    """What a picture's own notes say. Entries of another type than they should have say nothing."""
    try:
        exif = picture.getexif()
        details, place = exif.get_ifd(_DETAILS), exif.get_ifd(_PLACE)
        return told(moment_of(details.get(_TAKEN), details.get(_OFFSET)), *_place_of(place))
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, AttributeError, ArithmeticError, struct.error):
        return Capture()


def told(taken_at: datetime | None, latitude: float | None, longitude: float | None) -> Capture:
    """What can be so: no moment to come or before cameras, no place off the earth or where a receiver has none."""
    if taken_at is not None and not FIRST_YEAR <= taken_at.year <= datetime.now(UTC).year:
        taken_at = None
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return Capture(taken_at)
    if latitude == 0 and longitude == 0:
        return Capture(taken_at)
    return Capture(taken_at, round(latitude, 5), round(longitude, 5))


def moment_of(text: Any, offset: Any = None) -> datetime | None:
    """A moment as cameras write it."""
    found = _WRITTEN.match(str(text or ""))
    if found is None:
        return None
    ahead = _AHEAD.match(str(offset or ""))
    zone = CHINA
    if ahead is not None:
        minutes = int(ahead[2]) * 60 + int(ahead[3])
        zone = timezone(timedelta(minutes=-minutes if ahead[1] == "-" else minutes))
    try:
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def _place_of(entries: Mapping[int, Any]) -> tuple[float | None, float | None]:
    latitude, longitude = _degrees(entries.get(2)), _degrees(entries.get(4))
    if latitude is None or longitude is None:
        return None, None
    return (
        -latitude if str(entries.get(1)).startswith("S") else latitude,
        -longitude if str(entries.get(3)).startswith("W") else longitude,
    )


def _degrees(parts: Any) -> float | None:
    """Degrees, minutes and seconds as one number."""
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return value if 0 <= value <= 180 else None
