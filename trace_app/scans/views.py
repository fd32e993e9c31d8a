"""How often labels are scanned, and what is suspicious about it: for producers and regulators."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.attachments import attachment
from trace_app.inputs.english import as_typed
from trace_app.language import language
from trace_app.scanning.models import ScanClient
from trace_app.scanning.regions import english_region
from trace_app.scans import charts
from trace_app.scans.figures import figures_for, rows_for, suspicions_for
from trace_app.scans.suspicions import KINDS, code_of_suspicion
from trace_app.spreadsheets import csv_text
from trace_app.templating import register_words
from trace_app.whole_numbers import row_number

views = Blueprint("scans", __name__)


@views.app_template_filter("region")
def region_read(region: str) -> str:
    """A region in the reader's language; one that has no English name is marked as Chinese."""
    if not region:
        return str(_("地区不明"))
    return (language() == "en" and english_region(region)) or as_typed(region)


SPANS = (7, 30, 90, 365)
CLIENTS = {
    ScanClient.WECHAT: _("微信"),
    ScanClient.ALIPAY: _("支付宝"),
    ScanClient.PHONE: _("手机浏览器"),
    ScanClient.COMPUTER: _("电脑"),
}
LANGUAGES = {"zh": _("中文"), "en": _("英文")}
register_words(views, suspicion_kind=KINDS)


def _days() -> int:
    days = request.args.get("days", 30, type=row_number)
    return days if days in SPANS else 30


@views.get("/scans")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def index() -> ResponseReturnValue:
    """Scans of one's own lots, or of those in the jurisdiction."""
    days = _days()
    figures = figures_for(the_user(), days)
    suspicions = [(row, code_of_suspicion(row)) for row in suspicions_for(the_user(), days)]
    return render_template(
        "scans/index.html",
        figures=figures,
        days=days,
        spans=SPANS,
        columns=charts.columns(figures.by_day),
        circles=charts.circles(figures.by_region),
        chart=(charts.CHART_WIDTH, charts.CHART_HEIGHT),
        map_size=(charts.MAP_WIDTH, charts.MAP_HEIGHT),
        clients=CLIENTS,
        languages=LANGUAGES,
        suspicions=suspicions,
        circles_of=lambda row: charts.circles(list(row.regions.items())),
    )


@views.get("/scans.csv")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def table() -> ResponseReturnValue:
    rows = [(_("日期"), _("产品"), _("批次号"), _("地区"), _("客户端"), _("语言"), _("扫码次数"))]
    for day, product, lot, region, client, spoken, scans in rows_for(the_user(), _days()):
        kind = CLIENTS[ScanClient(client)] if client else ""
        rows.append((day.isoformat(), product, lot, region, kind, LANGUAGES.get(spoken, spoken), scans))
    return attachment(csv_text(rows), "scans.csv", "text/csv")
