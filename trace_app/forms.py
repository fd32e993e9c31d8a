"""What all forms share: fields that read what people really type, and one way in for web, API and demo data.

The rules on a value stand in its form and nowhere else; the API and the demo data go through the same forms.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from email_validator import EmailNotValidError, validate_email
from flask import flash
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import DateField as WtDateField
from wtforms import DateTimeLocalField as WtDateTimeLocalField
from wtforms import Field, TextAreaField
from wtforms import SelectField as WtSelectField
from wtforms import StringField as WtStringField
from wtforms.fields.choices import SelectChoice as SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.form import BaseForm
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp, StopValidation, ValidationError
from wtforms.widgets import TextInput

from trace_app.body_limits import must_be_said
from trace_app.clock import local, today
from trace_app.dates import read_day, read_moment
from trace_app.errors import InvalidInput, Problem
from trace_app.numbers import Amount, NotANumber, read_amount
from trace_app.numbers import plain_decimal as plain_decimal
from trace_app.plain_text import without_unseen
from trace_app.values import Facts

CLOCKS_DIFFER = timedelta(minutes=10)
"""Phones don't go like the server."""


class Form(FlaskForm):
    """A form that the web fills from a request and everything else from plain values.

    A field that is not sent keeps the value of the object that the form is filled from.
    """

    class Meta(FlaskForm.Meta):
        def wrap_formdata(self, form: BaseForm, formdata: MultiDict[str, str] | None) -> MultiDict[str, str] | None:
            filled: MultiDict[str, str] | None = super().wrap_formdata(form, formdata)
            if filled is not None and filled is not formdata:
                must_be_said(form)
            return filled

    form_errors: list[str]

    def validate(self, *args: object, **kwargs: object) -> bool:
        """Who fills the form in on a page is told what became of a number that was typed in another unit."""
        valid = bool(super().validate(*args, **kwargs))
        if valid and self.meta.csrf:
            for field in self:
                if isinstance(field, _AmountField) and field.became:
                    told = _("%(label)s：“%(typed)s”记为 %(became)s。")
                    flash(
                        str(told)
                        % {"label": field.label.text, "typed": (field.raw_data or [""])[0], "became": field.became}
                    )
        return valid

    @classmethod
    def parse(cls, values: Mapping[str, object], **context: object) -> Self:
        """A valid form from plain values.

        :param context: what ``__init__`` takes beside the data.
        :raises InvalidInput: with messages by field.
        """
        entries = MultiDict({name: _as_text(value) for name, value in values.items() if value is not None})
        form = cls(formdata=entries, meta={"csrf": False}, **context)
        if not form.validate():
            raise InvalidInput({name: [str(m) for m in messages] for name, messages in form.errors.items() if name})
        return form

    @property
    def facts(self) -> Facts:
        """The parsed values by field."""
        return {field.name: field.data for field in self if field.name != "csrf_token"}

    def apart(self, prefix: str) -> Self:
        """The form with ids of its own, where several that have fields in common stand on one page."""
        for field in self:
            field.id = field.label.field_id = f"{prefix}-{field.name}"
        return self

    def refuse(self, field: str, message: str) -> None:
        """Put an error that the service found beside its field."""
        self[field].errors = [*self[field].errors, message]

    @contextmanager
    def refusals(self, **fields: type[Problem] | tuple[type[Problem], ...]) -> Iterator[None]:
        """Show what a use case refuses in the form: beside the field that names the problem, else above all.

        Only what the person at the form can mend: 404 and 5xx go on to their pages, but for a problem that a field
        names, such as a code that was typed and is none.
        """
        try:
            yield
        except Problem as problem:
            for field, problems in fields.items():
                if isinstance(problem, problems):
                    self.refuse(field, problem.message)
                    return
            if problem.status == 404 or problem.status >= 500:
                raise
            self.form_errors = [*self.form_errors, problem.message]


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "y" if value else ""
    if isinstance(value, float | Decimal) and math.isfinite(value):
        return f"{Decimal(str(value)):f}"
    return value.isoformat() if isinstance(value, date) else str(value)


class StringField(WtStringField):
    """One line of text, trimmed; characters that no one sees are left out."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        if self.data is not None:
            self.data = " ".join(without_unseen(self.data).split())


class TextField(TextAreaField):
    """Several lines of text."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        super().process_formdata(valuelist)
        if self.data is not None:
            self.data = without_unseen(self.data.replace("\r\n", "\n")).strip()


class _ToldOnce:
    """A field of which what can't be read is told, and not also that something is missing."""

    process_errors: Any

    def pre_validate(self, form: BaseForm) -> None:
        if self.process_errors:
            raise StopValidation


