"""The dry run: every row of a workbook against the rules of its form, and all that is wrong with its place.

A column's values repeat, so each distinct value of a column is parsed and checked once by its form's field.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flask_babel import lazy_gettext as _
from werkzeug.datastructures import MultiDict
from wtforms import Field

from media_store.workbooks import Cell, Sheet
from trace_app.accounts.models import User
from trace_app.batches.forms import BatchForm
from trace_app.batches.service import lot_numbers_alike
from trace_app.catalogue.models import ProductKind
from trace_app.errors import InvalidInput
from trace_app.flow.shipments.forms import OrderForm
from trace_app.flow.shipments.service import numbers_at_hand, sent_orders
from trace_app.folding import fold, meant, near, without_spaces, written_plainly
from trace_app.forms import Form
from trace_app.households.forms import HouseholdRowForm
from trace_app.households.service import known_by
from trace_app.inputs.forms import InputRowForm
from trace_app.inputs.service import stock_of
from trace_app.records.forms import record_facts
from trace_app.records.from_stock import StockByNumber, stock_faults, taken_from
from trace_app.records.models import INPUT_TYPES, RecordType
from trace_app.records.registered import RegisteredNumbers
from trace_app.records.service import open_lot_numbers
from trace_app.spreadsheets import cell_text, column_letters
from trace_app.values import Facts, JsonObject
from trace_app.workbooks.cells import LOT, Look, filled_down, look_of, read_cell
from trace_app.workbooks.plan import (
    EXAMPLE,
    IGNORED_SHEETS,
    LOT_HEADING,
    LOTS_SHEET,
    SheetPlan,
    fields_by_heading,
    in_all_languages,
    names_in_all_languages,
    plain_heading,
)

SHOWN = 60
"""Characters of a cell that are shown."""
MOST_KEPT = 1000
"""Problems whose words are kept; all are counted."""
SEPARATORS = "、，,;；"
TITLE_ROWS = 10
"""How far down the row of headings is looked for."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and where. ``row`` is None for a whole sheet, ``column`` empty for a whole row."""

    sheet: str
    row: int | None
    column: str
    message: str
    content: str = ""
    """What stands in the cell."""

    def plain(self) -> JsonObject:
        return {
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "message": self.message,
            "content": self.content,
        }


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A row that can become a record. Lots are named by number: they may stand in the same workbook."""

    sheet: str
    row: int
    lots: tuple[str, ...]
    type: RecordType
    stage_code: str | None
    facts: Facts


@dataclass(slots=True)
class DryRun:
    """What a workbook holds. All but ``records`` are values for their forms, with their rows."""

    troubles: list[Trouble] = field(default_factory=list)
    became: list[Trouble] = field(default_factory=list)
    """What numbers in other units became: nothing is wrong with them, but it is shown."""
    trouble_count: int = 0
    rows: int = 0
    records: list[RecordRow] = field(default_factory=list)
    lots: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    inputs: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    orders: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    households: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    @property
    def good(self) -> int:
        forms = (self.lots, self.inputs, self.orders, self.households)
        return len(self.records) + sum(map(len, forms))

    def trouble(self, sheet: str, row: int | None, column: str, message: object, content: str = "") -> None:
        self.trouble_count += 1
        if len(self.troubles) < MOST_KEPT:
            self.troubles.append(Trouble(sheet, row, column, str(message), content[:SHOWN]))

    def note(self, sheet: str, row: int, column: str, became: str, content: str) -> None:
        """Say what a number became that was not kept as it was typed."""
        if became and len(self.became) < MOST_KEPT:
            self.became.append(Trouble(sheet, row, column, str(_("记为 %(became)s", became=became)), content[:SHOWN]))


class Reading(NamedTuple):
    """A cell as it would be typed, the parsed value, what is wrong with it, and what it became."""

    text: str
    data: object
    fault: str | None
    became: str


class SheetColumn:
    """A column with what its distinct values mean."""

    def __init__(
        self, name: str, index: int, place: str, form: Form, parse: Callable[[str], tuple[object, str | None]]
    ) -> None:
        self.name = name
        self.index = index
        self.place = place
        self.field: Field | None = form[name] if name != LOT else None
        self.unit_of: str | None = getattr(self.field, "unit_of", None)
        self._form = form
        self._parse = parse
        self._known: dict[tuple[object, ...], Reading] = {}

    def read(self, cell: Cell, look: Look, unit: object) -> Reading:
        """What the cell means. Alike cells are read once.

        :param unit: what the row's own column of units says, where the field has its unit from there.
        """
        key = (type(cell), cell, look, unit)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._read(cell, look, unit)
        return found

    def _read(self, cell: Cell, look: Look, unit: object) -> Reading:
        text, wrong = read_cell(cell, look, self.name, self.field)
        if wrong:
            return Reading(text, None, wrong, "")
        if self.unit_of:
            self._form[self.unit_of].data = unit
        return Reading(text, *self._parse(text), getattr(self.field, "became", ""))


def _values_by_label(form_field: Field) -> dict[str, str]:
    """What is chosen by the words of a cell, in whichever language."""
    options = getattr(form_field, "choices", None) or ()
    return {text: choice.value for choice in options for text in in_all_languages(choice.label)}


def _parser_of(form: Form, form_field: Field) -> Callable[[str], tuple[object, str | None]]:
    """A form's field as a function of the text in a cell."""
    labels = _values_by_label(form_field)

    def parse(text: str) -> tuple[object, str | None]:
        form_field.errors = []
        form_field.process(MultiDict({form_field.name: labels.get(text, text)}))
        if form_field.validate(form):
            return form_field.data, None
        if labels and text and text not in labels:
            return None, _none_such(text, labels)
        return None, " ".join(str(error) for error in form_field.errors)

    return parse


