"""Issuing recalls, holds and drills, and all that follows by notice."""

from __future__ import annotations

from flask_babel import LazyString, force_locale
from flask_babel import lazy_gettext as _
from wtforms import BooleanField, Field
from wtforms.validators import ValidationError

from trace_app.catalogue.boundary import boundary_text
from trace_app.catalogue.forms import BoundaryField
from trace_app.catalogue.service import kinds
from trace_app.forms import (
    DateField,
    Form,
    IntegerField,
    SelectField,
    StringField,
    TextField,
    at_most,
    choices,
    optional,
    required,
)
from trace_app.language import named
from trace_app.recalls.cases import HOLD_ADVICE
from trace_app.recalls.models import PUBLISHED, NoticeText, NoticeType, Recall, RecallKind, RecallStatus, Turning
from trace_app.recalls.scope import SCOPE_FIELDS, WIDEST_AREA, RecallScope
from trace_app.values import Facts

LEVELS = {1: _("一级召回"), 2: _("二级召回"), 3: _("三级召回")}
LEVEL_MEANINGS = {
    1: _("一级：食用后已经或可能导致严重健康损害甚至死亡；24 小时内启动，10 个工作日内完成"),
    2: _("二级：食用后已经或可能导致一般健康损害；48 小时内启动，20 个工作日内完成"),
    3: _("三级：标签、标识存在虚假标注等；72 小时内启动，30 个工作日内完成"),
}
KINDS = {RecallKind.RECALL: _("召回"), RecallKind.HOLD: _("暂停销售"), RecallKind.DRILL: _("演练")}


def case_word(recall: Recall) -> str:
    """What a case is called: a recall by its level, others by their kind."""
    if recall.kind is RecallKind.RECALL and recall.level is not None:
        return str(LEVELS[recall.level])
    return str(KINDS[recall.kind])


STATUSES = {
    RecallStatus.PENDING: _("等待批准"),
    RecallStatus.ACTIVE: _("进行中"),
    RecallStatus.COMPLETED: _("已完成"),
    RecallStatus.WITHDRAWN: _("已撤销"),
    RecallStatus.LIFTED: _("已解除"),
    RecallStatus.ENDED: _("已结束"),
    RecallStatus.REJECTED: _("未获批准"),
}
TURNINGS = {
    Turning.EXTEND: _("扩大范围"),
    Turning.CORRECT: _("更正"),
    Turning.NARROW: _("缩小范围"),
    Turning.COMPLETE: _("完成召回"),
    Turning.WITHDRAW: _("撤销召回"),
}
NOTICE_TYPES = {
    NoticeType.ISSUE: _("发布"),
    NoticeType.APPROVE: _("批准"),
    NoticeType.REJECT: _("不予批准"),
    NoticeType.EXTEND: _("扩大范围"),
    NoticeType.NARROW: _("缩小范围"),
    NoticeType.CORRECT: _("更正"),
    NoticeType.COMPLETE: _("完成"),
    NoticeType.WITHDRAW: _("撤销"),
    NoticeType.LIFT: _("解除"),
    NoticeType.END: _("结束"),
}


REMEDY = (
    "凭实物或包装到购买处退货，全额退款，没有小票也可以。"
    "因食用受到损害的，可向生产者或销售者要求赔偿，也可拨打 12315 投诉。"
)
"""How those who have recalled goods are compensated, where the officer says nothing else; in Chinese on all notices."""
REMEDY_EN = (
    "Return it, or its packaging, where you bought it for a full refund, with or without the receipt. "
    "If it harmed you, you may claim damages from the producer or the seller, or call 12315."
)


ADVICE = _("停止食用，凭包装到购买处退货退款。")


def _in_chinese(text: LazyString) -> str:
    """What a Chinese field of a notice is filled with, whatever language its officer reads."""
    with force_locale("zh_CN"):
        return str(text)