class _AmountField(_ToldOnce, Field):
    """A number as people write it, in the unit that the field has.

    :ivar became: what the number became where it was not typed as it is kept, such as ``150 公斤`` for ``300斤``.
    """

    data: Any
    widget = TextInput()
    """A field of type ``number`` leaves out signs that it does not know, so that 1,5 would come as 15."""

    def __init__(
        self,
        label: str | None = None,
        validators: list[Any] | None = None,
        *,
        unit: str | None = None,
        unit_of: str | None = None,
        **kwargs: Any,
    ) -> None:
        """`unit` is a code of `trace_app.units`; `unit_of` names the field that chooses one."""
        super().__init__(label, validators, **kwargs)
        self.unit, self.unit_of = unit, unit_of
        self.became = ""
        self._amount: Amount | None = None

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        self.became, self._amount = "", None
        super().process(formdata, *args, **kwargs)

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = None
        if valuelist[0].strip():
            self._amount = read_amount(valuelist[0])
            self.data = self._amount.value

    def pre_validate(self, form: BaseForm) -> None:
        """Count the number over to the field's unit, which another field may choose."""
        super().pre_validate(form)
        if self._amount is None:
            return
        unit = self.unit or (form[self.unit_of].data if self.unit_of else None)
        try:
            self.data = self._amount.in_unit(unit)
            self.became = self._amount.became(unit)
        except NotANumber as error:
            self.data = None
            raise StopValidation(str(error.message)) from error

    def _value(self) -> str:
        # What was typed comes back as it was, be it a number or not.
        if self.raw_data:
            return str(self.raw_data[0])
        return plain_decimal(Decimal(self.data)) if self.data is not None else ""


class DecimalField(_AmountField):
    """A number, read as `trace_app.numbers` tells."""


class IntegerField(_AmountField):
    """A whole number."""

    def pre_validate(self, form: BaseForm) -> None:
        super().pre_validate(form)
        if self.data is None or isinstance(self.data, int):
            return
        if self.data != self.data.to_integral_value():
            self.data = None
            raise StopValidation(str(_("请填写整数，例如 12。")))
        self.data = int(self.data)


class DateField(_ToldOnce, WtDateField):
    """A day, read as `trace_app.dates` tells."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = read_day(valuelist[0]) if valuelist[0].strip() else None


class MomentField(_ToldOnce, WtDateTimeLocalField):
    """A moment on the clocks of Qujing, as ``2026-09-15T14:30``. The value is aware, in UTC."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = read_moment(valuelist[0]).astimezone(UTC) if valuelist[0].strip() else None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{local(self.data):%Y-%m-%dT%H:%M}" if self.data is not None else ""


class SelectField(WtSelectField):
    """One of the choices. Nothing sent is the empty choice where there is one."""

    data: Any

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        super().process(formdata, *args, **kwargs)
        if (formdata and not self.raw_data) or self.data in {"", "None"}:
            self.data = None

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError(_none_such(valuelist[0])) from error

    def pre_validate(self, form: BaseForm) -> None:
        may_be_empty = any(value == "" for value, *_rest in self.iter_choices())
        if self.data is not None or not may_be_empty:
            try:
                super().pre_validate(form)
            except ValidationError as error:
                raise ValidationError(_none_such(str(self.data) if self.data is not None else "")) from error


def _none_such(typed: str) -> str:
    if not typed:
        return str(_("请选择一项。"))
    return str(_("没有“%(typed)s”这一项，请从列表中选择。", typed=typed[:40]))


def plain_digits(text: str) -> str:
    """What was typed as a number code, without spaces and dashes, full-width digits made plain."""
    return unicodedata.normalize("NFKC", text).replace(" ", "").replace("-", "").replace(",", "")


class Filled(InputRequired):
    """Something was entered, and not spaces alone."""

    def __call__(self, form: BaseForm, field: Field) -> None:
        super().__call__(form, field)
        if isinstance(field.data, str) and not field.data.strip():
            raise StopValidation(str(self.message))


def required() -> InputRequired:
    return Filled(_("请填写此项。"))


def optional() -> Optional:
    return Optional()


def at_most(length: int) -> Length:
    return Length(max=length, message=_("最多 %(max)d 个字。"))


def between(least: float, most: float) -> NumberRange:
    said = [plain_decimal(Decimal(str(limit))) for limit in (least, most)]
    return NumberRange(least, most, _("须在 %(min)s 到 %(max)s 之间。", min=said[0], max=said[1]))


def matches(pattern: str, message: str) -> Regexp:
    return Regexp(pattern, message=message)


def plain_email(text: str) -> str:
    """An e-mail address as it is compared.

    :raises ValidationError: where it is none.
    """
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValidationError(_("邮箱地址不完整，请核对。")) from error


def not_future(_form: BaseForm, field: Field) -> None:
    """A thing that was done was not done tomorrow."""
    if isinstance(field.data, datetime):
        if field.data > datetime.now(UTC) + CLOCKS_DIFFER:
            raise ValidationError(_("时间不能晚于现在。"))
    elif field.data and field.data > today():
        raise ValidationError(_("日期不能晚于今天。"))


def number_or_none(text: str | None) -> int | None:
    """A row's number, for select fields that may be left empty."""
    return None if text in {"", None, "None"} else int(text)


def choices(pairs: Iterable[tuple[object, object]], *, blank: str | None = None) -> list[SelectChoice]:
    """Choices of a select field from values and labels, with an empty one first where none is asked for."""
    found = [SelectChoice(str(value), label) for value, label in pairs]
    return [SelectChoice("", blank), *found] if blank is not None else found
