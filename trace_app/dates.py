"""The one reader of days and moments as people and devices write them, for forms, tables and loggers.

What may be two days is refused with both. Which spellings are which is a table in decision 48.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from trace_app.clock import SHANGHAI, today
from trace_app.plain_text import half_width

FIRST_YEAR, LAST_YEAR = 1950, 2999
NEAR_YEARS = 5
"""How far from this year a year of two digits may be."""
ORDERS = ("ymd", "dmy", "mdy")
"""The orders in which year, month and day may stand."""
_DASHES = re.compile("[‐-―−]")
_DAY = re.compile(
    r"(?P<whole>[0-9]{8})(?![0-9])|(?P<year>[0-9]{4}|[0-9]{2})年(?P<month>[0-9]{1,2})月(?P<day>[0-9]{1,2})[日号]"
    r"|(?P<first>[0-9]{1,4})(?P<sign>[-/.])(?P<second>[0-9]{1,2})(?P=sign)(?P<third>[0-9]{4}|[0-9]{1,2})(?![0-9])"
)
_TIME = re.compile(
    r"(?P<before>上午|下午|am|pm)? ?(?P<hour>[0-9]{1,2})(?::|时|点)(?P<minute>[0-9]{1,2})"
    r"(?:(?::|分)(?P<second>[0-9]{1,2})(?P<part>[.,][0-9]{1,6})?秒?)?分? ?(?P<after>am|pm|a\.m\.|p\.m\.)?",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r"(?P<utc>z|utc|gmt)?(?: ?(?P<sign>[+-])(?P<hours>[0-9]{1,2})(?::?(?P<minutes>[0-9]{2}))?)?", re.IGNORECASE
)
_LATE = {"下午", "pm", "p.m."}
_DAY_ZERO = date(1899, 12, 30)
"""The day that Excel counts from."""


class NotADate(ValueError):
    """What was typed is no day, or may be two. The message says what to write instead.

    :ivar readings: the days that it may be, where it may be several.
    """

    def __init__(self, message: LazyString, readings: tuple[date, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.readings = readings


def read_day(text: str) -> date:
    """A day, with or without a time, as ``2026-9-15``, ``2026年9月15日``, ``20260915``, ``26.9.15``.

    :raises NotADate:
    """
    day, rest = _day_first(text, ORDERS)
    if not rest:
        return day
    clock = _clock(rest)
    if clock is None:
        raise _no_day(text)
    moment, zone = clock
    if zone is None:
        return day
    return datetime.combine(day, moment, zone).astimezone(SHANGHAI).date()


def read_moment(text: str, zone: tzinfo = SHANGHAI, orders: tuple[str, ...] = ORDERS) -> datetime:
    """A day with its time, aware.

    :param zone: where none is said.
    :param orders: those in which year, month and day may stand, where more is known of it.
    :raises NotADate:
    """
    no_moment = NotADate(_("“%(typed)s”不是时间。请填写日期和时间，例如 2026-09-15 14:30。", typed=text.strip()[:30]))
    try:
        day, rest = _day_first(text, orders)
    except NotADate as error:
        raise error if error.readings else no_moment from error
    clock = _clock(rest) if rest else None
    if clock is None:
        raise no_moment
    moment, said = clock
    return datetime.combine(day, moment, said or zone)


def read_zone(text: str) -> tzinfo | None:
    """The zone that a heading names, as ``Time (UTC)`` or ``时间 GMT+8``; None where it names none."""
    found = re.search(r"(?:utc|gmt)(?: ?([+-]) ?([0-9]{1,2})(?::?([0-9]{2}))?)?", half_width(text), re.IGNORECASE)
    if found is None:
        return None
    return _offset(found[1], found[2], found[3])


def day_of_number(number: float) -> date:
    """The day that Excel means by a number, counting from 1900.

    :raises NotADate:
    """
    day = _DAY_ZERO + timedelta(days=int(number)) if 0 < number < 100_000 else None
    if day is None or not 2000 <= day.year < 2100:
        raise _no_day(f"{number:g}")
    return day


def _day_first(text: str, orders: tuple[str, ...]) -> tuple[date, str]:
    """The day that a text begins with, and what stands behind it."""
    plain = _DASHES.sub("-", half_width(text)).strip().removeprefix("'")
    plain = re.sub(r"(?<=[0-9]) ?([-/.年月日号]) ?(?=[0-9])| (?=[日号])", r"\1", plain)
    found = _DAY.match(plain)
    if found is None:
        raise _no_day(text)
    rest = plain[found.end() :]
    if rest and not re.match(r"T[0-9]|[ ,]|上午|下午", rest) and not (found["year"] and rest[0].isdigit()):
        raise _no_day(text)
    return _day(found, text, orders), re.sub(r"^(?:T|[ ,]+)", "", rest).strip()


def _day(found: re.Match[str], text: str, orders: tuple[str, ...]) -> date:
    if found["whole"]:
        whole = found["whole"]
        parts = [(whole[:4], whole[4:6], whole[6:])]
    elif found["year"]:
        parts = [(found["year"], found["month"], found["day"])]
    else:
        first, second, third = found["first"], found["second"], found["third"]
        by_order = {"ymd": (first, second, third), "dmy": (third, second, first), "mdy": (third, first, second)}
        parts = [by_order[order] for order in orders]
    days = {day: None for year, month, day_of_month in parts if (day := _possible(year, month, day_of_month))}
    if len(days) == 1:
        return next(iter(days))
    if not days:
        raise _no_day(text)
    one, other = list(days)[:2]
    raise NotADate(
        _(
            "“%(typed)s”是 %(one)s 还是 %(other)s？请写成 %(one)s 这样，年份四位。",
            typed=text.strip()[:30], one=one, other=other
        ),
        tuple(days),
    )  # fmt: skip


def _possible(year: str, month: str, day: str) -> date | None:
    """The day, where there is one and its year is one that people here may mean."""
    if len(year) not in {2, 4} or len(month) > 2 or len(day) > 2:
        return None
    number = int(year)
    if len(year) == 2:
        number += 2000
        if abs(number - today().year) > NEAR_YEARS:
            return None
    try:
        found = date(number, int(month), int(day))
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None


def _clock(text: str) -> tuple[time, tzinfo | None] | None:
    """A time of the day with its zone, where one is said; None where the text is no time."""
    found = _TIME.match(text)
    if found is None:
        return None
    zone = _ZONE.fullmatch(text[found.end() :].strip())
    hour, half = int(found["hour"]), (found["before"] or found["after"] or "").lower()
    if zone is None or (found["before"] and found["after"]) or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half in _LATE else 0)
    try:
        moment = time(hour, int(found["minute"]), int(found["second"] or 0))
    except ValueError:
        return None
    said = zone["utc"] or zone["sign"]
    return moment, _offset(zone["sign"], zone["hours"], zone["minutes"]) if said else None


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> tzinfo:
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return timezone(-min(ahead, timedelta(hours=23)) if sign == "-" else min(ahead, timedelta(hours=23)))


def _no_day(text: str) -> NotADate:
    return NotADate(_("“%(typed)s”不是日期。请填写日期，例如 2026-09-15，年月日都要写。", typed=text.strip()[:30]))
