"""The tables that the rules go by, as editable data: prohibited substances, limits, areas of geographical indications,
rules of commitment certificates.

Each is a CSV file with the columns of its form; an upload takes the place of the whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import Division, User
from trace_app.batches.models import Batch
from trace_app.catalogue.service import kinds
from trace_app.errors import InvalidInput, Unprocessable
from trace_app.extensions import db
from trace_app.forms import (
    DateField,
    DecimalField,
    Form,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    matches,
    optional,
    plain_decimal,
    required,
)
from trace_app.records.forms import METHODS
from trace_app.reference.checks import note_replaced
from trace_app.reference.models import CommitmentRule, CommitmentSubject, GiArea, Limit, ProhibitedSubstance
from trace_app.reference.periods import SAMPLES, Rows, faults_in_periods
from trace_app.spreadsheets import cell_text, csv_text, read_tables
from trace_app.values import Facts

BUILT_IN = Path(__file__).parent / "data"
READ_AS = SAMPLES | {
    "high": _("把握大"),
    "medium": _("把握一般，用前请核对"),
    "low": _("把握小，用前务必核对"),
}
"""What stands in a table as a code, as people read it: whose sample it is, and how sure a limit is."""
MOST_COLUMNS = 12
"""The columns that stand side by side at most; rows with more are cards."""
TOLD = 50
"""Faults that a refusal lists."""


class BadReferenceTable(Unprocessable):
    """An upload has rows that don't fit. ``faults`` are lines of text."""

    title = _("文件没有载入：共 %(count)d 处有误。请按下面的提示改好再上传。")

    def __init__(self, faults: list[str]) -> None:
        super().__init__(count=len(faults))
        self.faults = faults[:TOLD]


class RowForm(Form):
    """The rules on one row of a table."""

    class Meta:
        csrf = False


class ProhibitedForm(RowForm):
    input_type = SelectField(_("类别"), [required()], choices=choices({"pesticide": "", "veterinary": ""}.items()))
    name = StringField(_("有效成分"), [required(), at_most(60)])
    name_en = StringField(_("英文名称"), [optional(), at_most(80)])
    cas = StringField(_("CAS 号"), [optional(), matches(r"^\d{2,7}-\d\d-\d$", _("CAS 号如 298-02-2。"))])
    scope = StringField(_("禁用的作物"), [optional(), at_most(100)])
    except_method = SelectField(_("除外的用法"), choices=choices(METHODS.items(), blank=""))
    effective_from = DateField(_("自何日起"), [required()])
    notice = StringField(_("公告"), [required(), at_most(80)])


class LimitForm(RowForm):
    kind_code = SelectField(_("品类"), [required()])
    analyte = StringField(_("检测项目"), [required(), at_most(60)])
    analyte_en = StringField(_("英文名称"), [optional(), at_most(80)])
    op = SelectField(_("关系"), [required()], choices=choices({"<=": "", ">=": "", "not_detected": ""}.items()))
    value = DecimalField(_("限量"), [optional(), between(0, 10_000_000)])
    unit = StringField(_("单位"), [required(), at_most(20)])
    standard = StringField(_("标准"), [required(), at_most(80)])
    confidence = StringField(_("可信度"), [optional(), at_most(10)])
    valid_from = DateField(_("自何日起"), [required()])
    valid_until = DateField(_("至何日止"), [optional()])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.kind_code.choices = choices((kind.code, kind.name) for kind in kinds())

    def validate_op(self, field: Field) -> None:
        if (self.value.data is None) != (field.data == "not_detected"):
            raise ValidationError(_("“不得检出”不填限量，其他须填。"))

    def validate_valid_until(self, field: Field) -> None:
        if field.data and self.valid_from.data and field.data < self.valid_from.data:
            raise ValidationError(_("不能早于开始日期。"))


class GiAreaForm(RowForm):
    kind_code = SelectField(_("品类"), [required()])
    division_code = StringField(_("区划代码"), [required(), at_most(9)])
    valid_from = DateField(_("自何日起"), [required()])
    valid_until = DateField(_("至何日止"), [optional()])
    source = StringField(_("依据"), [optional(), at_most(80)])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.kind_code.choices = choices((kind.code, kind.name) for kind in kinds())

    def validate_division_code(self, field: Field) -> None:
        if db.session.get(Division, field.data) is None:
            raise ValidationError(_("没有这个区划代码。"))


