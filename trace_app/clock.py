"""The time that people here live by."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def today() -> date:
    """The day in Qujing."""
    return datetime.now(SHANGHAI).date()


def local(moment: datetime) -> datetime:
    """A moment as the clocks in Qujing show it."""
    return moment.astimezone(SHANGHAI)
