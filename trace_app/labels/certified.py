"""Labels that are a commitment certificate as well: certificate, label and trace page are one code (证码融合)."""

from __future__ import annotations

from collections.abc import Callable

from flask_babel import lazy_gettext as _

from qr.art import LabelText
from qr.layout import Layout
from trace_app.batches.models import Batch
from trace_app.errors import Problem
from trace_app.labels.layouts import for_a_table, label_text
from trace_app.labels.models import LabelLevel, PrintJob

FIELD = "certificate"
"""The place of the words on a layout."""

_words: list[Callable[[Batch], str | None]] = []


class NoCertificateBehindThem(Problem):
    """Labels can only be a certificate that is in force."""

    title = _("批次 %(lot)s 没有有效的承诺达标合格证，标签不能兼作合格证。请先开具合格证，或取消“标签兼作合格证”。")


class CertificateStaysApart(Problem):
    """The rule of a certificate's day has no words for labels."""

    title = _(
        "批次 %(lot)s 的合格证是按旧样式开具的，不能与标签合一。请作废后按现在的样式重开，或取消“标签兼作合格证”。"
    )


class NoPlaceForTheWords(Problem):
    title = _("这个版式里没有“合格证字样”，标签不能兼作合格证。请在版式里加上它，或选别的标签纸。")


class TableHasNoWords(Problem):
    title = _("CSV 码表上没有文字，不能兼作合格证：请选 PDF、TSPL 或 ZPL。")


def tells_words(words: Callable[[Batch], str | None]) -> Callable[[Batch], str | None]:
    """Have a feature above say which words stand beside the code of a lot's labels that are its certificate.

    :param words: gives None where no certificate is in force, and nothing where its rule has no words for labels.
    """
    _words.append(words)
    return words


def certificate_words(batch: Batch) -> str:
    """The words beside the code of labels that are the lot's certificate.

    :raises NoCertificateBehindThem, CertificateStaysApart:
    """
    found = next((text for words in _words if (text := words(batch)) is not None), None)
    if found is None:
        raise NoCertificateBehindThem(lot=batch.lot_number)
    if not found:
        raise CertificateStaysApart(lot=batch.lot_number)
    return found


def may_be_certificate(batch: Batch) -> bool:
    """Whether labels of a lot may be its certificate."""
    return any(words(batch) for words in _words)


def certified_text(batch: Batch, level: LabelLevel, items_each: int | None, *, as_certificate: bool) -> LabelText:
    """What labels say, with the words of the certificate where they are one.

    :raises NoCertificateBehindThem, CertificateStaysApart:
    """
    return label_text(batch, level, items_each, certificate_words(batch) if as_certificate else "")


def text_of_job(job: PrintJob, items_each: int | None) -> LabelText:
    """What the labels of a job say now.

    :raises NoCertificateBehindThem, CertificateStaysApart: where the certificate that they are is no longer in force.
    """
    text = certified_text(job.run.batch, job.run.level, items_each, as_certificate=job.as_certificate)
    return for_a_table(text) if job.format == "csv" else text


def must_show_words(layout: Layout, format_name: str) -> None:
    """:raises NoPlaceForTheWords, TableHasNoWords:"""
    if format_name == "csv":
        raise TableHasNoWords
    if FIELD not in layout.field_names:
        raise NoPlaceForTheWords
