"""Sending messages by e-mail and webhook, again and again with longer breaks until it works or is given up."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from trace_app.messages.outgoing import NoAnswer, NotAllowed, WillNotTake, post
from trace_app.settings import settings
from trace_app.values import StoredJson

BREAKS = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720)]
"""How long is waited before the second attempt, the third and so on; then it is given up."""
AT_ONCE = 50
CALLS_AT_ONCE = 4
"""How many webhooks are called at a time."""
PERMANENT = 500
"""The first of the codes by which a mail server refuses for good."""

log = structlog.get_logger()


class NoMailServer(Problem):
    """E-mail can't be sent: no server is set."""

    status = 503
    title = _("本平台还没有设置邮件服务器，请联系管理员，或改用网络回调。")


@jobs.every_minute
def deliver_due() -> None:
    """Send what is due."""
    due = (
        db.select(Delivery.id, Channel.type)
        .outerjoin(Channel, Channel.id == Delivery.channel_id)
        .where(Delivery.status == DeliveryStatus.WAITING, Delivery.due_at <= utc_now())
        .order_by(Delivery.due_at)
        .limit(AT_ONCE)
    )
    for delivery_id, kind in db.session.execute(due).all():
        jobs.enqueue(call if kind is ChannelType.WEBHOOK else post_letter, delivery_id)


@jobs.task(queue="webhooks", workers=CALLS_AT_ONCE)
def call(delivery_id: int) -> None:
    """Make one attempt to deliver by webhook. Receivers may be slow, and nothing else waits for them."""
    _deliver(delivery_id)


@jobs.task(queue="mail")
def post_letter(delivery_id: int) -> None:
    """Make one attempt to deliver by e-mail."""
    _deliver(delivery_id)


def _deliver(delivery_id: int) -> None:
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
    failure, in_vain = _attempt(row)
    with transaction():
        row = db.session.get_one(Delivery, delivery_id)
        row.failure = failure[:300]
        if not failure:
            row.status, row.sent_at = DeliveryStatus.SENT, utc_now()
        elif last or in_vain:
            row.status = DeliveryStatus.FAILED
    log.info("delivery", delivery=delivery_id, failure=failure)


def _attempt(row: Delivery) -> tuple[str, bool]:
    """Send once. What went wrong comes back, empty where nothing did; and whether another try would be in vain."""
    try:
        if row.channel is None or row.channel.type is ChannelType.EMAIL:
            words = row.message
            address = row.channel.target if row.channel else row.address
            send_letter(address, words["subject"], [*words["lines"], words["link"]])
        else:
            _send_webhook(row.channel, row.message.get("webhook", row.message))
    except (NotAllowed, WillNotTake) as error:
        return str(error) or type(error).__name__, True
    except (NoAnswer, OSError, smtplib.SMTPException, NoMailServer) as error:
        return str(error) or type(error).__name__, is_for_good(error)
    return "", False


def is_for_good(error: Exception) -> bool:
    """Whether a mail server refused for good: with 5yz (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= PERMANENT for code, _words in error.recipients.values())
    # What concerns the account rather than the letter is mended on our side.
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return False
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= PERMANENT


def mail_is_set() -> bool:
    """Whether e-mail can be sent at all."""
    return bool(settings().smtp_host)


def send_letter(address: str, subject: str, lines: list[str]) -> None:
    """Send a letter of plain text at once.

    :raises NoMailServer, OSError, smtplib.SMTPException:
    """
    if not mail_is_set():
        raise NoMailServer
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = subject, settings().mail_from, address
    letter.set_content("\n".join(lines))
    with mail_server(20) as server:
        server.send_message(letter)


@contextmanager
def mail_server(timeout_s: float) -> Iterator[smtplib.SMTP]:
    """The mail server that the settings name, when it has let us in.

    :raises OSError, smtplib.SMTPException:
    """
    set_to = settings()
    with smtplib.SMTP(set_to.smtp_host, set_to.smtp_port, timeout=timeout_s) as server:
        if set_to.smtp_tls:
            server.starttls(context=ssl.create_default_context())
        if set_to.smtp_user and set_to.smtp_password:
            server.login(set_to.smtp_user, set_to.smtp_password.get_secret_value())
        yield server


def _send_webhook(channel: Channel, content: StoredJson) -> None:
    """POST JSON, signed: ``Trace-Signature: t=…,v1=HMAC-SHA256(secret, t.body)``."""
    body = json.dumps(content, ensure_ascii=False).encode()
    moment = str(int(time.time()))
    digest = hmac.new(channel.secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "Trace-Signature": f"t={moment},v1={digest}"}
    post(channel.target, body, headers, private_hosts=frozenset(settings().webhook_private_hosts))