class CauseForm(Form):
    """Why something is stopped, and what it rests on."""

    reason = TextField(_("原因"), [required(), at_most(500)], description=_("如 镉含量 0.18 mg/kg，超过限量 0.1 mg/kg"))
    basis = StringField(_("依据"), [optional(), at_most(300)], description=_("检测报告编号或法律条款，如 SL-2026-0012"))
    reason_en = TextField(_("原因（英文）"), [optional(), at_most(800)])

    def said(self, *names: str) -> dict[str, str]:
        """What was filled in, once the form is valid.

        An English text that was offered goes with the Chinese one that was offered beside it, and with no other.
        """
        found = {name: self[name].data or "" for name in names}
        for name in names:
            english = self[f"{name}_en"] if f"{name}_en" in names else None
            if english is None or not english.default:
                continue
            offered = self[name].default() if callable(self[name].default) else self[name].default
            if found[name] != offered and found[english.name] == english.default:
                found[english.name] = ""
        return found


class NoticeForm(CauseForm):
    """What a notice of a recall says."""

    level = SelectField(
        _("级别"),
        [required()],
        coerce=lambda text: int(text) if text else None,
        choices=choices(LEVEL_MEANINGS.items(), blank=_("请选择")),
    )
    advice = TextField(_("请消费者怎样做"), [required(), at_most(500)], default=lambda: _in_chinese(ADVICE))
    remedy = TextField(_("退货和赔偿"), [optional(), at_most(500)], default=REMEDY)
    advice_en = TextField(
        _("请消费者怎样做（英文）"),
        [optional(), at_most(800)],
        default="Do not eat it. Return it with its packaging to the shop for a refund.",
    )
    remedy_en = TextField(_("退货和赔偿（英文）"), [optional(), at_most(800)], default=REMEDY_EN)

    @property
    def notice_text(self) -> NoticeText:
        """What the notice says, once the form is valid."""
        words = self.said("reason", "advice", "basis", "remedy", "reason_en", "advice_en", "remedy_en")
        if not words["remedy"]:
            words |= {"remedy": REMEDY, "remedy_en": REMEDY_EN}
        return NoticeText(level=self.level.data, **words)


class HoldForm(CauseForm):
    """What is said where a sale is stopped while something is looked into: no level, and nothing is taken back."""

    advice = TextField(_("请消费者怎样做"), [required(), at_most(500)], default=lambda: _in_chinese(HOLD_ADVICE))
    advice_en = TextField(
        _("请消费者怎样做（英文）"),
        [optional(), at_most(800)],
        default="Do not eat it for now. Keep the packaging and wait for the result of the inspection.",
    )

    @property
    def notice_text(self) -> NoticeText:
        """What the notice says, once the form is valid."""
        return NoticeText(level=None, **self.said("reason", "advice", "basis", "reason_en", "advice_en"))


