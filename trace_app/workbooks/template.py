"""Template workbooks: a sheet for each sort of record, with drop-downs, units, examples and limits on what is typed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date

import xlsxwriter
from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import Length, NumberRange

from trace_app.accounts.models import User
from trace_app.catalogue.models import ProductKind
from trace_app.clock import today
from trace_app.flow.shipments.forms import OrderForm
from trace_app.households.forms import HouseholdRowForm
from trace_app.inputs.forms import InputRowForm
from trace_app.language import named
from trace_app.records.service import open_lots
from trace_app.spreadsheets import PLAIN_TEXTS
from trace_app.workbooks.dry_run import input_fields, lot_fields, lot_form
from trace_app.workbooks.plan import EXAMPLE, IGNORED_SHEETS, LOT_HEADING, LOTS_SHEET, heading, sheet_name, sheets_of

ROWS = 2000
"""That drop-downs and checks reach down to."""
HELP, LISTS = IGNORED_SHEETS
_LINES = (
    _("每张表记一类事，一行一条；带 * 的列必须填。"),
    _("“批次号”可以填几个，用顿号隔开；新批次先在“批次”表里登记一行。"),
    _("灰色的“示例”行不会导入，可以留着。"),
    _("日期写成 2026-09-15；有下拉箭头的格子请从里面选。"),
    _("不要改工作表名称和表头。填好后在网页上传，先检查，再导入。"),
)
_EXAMPLES = {"DecimalField": "40", "IntegerField": "14", "DateField": "2026-09-15"}


class _Book:
    """A workbook in the making, with its formats and the hidden sheet of lists."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.book = xlsxwriter.Workbook(self.out, PLAIN_TEXTS)
        head = {"bold": True, "font_color": "#FFFFFF", "text_wrap": True, "valign": "vcenter", "border": 1}
        self.head = self.book.add_format(head | {"bg_color": "#1B5A43"})
        self.needed = self.book.add_format(head | {"bg_color": "#8A5510"})
        self.example = self.book.add_format({"font_color": "#7A7A7A", "bg_color": "#EEEEEE", "italic": True})
        self.plain = self.book.add_format({"num_format": "@"})
        self.day = self.book.add_format({"num_format": "yyyy-mm-dd"})
        self.number = self.book.add_format({"num_format": "General"})
        self.wrap = self.book.add_format({"text_wrap": True, "valign": "top"})
        self._lists: list[Sequence[str]] = []

    def help(self, title: str, lines: Sequence[str]) -> None:
        sheet = self.book.add_worksheet(str(HELP))
        sheet.set_column(0, 0, 90, self.wrap)
        sheet.write_string(0, 0, title, self.book.add_format({"bold": True, "font_size": 16}))
        for number, line in enumerate(lines, start=2):
            sheet.write_string(number, 0, line, self.wrap)

    def list_of(self, values: Sequence[str]) -> str:
        """A drop-down's source in the hidden sheet: longer lists than a cell's own may be."""
        self._lists.append(values)
        column = len(self._lists) - 1
        letters = xlsxwriter.utility.xl_col_to_name(column, True)
        return f"='{LISTS}'!{letters}$1:{letters}${max(len(values), 1)}"

    def sheet(self, name: str, columns: Sequence[tuple[str, Field | None, bool]], lots: Sequence[str] | None) -> None:
        """A sheet to fill in.

        :param columns: heading, form field (None for the lot), whether it must be filled in.
        """
        sheet = self.book.add_worksheet(sheet_name(name))
        sheet.freeze_panes(1, 1)
        sheet.set_row(0, 34)
        for index, (text, field, needed) in enumerate(columns):
            sheet.write_string(0, index, text, self.needed if needed else self.head)
            kind = type(field).__name__
            styles = {"DateField": self.day, "DecimalField": self.number, "IntegerField": self.number}
            style = styles.get(kind, self.plain)
            sheet.set_column(index, index, max(12, min(34, len(text) * 2 + 2)), style)
            if field is not None and field.description:
                sheet.write_comment(0, index, str(field.description))
            example = str(EXAMPLE) if index == 0 else _example(field)
            sheet.write_string(1, index, example, self.example)
            if check := self._check(field, lots):
                sheet.data_validation(2, index, ROWS, index, check | {"error_title": str(_("请检查"))})

    def _check(self, field: Field | None, lots: Sequence[str] | None) -> dict[str, object] | None:
        if field is None:
            if not lots:
                return None
            message = str(_("列表里没有这个批次号；几个批次用顿号隔开，新批次先登记。"))
            source = self.list_of(lots)
            return {"validate": "list", "source": source, "error_type": "information", "error_message": message}
        options = getattr(field, "choices", None)
        if options:
            labels = [str(choice.label) for choice in options if choice.value]
            return {"validate": "list", "source": self.list_of(labels), "error_message": str(_("请从列表里选。"))}
        if type(field).__name__ == "DateField":
            past = any(getattr(check, "__name__", "") == "not_future" for check in field.validators)
            latest = today() if past else date(2100, 1, 1)
            message = str(_("请填写日期，不晚于今天。") if past else _("请填写日期。"))
            return _between("date", date(2000, 1, 1), latest, message)
        for check in field.validators:
            if isinstance(check, NumberRange):
                whole = type(field).__name__ == "IntegerField"
                message = str(_("须是 %(least)s 到 %(most)s 之间的数。", least=f"{check.min:g}", most=f"{check.max:g}"))
                return _between("integer" if whole else "decimal", check.min, check.max, message)
            if isinstance(check, Length) and check.max > 0:
                message = str(_("最多 %(most)s 个字。", most=check.max))
                return {"validate": "length", "criteria": "<=", "value": check.max, "error_message": message}
        return None

    def done(self) -> bytes:
        lists = self.book.add_worksheet(str(LISTS))
        for column, values in enumerate(self._lists):
            for row, value in enumerate(values):
                lists.write_string(row, column, value)
        lists.hide()
        self.book.close()
        return self.out.getvalue()


