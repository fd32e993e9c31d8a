"""What a workbook of a kind consists of: a sheet for lots, and one for each sort of record with its columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from flask_babel import force_locale
from flask_babel import lazy_gettext as _
from wtforms import Field

from trace_app.catalogue.models import ProductKind, Stage
from trace_app.records.forms import NOT_FACTS, RecordForm, form_for
from trace_app.records.models import RecordType
from trace_app.records.texts import title_of

LOT_HEADING = _("批次号")
LOTS_SHEET = _("批次")
EXAMPLE = _("示例")
IGNORED_SHEETS = (_("说明"), _("数据"))
LANGUAGES = ("zh_CN", "en")
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
_NOT_COLUMNS = NOT_FACTS | {"stock_id"}


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """A sheet for one sort of record.

    :ivar form: an empty form of the record; its fields are the columns.
    """

    type: RecordType
    stage: Stage | None
    form: RecordForm

    @property
    def name(self) -> str:
        """The sheet's name in the reader's language."""
        return sheet_name(title_of(self.type, self.stage))

    @property
    def fields(self) -> list[Field]:
        """The columns after the lot, in order: what is required stands first, the day before all."""
        fields = [field for field in self.form if field.name not in _NOT_COLUMNS]
        return sorted(fields, key=lambda field: (field.name != "happened_on", not field.flags.required))


def sheet_name(text: str) -> str:
    """A sheet's name as Excel allows it: 31 characters, some not."""
    return _NOT_IN_NAMES.sub(" ", text)[:31]


def heading(field: Field) -> str:
    """A column's heading; an asterisk marks what must be filled in."""
    return f"{field.label.text}{' *' if field.flags.required else ''}"


def plain_heading(text: str) -> str:
    """A heading by which columns are known: without asterisk, spaces and kind of brackets."""
    return re.sub(r"[\s*]", "", unicodedata.normalize("NFKC", text)).lower()


def sheets_of(kind: ProductKind) -> Iterator[SheetPlan]:
    """A kind's sheets in the order in which they are filled in."""
    sorts: list[tuple[RecordType, Stage | None]] = [(RecordType.STAGE, stage) for stage in kind.stages]
    sorts += [(RecordType(code), None) for code in kind.record_types]
    sorts += [(RecordType.CARE, None), (RecordType.VIDEO, None)]
    for record_type, stage in sorts:
        yield SheetPlan(record_type, stage, form_for(record_type, stage)(formdata=None, meta={"csrf": False}))


def names_in_all_languages(kind: ProductKind) -> dict[str, SheetPlan]:
    """The plan that a sheet's name means, whichever language the template was made in."""
    plans = list(sheets_of(kind))
    found: dict[str, SheetPlan] = {}
    for language in LANGUAGES:
        with force_locale(language):
            found |= {plan.name: plan for plan in plans}
    return found


def fields_by_heading(plan: SheetPlan) -> dict[str, Field]:
    """The field that a heading means, in whichever language."""
    found: dict[str, Field] = {}
    for language in LANGUAGES:
        with force_locale(language):
            # A stage's labels are made in the language of the moment.
            form = form_for(plan.type, plan.stage)(formdata=None, meta={"csrf": False})
            for field in form:
                if field.name not in _NOT_COLUMNS:
                    found.setdefault(plain_heading(str(field.label.text)), plan.form[field.name])
    return found


def in_all_languages(text: object) -> set[str]:
    """A lazy text as it reads in each language."""
    found = set()
    for language in LANGUAGES:
        with force_locale(language):
            found.add(str(text))
    return found
