"""Asking for labels; making layouts."""

from __future__ import annotations

import wtforms
from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField
from wtforms import BooleanField, Field, FieldList, FormField, SelectMultipleField
from wtforms.widgets import CheckboxInput, ColorInput, ListWidget

from qr.layout import CONSTANT_FIELDS, MOST_BOXES, VARIABLE_FIELDS
from qr.stock import STOCKS
from trace_app.accounts.models import User
from trace_app.forms import (
    DecimalField,
    Form,
    IntegerField,
    SelectChoice,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    matches,
    optional,
    required,
)
from trace_app.labels.layouts import FIELD_NAMES, layouts_of
from trace_app.labels.models import LabelLevel
from trace_app.labels.service import MAX_LABELS
from trace_app.values import Facts, StoredJson

STOCK_NAMES = {
    "roll-40x30": _("卷筒 40×30 毫米"),
    "roll-50x30": _("卷筒 50×30 毫米"),
    "roll-60x40": _("卷筒 60×40 毫米"),
    "roll-70x50": _("卷筒 70×50 毫米"),
    "roll-100x100": _("卷筒 100×100 毫米"),
    "a4-3x8": _("A4 不干胶 24 格 70×37 毫米"),
    "a4-3x7": _("A4 不干胶 21 格 70×42.3 毫米"),
    "a4-2x5": _("A4 不干胶 10 格 105×57 毫米"),
    "a4-2x4": _("A4 不干胶 8 格 105×74 毫米"),
    "a4-l7159": _("A4 圆角不干胶 24 格 63.5×33.9 毫米"),
    "a4-l7160": _("A4 圆角不干胶 21 格 63.5×38.1 毫米"),
    "a4-l7161": _("A4 圆角不干胶 18 格 63.5×46.6 毫米"),
    "a4-l7163": _("A4 圆角不干胶 14 格 99.1×38.1 毫米"),
    "a4-l7165": _("A4 圆角不干胶 8 格 99.1×67.7 毫米"),
}
LEVELS = {
    LabelLevel.ITEM: _("单件：每张一码"),
    LabelLevel.BATCH: _("整批：全部同一码"),
    LabelLevel.CASE: _("箱：每箱一码，可扫码装箱"),
    LabelLevel.PALLET: _("托盘：每托一码，可扫码装托"),
}
FORMATS = {
    "pdf": _("PDF（办公打印机，或打印机自带驱动）"),
    "tspl": _("TSPL（TSC、佳博 Gprinter 标签机）"),
    "zpl": _("ZPL（斑马 Zebra 标签机）"),
    "csv": _("CSV 码表（交给印刷厂）"),
}
VOLUMES = {
    "": _("一个文件（TSPL、ZPL 每 20,000 张一个）"),
    "5000": _("每 5,000 张一个文件"),
    "20000": _("每 20,000 张一个文件"),
    "50000": _("每 50,000 张一个文件"),
}
MASKS = {"best": _("自动选最好的"), **{str(mask): str(mask) for mask in range(8)}}


def layout_choices(user: User) -> list[SelectChoice]:
    own = [(f"own-{row.id}", row.name) for row in layouts_of(user)]
    built_in = []
    for name, label in STOCK_NAMES.items():
        _first, *others = STOCKS[name].dpi_choices
        built_in.append((name, label))
        if STOCKS[name].is_roll:
            built_in += [(f"{name}@{dpi}", _("%(stock)s（%(dpi)d dpi）", stock=label, dpi=dpi)) for dpi in others]
    return choices([*own, *built_in])