def _none_such(text: str, labels: Iterable[str]) -> str:
    """What may be chosen in place of what was typed, and which of it was most likely meant."""
    offered = list(labels)
    near = difflib.get_close_matches(text, offered, 1, 0.5)
    if near:
        told = _("没有“%(text)s”这个选项。是“%(near)s”吗？可以选：%(choices)s。")
    else:
        told = _("没有“%(text)s”这个选项，可以选：%(choices)s。")
    return str(told) % {"text": text[:20], "near": "".join(near), "choices": "、".join(offered[:12])}


def read_records(user: User, kind: ProductKind, sheets: Sequence[Sheet]) -> DryRun:
    """Look through a workbook of a kind's records."""
    run = DryRun()
    plans, ignored = names_in_all_languages(kind), {name for lazy in IGNORED_SHEETS for name in in_all_languages(lazy)}
    lots_names = in_all_languages(LOTS_SHEET)
    lots = open_lot_numbers(user, kind)
    for sheet in sheets:
        if sheet.name in lots_names:
            lots |= _read_lots(user, kind, sheet, run)
    for sheet in sheets:
        if sheet.name in plans:
            plan = plans[sheet.name]
            own = stock_of(user.organisation, plan.type.value) if plan.type in INPUT_TYPES else []
            registered = RegisteredNumbers(user, plan.type)
            _read_sheet(kind, plan, sheet, lots, StockByNumber(own), registered, run)
        elif sheet.name not in ignored | lots_names and any(cell_text(cell) for row in sheet.rows for cell in row):
            run.trouble(sheet.name, None, "", _("模板里没有这张工作表。请从模板复制，不要改工作表的名称。"))
    return run


def _heading_row(sheet: Sheet, known: Mapping[str, str]) -> int:
    """The number of the row of headings, from 0 on: the first one, but for titles above it."""
    for number, row in enumerate(sheet.rows[:TITLE_ROWS]):
        if sum(plain_heading(cell_text(cell)) in known for cell in row) > 1:
            return number
    return 0


