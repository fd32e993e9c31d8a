"""A form for each type of record; a stage's form is made from the fields of its kind file."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence, Set
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField
from wtforms import Field, SelectMultipleField
from wtforms.form import BaseForm
from wtforms.validators import StopValidation, ValidationError

from trace_app.batches.models import Batch
from trace_app.catalogue.kinds import StageField
from trace_app.catalogue.models import Site, Stage
from trace_app.clock import today
from trace_app.forms import (
    DateField,
    DecimalField,
    Form,
    IntegerField,
    SelectChoice,
    SelectField,
    StringField,
    TextField,
    at_most,
    between,
    choices,
    matches,
    not_future,
    number_or_none,
    optional,
    required,
)
from trace_app.inputs.forms import REGISTRATION
from trace_app.inputs.models import InputType, StockLot
from trace_app.language import bracketed, named
from trace_app.media.forms import PhotosField
from trace_app.records.from_stock import (
    OfferedStock,
    StockByNumber,
    in_order,
    settled_by,
    stock_choices,
    stock_faults,
    taken_from,
)
from trace_app.records.models import QUANTITY, Record, RecordType
from trace_app.records.registered import RegisteredNumbers
from trace_app.records.service import Scope
from trace_app.records.share_texts import addresses_in
from trace_app.units import UNITS
from trace_app.values import Facts

VALUE_PREFIX = "values-"
"""What the names of a stage's own fields begin with, so that none can pose as a column."""

NOT_FACTS = {"csrf_token", "photos", "correction_reason", "series"}

METHODS = {
    "spray": _("喷雾"),
    "drench": _("灌根"),
    "seed_dressing": _("拌种"),
    "soil": _("土壤处理"),
    "base": _("底肥"),
    "top": _("追肥"),
    "foliar": _("叶面喷施"),
    "oral": _("口服"),
    "injection": _("注射"),
    "hive_strip": _("挂片"),
    "fumigation": _("熏蒸"),
}

FERTILISER_TYPES = {
    "organic": _("有机肥"),
    "compound": _("复合肥"),
    "nitrogen": _("氮肥"),
    "phosphate": _("磷肥"),
    "potash": _("钾肥"),
    "bio": _("生物肥"),
    "manure": _("农家肥"),
}
DISEASE_SEVERITY = {"light": _("轻"), "medium": _("中"), "heavy": _("重")}
NUTRIENTS = {"n_percent": "N %", "p_percent": "P₂O₅ %", "k_percent": "K₂O %"}


def _units(*codes: str) -> list[SelectChoice]:
    return choices((code, UNITS[code]) for code in codes)


def _methods(*codes: str) -> list[SelectChoice]:
    return choices(((code, METHODS[code]) for code in codes), blank=_("不填"))


def public_https(_form: Form, field: Field) -> None:
    """A link that a consumer's phone may follow: https, a public host name, no password in it."""
    try:
        parts = urlsplit(field.data or "")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValidationError(_("这不是完整的网址。请从浏览器地址栏复制，以 https:// 开头。")) from error
    if parts.scheme != "https":
        raise ValidationError(_("网址须以 https:// 开头。请从浏览器地址栏复制。"))
    private = "." not in host or host.endswith((".local", ".internal", ".lan", ".localhost", ".home.arpa"))
    try:
        ipaddress.ip_address(host)
        private = True
    except ValueError:
        pass
    if (
        private
        or parts.username
        or parts.password
        or port not in (None, 443)
        or any(c.isspace() for c in parts.geturl())
    ):
        raise ValidationError(_("这个网址消费者打不开。请使用视频网站的公开链接。"))


