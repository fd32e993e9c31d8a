"""Reads pages as a browser does: links, forms with their fields, and what is said to be wrong."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from tests.world import pdf, photo

ATTRIBUTE = re.compile(r"[A-Za-z_:@][\w:.@-]*")
TYPED = {
    "date": "2025-11-20",
    "datetime-local": "2026-11-20T08:30",
    "email": "someone@example.org",
    "url": "https://example.org/x",
    "tel": "13800000000",
    "password": "a long enough password",
    "number": "1",
    "decimal": "1",
    "numeric": "1",
}
"""What a person might type into a field of a type, or of an input mode."""
VOID = {"input", "img", "br", "hr", "meta", "link", "source", "wbr"}


@dataclass
class Field:
    """Something of a form that has a name."""

    name: str
    kind: str
    attributes: dict[str, str]
    value: str = ""
    options: list[tuple[str, bool]] = field(default_factory=list)

    def sent(self, *, filled: bool, known: Mapping[str, str]) -> list[Any]:
        """What a browser sends of it, after a person has filled it in or has left it empty.

        :param known: what the person has at hand, such as a code, by the field's name.
        """
        if self.kind == "hidden":
            return [self.value]
        if self.kind in {"checkbox", "radio"}:
            ticked = filled if self.kind == "checkbox" else "checked" in self.attributes
            return [self.value or "on"] if ticked else []
        if self.kind == "select":
            values = [value for value, _chosen in self.options]
            chosen = [value for value, is_chosen in self.options if is_chosen] or values[:1]
            real = [value for value in chosen + values if value]
            return ([real[0]] if filled and real else chosen if "" not in values else [""]) if values else []
        if self.kind == "file":
            return [_file(self.attributes.get("accept", ""))] if filled else [(io.BytesIO(), "")]
        return [(self.value or known.get(self.name) or self._typed()) if filled else ""]

    def _typed(self) -> str:
        mode = self.kind if self.kind in TYPED else self.attributes.get("inputmode", "")
        if self.kind == "number":
            return self.attributes.get("min", TYPED["number"])
        if self.kind == "date":
            return max(min(TYPED["date"], self.attributes.get("max", "9")), self.attributes.get("min", ""))
        return TYPED.get(mode) or self.attributes.get("placeholder") or "试填"


def _file(accept: str) -> tuple[io.BytesIO, str]:
    if "pdf" in accept:
        return io.BytesIO(pdf()), "报告.pdf"
    if "image" in accept:
        return io.BytesIO(photo()), "照片.jpg"
    return io.BytesIO("时间,温度\n2026-11-20 10:00,5\n2026-11-20 11:00,6\n".encode()), "表.csv"


@dataclass
class Form:
    action: str
    method: str
    multipart: bool
    fields: list[Field] = field(default_factory=list)

    def data(self, *, filled: bool, known: Mapping[str, str]) -> dict[str, list[Any]]:
        """What it sends. Of several buttons the first is pressed."""
        data: dict[str, list[Any]] = {}
        for one in self.fields:
            if one.kind == "submit" and one is not next(f for f in self.fields if f.kind == "submit"):
                continue
            if one.kind == "file" and not self.multipart:
                continue
            values = [one.value] if one.kind == "submit" else one.sent(filled=filled, known=known)
            if one.kind == "radio" and one.name in data:
                continue
            data.setdefault(one.name, []).extend(values)
        for name in {f.name for f in self.fields if f.kind == "radio"}:
            if not data.get(name):
                data[name] = [f.value for f in self.fields if f.name == name][:1] if filled else []
        return {name: values for name, values in data.items() if values}

    @property
    def is_a_button(self) -> bool:
        """Whether there is nothing in it to fill in."""
        return all(one.kind in {"hidden", "submit"} for one in self.fields)


class Page(HTMLParser):
    """A page as it was parsed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.alerts: list[str] = []
        self.errors: list[str] = []
        self.marked: set[str] = set()
        self.broken: list[str] = []
        """Tags of which an attribute was ended by its own value."""
        self.title = ""
        self._form: Form | None = None
        self._select: Field | None = None
        self._area: Field | None = None
        self._open: list[tuple[str, list[str] | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if not all(
            re.fullmatch(r"[A-Za-z_:@][\w:.@-]*", name) and "<time" not in value for name, value in found.items()
        ):
            self.broken.append(f"<{tag} {' '.join(found)}>")
        for name in ("href", "src"):
            if found.get(name) and tag in {"a", "img", "script", "link"}:
                self.links.append(found[name])
        into: list[str] | None = None
        if found.get("role") == "alert":
            into = self.alerts
        elif "error" in found.get("class", "").split():
            into = self.errors
        if tag not in VOID:
            if into is not None:
                into.append("")
            self._open.append((tag, into))
        if found.get("aria-invalid") == "true":
            self.marked.add(found.get("name", ""))
        if tag == "form":
            multipart = found.get("enctype") == "multipart/form-data"
            self._form = Form(found.get("action", ""), found.get("method", "get").upper(), multipart)
            self.forms.append(self._form)
        elif tag == "option" and self._select is not None:
            self._select.options.append((found.get("value", ""), "selected" in found))
        elif self._form is not None and "name" in found and "disabled" not in found:
            self._add_field(self._form, tag, found)

    def _add_field(self, form: Form, tag: str, found: dict[str, str]) -> None:
        kind = {"select": "select", "textarea": "textarea", "button": "submit"}.get(tag, found.get("type", "text"))
        if tag not in {"input", "select", "textarea", "button"} or kind == "button":
            return
        one = Field(found["name"], kind, found, found.get("value", ""))
        form.fields.append(one)
        if tag == "select":
            self._select = one
        elif tag == "textarea":
            self._area = one

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None
        while any(name == tag for name, _into in self._open):
            if self._open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.value = (self._area.value + data).removeprefix("\n")
        if any(name == "h1" for name, _into in self._open):
            self.title += data
        for _name, into in self._open:
            if into is not None:
                into[-1] += data

    @property
    def reasons(self) -> list[str]:
        """What it says is wrong: beside fields, or in the summary above them."""
        said = [text.strip() for text in self.alerts + self.errors if text.strip()]
        only_marks = re.compile("请修改标红的地方|请按提示修改|照片需要重新选择")
        return [text for text in said if not only_marks.search(text)]


def refused_in_its_fold(page: str) -> str:
    """The id of the one field whose form came back open, with its message, and where the browser will be."""
    [fold] = re.findall("<details open>(.*?)</details>", page, re.DOTALL)
    found = re.search(r'<input id="([\w-]+)"[^>]*autofocus[^>]*aria-describedby="\1-error"', fold)
    assert found, fold
    assert f'<p class="error" id="{found[1]}-error">请填写此项。</p>' in fold
    return found[1]
