"""Forms of shipments, their receipts and temperatures, and of losses."""

from __future__ import annotations

from collections.abc import Callable

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField
from wtforms import Field
from wtforms.validators import StopValidation, ValidationError

from trace_app.accounts.forms import places_to_choose
from trace_app.accounts.places import consignee_places
from trace_app.flow.shipments.models import LossKind
from trace_app.forms import (
    DateField,
    DecimalField,
    Form,
    MomentField,
    SelectField,
    StringField,
    TextField,
    at_most,
    between,
    choices,
    not_future,
    optional,
    plain_email,
    required,
)
from trace_app.media.forms import PhotosField


def _both_or_none(other: str) -> Callable[[Form, Field], None]:
    """A limit has another one. Stands before `optional`, which ends the checks of an empty field."""

    def check(form: Form, field: Field) -> None:
        if field.data is None and not field.errors and form[other].data is not None:
            raise StopValidation(str(_("温度上下限要么都填，要么都不填。")))

    return check


def _or_a_file(form: Form, field: Field) -> None:
    if field.data is None and not field.errors and not getattr(form.file.data, "filename", ""):
        raise StopValidation(str(_("请填写温度，或选择记录仪文件。")))


class ShipmentForm(Form):
    """What is sent, to whom and how. Quantities by lot come beside it, see `trace_app.flow.shipments.views`."""

    consignee = StringField(_("收货方"), [required(), at_most(100)])
    phone = StringField(
        _("收货方电话"), [optional(), at_most(30)], description=_("同名的人以电话区分；老收货方可以不填")
    )
    organisation = StringField(
        _("对方在本平台的单位"),
        [optional(), at_most(100)],
        description=_("填单位全称或统一社会信用代码，对方就能看到货；填过一次，以后不用再填"),
    )
    email = StringField(_("收货方邮箱"), [optional(), at_most(255)], description=_("召回时通知用"))
    address = StringField(_("收货地址"), [optional(), at_most(200)])
    division_code = SelectField(_("收货地区"), description=_("召回公告要写卖到了哪里；地址以省市开头的，可以不选"))
    departed_at = MomentField(_("发出时间"), [required(), not_future])
    carrier = StringField(_("承运人"), [optional(), at_most(60)])
    vehicle = StringField(_("车牌或运单号"), [optional(), at_most(20)])
    driver = StringField(_("司机"), [optional(), at_most(30)])
    driver_phone = StringField(_("司机电话"), [optional(), at_most(30)])
    least_celsius = DecimalField(
        _("温度不低于（℃）"),
        [_both_or_none("most_celsius"), optional(), between(-60, 60)],
        unit="celsius",
        description=_("要冷链才填"),
    )
    most_celsius = DecimalField(
        _("温度不高于（℃）"), [_both_or_none("least_celsius"), optional(), between(-60, 60)], unit="celsius"
    )
    platform = StringField(_("网店平台"), [optional(), at_most(30)], description=_("网上订单才填"))
    order_number = StringField(_("订单号"), [optional(), at_most(60)])
    codes = TextField(
        _("扫标签"), [optional(), at_most(60_000)], description=_("扫箱、托盘或单件，一行一个；也可以不扫，只填数量")
    )
    note = StringField(_("备注"), [optional(), at_most(200)])
    photos = PhotosField(_("照片"))

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.division_code.choices = places_to_choose(consignee_places(), _("外地或不清楚"))

    def validate_most_celsius(self, field: Field) -> None:
        if self.least_celsius.data is not None and field.data < self.least_celsius.data:
            raise ValidationError(_("上限不能低于下限。"))

    def validate_email(self, field: Field) -> None:
        if field.data:
            field.data = plain_email(field.data)


class OrderForm(Form):
    """One line of a shop's order list."""

    platform = StringField(_("平台"), [required(), at_most(30)], description=_("如 淘宝"))
    order_number = StringField(_("订单号"), [required(), at_most(60)])
    consignee = StringField(_("收货人"), [required(), at_most(100)])
    phone = StringField(_("电话"), [optional(), at_most(30)])
    address = StringField(_("地址"), [optional(), at_most(200)])
    lot_number = StringField(_("批次号"), [required(), at_most(40)])
    quantity = DecimalField(_("数量"), [required(), between(0.001, 100_000_000)], description=_("按批次的单位"))
    departed_on = DateField(_("发货日期"), [required(), not_future])
    carrier = StringField(_("快递公司"), [optional(), at_most(60)])
    vehicle = StringField(_("运单号"), [optional(), at_most(20)])


REST = {"later": _("其余还在路上，到了再确认"), "missing": _("其余没有到，不会来了")}
"""What becomes of goods that were sent and have not come."""


class ReceiptForm(Form):
    """What arrived; the quantities come beside it, by line."""

    rest = SelectField(_("没到的"), choices=choices(REST.items(), blank=_("全到了，不用选")))
    received_at = MomentField(_("收到时间"), [required(), not_future])
    received_by = StringField(_("收货人姓名"), [required(), at_most(60)])
    note = StringField(_("备注"), [optional(), at_most(300)], description=_("有差异或破损的，写明"))

    def offer_what_came(self) -> None:
        """Leave out what only the consignee says, signed in."""
        self.rest.choices = choices([("later", REST["later"])], blank=_("全到了，不用选"))

    @property
    def rest_is_missing(self) -> bool | None:
        return {"later": False, "missing": True}.get(self.rest.data)


class ReturnForm(Form):
    """Goods that go back; the quantities come beside it, by line."""

    reason = StringField(_("退货原因"), [required(), at_most(200)], description=_("如 破损、发错、召回"))
    departed_at = MomentField(_("退回时间"), [required(), not_future])
    carrier = StringField(_("承运人"), [optional(), at_most(60)])
    vehicle = StringField(_("车牌或运单号"), [optional(), at_most(20)])


class ReceiptCodeForm(Form):
    code = StringField(_("收货码"), [required(), at_most(60)], description=_("发货单上 13 位字符"))


class TemperatureForm(Form):
    celsius = DecimalField(_("温度（℃）"), [_or_a_file, optional(), between(-60, 60)], unit="celsius")
    at = MomentField(_("时间"), [required(), not_future])
    file = FileField(_("或记录仪文件（CSV、Excel）"))


LOSS_KINDS = {
    LossKind.LOST: _("损耗"),
    LossKind.SAMPLED: _("抽样"),
    LossKind.DESTROYED: _("销毁"),
}


class LossForm(Form):
    kind = SelectField(_("怎么少的"), [required()], choices=choices(LOSS_KINDS.items()), default="lost")
    quantity = DecimalField(_("数量"), [required(), between(0.001, 100_000_000)])
    reason = StringField(_("原因"), [required(), at_most(100)], description=_("如 霉变、失水、送检"))


class WithdrawShipmentForm(Form):
    reason = StringField(_("原因"), [required(), at_most(300)])