class RecallScopeForm(Form):
    """What is known of the cause. Names are those of `RecallScope`."""

    class Meta:
        csrf = False

    lots = StringField(_("批次号"), [optional(), at_most(500)], description=_("几个用空格或顿号隔开"))
    input_lot = StringField(_("投入品或原料批号"), [optional(), at_most(40)])
    input_name = StringField(_("投入品名称"), [optional(), at_most(60)])
    ingredient = StringField(_("有效成分"), [optional(), at_most(60)])
    ingredient_within = BooleanField(_("名称里含这些字的有效成分也算"))
    supplier = StringField(_("供应商"), [optional(), at_most(60)])
    failed_analyte = StringField(_("不合格的检测项目"), [optional(), at_most(60)])
    producer = StringField(_("生产者"), [optional(), at_most(60)])
    household = StringField(_("农户"), [optional(), at_most(60)], description=_("姓名、编号或村组"))
    site = StringField(_("基地或地块"), [optional(), at_most(60)])
    product = StringField(_("产品"), [optional(), at_most(40)])
    kind_code = SelectField(_("品类"))
    division = SelectField(_("地区"))
    begins = DateField(_("从"), [optional()], description=_("投入品按使用日期，其他按采收或生产日期"))
    ends = DateField(_("到"), [optional()])
    area = BoundaryField(
        _("圈定的区域"), [optional()], description=_("在图上点出，或一行一个角点：纬度, 经度"), widest=WIDEST_AREA
    )

    def __init__(self, *args: object, places: list[tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.kind_code.choices = choices([(kind.code, named(kind)) for kind in kinds()], blank=_("全部品类"))
        self.division.choices = choices(places, blank=_("全部辖区"))

    def validate_ends(self, field: Field) -> None:
        if field.data and self.begins.data and field.data < self.begins.data:
            raise ValidationError(_("日期颠倒了：“到”早于“从”，请对调。"))

    @property
    def recall_scope(self) -> RecallScope:
        """What was filled in, once the form is valid."""
        values: Facts = {name: self[name].data for name in SCOPE_FIELDS if self[name].data}
        if self.area.data:
            values["area"] = boundary_text(self.area.data)
        return RecallScope(**values)


class _CountedForm(Form):
    """How many lots a scope has must be typed: a slip is not a recall."""

    count = IntegerField(_("再填一次批次数，以确认范围"), [required()])


class ScopeNoticeForm(NoticeForm, _CountedForm):
    """A recall of all lots of a scope."""


class ScopeHoldForm(HoldForm, _CountedForm):
    """A hold of all lots of a scope."""


class ExtendForm(_CountedForm):
    note = TextField(_("为什么扩大"), [required(), at_most(500)])


class NoteForm(Form):
    """Why a recall is narrowed down, rejected or ended."""

    note = TextField(_("原因"), [required(), at_most(500)])


class EndForm(NoteForm):
    """Why a recall is completed or withdrawn, and why although something is still open."""

    why_open = TextField(_("还有未了结的，为什么现在结束"), [optional(), at_most(300)])


class DecideForm(Form):
    """The second officer's word."""

    note = TextField(_("理由"), [optional(), at_most(500)], description=_("不予批准时必填"))


class CorrectForm(NoticeForm):
    note = TextField(_("为什么更正"), [required(), at_most(500)])

    def __init__(self, *args: object, stated: NoticeText, **kwargs: object) -> None:
        """:param stated: what the latest notice says."""
        super().__init__(*args, **kwargs)
        self._stated = stated

    def validate_reason_en(self, field: Field) -> None:
        self._must_follow(field, "reason")

    def validate_advice_en(self, field: Field) -> None:
        self._must_follow(field, "advice")

    def validate_remedy_en(self, field: Field) -> None:
        self._must_follow(field, "remedy")

    def _must_follow(self, field: Field, name: str) -> None:
        """Raise where the Chinese text was changed and the English one says what it said before."""
        before = getattr(self._stated, f"{name}_en")
        if before and field.data == before and (self[name].data or "") != getattr(self._stated, name):
            raise ValidationError(_("中文已改，英文还是原来的。请把英文也改过来；来不及翻译就清空。"))


class RecallSearchForm(Form):
    class Meta:
        csrf = False

    q = StringField(_("产品、生产者、批次号或编号"), [optional(), at_most(60)])
    state = SelectField(
        _("状态"), choices=choices([(one.value, STATUSES[one]) for one in PUBLISHED], blank=_("全部状态"))
    )
    level = SelectField(_("级别"), choices=choices(LEVELS.items(), blank=_("全部级别")))

    @property
    def wished(self) -> Facts:
        self.validate()
        values = {name: "" if self[name].errors else self[name].data or "" for name in ("q", "state", "level")}
        return {
            "search": values["q"][:60],
            "state": values["state"],
            "level": int(values["level"]) if values["level"] else None,
        }


class CheckForm(Form):
    """Whether what someone has in hand is under recall: by the code on it, or by its lot number."""

    class Meta:
        csrf = False

    code = StringField(_("追溯码"), [optional(), at_most(200)], description=_("标签上 13 位字符"))
    lot = StringField(_("或批次号"), [optional(), at_most(100)])