class CommitmentRuleForm(RowForm):
    sample = SelectField(_("样式"), [required()], choices=choices({"producer": "", "buyer": ""}.items()))
    valid_from = DateField(_("自何日起"), [required()])
    valid_until = DateField(_("至何日止"), [optional()])
    opening = StringField(_("承诺开头"), [required(), at_most(60)])
    opening_en = StringField(_("承诺开头（英文）"), [optional(), at_most(120)])
    promises = StringField(_("承诺事项（用 | 分开）"), [required(), at_most(300)])
    promises_en = StringField(_("承诺事项（英文）"), [optional(), at_most(500)])
    own_control = StringField(_("依据：质量控制"), [optional(), at_most(30)])
    own_control_en = StringField(_("依据：质量控制（英文）"), [optional(), at_most(60)])
    own_test = StringField(_("依据：自行检测"), [optional(), at_most(30)])
    own_test_en = StringField(_("依据：自行检测（英文）"), [optional(), at_most(60)])
    commissioned_test = StringField(_("依据：委托检测"), [optional(), at_most(30)])
    commissioned_test_en = StringField(_("依据：委托检测（英文）"), [optional(), at_most(60)])
    own_word = StringField(_("依据：自我承诺"), [optional(), at_most(30)])
    own_word_en = StringField(_("依据：自我承诺（英文）"), [optional(), at_most(60)])
    subject_word = StringField(_("主体的称呼"), [required(), at_most(20)])
    code_words = StringField(_("合格证二维码旁的字样"), [required(), at_most(30)])
    label_words = StringField(_("标签二维码旁的字样"), [optional(), at_most(20)])
    per_batch = StringField(_("须按生产批次开具的主体"), [optional(), at_most(60)])
    source = StringField(_("依据"), [required(), at_most(120)])
    confidence = StringField(_("可信度"), [optional(), at_most(60)])

    def validate_valid_until(self, field: Field) -> None:
        if field.data and self.valid_from.data and field.data < self.valid_from.data:
            raise ValidationError(_("不能早于开始日期。"))

    def validate_promises(self, field: Field) -> None:
        """One basis at least: a field that is empty is not asked itself."""
        if not any(self[base].data for base in COMMITMENT_BASES):
            raise ValidationError(_("请至少填写一项承诺依据。"))

    def validate_per_batch(self, field: Field) -> None:
        if unknown := subjects_named(field.data or "") - set(CommitmentSubject):
            raise ValidationError(
                _(
                    "没有“%(name)s”这种主体，请从这些里选，用顿号分开：%(names)s。",
                    name="、".join(sorted(unknown)),
                    names="、".join(CommitmentSubject),
                )
            )


COMMITMENT_BASES = ("own_control", "own_test", "commissioned_test", "own_word")
"""What a commitment may rest on: the columns with its words."""


def subjects_named(text: str) -> set[str]:
    """The names in a cell, apart by the comma of lists."""
    return {name.strip() for name in text.split("、") if name.strip()}


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """``key`` names the columns that no two rows may share.

    :ivar source: where the rows that the project ships come from, as of ``as_of``.
    :ivar confidence: how sure they are, in plain words.
    :ivar folder: where the project ships its rows.
    :ivar judges_lots: whether the rules on lots go by it.
    :ivar faults_of_all: what is wrong with its rows among each other, when all of them are replaced.
    """

    name: str
    title: LazyString
    model: type[Any]
    form: type[RowForm]
    key: tuple[str, ...]
    source: LazyString
    as_of: date
    confidence: LazyString
    folder: Path = BUILT_IN
    judges_lots: bool = True
    faults_of_all: Callable[[Rows], list[str]] = lambda _rows: []

    @property
    def columns(self) -> list[str]:
        return [column.name for column in self.model.__table__.columns if column.name != "id"]

    def rows(self) -> list[Any]:
        return list(db.session.scalars(db.select(self.model).order_by(self.model.id)))


TABLES = {
    table.name: table
    for table in (
        ReferenceTable(
            "prohibited",
            _("禁用和限用药物"),
            ProhibitedSubstance,
            ProhibitedForm,
            ("input_type", "name", "scope", "effective_from"),
            _("各行所列的公告"),
            date(2026, 11, 25),
            _("按公开资料整理，用前请核对公告原文"),
        ),
        ReferenceTable(
            "limits",
            _("检测限量"),
            Limit,
            LimitForm,
            ("kind_code", "analyte", "valid_from"),
            _("各行所列的国家标准和行业标准"),
            date(2026, 11, 28),
            _("每行注明把握大小，用前请核对标准原文"),
        ),
        ReferenceTable(
            "gi_areas",
            _("地理标志保护范围"),
            GiArea,
            GiAreaForm,
            ("kind_code", "division_code", "valid_from"),
            _("国家标准和农产品地理标志登记"),
            date(2026, 11, 25),
            _("按公开资料整理，范围以公告为准"),
        ),
        ReferenceTable(
            "commitment_rules",
            _("合格证规定"),
            CommitmentRule,
            CommitmentRuleForm,
            ("sample", "valid_from"),
            _("农业农村部令2025年第4号，和 2021 年的基本样式"),
            date(2026, 11, 30),
            _("来自摘要：用前请核对原文"),
            faults_of_all=faults_in_periods,
        ),
    )
}


