"""Forms of test reports, certificates, commitment certificates and reference tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString
from werkzeug.datastructures import MultiDict
from wtforms import Field, HiddenField
from wtforms.validators import StopValidation, ValidationError

from trace_app.accounts.forms import CMA_ADVICE, CMA_NUMBER
from trace_app.accounts.models import Organisation
from trace_app.forms import (
    DateField,
    Form,
    SelectField,
    StringField,
    at_most,
    choices,
    matches,
    not_future,
    optional,
    required,
)
from trace_app.laboratory.models import TestKind, TestReport
from trace_app.laboratory.service import ResultFacts
from trace_app.laboratory.texts import KINDS, result_text
from trace_app.laboratory.verdicts import TEST_UNITS, NotAResult, read_result
from trace_app.language import named
from trace_app.media.forms import PdfField
from trace_app.reference.models import Limit
from trace_app.values import Facts

MORE_LINES = 4


MOST_LINES = 60


LINE_FIELDS = ("analyte", "method", "result", "unit")


HEAD = ("report_number", "laboratory", "cma_number", "sample_number", "sample", "sampled_on", "issued_on")


class KindField(SelectField):
    """What kind of test it is."""

    def __init__(self, **kwargs: Any) -> None:
        told = choices(((kind.value, name) for kind, name in KINDS.items()), blank=_("请选择"))
        super().__init__(_("检测类别"), [required()], choices=told, **kwargs)


def _of_official_sampling(form: TestReportForm, field: Field) -> None:
    if form.kind.data == TestKind.SUPERVISION and not field.data:
        raise StopValidation(_("监督抽检须填写抽样单号。"))


class TestOrderForm(Form):
    """A producer's order of a test."""

    laboratory_id = SelectField(_("检测机构"), [required()], coerce=lambda text: int(text) if text else None)
    kind = KindField()
    sample_number = StringField(
        _("样品编号"), [required(), at_most(40)], description=_("写在样品上，检测机构凭它找到本批")
    )
    items = StringField(_("要检的项目"), [optional(), at_most(300)], description=_("如 毒死蜱、苯醚甲环唑、镉"))

    def __init__(self, *args: object, laboratories: Sequence[Organisation], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.laboratory_id.choices = choices([(str(row.id), named(row)) for row in laboratories], blank=_("请选择"))

    @property
    def order_facts(self) -> Facts:
        facts = {name: self[name].data or "" for name in ("sample_number", "items")}
        return facts | {"kind": TestKind(self.kind.data)}


class TestReportForm(Form):
    """A report's head. Its lines of results are read by `lines`."""

    report_number = StringField(_("报告编号"), [required(), at_most(60)])
    laboratory = StringField(_("检测机构"), [required(), at_most(100)])
    cma_number = StringField(
        _("CMA 证书编号"),
        [optional(), matches(CMA_NUMBER, CMA_ADVICE)],
        description=_("报告首页 CMA 标志下的号码，没有可不填"),
    )
    kind = KindField()
    sample_number = StringField(
        _("样品编号"), [_of_official_sampling, optional(), at_most(40)], description=_("监督抽检填抽样单号")
    )
    sample = StringField(_("样品状态"), [optional(), at_most(100)], description=_("如 完好，冷藏"))
    sampled_on = DateField(_("抽样日期"), [required(), not_future], description=_("按这一天有效的标准判定"))
    issued_on = DateField(_("签发日期"), [required(), not_future])
    pdf = PdfField(_("报告原件（PDF）"))
    correction_reason = StringField(_("更正原因"), [optional(), at_most(300)], description=_("会与原报告一起保留"))

    confirmed = HiddenField()
    """What did not pass when it was looked at once more."""
    kept = HiddenField()
    """The name of the PDF that came with it the first time."""

    def __init__(
        self,
        *args: object,
        typed_lines: Sequence[dict[str, str]] | None = None,
        by_laboratory: bool = False,
        **kwargs: object,
    ) -> None:
        """:param by_laboratory: where its name and number are known."""
        super().__init__(*args, **kwargs)
        if by_laboratory:
            del self.laboratory
            del self.cma_number
        self.typed_lines = list(typed_lines or [])
        self.line_errors: dict[int, str] = {}

    def validate_issued_on(self, field: Field) -> None:
        if field.data and self.sampled_on.data and field.data < self.sampled_on.data:
            raise ValidationError(_("不能早于抽样日期。"))

    def lines(self) -> list[ResultFacts]:
        """The results that were typed; empty lines are left out. What is wrong goes into ``line_errors``."""
        found = []
        for number, line in enumerate(self.typed_lines):
            if not line["result"]:
                continue
            fault = _fault_of(line)
            if fault is not None:
                self.line_errors[number] = str(fault)
                continue
            found.append(ResultFacts(line["analyte"], line["method"], read_result(line["result"]), line["unit"]))
        if not found and not self.line_errors:
            self.form_errors = [*self.form_errors, str(_("请至少填写一项检测结果。"))]
        elif self.line_errors:
            self.form_errors = [*self.form_errors, str(_("还没有保存：请修改标红的检测结果。"))]
        return found

    @property
    def report_facts(self) -> Facts:
        facts = {name: self[name].data if self[name].data is not None else "" for name in HEAD if name in self}
        return facts | {"kind": TestKind(self.kind.data)}


def _fault_of(line: dict[str, str]) -> LazyString | None:
    if not line["analyte"]:
        return _("请填写检测项目。")
    if len(line["analyte"]) > 60 or len(line["method"]) > 60 or len(line["unit"]) > 20:
        return _("太长：项目和方法最多 60 个字，单位最多 20 个字。")
    if not line["unit"]:
        return _("请填写单位。")
    try:
        read_result(line["result"])
    except NotAResult:
        return _("结果如 0.05、<0.01 或 未检出。")
    return None


def typed_lines(form: MultiDict[str, str]) -> list[dict[str, str]]:
    """The lines of results of a request's form: fields of one name stand in order."""
    columns = {name: form.getlist(f"line-{name}")[:MOST_LINES] for name in LINE_FIELDS}
    length = max(map(len, columns.values()), default=0)
    return [
        {name: " ".join(values[n].split()) if n < len(values) else "" for name, values in columns.items()}
        for n in range(length)
    ]


def offered_lines(limits: Sequence[Limit], report: TestReport | None = None) -> list[dict[str, str]]:
    """Lines to begin with: what the report says that is corrected, else what has a limit; then empty ones."""
    if report is not None:
        lines = [
            {"analyte": r.analyte, "method": r.method, "result": result_text(r.detected, r.value), "unit": r.unit}
            for r in report.results
        ]
    else:
        known = dict.fromkeys((limit.analyte, limit.unit) for limit in limits)
        lines = [{"analyte": analyte, "method": "", "result": "", "unit": unit} for analyte, unit in known]
    empty = {"analyte": "", "method": "", "result": "", "unit": TEST_UNITS[0]}
    return [*lines, *(dict(empty) for _n in range(MORE_LINES))]


class LotSearchForm(Form):
    class Meta:
        csrf = False

    lot = StringField(_("追溯码或样品编号"), [optional(), at_most(200)])
