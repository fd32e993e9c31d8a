"""Lots as the rules see them, made without a database."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from trace_app.accounts.models import Division
from trace_app.batches.models import Batch
from trace_app.catalogue.kinds import BUILT_IN, read_kind
from trace_app.catalogue.models import Product, ProductKind, Site, Stage
from trace_app.inputs.models import InputIngredient, InputProduct, InputType, LabelUse, StockLot
from trace_app.records.models import Record, RecordType
from trace_app.release.lot import Lot
from trace_app.release.rules import check

TODAY = date(2026, 11, 25)


def kind(code: str) -> ProductKind:
    file = read_kind((BUILT_IN / f"{code}.toml").read_text("utf-8"))
    stages = [
        Stage(position=n, fields=stage.fields, **stage.model_dump(mode="json", exclude={"fields"}))
        for n, stage in enumerate(file.stages)
    ]
    return ProductKind(
        code=file.code,
        name=file.name,
        name_en=file.name_en,
        inputs=list(file.inputs),
        rules=file.rules.model_dump(mode="json"),
        stages=stages,
    )


def lot(code: str = "ginger", *records: Record, marks: str = "", division: str = "530324102", **facts: Any) -> Lot:
    """A lot of 8,600 kg (or whatever is said), harvested on 2026-11-06, with these records."""
    values = {
        "quantity": Decimal(8600),
        "unit": "kg",
        "started_on": date(2026, 3, 12),
        "produced_on": date(2026, 11, 6),
    }
    of_batch = {name: facts.pop(name) for name in list(facts) if name in values}
    product_kind = kind(code)
    place = Division(code=division, name="某镇", name_en="Some Town")
    batch = Batch(
        id=1,
        division_code=division,
        division=place,
        product_id=7,
        product=Product(id=7, kind=product_kind, kind_code=code, marks=marks),
        site=Site(area_mu=facts.pop("area_mu", Decimal(42))),
        **(values | of_batch),
    )
    for number, record in enumerate(records, start=1):
        record.id, record.kind, record.kind_code = number, product_kind, code
    ordered = sorted(records, key=lambda record: (record.happened_on, record.id), reverse=True)
    defaults: dict[str, Any] = {
        "tests": [],
        "certificates": [],
        "prohibited": [],
        "gi_areas": [],
        "stock": {},
        "today": TODAY,
    }
    return Lot(batch=batch, records=ordered, **(defaults | facts))


def stage(code: str, day: str, **values: Any) -> Record:
    texts = {name: str(value) for name, value in values.items()}
    return Record(type=RecordType.STAGE, stage_code=code, happened_on=date.fromisoformat(day), values=texts)


def used(record_type: str, day: str, name: str, **facts: Any) -> Record:
    numbers = {n: Decimal(str(facts.pop(n))) for n in ("dose", "area_mu") if n in facts}
    return Record(
        type=RecordType(record_type),
        happened_on=date.fromisoformat(day),
        product_name=name,
        values={},
        **numbers,
        **facts,
    )


def stocked(
    name: str, kind_code: str | None, *, ingredients: str = "", expires_on: date | None = None, **use: Any
) -> StockLot:
    """A stock lot whose label allows something on a kind."""
    product = InputProduct(
        id=3,
        type=InputType.PESTICIDE,
        name=name,
        ingredients=[InputIngredient(position=0, name=ingredients, key=ingredients)] if ingredients else [],
    )
    amounts = {n: Decimal(str(use.pop(n))) for n in ("dose_min", "dose_max") if n in use}
    product.uses = [LabelUse(kind_code=kind_code, **amounts, **use)]
    return StockLot(
        id=5,
        product=product,
        product_id=3,
        lot_number="N1",
        expires_on=expires_on,
        quantity=Decimal(10),
        unit="kg",
        outs=[],
    )


def rules_found(one: Lot) -> dict[str, str]:
    """What the rules say of a lot: severity by rule."""
    return {found.rule: found.severity.value for found in check(one)}
