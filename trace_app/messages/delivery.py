"""Sending messages by e-mail and webhook, again and again with longer breaks until it works or is given up."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import time
from datetime import timedelta
from email.message import EmailMessage

import structlog
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.extensions import db, jobs
from trace_app.messages.models import Channel, ChannelType, Delivery, DeliveryStatus
from trace_app.messages.outgoing import NoAnswer, NotAllowed, post
from trace_app.settings import settings
from trace_app.values import StoredJson

BREAKS = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720)]
"""How long is waited before the second attempt, the third and so on; then it is given up."""
AT_ONCE = 50

log = structlog.get_logger()


class NoMailServer(Problem):
    """E-mail can't be sent: no server is set."""

    status = 503
    title = _("本平台还没有设置邮件服务器，请联系管理员，或改用网络回调。")


@jobs.every_minute
def deliver_due() -> None:
    """Send what is due."""
    due = (
        db.select(Delivery.id)
        .where(Delivery.status == DeliveryStatus.WAITING, Delivery.due_at <= utc_now())
        .order_by(Delivery.due_at)
        .limit(AT_ONCE)
    )
    for delivery_id in db.session.scalars(due).all():
        deliver(delivery_id)


@jobs.task
def deliver(delivery_id: int) -> None:
    """Make one attempt, unless another worker is at it."""
    with transaction():
        delivery = db.session.get(Delivery, delivery_id, with_for_update={"of": Delivery, "key_share": True})
        if delivery is None or delivery.status is not DeliveryStatus.WAITING or delivery.due_at > utc_now():
            return
        # Claimed: whoever else looks finds it due later.
        delivery.attempts += 1
        last = delivery.attempts > len(BREAKS)
        delivery.due_at = utc_now() + (BREAKS[delivery.attempts - 1] if not last else timedelta(days=1))
    row = db.session.get_one(Delivery, delivery_id, options=[joinedload(Delivery.channel)])
    failure = _attempt(row)
    with transaction():
        row = db.session.get_one(Delivery, delivery_id)
        row.failure = failure[:300]
        if not failure:
            row.status, row.sent_at = DeliveryStatus.SENT, utc_now()
        elif last:
            row.status = DeliveryStatus.FAILED
    log.info("delivery", delivery=delivery_id, failure=failure)


def _attempt(row: Delivery) -> str:
    """Send once; empty where it worked, else what went wrong."""
    try:
        if row.channel is None or row.channel.type is ChannelType.EMAIL:
            _send_mail(row.channel.target if row.channel else row.address, row.message)
        else:
            _send_webhook(row.channel, row.message.get("webhook", row.message))
    except (NoAnswer, NotAllowed, OSError, smtplib.SMTPException, NoMailServer) as error:
        return str(error) or type(error).__name__
    return ""


def mail_is_set() -> bool:
    """Whether e-mail can be sent at all."""
    return bool(settings().smtp_host)


def _send_mail(address: str, message: StoredJson) -> None:
    set_to = settings()
    if not mail_is_set():
        raise NoMailServer
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = message["subject"], set_to.mail_from, address
    letter.set_content("\n".join([*message["lines"], message["link"]]))
    with smtplib.SMTP(set_to.smtp_host, set_to.smtp_port, timeout=20) as server:
        if set_to.smtp_tls:
            server.starttls()
        if set_to.smtp_user and set_to.smtp_password:
            server.login(set_to.smtp_user, set_to.smtp_password.get_secret_value())
        server.send_message(letter)


def _send_webhook(channel: Channel, content: StoredJson) -> None:
    """POST JSON, signed: ``Trace-Signature: t=…,v1=HMAC-SHA256(secret, t.body)``."""
    body = json.dumps(content, ensure_ascii=False).encode()
    moment = str(int(time.time()))
    digest = hmac.new(channel.secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "Trace-Signature": f"t={moment},v1={digest}"}
    post(channel.target, body, headers, private_hosts=frozenset(settings().webhook_private_hosts))