def _data_rows(sheet: Sheet, heading: int) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Rows with something in them, and their numbers; heading and examples left out."""
    examples = tuple(in_all_languages(EXAMPLE))
    for number, row in enumerate(filled_down(sheet)[heading + 1 :], start=heading + 2):
        first = row[0] if row else ""
        if any(cell != "" for cell in row) and not (type(first) is str and first.startswith(examples)):
            yield number, row


def _places(
    sheet: Sheet, heading_row: int, known: dict[str, str], needed: dict[str, str], run: DryRun, *, used: bool
) -> dict[str, tuple[int, str]]:
    """Where columns stand, by name: their index from 0 on, and what they are called in a report.

    :param known: names by plain heading.
    :param needed: names without which no row can be read, and what they are called.
    :param used: whether the sheet has rows; if not, nothing is told.
    """
    found: dict[str, tuple[int, str]] = {}
    for index, cell in enumerate(sheet.rows[heading_row] if sheet.rows else []):
        heading = cell_text(cell)
        place = f"{column_letters(index + 1)} {heading}"
        if name := known.get(plain_heading(heading)):
            found[name] = index, place
        elif heading and used:
            run.trouble(sheet.name, heading_row + 1, place, _("模板里没有这一列。"))
    if used and (missing := [label for name, label in needed.items() if name not in found]):
        run.trouble(
            sheet.name, heading_row + 1, "", _("缺少列：%(columns)s。请从模板复制表头。", columns="、".join(missing))
        )
    return found


def _needed(fields: Iterable[Field]) -> dict[str, str]:
    return {f.name: str(f.label.text) for f in fields if f.flags.required}


def _read_sheet(
    kind: ProductKind,
    plan: SheetPlan,
    sheet: Sheet,
    lots: set[str],
    stock: StockByNumber,
    registered: RegisteredNumbers,
    run: DryRun,
) -> None:
    fields = fields_by_heading(plan)
    known = {plain_heading(text): LOT for text in in_all_languages(LOT_HEADING)}
    known |= {text: form_field.name for text, form_field in fields.items()}
    top = _heading_row(sheet, known)
    rows, needed = list(_data_rows(sheet, top)), {LOT: str(LOT_HEADING)} | _needed(plan.fields)
    there = _places(sheet, top, known, needed, run, used=bool(rows))
    columns = [
        SheetColumn(
            name, *place, plan.form, _lots_parser(lots) if name == LOT else _parser_of(plan.form, plan.form[name])
        )
        for name, place in there.items()
    ]
    # What has its unit from another column is read after it.
    columns.sort(key=lambda column: column.unit_of is not None)
    complete = needed.keys() <= there.keys()
    absent: Facts = {f.name: None for f in plan.fields if f.name not in there}
    stage_code = plan.stage.code if plan.stage is not None else None
    places = {name: place for name, (_index, place) in there.items()}
    for number, row in rows:
        run.rows += 1
        values, right = {**absent}, complete
        chosen: tuple[str, ...] = ()
        for column in columns:
            cell = row[column.index] if column.index < len(row) else ""
            look = look_of(sheet, number, column.index)
            text, data, fault, became = column.read(cell, look, values.get(column.unit_of or ""))
            if fault is not None:
                right = False
                run.trouble(sheet.name, number, column.place, fault, text)
                continue
            run.note(sheet.name, number, column.place, became, text)
            if isinstance(data, tuple):
                chosen = data
            else:
                values[column.name] = data
        if not right:
            continue
        facts = record_facts(values)
        lot = stock.meant(facts) if facts.get("input_lot") else None
        faults = registered.faults(facts) if lot is None else stock_faults(facts, lot, kind.code)
        for name, fault in faults.items():
            right = False
            run.trouble(sheet.name, number, places.get(name, ""), fault, str(facts.get(name) or ""))
        if lot is not None:
            facts = taken_from(facts, lot, kind.code)
        if right:
            run.records.append(RecordRow(sheet.name, number, chosen, plan.type, stage_code, facts))


def _lots_parser(lots: set[str]) -> Callable[[str], tuple[object, str | None]]:
    alike: dict[str, list[str]] = {}
    for lot in lots:
        alike.setdefault(fold(lot), []).append(lot)

    def named(typed: str) -> str | None:
        """The lot of this number, or the only one that is alike but for what `fold` leaves out."""
        found = alike.get(fold(typed), [])
        return typed if typed in lots else found[0] if len(found) == 1 else None

    def parse(text: str) -> tuple[object, str | None]:
        if whole := named(text) if text else None:
            return (whole,), None
        for separator in SEPARATORS:
            text = text.replace(separator, " ")
        names = tuple(dict.fromkeys(text.split()))
        if not names:
            return None, str(_("请填写批次号。"))
        unknown = [name for name in names if named(name) is None]
        if unknown:
            nearest = near(unknown[0], lots, 1)
            if nearest:
                told = _("没有可以记录的批次“%(lots)s”。是“%(near)s”吗？请核对批次号。")
            else:
                told = _("没有可以记录的批次“%(lots)s”：请核对批次号，或先在“批次”表里登记。")
            return None, str(told) % {"lots": "、".join(unknown)[:60], "near": "".join(nearest)}
        return tuple(dict.fromkeys(named(name) for name in names)), None

    return parse


_LOT_FIELDS = ("lot_number", "product_id", "site_id", "quantity", "unit", "started_on", "produced_on", "best_before")


def lot_form(user: User, kind: ProductKind) -> BatchForm:
    """An empty form of a new lot of a kind, whose choices are the producer's own."""
    form = BatchForm(user=user, formdata=None, meta={"csrf": False})
    form.only_kind(kind)
    return form


