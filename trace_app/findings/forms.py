"""Forms of findings: waiving, handling, and the regulator's filters."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.catalogue.service import kinds
from trace_app.findings.rules import RULES
from trace_app.forms import Form, SelectField, TextField, at_most, choices, required
from trace_app.language import named
from trace_app.messages.models import Severity

SEVERITIES = {Severity.BLOCK: _("阻止放行"), Severity.WARN: _("警告"), Severity.INFO: _("提示")}


STATES = {"open": _("未处理"), "handled": _("已处理"), "gone": _("已消除"), "all": _("全部")}


EVERY_SEVERITY = "all"


class WaiverForm(Form):
    reason = TextField(
        _("准予的理由"), [required(), at_most(300)], description=_("会显示在本批的追溯页上，请写清事实和依据")
    )


class HandleForm(Form):
    note = TextField(_("处理情况"), [required(), at_most(300)], description=_("如 已电话核实，要求补检"))


class WarningsForm(Form):
    """The regulator's filters; what makes no sense is ignored."""

    class Meta:
        csrf = False

    severity = SelectField(_("程度"))
    rule = SelectField(_("问题"))
    kind = SelectField(_("品类"))
    division = SelectField(_("地区"))
    state = SelectField(_("处理"), choices=choices(STATES.items()))

    def __init__(self, *args: object, places: list[tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        told = [(severity.value, name) for severity, name in SEVERITIES.items()]
        told.append((EVERY_SEVERITY, _("全部程度")))
        self.severity.choices = choices(told, blank=_("警告和阻止放行"))
        self.rule.choices = choices([(code, rule.title) for code, rule in RULES.items()], blank=_("全部问题"))
        self.kind.choices = choices([(kind.code, named(kind)) for kind in kinds()], blank=_("全部品类"))
        self.division.choices = choices(places, blank=_("全部辖区"))

    @property
    def wished(self) -> dict[str, str]:
        self.validate()
        known = {name: "" if self[name].errors else self[name].data or "" for name in ("severity", "rule", "division")}
        state = "open" if self.state.errors or not self.state.data else self.state.data
        return known | {
            "kind_code": "" if self.kind.errors else self.kind.data or "",
            "state": "" if state == "all" else state,
        }
