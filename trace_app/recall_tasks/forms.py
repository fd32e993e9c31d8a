"""Issuing recalls, holds and drills, and all that follows by notice."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.forms import (
    Form,
    StringField,
    TextField,
    at_most,
    optional,
    required,
)
from trace_app.media.forms import PhotosField


class AcknowledgeForm(Form):
    name = StringField(_("您的姓名"), [required(), at_most(60)])


class RecallReportForm(Form):
    """What has become of recalled lots; the quantities come beside it, by lot."""

    name = StringField(_("您的姓名"), [required(), at_most(60)])
    note = TextField(_("说明"), [optional(), at_most(300)], description=_("如 存放地点、销毁方式、退给谁"))
    photos = PhotosField(_("证据照片"))
