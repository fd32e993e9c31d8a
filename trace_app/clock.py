"""The time that people here live by."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def today() -> date:
    """The day in Qujing."""
    return datetime.now(SHANGHAI).date()


def is_past(day: date | None) -> bool:
    """Whether a day, where there is one, lies behind us."""
    return day is not None and day < today()


def local(moment: datetime) -> datetime:
    """A moment as the clocks in Qujing show it."""
    return moment.astimezone(SHANGHAI)


@lru_cache(maxsize=64)
def local_day(unix: int) -> str:
    """The day in Qujing of a moment in Unix time, as ISO 8601 writes it."""
    return datetime.fromtimestamp(unix, SHANGHAI).date().isoformat()
