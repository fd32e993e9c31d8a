"""What a rule is: a name, where it stands in the law, and words for what it found. The rules register here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask_babel import LazyString

from trace_app.findings.models import Finding
from trace_app.inputs.english import plainly_worded
from trace_app.language import language
from trace_app.messages.models import Severity
from trace_app.units import amount_read
from trace_app.values import Facts


@dataclass(frozen=True, slots=True)
class Rule:
    """A check with its words.

    :ivar code: stable name.
    :ivar title: what it is about.
    :ivar message: what was found, with ``%(name)s`` places for the facts.
    :ivar advice: what to do about it.
    :ivar source: the law or standard, in Chinese as it is cited.
    :ivar to_do: what is only natural while a lot is still being made, and told of to no one then.
    :ivar tell_always: what the authority is told of even while a lot is being made.
    """

    code: str
    title: LazyString
    message: LazyString
    advice: LazyString
    source: str
    to_do: bool = False
    tell_always: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a rule found.

    :ivar key: what it is about; the same evidence gives the same key.
    :ivar facts: plain values for the message; where the languages differ, both, see `both`.
    :ivar record_ids: the records that show it.
    """

    rule: str
    severity: Severity
    key: str = ""
    facts: Facts = field(default_factory=dict)
    record_ids: tuple[int, ...] = ()


RULES: dict[str, Rule] = {}


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def name_en(self) -> str: ...


def both(zh: str, en: str | None) -> dict[str, str]:
    """A fact that reads differently in the two languages."""
    return {"zh": zh, "en": en or zh}


def name_of(thing: Named) -> dict[str, str]:
    """A thing's names as a fact."""
    return both(thing.name, thing.name_en)


def register(rules: Iterable[Rule]) -> None:
    RULES.update({rule.code: rule for rule in rules})


def _read(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return value[language()]
    if name == "input":
        return plainly_worded(value)
    return amount_read(value) if isinstance(value, str) else value


def message_of(finding: Finding | Found) -> str:
    """What was found, in the reader's language."""
    rule = RULES[finding.rule]
    facts = {name: _read(name, value) for name, value in finding.facts.items()}
    return str(rule.message) % facts if facts else str(rule.message)
