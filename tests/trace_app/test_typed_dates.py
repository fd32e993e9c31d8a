"""Days and moments as people and devices write them: what may be two days is refused with both."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from tests.world import World
from trace_app import dates
from trace_app.dates import NotADate, day_of_number, read_day, read_moment


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """Years of two digits are those near this one."""
    monkeypatch.setattr(dates, "today", lambda: date(2026, 11, 30))


@pytest.mark.parametrize(
    "typed",
    ["2026-09-15", "2026/9/15", "2026.9.15", "2026年9月15日", "2026 年 9 月 15 号", "20260915", "26.9.15", "26-9-15",
     "26年9月15日", "２０２６－０９－１５", "2026–09–15", "2026-9-15 08:30", "2026/9/15 8:30:05", "2026-09-15T08:30",
     "2026年9月15日8:30", "15/9/2026", "9/15/2026", "9/15/26", "2026-09-14T23:30:00Z", "2026-09-15 下午3:20",
     "'2026-09-15", "2026-09-15 00:30 +08:00"],
)  # fmt: skip
def test_a_day_is_read(typed: str) -> None:
    assert read_day(typed) == date(2026, 9, 15)


@pytest.mark.parametrize(
    ("typed", "one", "other"),
    [
        ("9/10/26", "2026-09-10", "2026-10-09"),
        ("9/10/2026", "2026-10-09", "2026-09-10"),
        ("26.9.24", "2026-09-24", "2024-09-26"),
        ("06-07-2026 08:00", "2026-07-06", "2026-06-07"),
    ],
)
def test_what_may_be_two_days_is_refused_with_both(world: World, typed: str, one: str, other: str) -> None:
    with pytest.raises(NotADate) as refused:
        read_day(typed)
    with world.app.test_request_context():
        said = str(refused.value.message)
    assert one in said
    assert other in said


@pytest.mark.parametrize(
    "typed",
    ["", "昨天", "9月15日", "2026年9月", "2026-02-30", "2026-13-01", "0001-01-01", "260915", "46280", "2026-09-1508:30",
     "2026-9-15 25:00", "2026-09-15 abc", "12.3.5", "2026-9/15", "2026-09-1²", "202609150830", "九月十五"],
)  # fmt: skip
def test_what_is_no_whole_day_is_refused(typed: str) -> None:
    with pytest.raises(NotADate):
        read_day(typed)


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2026-6-1 8:05:30", "2026-06-01T08:05:30+08:00"),
        ("6/13/2026 9:00:00 PM", "2026-06-13T21:00:00+08:00"),
        ("6/13/2026 12:10 AM", "2026-06-13T00:10:00+08:00"),
        ("2026-06-01 下午 2:30", "2026-06-01T14:30:00+08:00"),
        ("2026-06-01T00:00:00Z", "2026-06-01T00:00:00+00:00"),
        ("2026-06-01 00:00 UTC", "2026-06-01T00:00:00+00:00"),
        ("2026-06-01 08:00+0530", "2026-06-01T08:00:00+05:30"),
        ("2026年6月1日 8:15:00", "2026-06-01T08:15:00+08:00"),
    ],
)
def test_a_moment_is_read_with_its_zone(typed: str, moment: str) -> None:
    assert read_moment(typed) == datetime.fromisoformat(moment)


@pytest.mark.parametrize("typed", ["2026-06-01", "8:00", "2026-06-01 24:10", "2026-06-01 13:00 PM"])
def test_a_moment_has_a_time(typed: str) -> None:
    with pytest.raises(NotADate):
        read_moment(typed)


def test_a_number_of_excels_is_the_day_that_it_counts() -> None:
    assert day_of_number(46280.4) == date(2026, 9, 15)
    for number in (0, 915, 20_260_915, 1e12):
        with pytest.raises(NotADate):
            day_of_number(number)
