from __future__ import annotations

import re
from datetime import UTC, datetime

from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from itsdangerous import BadSignature, URLSafeTimedSerializer
from wtforms import BooleanField, Field, HiddenField
from wtforms.validators import ValidationError

from trace_app.feedback.models import FeedbackKind
from trace_app.forms import Form, SelectField, StringField, TextField, at_most, choices, optional, required
from trace_app.media.forms import PhotosField

KINDS = {
    FeedbackKind.FAKE: _("举报假冒：不像真的、标签被撕换"),
    FeedbackKind.SAFETY: _("食用安全：变质、异物、吃后不适"),
    FeedbackKind.QUALITY: _("质量或服务投诉"),
    FeedbackKind.PRAISE: _("表扬"),
}
SHORT_KINDS = {
    FeedbackKind.FAKE: _("举报假冒"),
    FeedbackKind.SAFETY: _("食用安全"),
    FeedbackKind.QUALITY: _("投诉"),
    FeedbackKind.PRAISE: _("表扬"),
}
LEAST_S, MOST_S = 3, 86_400
"""Seconds between the form's being shown and its coming back: programs are quicker, and keep forms for longer."""
MOST_LINKS = 1
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)


class FeedbackForm(Form):
    class Meta:
        csrf = False
        """A token protects the rights of who is signed in; whoever sends this form has none, and gets no cookie."""

    kind = SelectField(_("什么事"), [required()])
    text = TextField(_("怎么回事"), [required(), at_most(1000)], description=_("什么时候、看到什么、包装是否完好"))
    bought_at = StringField(_("在哪里买的"), [optional(), at_most(100)])
    contact = StringField(
        _("您的电话或邮箱"),
        [optional(), at_most(100)],
        description=_("可不填；举报假冒和食用安全的，只有主管部门看得到；其他的，生产者看得到"),
    )
    photos = PhotosField(_("照片"))
    website = StringField(_("请勿填写"), [optional()])
    """People don't see it; programs that fill in everything fill it in."""
    shown = HiddenField()
    """When the form was shown, signed."""

    def __init__(self, *args: object, signer: URLSafeTimedSerializer | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._signer = signer
        self.kind.choices = choices(((kind.value, name) for kind, name in KINDS.items()), blank=_("请选择"))
        if signer is not None and not self.shown.data:
            self.shown.data = signer.dumps(1)

    def validate_text(self, field: Field) -> None:
        if len(_LINK.findall(field.data or "")) > MOST_LINKS:
            raise ValidationError(_("请用文字说明，不要贴多个网址。"))

    @property
    def by_a_program(self) -> LazyString | None:
        """What makes it look like sent by a program, said to a person: the hidden field is filled in, or it comes back
        at once, or after days."""
        if self.website.data:
            return _("没有收到。请从标签的溯源页重新打开这一页再提交。")
        if self._signer is None:
            return None
        try:
            _one, when = self._signer.loads(self.shown.data or "", max_age=MOST_S, return_timestamp=True)
        except BadSignature:
            self.shown.data = self._signer.dumps(1)
            return _("还没有提交：这一页打开太久了。填写的内容都还在，请核对后再点一次“提交”。")
        if (datetime.now(UTC) - when).total_seconds() < LEAST_S:
            return _("还没有提交：请核对填写的内容，再点一次“提交”。")
        return None


class ReplyForm(Form):
    text = TextField(_("回复"), [required(), at_most(1000)], description=_("消费者凭单号看得到"))
    closes = BooleanField(_("处理完毕"))