class LinkField(StringField):
    """An address, or what an app gives when a video is shared, of which the address is kept."""

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        if not self.data or not valuelist:
            return
        found = addresses_in(self.data)
        if len(found) > 1:
            raise ValueError(_("这里有 %(count)d 个网址，请只留要放的那一个。", count=len(found)))
        if found:
            self.data = found[0]

    def pre_validate(self, form: BaseForm) -> None:
        """What can't be read is told, and not also that it is no address."""
        if self.process_errors:
            raise StopValidation

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.process_errors and self.raw_data else self.data or ""


class RecordForm(Form):
    """What every record has.

    :param stock: the producer's stock lots that an input may be taken from.
    :param kind_code: of the lots that the record is for; a label may say something for each kind.
    :param registered: the registration numbers that the catalogue knows.
    """

    happened_on = DateField(_("日期"), [required(), not_future])
    operator = StringField(_("操作人"), [optional(), at_most(40)])
    note = TextField(_("备注"), [optional(), at_most(500)])
    photos = PhotosField(_("照片"))
    correction_reason = StringField(_("更正原因"), [at_most(300)], description=_("会与原记录一起保留"))

    def __init__(
        self,
        *args: object,
        stock: Sequence[OfferedStock] = (),
        kind_code: str = "",
        registered: RegisteredNumbers | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._registered = registered
        self._stock = {one.lot.id: one.lot for one in stock}
        self._kind_code = kind_code
        if "stock_id" in self:
            self.stock_id.choices = stock_choices(in_order(stock), kind_code)

    def validate(self, *args: object, **kwargs: object) -> bool:
        if "stock_id" not in self:
            return bool(super().validate(*args, **kwargs))
        chosen = self._stock.get(self.stock_id.data)
        if chosen is None and not self.stock_id.data:
            chosen = StockByNumber(self._stock.values()).meant(self.data)
        if chosen is not None:
            self._fill_from(chosen)
        valid = bool(super().validate(*args, **kwargs))
        return (self._is_as_registered() if chosen is None else self._agrees_with(chosen)) and valid

    def _fill_from(self, lot: StockLot) -> None:
        """Fill in what was left empty."""
        for name, value in settled_by(lot, self._kind_code).items():
            if name in self and value is not None and not str(self[name].raw_data[0] if self[name].raw_data else ""):
                self[name].data, self[name].raw_data = value, [str(value)]

    def _agrees_with(self, lot: StockLot) -> bool:
        """Whether what was typed is what the stock lot says. If it is, the record has it as the stock lot has it."""
        faults = stock_faults(self.data, lot, self._kind_code)
        for name, message in faults.items():
            self.refuse(name, message)
        if faults:
            return False
        for name, value in taken_from(self.data, lot, self._kind_code).items():
            if name in self:
                self[name].data = value
        return True

    def _is_as_registered(self) -> bool:
        """Whether a registration number that was typed is not another product's."""
        faults = self._registered.faults(self.data) if self._registered is not None else {}
        for name, message in faults.items():
            self.refuse(name, message)
        return not faults

    def has_reason(self) -> bool:
        """Whether a correction says why; the field tells where it doesn't."""
        if not self.correction_reason.data:
            self.refuse("correction_reason", str(_("请填写更正原因。")))
        return bool(self.correction_reason.data)

    @property
    def facts(self) -> Facts:
        """Columns of `Record`, see `record_facts`."""
        return record_facts({field.name: field.data for field in self if field.name not in NOT_FACTS})


def record_facts(values: Facts) -> Facts:
    """Columns of `Record` from a form's values; a stage's own values under ``values``, numbers as text."""
    facts: Facts = {"values": {}}
    for name, value in values.items():
        data = value if value != "" else None
        if name.startswith(VALUE_PREFIX):
            if data is not None:
                facts["values"][name.removeprefix(VALUE_PREFIX)] = str(data)
        else:
            facts[name] = data
    for text in ("operator", "note"):
        facts[text] = facts.get(text) or ""
    return facts


def _stock_field() -> SelectField:
    return SelectField(_("从库存选"), coerce=number_or_none)


class PesticideForm(RecordForm):
    stock_id = _stock_field()
    product_name = StringField(
        _("农药名称"), [required(), at_most(80)], description=_("按标签填写，如 苯醚甲环唑 10% 水分散粒剂")
    )
    registration_number = StringField(
        _("登记证号"),
        [
            optional(),
            at_most(40),
            matches(REGISTRATION[InputType.PESTICIDE], _("登记证号如 PD20150123，请按标签抄写。")),
        ],
        description=_("标签上 PD、LS 开头的号码"),
    )
    active_ingredient = StringField(_("有效成分"), [required(), at_most(80)])
    dose = DecimalField(_("用量"), [required(), between(0.001, 1_000_000)], unit_of="dose_unit")
    dose_unit = SelectField(
        _("单位"), [required()], choices=_units("g_per_mu", "mL_per_mu", "kg_per_mu", "times_dilution", "g_per_kg")
    )
    area_mu = DecimalField(_("面积（亩）"), [optional(), between(0.01, 1_000_000)], unit="mu")
    method = SelectField(_("施用方法"), choices=_methods("spray", "drench", "seed_dressing", "soil", "fumigation"))
    target = StringField(_("防治对象"), [optional(), at_most(60)])
    operator = StringField(_("操作人"), [required(), at_most(40)])
    interval_days = IntegerField(
        _("安全间隔期（天）"), [required(), between(0, 365)], unit="day", description=_("见农药标签")
    )
    source = StringField(_("购自"), [optional(), at_most(80)])
    input_lot = StringField(_("投入品批号"), [optional(), at_most(40)])


class FertiliserForm(RecordForm):
    stock_id = _stock_field()
    product_name = StringField(_("肥料名称"), [required(), at_most(80)])
    registration_number = StringField(_("登记证号"), [optional(), at_most(40)])
    target = SelectField(
        _("肥料类型"),
        [required()],
        choices=choices(FERTILISER_TYPES.items()),
    )
    method = SelectField(_("施用方法"), choices=_methods("base", "top", "foliar"))
    dose = DecimalField(_("用量"), [required(), between(0.001, 1_000_000)], unit_of="dose_unit")
    dose_unit = SelectField(
        _("单位"), [required()], choices=_units("kg_per_mu", "g_per_mu", "m3_per_mu", "times_dilution")
    )
    area_mu = DecimalField(_("面积（亩）"), [optional(), between(0.01, 1_000_000)], unit="mu")
    source = StringField(_("购自"), [optional(), at_most(80)])
    input_lot = StringField(_("投入品批号"), [optional(), at_most(40)])


for _code, _label in NUTRIENTS.items():
    setattr(FertiliserForm, VALUE_PREFIX + _code, DecimalField(_label, [optional(), between(0, 100)], unit="percent"))


class FeedForm(RecordForm):
    stock_id = _stock_field()
    product_name = StringField(_("饲料名称"), [required(), at_most(80)])
    registration_number = StringField(_("许可证号"), [optional(), at_most(40)])
    dose = DecimalField(_("用量"), [required(), between(0.001, 1_000_000)], unit_of="dose_unit")
    dose_unit = SelectField(_("单位"), [required()], choices=_units("kg", "t", "g"))
    source = StringField(_("购自"), [optional(), at_most(80)])
    input_lot = StringField(_("投入品批号"), [optional(), at_most(40)])


class VeterinaryForm(RecordForm):
    stock_id = _stock_field()
    product_name = StringField(_("兽药名称"), [required(), at_most(80)])
    registration_number = StringField(
        _("批准文号"), [optional(), at_most(40)], description=_("标签上“兽药字”开头的号码")
    )
    active_ingredient = StringField(_("有效成分"), [required(), at_most(80)])
    dose = DecimalField(_("用量"), [required(), between(0.001, 1_000_000)], unit_of="dose_unit")
    dose_unit = SelectField(_("单位"), [required()], choices=_units("strip_per_colony", "mg_per_kg", "mL", "g", "kg"))
    method = SelectField(_("给药方法"), choices=_methods("oral", "injection", "hive_strip", "fumigation", "spray"))
    target = StringField(_("防治对象"), [optional(), at_most(60)])
    operator = StringField(_("操作人"), [required(), at_most(40)])
    interval_days = IntegerField(
        _("休药期（天）"), [required(), between(0, 365)], unit="day", description=_("见兽药标签")
    )
    source = StringField(_("购自"), [optional(), at_most(80)])
    input_lot = StringField(_("投入品批号"), [optional(), at_most(40)])


class IngredientForm(RecordForm):
    stock_id = _stock_field()
    product_name = StringField(_("原料名称"), [required(), at_most(80)])
    dose = DecimalField(_("用量"), [required(), between(0.001, 10_000_000)], unit_of="dose_unit")
    dose_unit = SelectField(_("单位"), [required()], choices=_units("kg", "t", "g", "L"))
    source = StringField(_("供应商"), [required(), at_most(80)])
    input_lot = StringField(_("原料批号"), [optional(), at_most(40)])


class CareForm(RecordForm):
    note = TextField(_("做了什么"), [required(), at_most(500)])


class DiseaseForm(RecordForm):
    target = StringField(_("病虫害或疫病"), [required(), at_most(60)], description=_("如 姜瘟病、蜂螨"))
    area_mu = DecimalField(_("发生面积（亩）"), [optional(), between(0.01, 1_000_000)], unit="mu")
    note = TextField(_("情况和处理"), [required(), at_most(500)], description=_("如 拔除病株 12 株，撒石灰"))


setattr(
    DiseaseForm,
    VALUE_PREFIX + "affected_percent",
    DecimalField(_("受害比例（%）"), [optional(), between(0, 100)], unit="percent"),
)
setattr(
    DiseaseForm,
    VALUE_PREFIX + "severity",
    SelectField(_("程度"), choices=choices(DISEASE_SEVERITY.items(), blank=_("不填"))),
)


class VideoForm(RecordForm):
    note = StringField(  # type: ignore[assignment]  # one line here
        _("标题"), [required(), at_most(80)], description=_("如 第二次培土")
    )
    video_url = LinkField(
        _("视频网址"),
        [optional(), at_most(500), public_https],
        description=_("抖音、快手、哔哩哔哩、视频号分享的文字可以整段粘贴。手机里的视频这里空着，保存后就能传"),
    )


FORMS: dict[RecordType, type[RecordForm]] = {
    RecordType.PESTICIDE: PesticideForm,
    RecordType.FERTILISER: FertiliserForm,
    RecordType.FEED: FeedForm,
    RecordType.VETERINARY: VeterinaryForm,
    RecordType.INGREDIENT: IngredientForm,
    RecordType.CARE: CareForm,
    RecordType.DISEASE: DiseaseForm,
    RecordType.VIDEO: VideoForm,
}


def form_for(record_type: RecordType, stage: Stage | None) -> type[RecordForm]:
    """The form of a type of record.

    :param stage: needed for `RecordType.STAGE`.
    """
    if record_type is not RecordType.STAGE:
        return FORMS[record_type]
    assert stage is not None  # noqa: S101
    fields: dict[str, object] = {VALUE_PREFIX + field.code: _stage_field(field) for field in stage.fields}
    if stage.rules.get("series"):
        fields["series"] = FileField(
            _("温湿度记录仪数据（CSV）"), description=_("有“时间、温度、湿度”列；也可以是 GBK 编码")
        )
    return type("StageForm", (RecordForm,), fields)


def _stage_field(field: StageField) -> Field:
    label = named(field)
    if field.unit:
        label += bracketed(str(UNITS.get(field.unit, field.unit)))
    checks: list[Any] = [required() if field.required else optional()]
    if field.type in {"number", "integer"}:
        least = field.min if field.min is not None else -1e9
        most = field.max if field.max is not None else 1e9
        whole = field.type == "integer"
        checks.append(between(int(least) if whole else least, int(most) if whole else most))
        of_all = _("记在几个批次上的，填这些批次一共的数量") if field.code.startswith(QUANTITY) else ""
        return (IntegerField if whole else DecimalField)(label, checks, unit=field.unit, description=of_all)
    if field.type == "date":
        return DateField(label, checks)
    if field.type == "choice":
        pairs = [(choice.value, named(choice)) for choice in field.choices]
        return SelectField(label, checks, choices=choices(pairs) if field.required else choices(pairs, blank=_("不填")))
    return StringField(label, [*checks, at_most(200)])


_CARRIED_OVER = (
    "operator", "stock_id", "product_name", "registration_number", "active_ingredient", "dose", "dose_unit", "area_mu",
    "method", "target", "interval_days", "source", "input_lot",
)  # fmt: skip


def values_of(record: Record, *, whole: bool = False) -> Facts:
    """A record's values by the names of its form's fields, to be offered again.

    :param whole: with what belongs to this one occasion: day, note, link and results.
    """
    values: Facts = {name: getattr(record, name) for name in _CARRIED_OVER}
    if whole or record.type is not RecordType.STAGE:
        values |= {VALUE_PREFIX + code: _typed(text) for code, text in record.values.items()}
    if whole:
        values |= {"happened_on": record.happened_on, "note": record.note, "video_url": record.video_url}
    return values


def _typed(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


class WithdrawalForm(Form):
    reason = StringField(_("原因"), [required(), at_most(300)], id="withdraw-reason")


class RecordScopeForm(Form):
    """What a record is made for: lots, or a whole site for a season. ``entry_key`` lets one entry be sent twice.

    ``lots`` are those to choose from, ``meant`` the ids of those that may be.
    """

    scope = SelectField(_("适用于"), choices=choices({"lots": _("选中的批次"), "site": _("整个基地本季")}.items()))
    batch_ids = SelectMultipleField(_("批次"), coerce=int, validate_choice=False)
    site_id = SelectField(_("基地"), coerce=number_or_none)
    season_until = DateField(_("本季截止"), [optional()], description=_("在这天之前开始、这次操作之后采收的批次都算上"))
    entry_key = StringField(
        validators=[optional(), matches(r"^[0-9A-Za-z-]{8,40}$", _("页面放得太久，请刷新后再填。"))]
    )

    def __init__(
        self, *args: object, lots: Sequence[Batch], meant: Set[int], sites: Sequence[Site], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lots = list(lots)
        self._meant = meant
        self.site_id.choices = choices([(site.id, named(site)) for site in sites], blank=_("请选择"))

    @property
    def by_site(self) -> list[tuple[Site, list[Batch]]]:
        """The lots to choose from, by the site that they are at: what began last stands first."""
        found: dict[int, list[Batch]] = {}
        for lot in self.lots:
            found.setdefault(lot.site_id, []).append(lot)
        return [(lots[0].site, lots) for lots in found.values()]

    @property
    def ticked(self) -> Set[int]:
        return frozenset(self.batch_ids.data or ())

    def validate_batch_ids(self, field: Field) -> None:
        if self.scope.data == "lots" and not set(field.data or ()) & self._meant:
            raise ValidationError(_("请至少选一个批次。"))

    def validate_site_id(self, field: Field) -> None:
        if self.scope.data == "site" and field.data is None:
            raise ValidationError(_("请选择基地。"))

    @property
    def chosen(self) -> Scope:
        """What was chosen, once the form is valid."""
        if self.scope.data == "site":
            until = self.season_until.data or date(today().year, 12, 31)
            return Scope(site_id=self.site_id.data, season_until=until)
        return Scope(tuple(dict.fromkeys(number for number in self.batch_ids.data or () if number in self._meant)))
