"""Where an organisation is told of what concerns it, and how that went."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.db.session import transaction
from trace_app.messages import delivery
from trace_app.messages import service as messages
from trace_app.messages.forms import CHANNEL_TYPES, ChannelForm
from trace_app.messages.models import ChannelType, DeliveryStatus, Severity
from trace_app.templating import register_words, status_of

views = Blueprint("messages", __name__)


DELIVERY_STATES = {
    DeliveryStatus.WAITING: _("等待发送"),
    DeliveryStatus.SENT: _("已发送"),
    DeliveryStatus.FAILED: _("发送失败"),
}
register_words(views, channel_type=CHANNEL_TYPES, delivery_status=DELIVERY_STATES)


@views.route("/messages", methods=["GET", "POST"])
@allow(RoleName.PRODUCER, *SUPERVISORS)
def index() -> ResponseReturnValue:
    """Where the organisation is told of findings, and how that went."""
    form = ChannelForm()
    if form.validate_on_submit():
        with form.refusals(), transaction():
            messages.add_channel(
                the_user(), ChannelType(form.type.data), form.target.data, Severity(form.least_severity.data)
            )
        if not form.errors:
            flash(_("已添加通知方式。"))
            return redirect(url_for("messages.index"))
    organisation = the_user().organisation
    page = render_template(
        "messages/index.html",
        form=form,
        channels=messages.channels_of(organisation),
        deliveries=messages.deliveries_of(organisation),
        mail=delivery.mail_is_set(),
        most=messages.MAX_CHANNELS,
    )
    return page, status_of(form)


@views.post("/messages/<int:channel_id>/remove")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def remove_channel(channel_id: int) -> ResponseReturnValue:
    with transaction():
        messages.remove_channel(the_user(), channel_id)
    flash(_("已删除通知方式。"))
    return redirect(url_for("messages.index"))
