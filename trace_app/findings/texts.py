"""Findings as people and machines are told of them."""

from __future__ import annotations

from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.clock import local
from trace_app.findings.models import Finding
from trace_app.findings.rules import RULES, message_of
from trace_app.settings import address_of
from trace_app.values import JsonObject


def message_about(finding: Finding) -> JsonObject:
    """What a channel is told of a finding: in Chinese for people, in both languages for machines.

    The shape is that of `trace_app.messages.models.Delivery.message`.
    """
    with force_locale("zh_CN"):
        rule = RULES[finding.rule]
        about = f"{finding.batch.lot_number} " if finding.batch is not None else ""
        return {
            "subject": f"[{_('农产品追溯预警')}] {about}{rule.title}",
            "lines": [
                message_of(finding),
                f"{_('怎么办：')}{rule.advice}",
                f"{_('依据：')}{rule.source}",
                f"{_('生产者：')}{finding.producer.name}",
                f"{_('时间：')}{local(finding.found_at):%Y-%m-%d %H:%M}",
            ],
            "link": address_of("batches.show", batch_id=finding.batch_id)
            if finding.batch_id
            else address_of("certificates.index"),
            "webhook": as_values(finding),
        }


def as_values(finding: Finding) -> JsonObject:
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