def lot_fields(form: BatchForm) -> list[Field]:
    return [form[name] for name in _LOT_FIELDS]


def _read_lots(user: User, kind: ProductKind, sheet: Sheet, run: DryRun) -> set[str]:
    """New lots; the numbers of those that can be registered."""
    form = lot_form(user, kind)
    found: set[str] = set()
    known = lot_numbers_alike(user.organisation_id)
    for number, values, places, told in _forms_rows(sheet, lot_fields(form), run):
        try:
            parsed = BatchForm.parse(values, user=user)
        except InvalidInput as error:
            for name, messages in error.errors.items():
                if name not in told:
                    run.trouble(sheet.name, number, places.get(name, ""), " ".join(messages), values.get(name, ""))
            continue
        if told:
            continue
        _note_all(parsed, sheet.name, number, values, places, run)
        lot = parsed.lot_number.data
        if twin := known.get(without_spaces(lot)):
            run.trouble(sheet.name, number, places["lot_number"], _("批次号“%(lot)s”已有，请换一个。", lot=twin), lot)
            continue
        found.add(lot)
        known[without_spaces(lot)] = lot
        run.lots.append((number, values))
    return found


def read_inputs(sheets: Sequence[Sheet]) -> DryRun:
    """Look through a table of farm inputs: one product with its use on one kind in each row."""
    run = DryRun()
    form = InputRowForm(formdata=None, meta={"csrf": False})
    keys = ("type", "name", "registration_number", "kind_code")
    run.inputs += _rows_of_one_form(InputRowForm, list(input_fields(form)), sheets, keys, run)
    return run


def read_orders(user: User, sheets: Sequence[Sheet]) -> DryRun:
    """Look through a shop's order list: one lot of one order in each row."""
    run = DryRun()
    form = OrderForm(formdata=None, meta={"csrf": False})
    keys = ("platform", "order_number", "lot_number")
    numbers = numbers_at_hand(user)
    for number, values in _rows_of_one_form(OrderForm, list(input_fields(form)), sheets, keys, run):
        sent = sent_orders(user, values["platform"], values["order_number"])
        lot = meant(values["lot_number"], numbers)
        if lot is None:
            run.trouble(
                "", number, "", _("没有可以发货的批次“%(lot)s”：要已放行，没有召回或暂停。", lot=values["lot_number"])
            )
        elif sent:
            run.trouble("", number, "", _("这个订单已经登记过，见发货单 %(number)s。", number=sent[0]))
        else:
            run.orders.append((number, values | {"lot_number": lot}))
    return run


def read_households(user: User, sheets: Sequence[Sheet]) -> DryRun:
    """Look through a table of a cooperative's households: one in each row."""
    run = DryRun()
    form = HouseholdRowForm(user=user, formdata=None, meta={"csrf": False})
    alike = _HouseholdsAlike(known_by(user.organisation))
    fields = list(input_fields(form))
    run.households += _rows_of_one_form(HouseholdRowForm, fields, sheets, (), run, beside=alike.faults, user=user)
    return run


class _HouseholdsAlike:
    """Which rows of a table of households are one that is registered, or a row above, or are not told apart from it."""

    def __init__(self, registered: Iterable[tuple[str, str, str]]) -> None:
        self._by_number: dict[str, tuple[tuple[str, str, str], int | None]] = {}
        self._by_name: dict[tuple[str, str], list[tuple[str, int | None]]] = {}
        for one in registered:
            self._note(one, None)

    def _note(self, one: tuple[str, str, str], row: int | None) -> None:
        name, village, number = one
        if number:
            self._by_number.setdefault(number, (one, row))
        self._by_name.setdefault((name, village), []).append((number, row))

    def faults(self, row: int, values: Mapping[str, str]) -> dict[str, str]:
        """What is wrong with a row beside its cells' own faults, by field."""
        name, village = (" ".join((values.get(field) or "").split()) for field in ("name", "village"))
        number = written_plainly(" ".join((values.get("number") or "").split())) or ""
        found = self._number_taken((name, village, number)) or self._not_told_apart(name, village, number)
        if name and village:
            self._note((name, village, number), row)
        return found

    def _number_taken(self, one: tuple[str, str, str]) -> dict[str, str]:
        if one[2] not in self._by_number:
            return {}
        other, row = self._by_number[one[2]]
        if row is not None:
            told = _("与第 %(row)d 行重复。", row=row) if other == one else _("编号与第 %(row)d 行相同。", row=row)
        elif other == one:
            told = _("农户“%(name)s”已经登记过。", name=other[0])
        else:
            told = _("编号“%(number)s”已是另一户的，请换一个。", number=one[2])
        return {"number": str(told)}

    def _not_told_apart(self, name: str, village: str, number: str) -> dict[str, str]:
        for other, row in self._by_name.get((name, village), ()) if name and village else ():
            if number and other:
                continue
            if not number and not other:
                registered = _("农户“%(name)s”已经登记过。", name=name)
                return {"name": str(_("与第 %(row)d 行重复。", row=row) if row is not None else registered)}
            if row is not None:
                return {"number": str(_("与第 %(row)d 行同村同名：两户都要有编号。", row=row))}
            return {"number": str(_("%(village)s已登记一户“%(name)s”：两户都要有编号。", village=village, name=name))}
        return {}


