"""What goes wrong in a use case, with the facts in it and what to do next in the user's language."""

from __future__ import annotations

import re

from flask_babel import LazyString


class Problem(Exception):
    """A feature's own errors derive from this.

    One handler shows it as a page, a problem document (RFC 9457) or a line on the terminal.

    :cvar status: HTTP status.
    :cvar code: stable name for machines, the last part of the problem document's ``type``: the class's name in small
        letters with dashes, unless the class says otherwise.
    :cvar title: what happened and what to do, with ``%(name)s`` places for the facts.
    """

    status = 409
    code = "problem"
    title: LazyString

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(self, **facts: object) -> None:
        super().__init__(self.code, facts)
        self.facts = facts

    @property
    def message(self) -> str:
        text = str(self.title)
        return text % self.facts if self.facts else text


class Unprocessable(Problem):
    """What was asked for can't be done as it was said; put otherwise, it may be."""

    status = 422


class InvalidInput(Unprocessable):
    """Values that don't fit, by field. ``errors`` maps a field's name to its messages."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__()
        self.errors = errors

    @property
    def message(self) -> str:
        return "；".join(f"{field}：{' '.join(messages)}" for field, messages in self.errors.items())
