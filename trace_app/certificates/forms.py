"""Forms of certificates and commitment certificates."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _
from wtforms import Field, SelectMultipleField
from wtforms.form import BaseForm
from wtforms.validators import ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from trace_app.catalogue.models import Product
from trace_app.certificates.models import CertificateType
from trace_app.certificates.samples import BASE_NAMES, Sample
from trace_app.certificates.texts import certificate_label
from trace_app.folding import written_plainly
from trace_app.forms import (
    DateField,
    DecimalField,
    Form,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    not_future,
    number_or_none,
    optional,
    required,
)
from trace_app.language import named
from trace_app.media.forms import PdfField, PhotosField
from trace_app.values import Facts


class CertificateForm(Form):
    type = SelectField(_("类型"), [required()])
    number = StringField(_("证书编号"), [required(), at_most(60)], filters=[written_plainly])
    issuer = StringField(_("发证机构"), [required(), at_most(100)])
    product_id = SelectField(_("适用产品"), coerce=number_or_none)
    valid_from = DateField(_("有效期自"), [required()])
    valid_until = DateField(_("有效期至"), [required()])
    pdf = PdfField(_("证书扫描件（PDF）"))

    def __init__(self, *args: object, products: Sequence[Product] = (), **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.type.choices = choices((kind.value, certificate_label(kind)) for kind in CertificateType)
        self.product_id.choices = choices([(row.id, named(row)) for row in products], blank=_("全部产品"))

    def validate_valid_until(self, field: Field) -> None:
        if field.data and self.valid_from.data and field.data < self.valid_from.data:
            raise ValidationError(_("不能早于开始日期。"))

    @property
    def certificate_facts(self) -> Facts:
        names = ("number", "issuer", "product_id", "valid_from", "valid_until")
        return {name: self[name].data for name in names} | {"type": CertificateType(self.type.data)}


class _Bases(SelectMultipleField):
    """Bases of the day's sample. What else is sent is the service's to refuse, which knows the words for it."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def pre_validate(self, form: BaseForm) -> None:
        if not set(self.data or ()) <= set(BASE_NAMES):
            raise ValidationError(_("请从列出的承诺依据里选。"))


class CommitmentForm(Form):
    quantity = DecimalField(_("数量（重量）"), [required(), between(0.001, 100_000_000)])
    bases = _Bases(_("承诺依据"))
    consignee = StringField(_("收货方"), [optional(), at_most(100)], description=_("可不填"))

    def __init__(self, *args: object, sample: Sample | None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.bases.choices = choices((base, sample.base_words(base)) for base in sample.bases) if sample else []

    def validate_bases(self, field: Field) -> None:
        if not field.data:
            raise ValidationError(_("请至少选一项承诺依据。"))


class CollectForm(Form):
    """A certificate of the platform's."""

    text = StringField(_("扫合格证上的码，或输入编号"), [required(), at_most(300)])


class CollectForeignForm(Form):
    """A certificate that was made elsewhere."""

    line_id = SelectField(_("批次"), [required()], coerce=int)
    number = StringField(_("合格证编号"), [required(), at_most(60)], description=_("没有编号的填“无”"))
    issuer = StringField(_("开具者"), [required(), at_most(100)])
    issued_on = DateField(_("开具日期"), [required(), not_future])
    photos = PhotosField(_("合格证照片"))

    def __init__(self, *args: object, lines: Sequence[tuple[int, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.line_id.choices = choices(lines)

    def validate_photos(self, field: Field) -> None:
        if not self.photos.cleaned:
            raise ValidationError(_("请拍一张合格证的照片。"))


class WithdrawCommitmentForm(Form):
    reason = StringField(_("原因"), [required(), at_most(300)])
