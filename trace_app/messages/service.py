"""The platform's post office: whom an organisation wants to be told by, and messages on their way."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import Organisation, User
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.messages.models import Channel, ChannelType, Delivery, Severity
from trace_app.values import JsonObject


class TooManyChannels(Unprocessable):
    title = _("通知方式最多 %(most)s 个，请先删除不用的。")


MAX_CHANNELS = 10


def tell(organisation: Organisation, message: JsonObject) -> None:
    """Queue a message for an organisation: through its channels, or to its users' addresses where it has none.

    :param message: see `Delivery.message`.
    """
    channels = [channel for channel in channels_of(organisation) if channel.active]
    for channel in channels:
        db.session.add(Delivery(message=message, channel_id=channel.id))
    if not channels:
        for user in organisation.users:
            if user.active:
                tell_address(user.email, message)


def tell_address(address: str | None, message: JsonObject) -> None:
    """Queue a message for an e-mail address, where there is one."""
    if address is None:
        return
    db.session.add(Delivery(message=message, address=address))


def channels_of(organisation: Organisation) -> list[Channel]:
    return list(db.session.scalars(db.select(Channel).filter_by(organisation_id=organisation.id).order_by(Channel.id)))


def add_channel(user: User, channel_type: ChannelType, target: str, least_severity: Severity) -> Channel:
    """Have an organisation told of findings by e-mail or webhook.

    :raises TooManyChannels:
    """
    if len(channels_of(user.organisation)) >= MAX_CHANNELS:
        raise TooManyChannels(most=MAX_CHANNELS)
    channel = Channel(
        organisation_id=user.organisation_id,
        type=channel_type,
        target=target,
        secret=secrets.token_urlsafe(32) if channel_type is ChannelType.WEBHOOK else "",
        least_severity=least_severity,
    )
    db.session.add(channel)
    db.session.flush()
    audit.note(user, "add", channel, type=channel_type.value, target=target)
    return channel


def remove_channel(user: User, channel_id: int) -> None:
    """:raises NotFound: where the organisation has no such channel."""
    channel = db.session.get(Channel, channel_id)
    if channel is None or channel.organisation_id != user.organisation_id:
        raise NotFound
    audit.note(user, "remove", channel, type=channel.type.value, target=channel.target)
    db.session.execute(sa.delete(Delivery).where(Delivery.channel_id == channel.id))
    db.session.delete(channel)
    db.session.flush()


def deliveries_of(organisation: Organisation) -> list[Delivery]:
    """The latest deliveries to an organisation."""
    query = (
        db.select(Delivery)
        .join(Delivery.channel)
        .where(Channel.organisation_id == organisation.id)
        .options(joinedload(Delivery.channel))
        .order_by(Delivery.id.desc())
        .limit(30)
    )
    return list(db.session.scalars(query))
