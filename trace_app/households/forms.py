"""Forms of households, their consent and their plots."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.accounts.models import User
from trace_app.catalogue.models import Site
from trace_app.catalogue.service import sites_of
from trace_app.clock import today
from trace_app.folding import written_plainly
from trace_app.forms import (
    DateField,
    Form,
    SelectField,
    StringField,
    at_most,
    choices,
    not_future,
    optional,
    required,
)
from trace_app.language import named
from trace_app.phones import NotAPhone, read_phone
from trace_app.values import Facts


class PhoneField(StringField):
    """A telephone number as `trace_app.phones` reads it; empty where none was typed."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        if not self.data:
            return
        try:
            self.data = read_phone(self.data)
        except NotAPhone as error:
            raise ValueError(str(_("请填写 11 位手机号，或带区号的座机号，如 13800000000、0874-8210000。"))) from error

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else self.data or ""


class HouseholdForm(Form):
    name = StringField(_("户主姓名"), [required(), at_most(40)])
    village = StringField(_("村组"), [required(), at_most(60)], description=_("如 板桥镇示例村 2 组"))
    number = StringField(
        _("社员编号"), [optional(), at_most(20)], description=_("没有可不填；同村同名的须填"), filters=[written_plainly]
    )
    phone = PhoneField(_("电话"), [optional(), at_most(20)], description=_("只有本社和主管部门能看到"))
    note = StringField(_("备注"), [optional(), at_most(200)])

    @property
    def facts(self) -> Facts:
        return {name: self[name].data or "" for name in ("name", "village", "number", "phone", "note")}


class HouseholdRowForm(HouseholdForm):
    """A row of a table of households, with the plots that each tills."""

    plots = StringField(
        _("耕种地块"), [optional(), at_most(300)], description=_("本社登记过的基地名称，几块用顿号隔开")
    )
    begins_on = DateField(_("从哪天起耕种"), [optional(), not_future], description=_("填了地块的须填"))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sites = {site.name: site for site in sites_of(user.organisation)}

    @property
    def _names(self) -> list[str]:
        return [name for part in re.split("[、，,;；]", self.plots.data or "") if (name := part.strip())]

    @property
    def sites(self) -> list[Site]:
        """The plots, once the form is valid."""
        return [self._sites[name] for name in dict.fromkeys(self._names)]

    def validate_plots(self, _field: Field) -> None:
        unknown = [name for name in self._names if name not in self._sites]
        if unknown:
            raise ValidationError(
                _("没有登记过基地“%(names)s”。请核对名称，或先登记基地。", names="、".join(unknown)[:60])
            )
        if self._names and not self.begins_on.data and not self.begins_on.errors:
            raise ValidationError(_("请在“从哪天起耕种”一栏填写日期。"))


class HouseholdSearchForm(Form):
    """The register's filters; what makes no sense is ignored."""

    class Meta:
        csrf = False

    q = StringField(_("姓名、村组、编号或电话"), [optional(), at_most(60)])
    state = SelectField(_("状态"), choices=choices([("left", _("已退社"))], blank=_("在社")))


class LeaveForm(Form):
    left_on = DateField(_("退社日期"), [required(), not_future])


class ConsentForm(Form):
    agreed = SelectField(
        _("本人的意思"),
        [required()],
        choices=choices([("yes", _("同意公布姓名")), ("no", _("不同意，或收回同意"))], blank=_("请选择")),
    )
    told_on = DateField(_("哪天说的"), [required(), not_future])


class PlotForm(Form):
    site_id = SelectField(_("地块"), [required()], coerce=int)
    begins_on = DateField(_("从哪天起耕种"), [required(), not_future])

    def __init__(self, *args: Any, sites: list[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site_id.choices = choices((site.id, named(site)) for site in sites)


class PlotEndForm(Form):
    ends_on = DateField(_("从哪天起不再耕种"), [required(), not_future])


def since_today() -> dict[str, date]:
    """What the days of these forms are offered as."""
    return {"left_on": today(), "told_on": today(), "begins_on": today(), "ends_on": today()}