def _note_all(
    form: Form, sheet: str, number: int, values: Mapping[str, str], places: Mapping[str, str], run: DryRun
) -> None:
    for form_field in form:
        became = getattr(form_field, "became", "")
        run.note(sheet, number, places.get(form_field.name, ""), became, values.get(form_field.name, ""))


def _rows_of_one_form(
    form_class: type[Form],
    fields: list[Field],
    sheets: Sequence[Sheet],
    keys: tuple[str, ...],
    run: DryRun,
    *,
    beside: Callable[[int, Mapping[str, str]], Mapping[str, str]] = lambda _row, _values: {},
    **context: object,
) -> list[tuple[int, dict[str, str]]]:
    """The right rows of the first sheet, as values for a form.

    :param keys: fields that no two rows may share, if any.
    :param beside: what is wrong with a row beside what its form says, by field.
    :param context: what the form takes beside its values.
    """
    ignored = {name for lazy in IGNORED_SHEETS for name in in_all_languages(lazy)}
    sheet = next((s for s in sheets if s.name not in ignored), None)
    found: list[tuple[int, dict[str, str]]] = []
    if sheet is None:
        return found
    seen: dict[tuple[str, ...], int] = {}
    for number, values, places, told in _forms_rows(sheet, fields, run):
        faults = dict(beside(number, values))
        try:
            parsed = form_class.parse(values, **context)
        except InvalidInput as error:
            faults |= {name: " ".join(messages) for name, messages in error.errors.items()}
        for name in faults:
            if name in told:
                continue
            run.trouble(sheet.name, number, places.get(name, ""), faults[name], values.get(name, ""))
        if faults or told:
            continue
        _note_all(parsed, sheet.name, number, values, places, run)
        key = tuple(values.get(name) or "" for name in keys)
        if keys and key in seen:
            run.trouble(sheet.name, number, "", _("与第 %(row)d 行重复。", row=seen[key]))
            continue
        seen[key] = number
        found.append((number, values))
    return found


def input_fields(form: Form) -> Iterator[Field]:
    return (f for f in form if f.name != "csrf_token")


def _forms_rows(
    sheet: Sheet, fields: list[Field], run: DryRun
) -> Iterator[tuple[int, dict[str, str], dict[str, str], set[str]]]:
    """Rows as values for a form by field, with the place of each field's column, and of which cells it was told here
    already what is wrong, as of formulas."""
    known: dict[str, str] = {}
    for form_field in fields:
        for text in in_all_languages(form_field.label.text):
            known.setdefault(plain_heading(text), form_field.name)
    top = _heading_row(sheet, known)
    rows, needed = list(_data_rows(sheet, top)), _needed(fields)
    columns = _places(sheet, top, known, needed, run, used=bool(rows))
    if not needed.keys() <= columns.keys():
        run.rows += len(rows)
        return
    by_name = {form_field.name: form_field for form_field in fields}
    labels = {form_field.name: _values_by_label(form_field) for form_field in fields}
    places = {name: place for name, (_index, place) in columns.items()}
    for number, row in rows:
        run.rows += 1
        values: dict[str, str] = {}
        told: set[str] = set()
        for name, (index, place) in columns.items():
            cell = row[index] if index < len(row) else ""
            text, wrong = read_cell(cell, look_of(sheet, number, index), name, by_name[name])
            chosen = labels[name].get(text, text)
            if not wrong and labels[name] and text and chosen == text and text not in labels[name].values():
                wrong = _none_such(text, labels[name])
            if wrong:
                told.add(name)
                run.trouble(sheet.name, number, place, wrong, text)
            values[name] = chosen
        yield number, values, places, told
