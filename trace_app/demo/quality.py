"""What the demonstration shows of quality: a catalogue of inputs, stock, test reports, certificates, findings."""

from __future__ import annotations

import io
import math
import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.certificates.models import CertificateType
from trace_app.certificates.service import add_certificate
from trace_app.clock import today
from trace_app.extensions import db
from trace_app.findings.service import standing, waive
from trace_app.inputs import service as inputs
from trace_app.inputs.forms import InputRowForm
from trace_app.inputs.models import InputProduct, StockLot
from trace_app.laboratory.models import TestKind, TestSubject
from trace_app.laboratory.service import ResultFacts, add_report
from trace_app.laboratory.verdicts import MeasuredResult, read_result
from trace_app.records.series import LoggerFile, read_logger
from trace_app.release.service import check_lot
from trace_app.stock import service as stock
from trace_app.stock.forms import StockForm


class Quality(BaseModel):
    """Farm inputs of the catalogue, and what reports on each kind say: analyte, result and unit."""

    inputs: list[dict[str, Any]]
    results: dict[str, list[tuple[str, str, str]]]
    forbidden: dict[str, Any]
    """The record of a pesticide that is not for vegetables: the rules stop the lot."""
    recall: dict[str, Any]


QUALITY = Quality.model_validate(tomllib.loads((Path(__file__).parent / "data" / "quality.toml").read_text("utf-8")))
STOCK_UNIT = {"mL_per_mu": "L", "g_per_mu": "kg", "kg_per_mu": "kg", "strip_per_colony": "piece", "mg_per_kg": "bottle"}
SAMPLED_AGO = 3
"""Days since the lot that is recalled was sampled: it was on sale then."""
CADMIUM_FOUND = ("镉（以 Cd 计）", "0.18", "mg/kg")
"""What was found in the lot of coix seed that is recalled."""


def fill_catalogue(regulator: User) -> None:
    """Farm inputs that the city keeps for all producers."""
    for row in QUALITY.inputs:
        form = InputRowForm.parse(row)
        inputs.add_product(regulator, form.product_facts, form.use_facts)


def stock_up(user: User, values: dict[str, Any], day: date) -> None:
    """Take what a record uses into stock, where the catalogue has it: before the season, and plenty of it."""
    product = db.session.scalar(db.select(InputProduct).filter_by(name=values.get("product_name")))
    lot_number = values.get("input_lot")
    if product is None or not lot_number:
        return
    keys = {"producer_id": user.organisation_id, "product_id": product.id, "lot_number": lot_number}
    if db.session.scalar(db.select(StockLot.id).filter_by(**keys)) is not None:
        return
    unit = STOCK_UNIT[values["dose_unit"]]
    form = StockForm.parse(
        {
            "product_id": product.id,
            "lot_number": lot_number,
            "supplier": values["source"],
            "received_on": day - timedelta(days=60),
            "expires_on": day + timedelta(days=700),
            "quantity": 200_000 if unit == "kg" else 2000,
            "unit": unit,
        },
        products=[product],
    )
    stock.receive(user, form.facts)


def report_on(laboratory: User, batch: Batch, chance: Random, number: int) -> None:
    """A report of the laboratory on a finished lot, before its release."""
    day = (batch.produced_on or today()) + timedelta(days=chance.randint(2, 6))
    sampled = min(day, today() - timedelta(days=2))
    _report(laboratory, batch, number, sampled, QUALITY.results[batch.product.kind_code])


def failed_report_on(laboratory: User, batch: Batch, number: int) -> None:
    """A report on a lot that was taken from a shop the other day, and failed."""
    sampled = today() - timedelta(days=SAMPLED_AGO)
    lines = [line for line in QUALITY.results[batch.product.kind_code] if line[0] != "镉"]
    _report(laboratory, batch, number, sampled, [CADMIUM_FOUND, *lines])


def _report(laboratory: User, batch: Batch, number: int, sampled: date, lines: Sequence[tuple[str, str, str]]) -> None:
    report = f"SL-{sampled.year}-{number:04d}"
    add_report(
        laboratory,
        {
            "subject": TestSubject.PRODUCT,
            "report_number": report,
            "kind": TestKind.COMMISSIONED,
            "sample_number": f"样 {number:04d}",
            "sample": "完好",
            "sampled_on": sampled,
            "issued_on": min(sampled + timedelta(days=5), today()),
        },
        [ResultFacts(analyte, "", read_result(result), unit) for analyte, result, unit in lines],
        batch=batch,
        pdf=(f"{report}.pdf", _paper(report)),
    )


def _paper(title: str) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setFont("Helvetica-Bold", 20)
    canvas.drawString(72, 760, f"Test report {title}")
    canvas.setFont("Helvetica", 12)
    canvas.drawString(72, 730, "Example for demonstration. Not a real report.")
    canvas.save()
    return out.getvalue()


def certify(user: User, certificate_type: CertificateType, number: str, *, days_left: int) -> None:
    """A certificate of three years that ends in some days."""
    until = today() + timedelta(days=days_left)
    add_certificate(
        user,
        {
            "type": certificate_type,
            "number": number,
            "issuer": "示例·认证中心",
            "product_id": None,
            "valid_from": until - timedelta(days=3 * 365),
            "valid_until": until,
        },
    )


def waive_all(regulator: User, batch: Batch, reason: str) -> None:
    """Let a lot pass in spite of what stops it."""
    check_lot(batch)
    for finding in standing(batch):
        if finding.stops_release:
            waive(regulator, finding, reason)


def soil_report(user: User, batch: Batch) -> None:
    """A test of the soil that a lot grew in."""
    day = batch.started_on - timedelta(days=60)
    facts = {
        "subject": TestSubject.SOIL,
        "kind": TestKind.COMMISSIONED,
        "sample_number": "",
        "report_number": f"TR-{day.year}-{batch.site_id:03d}",
        "laboratory": "示例·曲靖土肥站",
        "cma_number": "",
        "sample": "0–20 cm 混合样",
        "sampled_on": day,
        "issued_on": day + timedelta(days=12),
    }
    results = [("镉", "0.21"), ("铅", "28.4"), ("砷", "9.7")]
    lines = [
        ResultFacts(name, "GB 15618", MeasuredResult(True, read_result(value).value), "mg/kg")
        for name, value in results
    ]
    add_report(user, facts, lines, site=batch.site)


def logger_file(begun: date) -> LoggerFile:
    """Two hundred days of an ageing room, as its logger writes them: every six hours, in GBK."""
    lines = ["设备,示例记录仪 01", "时间,温度(℃),湿度(%RH)"]
    for number in range(200 * 4):
        day, hour = begun + timedelta(days=number // 4), number % 4 * 6
        warm = (
            15
            + 7 * math.sin((day.timetuple().tm_yday - 100) / 365 * 2 * math.pi)
            + 1.5 * math.sin(hour / 24 * 2 * math.pi)
        )
        lines.append(f"{day} {hour:02d}:00,{warm:.1f},{68 + 6 * math.cos(number / 30):.1f}")
    return read_logger("发酵楼温湿度.csv", "\r\n".join(lines).encode("gbk"))