def _between(what: str, least: object, most: object, message: str) -> dict[str, object]:
    return {"validate": what, "criteria": "between", "minimum": least, "maximum": most, "error_message": message}


def _example(field: Field | None) -> str:
    if field is None:
        return ""
    options = [str(choice.label) for choice in getattr(field, "choices", None) or () if choice.value]
    if options:
        return options[0]
    text = str(field.description or "")
    if text.startswith(("如 ", "such as ")):
        return text.split(" ", 2 if text.startswith("such") else 1)[-1]
    return _EXAMPLES.get(type(field).__name__, "")


def kind_template(user: User, kind: ProductKind) -> bytes:
    """The workbook that a producer fills in for a kind, in the reader's language."""
    book = _Book()
    book.help(str(_("%(kind)s：生产记录模板", kind=named(kind))), [str(line) for line in _LINES])
    form = lot_form(user, kind)
    book.sheet(str(LOTS_SHEET), [(heading(f), f, bool(f.flags.required)) for f in lot_fields(form)], None)
    lots = [lot.lot_number for lot in open_lots(user, kind)]
    for plan in sheets_of(kind):
        columns: list[tuple[str, Field | None, bool]] = [(f"{LOT_HEADING} *", None, True)]
        columns += [(heading(f), f, bool(f.flags.required)) for f in plan.fields]
        book.sheet(plan.name, columns, lots)
    return book.done()


def households_template(user: User) -> bytes:
    """The workbook of a cooperative's households."""
    book = _Book()
    book.help(str(_("农户模板")), [str(_("一行一户。耕种的地块须先在“基地”里登记。")), *map(str, _LINES[2:])])
    form = HouseholdRowForm(user=user, formdata=None, meta={"csrf": False})
    book.sheet(str(_("农户")), [(heading(f), f, bool(f.flags.required)) for f in input_fields(form)], None)
    return book.done()


def orders_template() -> bytes:
    """The workbook of a shop's order list."""
    book = _Book()
    book.help(
        str(_("网店订单模板")),
        [str(_("一行一个订单里的一个批次；同一订单有几个批次的，写几行。")), *map(str, _LINES[2:])],
    )
    form = OrderForm(formdata=None, meta={"csrf": False})
    book.sheet(str(_("订单")), [(heading(f), f, bool(f.flags.required)) for f in input_fields(form)], None)
    return book.done()


def inputs_template() -> bytes:
    """The workbook of the farm-input catalogue."""
    book = _Book()
    book.help(
        str(_("投入品目录模板")),
        [
            str(_("一行一种产品在一种作物（品类）上的用法，照标签抄写；同一产品用于几种的，写几行。")),
            *map(str, _LINES[2:]),
        ],
    )
    form = InputRowForm(formdata=None, meta={"csrf": False})
    book.sheet(str(_("投入品")), [(heading(f), f, bool(f.flags.required)) for f in input_fields(form)], None)
    return book.done()