def register(table: ReferenceTable) -> None:
    """Have a feature above keep a table of its own among the others."""
    TABLES[table.name] = table


def table_named(name: str) -> ReferenceTable:
    """:raises NotFound:"""
    if name not in TABLES:
        raise NotFound
    return TABLES[name]


def load_built_in() -> None:
    """Fill what is empty with what the project ships. Tables that have rows were edited and stay."""
    for table in TABLES.values():
        if not db.session.scalar(db.select(table.model.id).limit(1)):
            data = (table.folder / f"{table.name}.csv").read_bytes()
            _put(table, [facts for _number, facts in _parsed(table, _lines(table, f"{table.name}.csv", data))])


def replace(user: User, table: ReferenceTable, file_name: str, data: bytes) -> int:
    """Put a file's rows in the place of a table's; where the rules go by it, every lot is due for a check then.

    :return: how many rows there are now.
    :raises SheetProblem, BadReferenceTable:
    """
    parsed = _parsed(table, _lines(table, file_name, data))
    if faults := table.faults_of_all(parsed):
        raise BadReferenceTable(faults)
    rows = [facts for _number, facts in parsed]
    db.session.execute(sa.delete(table.model))
    _put(table, rows)
    if table.judges_lots:
        db.session.execute(sa.update(Batch).values(checked_on=None))
    note_replaced(user, table.name)
    # A table has no id of its own; the event says which it was.
    audit.note(user, "replace-reference", user.organisation, table=table.name, rows=len(rows))
    return len(rows)


def as_csv(table: ReferenceTable) -> str:
    """The table as it can be uploaded again; UTF-8 with a mark, as Excel wants it."""
    rows = [[_text(getattr(row, column)) for column in table.columns] for row in table.rows()]
    return csv_text([table.columns, *rows])


def _text(value: object) -> str:
    if value is None:
        return ""
    return plain_decimal(value) if isinstance(value, Decimal) else str(value)


def _lines(table: ReferenceTable, file_name: str, data: bytes) -> list[tuple[int, dict[str, str]]]:
    """Rows by column with their numbers in the file."""
    rows = read_tables(file_name, data)[0].rows
    head = [cell_text(cell) for cell in rows[0]] if rows else []
    if missing := [column for column in table.columns if column not in head]:
        raise BadReferenceTable([str(_("第一行缺少列：%(columns)s", columns="、".join(missing)))])
    return [
        (number, {name: cell_text(cell).removeprefix("'") for name, cell in zip(head, row, strict=False)})
        for number, row in enumerate(rows[1:], start=2)
        if any(cell_text(cell) for cell in row)
    ]


def _parsed(table: ReferenceTable, lines: Iterable[tuple[int, dict[str, str]]]) -> list[tuple[int, Facts]]:
    found: list[tuple[int, Facts]] = []
    faults: list[str] = []
    seen: dict[tuple[object, ...], int] = {}
    for number, values in lines:
        try:
            facts = table.form.parse({column: values.get(column) or None for column in table.columns}).facts
        except InvalidInput as error:
            faults += [
                str(_("第 %(row)d 行 %(column)s：%(message)s", row=number, column=column, message=" ".join(messages)))
                for column, messages in error.errors.items()
            ]
            continue
        key = tuple(facts[column] for column in table.key)
        if key in seen:
            faults.append(str(_("第 %(row)d 行与第 %(other)d 行重复。", row=number, other=seen[key])))
        seen.setdefault(key, number)
        found.append((number, facts))
    if not found and not faults:
        faults.append(str(_("文件里没有数据行。")))
    if faults:
        raise BadReferenceTable(faults)
    return found


def _put(table: ReferenceTable, rows: list[Facts]) -> None:
    texts = {column.name for column in table.model.__table__.columns if isinstance(column.type, sa.String)}
    db.session.execute(
        sa.insert(table.model),
        [{name: "" if value is None and name in texts else value for name, value in row.items()} for row in rows],
    )
