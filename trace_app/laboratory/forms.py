"""Forms of test reports, certificates, commitment certificates and reference tables."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _
from flask_babel.speaklater import LazyString
from flask_wtf.file import FileField
from werkzeug.datastructures import MultiDict
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.forms import (
    DateField,
    Form,
    StringField,
    at_most,
    matches,
    not_future,
    optional,
    required,
)
from trace_app.laboratory.models import TestReport
from trace_app.laboratory.service import ResultFacts
from trace_app.laboratory.texts import result_text
from trace_app.laboratory.verdicts import TEST_UNITS, NotAResult, read_result
from trace_app.reference.models import Limit
from trace_app.values import Facts

MORE_LINES = 4


MOST_LINES = 60


LINE_FIELDS = ("analyte", "method", "result", "unit")


class TestReportForm(Form):
    """A report's head. Its lines of results are read by `lines`."""

    report_number = StringField(_("报告编号"), [required(), at_most(60)])
    laboratory = StringField(_("检测机构"), [required(), at_most(100)])
    cma_number = StringField(
        _("CMA 证书编号"),
        [optional(), matches(r"^[0-9A-Za-z]{6,20}$", _("CMA 编号是报告首页 CMA 标志下的 12 位数字，请核对。"))],
        description=_("报告首页 CMA 标志下的号码，没有可不填"),
    )
    sample = StringField(_("样品编号和状态"), [optional(), at_most(100)])
    sampled_on = DateField(_("抽样日期"), [required(), not_future], description=_("按这一天有效的标准判定"))
    issued_on = DateField(_("签发日期"), [required(), not_future])
    pdf = FileField(_("报告原件（PDF）"))
    correction_reason = StringField(_("更正原因"), [optional(), at_most(300)], description=_("会与原报告一起保留"))

    def __init__(self, *args: object, typed_lines: Sequence[dict[str, str]] | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
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
        names = ("report_number", "laboratory", "cma_number", "sample", "sampled_on", "issued_on")
        return {name: self[name].data if self[name].data is not None else "" for name in names}


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

    lot = StringField(_("追溯码或批次号"), [optional(), at_most(200)])
