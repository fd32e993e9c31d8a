"""How long a recall may take (食品召回管理办法, articles 12 and 18): hours to begin, working days to finish."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from flask_babel import lazy_gettext as _

from trace_app.clock import local
from trace_app.extensions import db
from trace_app.forms import DateField, SelectField, StringField, at_most, choices, optional, required
from trace_app.recalls.models import Holiday
from trace_app.reference.service import ReferenceTable, RowForm, register

START_HOURS = {1: 24, 2: 48, 3: 72}
HOLD_START_HOURS = 24
"""How long those concerned have to confirm a hold, which is of no level and ends when the matter is cleared up."""
FINISH_DAYS = {1: 10, 2: 20, 3: 30}
"""Working days."""
SATURDAY = 5
LONGEST_REST = 20
"""Days: more than any holiday has with the weekends around it."""


class HolidayForm(RowForm):
    day = DateField(_("日期"), [required()])
    type = SelectField(_("休息或上班"), [required()], choices=choices({"off": "", "work": ""}.items()))
    name = StringField(_("节日"), [required(), at_most(30)])
    source = StringField(_("依据"), [optional(), at_most(80)])


register(
    ReferenceTable(
        "holidays",
        _("节假日"),
        Holiday,
        HolidayForm,
        ("day",),
        _("国务院办公厅各年的放假安排"),
        date(2026, 11, 28),
        _("2026 年以前照通知录入；还没有公布的年份没有调休，公布后请补上"),
        Path(__file__).parent / "reference",
        judges_lots=False,
    )
)


def start_due(level: int | None, begun: datetime) -> datetime:
    """The moment by which everyone concerned must have begun.

    :param level: None of a hold.
    """
    return begun + timedelta(hours=HOLD_START_HOURS if level is None else START_HOURS[level])


def finish_due(level: int | None, begun: datetime) -> date | None:
    """The day by which a recall must be carried out: working days, the day of the notice not counted.

    :return: None of a hold.
    """
    if level is None:
        return None
    return working_days_after(local(begun).date(), FINISH_DAYS[level])


def working_days_after(day: date, count: int) -> date:
    """The last of so many working days after a day.

    Days of the table of holidays go by it; others by the week.
    """
    horizon = day + timedelta(days=count * 2 + LONGEST_REST)
    query = db.select(Holiday.day, Holiday.type).where(Holiday.day > day, Holiday.day <= horizon)
    known: dict[date, str] = {row[0]: row[1] for row in db.session.execute(query)}
    while count:
        day += timedelta(days=1)
        works = known.get(day)
        if works == "work" or (works is None and day.weekday() < SATURDAY):
            count -= 1
    return day