class RunForm(Form):
    count = IntegerField(_("张数"), [required(), between(1, MAX_LABELS)], default=24)
    level = SelectField(_("贴在哪里"), [required()], choices=choices(LEVELS.items()), default=LabelLevel.ITEM.value)
    stock = SelectField(_("标签纸或版式"), [required()], default="roll-60x40")
    format = SelectField(_("文件格式"), [required()], choices=choices(FORMATS.items()), default="pdf")
    pin = BooleanField(_("加印刮刮验真码（需要刮刮膜标签纸）"))
    link = BooleanField(_("二维码用 GS1 数字链接（含商品条码）"))
    per_volume = SelectField(_("分文件"), choices=choices(VOLUMES.items()))
    items_each = IntegerField(
        _("每箱（托）装多少件"),
        [optional(), between(1, MAX_LABELS)],
        description=_("箱和托盘标签上会印内装件数和公斤数"),
    )
    as_certificate = BooleanField(_("标签兼作承诺达标合格证（码旁印合格证字样）"))
    marked_elsewhere = BooleanField(_("包装上已另有标注，标签上可以不印"))
    excess_reason = StringField(
        _("多印的原因"), [optional(), at_most(300)], description=_("标签多于货物时必填，主管部门看得到")
    )

    def __init__(self, *args: object, user: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.stock.choices = layout_choices(user)

    @property
    def order(self) -> Facts:
        """What `printing.order_labels` takes."""
        return {
            "count": self.count.data,
            "level": LabelLevel(self.level.data),
            "layout": self.stock.data,
            "format_name": self.format.data,
            "pin": self.pin.data,
            "link": self.link.data,
            "per_volume": int(self.per_volume.data) if self.per_volume.data else None,
            "items_each": self.items_each.data,
            "as_certificate": self.as_certificate.data,
            "marked_elsewhere": self.marked_elsewhere.data,
            "excess_reason": self.excess_reason.data or "",
        }


class RangeForm(Form):
    """A range of a run's labels, counted from 1 as they are shown."""

    first = IntegerField(_("从第几张"), [required(), between(1, MAX_LABELS)])
    last = IntegerField(_("到第几张"), [required(), between(1, MAX_LABELS)])
    reason = StringField(_("原因"), [required(), at_most(300)], description=_("会保留在记录里"))


class ReprintForm(RangeForm):
    job = SelectField(_("版式和格式同"), [required()])


class PictureForm(Form):
    picture = FileField(_("标签照片"))


class PackForm(Form):
    code = StringField(_("扫码或输入"), [required(), at_most(300)])


class _Boxes(SelectMultipleField):
    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def _length(label: str, most: float = 300) -> DecimalField:
    return DecimalField(label, [required(), between(0, most)], unit="mm")


class BoxForm(wtforms.Form):
    """A text box of a layout."""

    fields = _Boxes(
        _("内容"), choices=choices((name, FIELD_NAMES[name]) for name in (*CONSTANT_FIELDS, *VARIABLE_FIELDS))
    )
    x = _length(_("左"))
    y = _length(_("上"))
    width = _length(_("宽"))
    height = _length(_("高"))
    size_mm = _length(_("字高"), 40)
    bold = BooleanField(_("粗体"))
    align = SelectField(_("横向"), choices=choices([("left", _("靠左")), ("centre", _("居中")), ("right", _("靠右"))]))
    valign = SelectField(_("纵向"), choices=choices([("top", _("靠上")), ("middle", _("居中")), ("bottom", _("靠下"))]))
    shrink = BooleanField(_("放不下时缩小"))
    framed = BooleanField(_("加框"))
    remove = BooleanField(_("删除这个框"))

    def validate_fields(self, field: Field) -> None:
        if not field.data:
            raise wtforms.ValidationError(_("请选择这个框里印什么，或删除这个框。"))
        if len(field.data) > 1 and any(name in VARIABLE_FIELDS for name in field.data):
            raise wtforms.ValidationError(_("追溯码、序号、验真码和箱号要单独占一个框。"))

    @property
    def plain(self) -> StoredJson:
        return {
            "fields": list(self.fields.data or []),
            **{name: float(self[name].data) for name in ("x", "y", "width", "height", "size_mm")},
            **{name: self[name].data for name in ("bold", "align", "valign", "shrink", "framed")},
        }


def _rounded(value: object) -> object:
    """A length as it can be typed."""
    return round(value, 4) if isinstance(value, float) else value


class LayoutForm(Form):
    name = StringField(_("版式名称"), [required(), at_most(40)])
    dpi = SelectField(_("打印机分辨率（dpi）"), [required()], coerce=int)
    module_mm = _length(_("二维码模块（毫米）"), 5)
    symbol_x = _length(_("二维码左（毫米）"))
    symbol_y = _length(_("二维码上（毫米）"))
    quiet_modules = _length(_("四周空白（模块）"), 20)
    mask = SelectField(_("掩模"), [required()], choices=choices(MASKS.items()))
    ink = StringField(_("墨色"), [required(), matches("^#[0-9a-fA-F]{6}$", _("请选择颜色。"))], widget=ColorInput())
    paper = StringField(_("纸色"), [required(), matches("^#[0-9a-fA-F]{6}$", _("请选择颜色。"))], widget=ColorInput())
    rule_y = DecimalField(_("分隔线（毫米）"), [optional(), between(0, 300)], unit="mm", description=_("不要就留空"))
    boxes = FieldList(FormField(BoxForm), max_entries=MOST_BOXES)

    def __init__(self, *args: object, stock: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.stock_name = stock
        self.dpi.choices = choices((dpi, dpi) for dpi in STOCKS[stock].dpi_choices)

    @staticmethod
    def values_of(plain: StoredJson) -> Facts:
        """The form's data for a layout."""
        symbol = {name: _rounded(value) for name, value in plain["symbol"].items()}
        return {
            **{name: plain[name] for name in ("dpi", "ink", "paper")},
            **{name: symbol[name] for name in ("module_mm", "quiet_modules")},
            "symbol_x": symbol["x"],
            "symbol_y": symbol["y"],
            "mask": str(symbol["mask"]),
            "rule_y": _rounded(plain["rules"][0]["y"]) if plain["rules"] else None,
            "boxes": [{name: _rounded(value) for name, value in box.items()} for box in plain["boxes"]],
        }

    @property
    def plain(self) -> StoredJson:
        """The layout as plain values; boxes that are to be removed are left out."""
        stock = STOCKS[self.stock_name]
        across = {"x": stock.inset_mm, "width": stock.label_width_mm - 2 * stock.inset_mm}
        return {
            "stock": self.stock_name,
            "dpi": self.dpi.data,
            "symbol": {
                "x": float(self.symbol_x.data),
                "y": float(self.symbol_y.data),
                "module_mm": float(self.module_mm.data),
                "quiet_modules": float(self.quiet_modules.data),
                "mask": "best" if self.mask.data == "best" else int(self.mask.data),
            },
            "boxes": [entry.form.plain for entry in self.boxes if not entry.form.remove.data],
            "rules": [across | {"y": float(self.rule_y.data)}] if self.rule_y.data is not None else [],
            "ink": self.ink.data,
            "paper": self.paper.data,
        }


class LayoutStartForm(Form):
    stock = SelectField(_("标签纸"), [required()], choices=choices(STOCK_NAMES.items()), default="roll-60x40")
    pin = BooleanField(_("要印刮刮验真码"))
    sscc = BooleanField(_("箱或托盘标签，要印箱号 SSCC"))

    class Meta:
        csrf = False
