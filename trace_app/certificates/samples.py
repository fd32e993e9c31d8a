"""What a commitment certificate says: the sample of the rule of its day, which stays with it for good."""

from __future__ import annotations

from datetime import date

from flask_babel import lazy_gettext as _
from pydantic import BaseModel, ConfigDict

from trace_app.accounts.models import Organisation
from trace_app.batches.models import Batch
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.findings.rules import both
from trace_app.language import language
from trace_app.reference.models import CommitmentRule, CommitmentSubject
from trace_app.reference.service import COMMITMENT_BASES, subjects_named

Words = dict[str, str]
"""A text in the two languages."""
TESTED = frozenset({"commissioned_test", "own_test"})
"""Bases that stand on a test report."""
BASE_NAMES = {
    "commissioned_test": _("委托检测"),
    "own_test": _("自我检测"),
    "own_control": _("内部质量控制"),
    "own_word": _("自我承诺"),
}
"""What a basis is called where the day's sample doesn't have it."""
SUBJECT_NAMES = {
    CommitmentSubject.ENTERPRISE: _("企业"),
    CommitmentSubject.COOPERATIVE: _("农民专业合作社"),
    CommitmentSubject.HOUSEHOLD: _("农户"),
    CommitmentSubject.BUYER: _("收购者"),
}
_SUBJECTS = {"91": CommitmentSubject.ENTERPRISE, "93": CommitmentSubject.COOPERATIVE}
"""What a credit code begins with (GB 32100-2015, tables 2 and 3): registered as an enterprise, or a cooperative."""


class NoSample(Unprocessable):
    """The rule of a day has no certificate for who would issue one."""

    title = _("%(day)s 适用的合格证规定里没有%(subject)s的样式，不能开具。规定见“标准数据”里的“合格证规定”。")


class Sample(BaseModel):
    """The words of a certificate, as the rule of a day has them."""

    model_config = ConfigDict(frozen=True)

    sample: str
    """``producer`` or ``buyer``."""
    valid_from: date
    opening: Words
    promises: list[Words]
    bases: dict[str, Words]
    subject_word: str
    code_words: str
    label_words: str
    per_batch: list[str]
    source: str

    @property
    def promises_read(self) -> list[str]:
        """The promises in the reader's language."""
        return [words[language()] for words in self.promises]

    @property
    def opening_read(self) -> str:
        return self.opening[language()]

    @property
    def all_read(self) -> str:
        """The opening and the promises in the reader's language, one after the other."""
        if language() == "zh":
            return self.opening_read + " ".join(self.promises_read)
        return f"{self.opening_read} {'; '.join(words.rstrip('.;') for words in self.promises_read)}."

    def base_words(self, base: str) -> str:
        """A basis in the reader's language; one that the sample doesn't have, by its code."""
        return self.bases[base][language()] if base in self.bases else base


def subject_of(issuer: Organisation, batch: Batch) -> CommitmentSubject:
    """What someone is to the rules of certificates: a buyer of what others made, else by its credit code."""
    if issuer.id != batch.producer_id:
        return CommitmentSubject.BUYER
    return _SUBJECTS.get((issuer.credit_code or "")[:2], CommitmentSubject.HOUSEHOLD)


def sample_on(day: date, subject: CommitmentSubject) -> Sample:
    """The sample of a day.

    :raises NoSample:
    """
    found = find_sample(day, subject)
    if found is None:
        raise NoSample(day=day, subject=str(SUBJECT_NAMES[subject]).lower())
    return found


def find_sample(day: date, subject: CommitmentSubject) -> Sample | None:
    """The sample of a day, where the rule has one: of several the one that began last."""
    query = (
        db.select(CommitmentRule)
        .where(
            CommitmentRule.sample == ("buyer" if subject is CommitmentSubject.BUYER else "producer"),
            CommitmentRule.valid_from <= day,
            db.or_(CommitmentRule.valid_until.is_(None), CommitmentRule.valid_until >= day),
        )
        .order_by(CommitmentRule.valid_from.desc())
        .limit(1)
    )
    row = db.session.scalar(query)
    return _read(row) if row is not None else None


def _read(row: CommitmentRule) -> Sample:
    zh, en = row.promises.split("|"), row.promises_en.split("|")
    return Sample(
        sample=row.sample,
        valid_from=row.valid_from,
        opening=both(row.opening, row.opening_en),
        promises=[both(text.strip(), (en[at] if at < len(en) else "").strip()) for at, text in enumerate(zh)],
        bases={
            base: both(words, getattr(row, f"{base}_en")) for base in COMMITMENT_BASES if (words := getattr(row, base))
        },
        subject_word=row.subject_word,
        code_words=row.code_words,
        label_words=row.label_words,
        per_batch=sorted(subjects_named(row.per_batch)),
        source=row.source,
    )
