"""Tests and certificates as people read them, in the reader's language."""

from __future__ import annotations

from trace_app.certificates.models import CertificateType
from trace_app.findings.rules import both
from trace_app.language import language


def certificate_label(kind: CertificateType) -> str:
    """What a type of certificate is called."""
    return CERTIFICATE_NAMES[kind][0 if language() == "zh" else 1]


def certificate_name(certificate_type: CertificateType) -> dict[str, str]:
    """A type of certificate as a fact for messages."""
    return both(*CERTIFICATE_NAMES[certificate_type])


CERTIFICATE_NAMES = {
    CertificateType.GREEN_FOOD: ("绿色食品", "green food"),
    CertificateType.ORGANIC: ("有机产品", "organic"),
    CertificateType.GI: ("地理标志", "geographical indication"),
    CertificateType.FAMOUS: ("名特优新农产品", "famous and special product"),
    CertificateType.GAP: ("良好农业规范", "GAP"),
    CertificateType.HACCP: ("HACCP", "HACCP"),
    CertificateType.ISO22000: ("ISO 22000", "ISO 22000"),
    CertificateType.FOOD_LICENCE: ("食品生产许可", "food production licence"),
    CertificateType.OTHER: ("其他", "other"),
}
