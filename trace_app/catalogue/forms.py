"""Forms of products, sites and kind files."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, Field
from wtforms.form import BaseForm
from wtforms.validators import StopValidation, ValidationError
from wtforms.widgets import TextInput

from trace_app.accounts.forms import division_choices
from trace_app.accounts.models import User
from trace_app.catalogue.boundary import WIDEST_DEGREES, BadBoundary, area_mu, boundary_text, centre, parse_boundary
from trace_app.catalogue.models import Site, SiteKind
from trace_app.catalogue.positions import FAR_KM, NotAPosition, km_outside, read_position
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


class CoordinateField(Field):
    """Degrees of one axis; what was typed may be a pair, of which ``other`` is then the other axis.

    :ivar axis: ``lat`` or ``lon``.
    """

    data: Any
    widget = TextInput()

    def __init__(self, *args: Any, axis: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.axis = axis
        self.other: Decimal | None = None

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = None
        if not valuelist[0].strip():
            return
        try:
            found = read_position(valuelist[0], self.axis)
        except NotAPosition as error:
            message = _("“%(typed)s”读不懂。请写成 24.88520 或 24°53′7″，也可以把纬度、经度一起贴在这里。")
            raise ValueError(str(message) % {"typed": valuelist[0].strip()[:30]}) from error
        own, other = (found.latitude, found.longitude)[:: 1 if self.axis == "lat" else -1]
        self.data, self.other = own, other

    def pre_validate(self, form: BaseForm) -> None:
        if self.process_errors:
            raise StopValidation

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{self.data:.5f}" if self.data is not None else ""


def towns_of_county(user: User, kept: str = "") -> list[tuple[str, str]]:
    """The towns of a producer's county as choices; all where its county has none here.

    :param kept: the code of one that is offered wherever it is.
    """
    county = user.organisation.division_code[:6]
    every = division_choices(levels=("township",))
    return [town for town in every if town[0].startswith(county) or town[0] == kept] or every


class SiteForm(Form):
    kind = SelectField(_("类型"), [required()], choices=choices(SITE_KINDS.items()))
    name = StringField(_("基地名称"), [required(), at_most(60)], description=_("如 3 号地块"))
    name_en = StringField(_("英文名称"), [optional(), at_most(100)])
    division_code = SelectField(_("乡镇"), [required()])
    latitude = CoordinateField(
        _("纬度"), [optional(), between(-90, 90)], axis="lat", description=_("WGS-84，如 24.88520")
    )
    longitude = CoordinateField(_("经度"), [optional(), between(-180, 180)], axis="lon", description=_("如 104.30860"))
    position_is_right = BooleanField(_("位置无误，就在那里"))
    altitude_m = IntegerField(_("海拔（米）"), [optional(), between(-100, 6000)], unit="m")
    area_mu = DecimalField(_("面积（亩）"), [optional(), between(0.01, 1_000_000)], unit="mu")
    gln = GlnField(_("位置码（GLN）"), [optional()], description=_("13 位数字；没有可不填"))
    boundary = BoundaryField(_("边界"), [optional()], description=_("一行一个角点，如 24.885200, 104.308600"))

    def __init__(self, *args: object, user: User | None = None, obj: Site | None = None, **kwargs: object) -> None:
        """:param user: the producer at the page; it chooses among its county's towns, and doubtful positions are asked
        about."""
        super().__init__(*args, obj=obj, **kwargs)
        self._asks = user is not None
        self._known = obj
        self.in_doubt = False
        towns = towns_of_county(user, obj.division_code if obj else "") if user is not None else division_choices()
        self.division_code.choices = choices(towns, blank=_("请选择"))

    def process(self, *args: object, **kwargs: object) -> None:
        """A pair that stands in one field fills in the other."""
        super().process(*args, **kwargs)
        for field, beside in ((self.latitude, self.longitude), (self.longitude, self.latitude)):
            if field.other is not None and not (beside.raw_data and beside.raw_data[0].strip()):
                beside.data, beside.raw_data = field.other, [f"{field.other:.5f}"]
                field.raw_data = [f"{field.data:.5f}"]

    def validate(self, *args: object, **kwargs: object) -> bool:
        valid = bool(super().validate(*args, **kwargs))
        latitude, longitude = self.latitude.data, self.longitude.data
        if latitude is not None and longitude is not None and abs(longitude) <= 90 < abs(latitude) <= 180:
            self.latitude.errors = [str(_("纬度和经度像是写反了：请把两格对调。"))]
        for field, beside in ((self.latitude, self.longitude), (self.longitude, self.latitude)):
            if valid and field.other is not None and field.other != beside.data:
                self.refuse(field.name, str(_("这里写了一对经纬度，与另一格不一致。请只留一处。")))
                valid = False
        return valid and (not self._asks or self.position_is_right.data or self._lies_in_its_county())

    def _lies_in_its_county(self) -> bool:
        facts = self.facts
        place = (facts["division_code"], facts["latitude"], facts["longitude"])
        known = self._known
        if place[1] is None or (known and place == (known.division_code, known.latitude, known.longitude)):
            return True
        km = km_outside(place[0], float(place[2]), float(place[1]))
        if km <= FAR_KM:
            return True
        self.in_doubt = True
        told = _("这个位置在所选乡镇的县界外约 %(km)d 公里。请核对经纬度和乡镇；确实在那里，请勾选“位置无误”。")
        self.refuse("latitude", str(told) % {"km": round(km)})
        return False

    def validate_latitude(self, _field: Field) -> None:
        if self.longitude.data is None:
            raise ValidationError(_("经度和纬度须同时填写，或都不填。"))

    def validate_longitude(self, _field: Field) -> None:
        if self.latitude.data is None:
            raise ValidationError(_("经度和纬度须同时填写，或都不填。"))

    @property
    def facts(self) -> Facts:
        facts = super().facts | {"kind": SiteKind(self.kind.data)}
        del facts["position_is_right"]
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
