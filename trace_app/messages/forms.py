"""The form of a channel: where an organisation wants to be told, and of what."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.forms import Form, SelectField, StringField, at_most, choices, plain_email, required
from trace_app.messages.models import ChannelType, Severity
from trace_app.messages.outgoing import leads_to_public
from trace_app.settings import settings

CHANNEL_TYPES = {ChannelType.EMAIL: _("电子邮件"), ChannelType.WEBHOOK: _("网络回调（Webhook）")}


class ChannelForm(Form):
    type = SelectField(
        _("方式"), [required()], choices=choices((kind.value, name) for kind, name in CHANNEL_TYPES.items())
    )
    target = StringField(_("邮箱或网址"), [required(), at_most(300)])
    least_severity = SelectField(
        _("哪些通知"),
        [required()],
        choices=choices({Severity.WARN.value: _("警告和阻止放行"), Severity.BLOCK.value: _("只要阻止放行")}.items()),
    )

    def validate_target(self, field: Field) -> None:
        if self.type.data == ChannelType.EMAIL:
            field.data = plain_email(field.data or "")
        elif self.type.data == ChannelType.WEBHOOK:
            _check_url(field.data or "")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValidationError(_("这不是完整的网址。")) from error
    trusted = host in settings().webhook_private_hosts
    if parts.scheme != "https" and not (trusted and parts.scheme == "http"):
        raise ValidationError(_("网址须以 https:// 开头。"))
    if not host or parts.username or parts.password or any(c.isspace() for c in url):
        raise ValidationError(_("网址须有公开的主机名，且不带用户名和密码。"))
    if not trusted and leads_to_public(host) is False:
        raise ValidationError(_("这个网址指向内部网络，平台不会向它发送。请填写互联网上能访问的网址。"))
