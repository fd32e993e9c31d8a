"""Forms of organisations, users, tokens and passwords."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, Field, PasswordField, SelectMultipleField
from wtforms.validators import EqualTo, InputRequired, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from trace_app.accounts.access import HOME, keeps_shared_tables, within_jurisdiction
from trace_app.accounts.credit_code import is_credit_code
from trace_app.accounts.identity_number import impossible_birthday, is_identity_number
from trace_app.accounts.models import Branch, Division, Organisation, OrganisationKind, RoleName, TokenScope, User
from trace_app.accounts.passwords import fault_of
from trace_app.accounts.places import places_elsewhere, provinces
from trace_app.accounts.service import divisions, divisions_within
from trace_app.accounts.tokens import GOOD_FOR_DAYS, SCOPES_OF_ROLE, USUAL_DAYS
from trace_app.forms import (
    Form,
    SelectChoice,
    SelectField,
    StringField,
    at_most,
    choices,
    matches,
    optional,
    plain_digits,
    plain_email,
    required,
)
from trace_app.gs1 import NotGs1, read_company_prefix
from trace_app.language import named
from trace_app.phones import sign_in_name
from trace_app.values import Facts

ORGANISATION_KINDS = {
    OrganisationKind.PRODUCER: _("生产者"),
    OrganisationKind.REGULATOR: _("监管部门"),
    OrganisationKind.LABORATORY: _("检测机构"),
    OrganisationKind.BUYER: _("采购方"),
}
BRANCHES = {Branch.AGRICULTURE: _("农业农村"), Branch.MARKET: _("市场监管")}
ROLES = {
    RoleName.ADMINISTRATOR: _("管理员"),
    RoleName.REGULATOR: _("监管人员"),
    RoleName.PRODUCER: _("生产者"),
    RoleName.LABORATORY: _("检测人员"),
    RoleName.BUYER: _("采购方"),
}


SCOPES = {
    TokenScope.READ: _("读取"),
    TokenScope.RECORDS: _("登记批次和生产记录、放行"),
    TokenScope.LABELS: _("打印和作废标签、取追溯码"),
    TokenScope.RECALLS: _("召回和暂停销售"),
}

CMA_NUMBER = r"^[0-9A-Za-z]{6,20}$"
CMA_ADVICE = _("CMA 编号是报告首页 CMA 标志下的 12 位数字，请核对。")


def division_choices(
    *, levels: tuple[str, ...] = ("city", "county", "township"), user: User | None = None
) -> list[tuple[str, str]]:
    """Divisions to choose from, townships with their county before them.

    :param user: whose jurisdiction they lie in; None for all.
    """
    by_code: dict[str, Division] = {division.code: division for division in divisions()}
    pairs = []
    for division in by_code.values():
        if division.level in levels and (user is None or within_jurisdiction(user, division.code)):
            parent = by_code.get(division.parent_code or "")
            above = f"{named(parent)} · " if division.level == "township" and parent else ""
            pairs.append((division.code, above + named(division)))
    return pairs


def places_to_choose(groups: Iterable[tuple[str, list[Division]]], blank: str) -> list[SelectChoice]:
    """Divisions by group, with an empty choice first."""
    return [
        SelectChoice("", blank),
        *(SelectChoice(row.code, named(row), optgroup=group) for group, rows in groups for row in rows),
    ]


def jurisdiction_choices(organisation: Organisation) -> list[tuple[str, str]]:
    """A regulator's jurisdiction and the places in it, to choose from."""
    return [(division.code, named(division)) for division in divisions_within(organisation)]


def _credit_code(_form: Form, field: Field) -> None:
    if field.data and not is_credit_code(field.data):
        raise ValidationError(_("统一社会信用代码不对：应为 18 位，且末位校验码相符。请按营业执照逐位核对。"))


class CreditCodeField(StringField):
    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        self.data = (self.data or "").replace(" ", "").upper() or None


