"""Forms of products, sites and kind files."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.accounts.forms import division_choices
from trace_app.catalogue.boundary import WIDEST_DEGREES, BadBoundary, area_mu, boundary_text, centre, parse_boundary
from trace_app.catalogue.models import SiteKind
from trace_app.catalogue.service import kinds
from trace_app.forms import (
    DecimalField,
    Form,
    IntegerField,
    SelectField,
    StringField,
    TextField,
    at_most,
    between,
    choices,
    optional,
    plain_digits,
    required,
)
from trace_app.gs1 import NotGs1, read_gln, read_gtin
from trace_app.language import named
from trace_app.media.forms import PhotosField
from trace_app.values import Facts

SITE_KINDS = {
    SiteKind.PLOT: _("地块"),
    SiteKind.FARM: _("养殖场"),
    SiteKind.APIARY: _("蜂场"),
    SiteKind.WORKSHOP: _("作坊或工厂"),
    SiteKind.STORE: _("库房"),
}


class GtinField(StringField):
    """A GTIN with or without spaces, as its 14 digits; None where empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        typed = plain_digits(self.data or "")
        try:
            self.data = read_gtin(typed) if typed else None
        except NotGs1 as error:
            raise ValueError(_("不是有效的商品条码：请核对 8 到 14 位数字和末位校验码。")) from error

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else self.data or ""


class ProductForm(Form):
    kind_code = SelectField(_("品类"), [required()])
    name = StringField(_("产品名称"), [required(), at_most(40)], description=_("印在标签上，如 罗平小黄姜"))
    name_en = StringField(_("英文名称"), [optional(), at_most(80)])
    brand = StringField(_("商标"), [optional(), at_most(40)], description=_("没有可不填"))
    net_content = StringField(_("净含量"), [optional(), at_most(30)], description=_("印在标签上，如 净重 500 克"))
    gtin = GtinField(_("商品条码"), [optional()], description=_("GTIN，8 到 14 位数字；没有可不填"))
    marks = StringField(
        _("标签上的标志"), [optional(), at_most(40)], description=_("如 地理标志产品、绿色食品；须有有效证书")
    )
    description = TextField(_("介绍"), [optional(), at_most(500)])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.kind_code.choices = choices((kind.code, named(kind)) for kind in kinds())


_BOUNDARY_FAULTS = {
    "number": _("第 %(line)d 行不是“纬度, 经度”，如 24.885200, 104.308600。"),
    "range": _("第 %(line)d 行超出范围：先写纬度，再写经度。"),
    "few": _("边界至少要 3 个角点。"),
    "many": _("边界最多 200 个角点。"),
    "wide": _("角点相距太远，请核对经纬度。"),
    "crossing": _("边界自己交叉了，请按顺序一圈写下角点。"),
}


class BoundaryField(TextField):
    """Corners, one in a line; None where empty."""

    def __init__(self, *args: Any, widest: float = WIDEST_DEGREES, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._widest = widest

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        try:
            self.data = parse_boundary(self.data or "", widest=self._widest)
        except BadBoundary as error:
            self.data = None
            message = str(_BOUNDARY_FAULTS[error.reason])
            raise ValueError(message % {"line": error.line} if error.line else message) from error

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return boundary_text(self.data) if self.data else ""


class GlnField(StringField):
    """A GLN as 13 digits, None where empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        typed = (self.data or "").strip()
        try:
            self.data = read_gln(typed) if typed else None
        except NotGs1 as error:
            raise ValueError(str(_("不是有效的 GLN：应为 13 位数字，请核对校验位。"))) from error


class SiteForm(Form):
    kind = SelectField(_("类型"), [required()], choices=choices(SITE_KINDS.items()))
    name = StringField(_("基地名称"), [required(), at_most(60)], description=_("如 3 号地块"))
    name_en = StringField(_("英文名称"), [optional(), at_most(100)])
    division_code = SelectField(_("乡镇"), [required()])
    latitude = DecimalField(_("纬度"), [optional(), between(-90, 90)], description=_("如 24.88520"))
    longitude = DecimalField(_("经度"), [optional(), between(-180, 180)], description=_("如 104.30860"))
    altitude_m = IntegerField(_("海拔（米）"), [optional(), between(-100, 6000)], unit="m")
    area_mu = DecimalField(_("面积（亩）"), [optional(), between(0.01, 1_000_000)], unit="mu")
    gln = GlnField(_("位置码（GLN）"), [optional()], description=_("13 位数字；没有可不填"))
    boundary = BoundaryField(_("边界"), [optional()], description=_("一行一个角点，如 24.885200, 104.308600"))

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.division_code.choices = choices(division_choices(), blank=_("请选择"))

    def validate_latitude(self, _field: Field) -> None:
        if self.longitude.data is None:
            raise ValidationError(_("经度和纬度须同时填写，或都不填。"))

    def validate_longitude(self, _field: Field) -> None:
        if self.latitude.data is None:
            raise ValidationError(_("经度和纬度须同时填写，或都不填。"))

    @property
    def facts(self) -> Facts:
        facts = super().facts | {"kind": SiteKind(self.kind.data)}
        if corners := facts["boundary"]:
            # What was drawn says where the site is and how large, unless that was typed.
            latitude, longitude = centre(corners)
            if facts["latitude"] is None:
                facts["latitude"], facts["longitude"] = (Decimal(f"{value:.5f}") for value in (latitude, longitude))
            facts["area_mu"] = facts["area_mu"] or max(area_mu(corners), Decimal("0.01"))
        return facts


class PhotosForm(Form):
    photos = PhotosField(_("照片"))


class KindFileForm(Form):
    file = FileField(_("品类文件（TOML）"), [FileRequired(_("请选择文件。"))])
