"""What a party says in a recall: that it knows, what became of the goods, its plan and its closing report."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.forms import (
    Form,
    SelectField,
    StringField,
    TextField,
    at_most,
    choices,
    optional,
    required,
)
from trace_app.media.forms import PdfField, PhotosField
from trace_app.recall_tasks.filings import FILINGS, OF_PARTIES
from trace_app.recall_tasks.models import FilingKind


class AcknowledgeForm(Form):
    name = StringField(_("您的姓名"), [required(), at_most(60)])


class RecallReportForm(Form):
    """What has become of recalled lots; the quantities come beside it, by lot."""

    name = StringField(_("您的姓名"), [required(), at_most(60)])
    note = TextField(_("说明"), [optional(), at_most(300)], description=_("如 存放地点、销毁方式、退给谁"))
    photos = PhotosField(_("证据照片"))
    pdf = PdfField(_("证据文件（PDF，如无害化处理单）"))


class ConclusionForm(Form):
    """What the authority makes of what was handed in."""

    text = TextField(_("结论"), [optional(), at_most(3000)], description=_("计划是否可行，召回是否彻底，还要做什么"))
    pdf = PdfField(_("盖章的文件（PDF，可不传）"))


class FilingForm(ConclusionForm):
    """A plan or a closing report."""

    kind = SelectField(
        _("交什么"),
        [required()],
        choices=choices([(kind.value, FILINGS[kind]) for kind in OF_PARTIES]),
        coerce=FilingKind,
    )
    text = TextField(
        _("内容"),
        [optional(), at_most(3000)],
        description=_(
            "计划写明：怎样通知下家、怎样收回、收回后怎样处理、几时完成；总结写明：结果、原因、怎样防止再发生"
        ),
    )
    name = StringField(_("您的姓名"), [required(), at_most(60)])