class IdentityField(StringField):
    """An identity number without spaces, its X as a capital; None where empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        self.data = plain_digits(self.data or "").upper() or None
        if day := impossible_birthday(self.data or ""):
            raise ValueError(str(_("身份证号不对：其中的出生日期 %(day)s 不可能。请核对第 7 到 14 位。", day=day)))
        if self.data and not is_identity_number(self.data):
            raise ValueError(str(_("身份证号不对：应为 18 位，且末位校验码相符。请逐位核对。")))

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else ""


class OrganisationForm(Form):
    """``kind`` is chosen once; the form of an organisation that is there already leaves it as it is."""

    kind = SelectField(_("类型"), [required()])
    name = StringField(_("名称"), [required(), at_most(100)])
    name_en = StringField(_("英文名称"), [optional(), at_most(150)])
    credit_code = CreditCodeField(
        _("统一社会信用代码"),
        [_credit_code],
        description=_("18 位，见营业执照；生产者必填，自然人和家庭没有的填身份证号"),
    )
    identity_number = IdentityField(
        _("身份证号"),
        [optional()],
        description=_("自然人和家庭生产者没有信用代码的，填户主的；加密保存，只显示头尾几位"),
    )
    division_code = SelectField(_("所在地"), [required()])
    jurisdiction_code = SelectField(_("监管辖区"), description=_("监管部门必填：该区划及其下级"))
    branch = SelectField(
        _("系统"),
        choices=choices([(Branch.MARKET.value, BRANCHES[Branch.MARKET])], blank=BRANCHES[Branch.AGRICULTURE]),
        description=_("监管部门填；火腿、月饼等加工食品由市场监管牵头"),
    )
    gs1_prefix = StringField(
        _("GS1 厂商识别代码"),
        [optional(), at_most(14)],
        description=_("4 到 12 位数字，见条码证书；有它才能给箱和托盘编 SSCC"),
    )
    cma_number = StringField(
        _("CMA 证书编号"),
        [optional(), matches(CMA_NUMBER, CMA_ADVICE)],
        description=_("检测机构填写；会印在它录入的每一份报告上"),
    )
    address = StringField(_("地址"), [optional(), at_most(200)])
    phone = StringField(
        _("电话"), [optional(), matches(r"^[0-9+\-() ]{5,30}$", _("请填写电话号码，只含数字、空格和 + - ( )。"))]
    )
    legal_representative = StringField(
        _("法定代表人"), [optional(), at_most(60)], description=_("见营业执照；召回公告要写")
    )
    responsible_person = StringField(_("负责人"), [optional(), at_most(60)], description=_("接听召回来电的人"))
    contact_email = StringField(_("电子邮箱"), [optional(), at_most(255)], description=_("写在召回公告上"))

    def __init__(
        self,
        *args: object,
        kind: OrganisationKind | None = None,
        administrator: User | None = None,
        has_identity: bool = False,
        **kwargs: object,
    ) -> None:
        """
        :param administrator: whose jurisdiction the organisation has to lie in; None at the command line.
        :param has_identity: whether its identity number is known already.
        """
        super().__init__(*args, **kwargs)
        self.fixed_kind = kind
        self._has_identity = has_identity
        self.kind.choices = choices((kind.value, name) for kind, name in ORGANISATION_KINDS.items())
        if kind:
            del self.kind
        self.division_code.choices = choices(division_choices(user=administrator), blank=_("请选择"))
        watched = division_choices(levels=("city", "county"), user=administrator)
        if administrator is None or keeps_shared_tables(administrator):
            elsewhere = places_to_choose(places_elsewhere(), "")[1:]
            self.division_code.choices += elsewhere
        if administrator is None:
            watched = [*((row.code, named(row)) for row in provinces() if HOME.startswith(row.code[:2])), *watched]
        self.jurisdiction_code.choices = choices(watched, blank=_("不适用"))

    @property
    def chosen_kind(self) -> OrganisationKind | None:
        if self.fixed_kind or not self.kind.data:
            return self.fixed_kind
        return OrganisationKind(self.kind.data)

    def validate_credit_code(self, field: Field) -> None:
        identity = self.identity_number.data or self.identity_number.errors or self._has_identity
        if self.chosen_kind is OrganisationKind.PRODUCER and not field.data and not identity:
            raise ValidationError(_("生产者必须填写统一社会信用代码；自然人和家庭没有的，填写身份证号。"))

    def validate_identity_number(self, field: Field) -> None:
        if field.data and self.chosen_kind is not OrganisationKind.PRODUCER:
            raise ValidationError(_("只有生产者可以按身份证号登记。"))

    def validate_contact_email(self, field: Field) -> None:
        if field.data:
            field.data = plain_email(field.data)

    def validate_division_code(self, field: Field) -> None:
        if self.chosen_kind is OrganisationKind.PRODUCER and field.data and not field.data.startswith(HOME):
            raise ValidationError(_("生产者须登记在曲靖市内、生产所在的县或乡镇；外地的请登记为采购方或检测机构。"))

    def validate_gs1_prefix(self, field: Field) -> None:
        if field.data:
            try:
                field.data = read_company_prefix(plain_digits(field.data))
            except NotGs1 as error:
                raise ValidationError(_("不是有效的厂商识别代码：请填 4 到 12 位数字。")) from error

    def validate_cma_number(self, field: Field) -> None:
        if field.data and self.chosen_kind is not OrganisationKind.LABORATORY:
            raise ValidationError(_("只有检测机构有 CMA 证书编号，请清空。"))

    def validate_jurisdiction_code(self, field: Field) -> None:
        if self.chosen_kind is OrganisationKind.REGULATOR and not field.data:
            raise ValidationError(_("请选择监管辖区。"))

    @property
    def facts(self) -> Facts:
        facts = super().facts
        facts["branch"] = Branch(facts["branch"] or Branch.AGRICULTURE)
        if self.chosen_kind is not OrganisationKind.REGULATOR:
            facts |= {"jurisdiction_code": None, "branch": Branch.AGRICULTURE}
        if "kind" in facts:
            facts["kind"] = OrganisationKind(facts["kind"])
        return facts | {name: facts[name] or None for name in ("jurisdiction_code", "credit_code", "gs1_prefix")}


def _number_alone(typed: str | None) -> str | None:
    """A mobile number by its digits; all else as it was typed."""
    name = sign_in_name(typed or "")
    return name if name.isdigit() else typed


class UserForm(Form):
    username = StringField(
        _("用户名"),
        [required(), matches(r"^[A-Za-z0-9_.-]{3,40}$", _("3 到 40 位字母、数字、点、横线或下划线；可用手机号。"))],
        description=_("登录用，可用手机号"),
        filters=[_number_alone],
    )
    full_name = StringField(_("姓名"), [required(), at_most(60)])
    email = StringField(
        _("邮箱"),
        [optional(), at_most(255), matches(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", _("请填写完整的邮箱地址。"))],
        description=_("没有可不填：设密码的链接可以打印出来交给本人"),
    )
    role = SelectField(_("角色"), [required()])

    def __init__(self, *args: object, roles: tuple[RoleName, ...], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.role.choices = choices((role.value, ROLES[role]) for role in roles)

    @property
    def facts(self) -> Facts:
        facts = super().facts
        return facts | {"email": facts["email"] or None}


class FirstPasswordForm(Form):
    """A form that sets the password of a known account.

    :param owner: whose it is.
    """

    new = PasswordField(
        _("新密码"),
        [required()],
        description=_("至少 8 位，监管人员至少 12 位"),
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        _("再输一次新密码"),
        [required(), EqualTo("new", _("两次输入的新密码不一致。"))],
        render_kw={"autocomplete": "new-password"},
    )
    void_tokens = BooleanField(_("同时作废我的接口令牌"))

    def __init__(self, *args: object, owner: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._owner = owner

    def validate_new(self, field: Field) -> None:
        owner = self._owner
        known = (owner.username, owner.full_name, owner.email, owner.organisation.name)
        if fault := fault_of(field.data or "", owner.role, [word for word in known if word]):
            raise ValidationError(fault)


class PasswordForm(FirstPasswordForm):
    current = PasswordField(_("现在的密码"), [required()], render_kw={"autocomplete": "current-password"})


class TokenForm(Form):
    name = StringField(_("用途"), [required(), at_most(60)], description=_("如 仓库电脑"))
    scopes = SelectMultipleField(
        _("权限"),
        [InputRequired(_("请至少选一项权限。"))],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    days = SelectField(_("有效期"), [required()], default=str(USUAL_DAYS))

    def __init__(self, *args: object, role: RoleName, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.scopes.choices = choices((scope.value, SCOPES[scope]) for scope in SCOPES_OF_ROLE[role])
        self.days.choices = choices((str(days), _("%(days)d 天", days=days)) for days in GOOD_FOR_DAYS)
