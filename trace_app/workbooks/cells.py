"""One cell as a person would type it into the field that its column stands for, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from flask_babel import lazy_gettext as _
from wtforms import Field

from media_store.workbooks import PERCENT, Cell, Sheet
from trace_app.dates import NotADate, day_of_number
from trace_app.forms import DateField, DecimalField, IntegerField
from trace_app.spreadsheets import cell_text, unwrapped

LOT = "lot"
"""What stands in place of a field's name for the column of lot numbers."""
FORMULA = _("这一格是公式。请复制后用“选择性粘贴 → 数值”。")
_IDENTIFIERS = {LOT, "lot_number", "order_number", "vehicle", "phone", "registration_number", "input_lot"}
"""Columns of numbers that name something, of which every sign counts."""
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]+", re.IGNORECASE)
_LONGEST = 1e15
"""Excel keeps 15 digits of a number."""


def filled_down(sheet: Sheet) -> Sequence[Sequence[Cell]]:
    """The rows of a sheet, in which merged cells count for each row that they span."""
    if not sheet.merged:
        return sheet.rows
    rows = [list(row) for row in sheet.rows]
    for (first, column), (last, _last_column) in sheet.merged:
        for number in range(first + 1, min(last + 1, len(rows))):
            if first < len(rows) and column < min(len(rows[first]), len(rows[number])):
                rows[number][column] = rows[first][column]
    return rows


class Look(NamedTuple):
    """How a cell looks on its sheet, beside what it holds.

    :ivar shown: how it shows more than it holds, see `Sheet.formats`.
    :ivar known: whether the kind of file tells that.
    """

    is_formula: bool
    shown: str | None
    known: bool


_PLAIN = {known: Look(is_formula=False, shown=None, known=known) for known in (False, True)}


def look_of(sheet: Sheet, row: int, column: int) -> Look:
    """:param row: from 1 on, and ``column`` from 0 on."""
    formats = sheet.formats
    if not formats and not sheet.formulas:
        return _PLAIN[formats is not None]
    place = (row, column + 1)
    return Look(place in sheet.formulas, formats.get(place) if formats else None, formats is not None)


def read_cell(cell: Cell, look: Look, name: str, form_field: Field | None) -> tuple[str, str]:
    """What would be typed for a cell, and what is wrong with it: empty text where nothing is.

    :param name: of the field, or `LOT`.
    """
    if type(cell) is int:
        cell = float(cell)
    if look.is_formula:
        return cell_text(cell), str(FORMULA)
    if name in _IDENTIFIERS:
        return _identifier(cell, look.shown)
    if isinstance(form_field, DecimalField | IntegerField):
        return _number(cell, look.shown, form_field, known=look.known)
    if isinstance(form_field, DateField) and isinstance(cell, float):
        return _day(cell, known=look.known)
    return cell_text(cell), ""


def _identifier(cell: Cell, shown: str | None) -> tuple[str, str]:
    text = cell_text(cell)
    if isinstance(cell, bool | date | datetime | time | timedelta):
        return text, str(_("Excel 把这个号码变成了日期或“真假”。请把这一列设为“文本”格式，再填一次号码。"))
    if isinstance(cell, float):
        if abs(cell) >= _LONGEST:
            return text, str(_("号码太长，Excel 已丢掉后几位。请把这一列设为“文本”格式，重新导出或再填一次。"))
        if shown is not None or cell != int(cell):
            return text, str(_("Excel 把这个号码当成了数字，零可能已丢掉。请把这一列设为“文本”格式，再填一次号码。"))
        return text, ""
    text = unwrapped(text)
    if _SCIENTIFIC.fullmatch(text):
        return text, str(_("号码太长，Excel 已丢掉后几位。请把这一列设为“文本”格式，重新导出或再填一次。"))
    return text, ""


def _number(cell: Cell, shown: str | None, form_field: DecimalField | IntegerField, *, known: bool) -> tuple[str, str]:
    text = cell_text(cell)
    if not isinstance(cell, float):
        return text, str(_("这一格不是数字，请填写数字。")) if isinstance(cell, bool | date | time | timedelta) else ""
    if abs(cell) >= _LONGEST or (cell and abs(cell) < 1e-6):
        return text, str(_("这个数字太大或太小，请核对。"))
    if shown == PERCENT:
        text = f"{_plain(cell * 100)}%"
    elif not known and form_field.unit == PERCENT and 0 < abs(cell) < 1:
        percent = _plain(cell * 100)
        return text, str(
            _("是 %(number)s%% 还是 %(percent)s%%？请把文件另存为 .xlsx 再上传。", number=_plain(cell), percent=percent)
        )
    else:
        text = _plain(cell)
    return text, ""


def _plain(number: float) -> str:
    """A number as Excel shows it, with 15 digits at most."""
    text = f"{float(f'{number:.15g}'):.12f}"
    return text.rstrip("0").rstrip(".")


def _day(cell: float, *, known: bool) -> tuple[str, str]:
    text = cell_text(cell)
    if len(text) == 8:
        return text, ""
    try:
        return day_of_number(cell).isoformat() if known else text, ""
    except NotADate as error:
        return text, str(error.message)
