"""Kind files: what a product kind is, as data. A new kind is a new file, no code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from flask_babel import lazy_gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trace_app.accounts.models import Branch
from trace_app.errors import Unprocessable

PLAIN_FACTS = {
    "pesticide_count", "interval_kept", "ageing_months", "altitude", "quantity", "tests", "township", "ham_lot",
}  # fmt: skip
"""What the trace page can say of any kind."""
BUILT_IN = Path(__file__).parent / "kinds"
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,29}$")]
Name = Annotated[str, Field(min_length=1, max_length=40)]
MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
EnglishName = Annotated[str, Field(min_length=1, max_length=60)]


class BadKindFile(Unprocessable):
    """A kind file that can't be read or says something impossible."""

    title = _("品类文件有误：%(fault)s")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Choice(_Part):
    value: Code
    name: Name
    name_en: EnglishName


class StageField(_Part):
    """A value that a stage's records have."""

    code: Code
    name: Name
    name_en: EnglishName
    type: Literal["text", "number", "integer", "date", "choice"]
    unit: str = Field(default="", max_length=20)
    required: bool = False
    min: float | None = None
    max: float | None = None
    choices: list[Choice] = []

    @model_validator(mode="after")
    def _choices_for_choice(self) -> StageField:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError(f"{self.code}: a choice field has choices, and only a choice field")
        return self


class StageRules(_Part):
    """What the compliance rules hold a stage against."""

    after: list[Code] = []
    """Stages that can't be later than this one."""
    season: tuple[MonthDay, MonthDay] | None = None
    """First and last day of the year on which the stage is usual."""
    least_days: int | None = Field(default=None, ge=1)
    """How long it takes at least, from its first record to the lot's finishing."""
    once: bool = False
    """Whether a lot has it once, if over some days: a second time is asked about."""
    series: bool = False
    """Whether readings of a temperature and humidity logger belong to it."""


class StageFile(_Part):
    code: Code
    name: Name
    name_en: EnglishName
    role: Literal["harvest", "slaughter", "ageing"] | None = None
    fields: list[StageField] = []
    rules: StageRules = StageRules()


class YieldRule(_Part):
    """``more`` can't come to more than ``than`` times ``factor``.

    Both are sums over the lot's records: ``stage.field``, ``ingredient:`` with part of its name (kilograms), or
    ``batch`` for the lot's own quantity.
    """

    more: Annotated[str, Field(max_length=80)]
    share: Annotated[str, Field(max_length=80)] = ""
    """A percentage of ``more`` that is meant, as ``stage.field``."""
    than: Annotated[str, Field(max_length=80)]
    factor: float = Field(default=1, gt=0)
    unit: Annotated[str, Field(max_length=10)] = "kg"
    """The unit of both sides; a lot in another unit is not compared."""


class Plausible(_Part):
    """What a sum over records for each unit of something is like: a harvest per mu, honey per colony."""

    value: Annotated[str, Field(max_length=80)]
    per: Annotated[str, Field(max_length=80)]
    """``area_mu`` of the site, or ``stage.field``."""
    least: float = 0
    most: float
    unit: Annotated[str, Field(max_length=20)]


class KindRules(_Part):
    """What the compliance rules hold a kind against."""

    crops: list[Annotated[str, Field(max_length=20)]] = []
    """Groups by which pesticides are restricted, in the notices' words: 蔬菜, 中草药材 …"""
    required: list[Code] = []
    """Stages and types of record that a lot must have before its release."""
    balances: list[YieldRule] = []
    plausible: list[Plausible] = []
    photo_km: float = Field(default=2, gt=0)
    """How far from its record's site a photo may have been taken without a word."""
    photo_days: int = Field(default=2, ge=0)
    """How many days from its record's a photo may have been taken without a word."""
    commitment: Literal["required", "voluntary"] = "voluntary"
    """Whether what is sold of it has to have a commitment certificate (承诺达标合格证管理办法, article 3)."""


class Words(_Part):
    """How the trace page speaks of a kind."""

    who: str
    how: str
    started: str
    produced: str


class KindFile(_Part):
    """The whole of a kind file."""

    code: Code
    position: int
    name: Name
    name_en: EnglishName
    inputs: list[Literal["pesticide", "fertiliser", "feed", "veterinary", "ingredient"]]
    units: list[Annotated[str, Field(min_length=1, max_length=10)]] = Field(min_length=1)
    facts: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]] = []
    """What matters most of this kind, in order: ``stage.field``, or one of `PLAIN_FACTS`."""
    words: dict[Literal["zh", "en"], Words]
    led_by: Branch = Branch.AGRICULTURE
    """Which authority leads a case of it: market supervision for food that is processed."""
    rules: KindRules = KindRules()
    stages: list[StageFile] = Field(min_length=1)

    @model_validator(mode="after")
    def _codes_are_unique(self) -> KindFile:
        for what, codes in (
            ("stages", [stage.code for stage in self.stages]),
            *((f"fields of {stage.code}", [field.code for field in stage.fields]) for stage in self.stages),
        ):
            if len(codes) != len(set(codes)):
                raise ValueError(f"{what}: codes must differ")
        known = PLAIN_FACTS | {f"{stage.code}.{field.code}" for stage in self.stages for field in stage.fields}
        if unknown := set(self.facts) - known:
            raise ValueError(f"facts: {', '.join(sorted(unknown))} is neither a stage's field nor known")
        stages = {stage.code for stage in self.stages}
        named = {code for stage in self.stages for code in stage.rules.after} | set(self.rules.required)
        if unknown := named - stages - set(self.inputs):
            raise ValueError(f"rules: {', '.join(sorted(unknown))} is no stage")
        quantities = [q for b in self.rules.balances for q in (b.more, b.than, b.share)]
        quantities += [q for p in self.rules.plausible for q in (p.value, p.per)]
        if unknown := {q for q in quantities if "." in q} - known:
            raise ValueError(f"rules: {', '.join(sorted(unknown))} is no stage's field")
        if set(self.words) != {"zh", "en"}:
            raise ValueError("words: zh and en are both needed")
        return self


def read_kind(text: str) -> KindFile:
    """Parse a kind file (TOML).

    :raises BadKindFile: with what is wrong and where.
    """
    try:
        return KindFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        if place is None:
            raise BadKindFile(fault=_("不是完整的 TOML 文件，请补全后再传。")) from error
        where = _("第 %(line)s 行第 %(column)s 列不是 TOML 的写法。", line=place[1], column=place[2])
        raise BadKindFile(fault=where) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadKindFile(fault=faults) from error
