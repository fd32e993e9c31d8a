"""Sending findings by e-mail and webhook, again and again with longer breaks until it works or is given up."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import time
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import structlog
from flask import current_app
from flask_babel import force_locale
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from config import Settings
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.extensions import db, jobs
from trace_app.findings.models import Finding
from trace_app.findings.rules import RULES, message_of
from trace_app.messages.models import Channel, ChannelType, Delivery, DeliveryStatus
from trace_app.messages.outgoing import NoAnswer, NotAllowed, post

BREAKS = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720)]
"""Before the second attempt, the third and so on; then it is given up."""
AT_ONCE = 50

log = structlog.get_logger()


class NoMailServer(Problem):
    """E-mail can't be sent: no server is set."""

    status = 503
    code = "no-mail-server"
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
        delivery = db.session.get(Delivery, delivery_id, with_for_update={"of": Delivery})
        if delivery is None or delivery.status is not DeliveryStatus.WAITING or delivery.due_at > utc_now():
            return
        # Claimed: whoever else looks finds it due later.
        delivery.attempts += 1
        last = delivery.attempts > len(BREAKS)
        delivery.due_at = utc_now() + (BREAKS[delivery.attempts - 1] if not last else timedelta(days=1))
    row = db.session.get_one(
        Delivery,
        delivery_id,
        options=[joinedload(Delivery.finding).joinedload(Finding.batch), joinedload(Delivery.channel)],
    )
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
            subject, lines = _letter(row)
            _send_mail(row.channel.target if row.channel else row.address, subject, lines)
        else:
            _send_webhook(row.channel, plain(row.finding) if row.finding is not None else row.message or {})
    except (NoAnswer, NotAllowed, OSError, smtplib.SMTPException, NoMailServer) as error:
        return str(error) or type(error).__name__
    return ""


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def mail_is_set() -> bool:
    """Whether e-mail can be sent at all."""
    return bool(_settings().smtp_host)


def subject_of(finding: Finding) -> str:
    """What a finding is about, in a few words."""
    about = f"{finding.batch.lot_number} " if finding.batch is not None else ""
    return f"{about}{RULES[finding.rule].title}"


def link_to(finding: Finding) -> str:
    home = str(_settings().public_url).rstrip("/")
    return f"{home}/batches/{finding.batch_id}" if finding.batch_id else f"{home}/certificates"


def title_of(row: Delivery) -> str:
    """What a delivery is about, for a list of them."""
    return subject_of(row.finding) if row.finding is not None else str((row.message or {})["subject"])


def page_of(row: Delivery) -> str:
    """Where a delivery's matter is handled."""
    return link_to(row.finding) if row.finding is not None else str((row.message or {})["link"])


def _letter(row: Delivery) -> tuple[str, list[str]]:
    """Subject and lines of an e-mail. In Chinese; messages bring their own words."""
    finding = row.finding
    if finding is None:
        message = row.message or {}
        return message["subject"], [*message["lines"], message["link"]]
    with force_locale("zh_CN"):
        rule = RULES[finding.rule]
        return f"[{_('农产品追溯预警')}] {subject_of(finding)}", [
            message_of(finding),
            f"{_('怎么办：')}{rule.advice}",
            f"{_('依据：')}{rule.source}",
            f"{_('生产者：')}{finding.producer.name}",
            f"{_('时间：')}{local(finding.found_at):%Y-%m-%d %H:%M}",
            link_to(finding),
        ]


def _send_mail(address: str, subject: str, lines: list[str]) -> None:
    settings = _settings()
    if not mail_is_set():
        raise NoMailServer
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, settings.mail_from, address
    message.set_content("\n".join(lines))
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=20) as server:
        if settings.smtp_tls:
            server.starttls()
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)


def _send_webhook(channel: Channel, content: dict[str, Any]) -> None:
    """POST JSON, signed: ``Trace-Signature: t=…,v1=HMAC-SHA256(secret, t.body)``."""
    body = json.dumps(content, ensure_ascii=False).encode()
    moment = str(int(time.time()))
    digest = hmac.new(channel.secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "Trace-Signature": f"t={moment},v1={digest}"}
    post(channel.target, body, headers, private_hosts=frozenset(_settings().webhook_private_hosts))


def plain(finding: Finding) -> dict[str, Any]:
    """A finding as values of JSON, with its words in both languages."""
    rule = RULES[finding.rule]
    words = {}
    for language, locale in (("zh", "zh_CN"), ("en", "en")):
        with force_locale(locale):
            words[language] = {"title": str(rule.title), "message": message_of(finding), "advice": str(rule.advice)}
    return {
        "id": finding.id,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "source": rule.source,
        "words": words,
        "facts": finding.facts,
        "record_ids": finding.record_ids,
        "batch_id": finding.batch_id,
        "lot_number": finding.batch.lot_number if finding.batch is not None else None,
        "producer_id": finding.producer_id,
        "division_code": finding.division_code,
        "found_at": finding.found_at.isoformat(),
        "gone_at": finding.gone_at.isoformat() if finding.gone_at else None,
        "waiver": finding.waiver.reason if finding.waiver else None,
    }
