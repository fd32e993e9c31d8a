"""How records read: their titles, and their values as label and text."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.catalogue.kinds import StageField
from trace_app.catalogue.models import Stage
from trace_app.forms import plain_decimal
from trace_app.inputs.english import plainly_worded
from trace_app.language import named
from trace_app.media.models import Photo
from trace_app.records.forms import DISEASE_SEVERITY, FERTILISER_TYPES, METHODS, NUTRIENTS
from trace_app.records.models import Record, RecordType
from trace_app.records.service import stage_of
from trace_app.records.share_texts import site_of
from trace_app.units import unit_name

TYPES = {
    RecordType.PESTICIDE: _("用药"),
    RecordType.FERTILISER: _("施肥"),
    RecordType.FEED: _("喂料"),
    RecordType.VETERINARY: _("兽药"),
    RecordType.INGREDIENT: _("配料"),
    RecordType.STAGE: _("工序"),
    RecordType.CARE: _("日常管护"),
    RecordType.DISEASE: _("病虫害"),
    RecordType.VIDEO: _("视频"),
}


_OTHER_TARGETS = {RecordType.FERTILISER, RecordType.DISEASE}
"""Types of record whose target is not a pest that something was used against."""


def place_text(photo: Photo) -> str:
    """Where a photo was taken, as latitude and longitude; empty where nothing says."""
    return "" if photo.latitude is None else f"{photo.latitude:.5f}, {photo.longitude:.5f}"


def title_of(record_type: RecordType, stage: Stage | None) -> str:
    """What a record is called: its stage's name, or its type's."""
    return named(stage) if stage is not None else str(TYPES[record_type])


def record_title(record: Record) -> str:
    return title_of(record.type, _stage(record))


def _stage(record: Record) -> Stage | None:
    return stage_of(record.kind, record.stage_code)


def amount(record: Record) -> str:
    """The dose with its unit, or an empty text."""
    if record.dose is None:
        return ""
    return f"{plain_decimal(record.dose)} {unit_name(record.dose_unit)}"


def details(record: Record) -> list[tuple[str, str]]:
    """A record's values as label and text, in the order in which they are asked for."""
    found: list[tuple[str, str]] = []
    if record.type is RecordType.FERTILISER:
        found.append((str(_("肥料类型")), str(FERTILISER_TYPES.get(record.target or "", record.target or ""))))
        numbers = [record.values.get(name) for name in NUTRIENTS]
        if any(numbers):
            found.append(("N-P₂O₅-K₂O", "-".join(n or "0" for n in numbers)))
    found += [
        (str(_("有效成分")), plainly_worded(record.active_ingredient)),
        (str(_("登记证号")), record.registration_number or ""),
        (str(_("用量")), amount(record)),
        (str(_("面积")), f"{plain_decimal(record.area_mu)} {_('亩')}" if record.area_mu else ""),
        (str(_("方法")), str(METHODS.get(record.method or "", record.method or ""))),
        (str(_("防治对象")), plainly_worded(record.target) if record.type not in _OTHER_TARGETS else ""),
        (str(_("来源")), record.source or ""),
        (str(_("批号")), record.input_lot or ""),
    ]
    if record.type is RecordType.DISEASE:
        percent = record.values.get("affected_percent")
        found += [
            (str(_("病虫害或疫病")), plainly_worded(record.target)),
            (str(_("受害比例")), f"{percent}%" if percent else ""),
            (str(_("程度")), str(DISEASE_SEVERITY.get(record.values.get("severity", ""), ""))),
        ]
    found += stage_values(record)
    return [(label, text) for label, text in found if text]


def stage_values(record: Record) -> list[tuple[str, str]]:
    """The values of a stage's own fields."""
    stage = _stage(record)
    fields = stage.fields if stage else []
    return [(named(field), field_text(field, value)) for field in fields if (value := record.values.get(field.code))]


def field_text(field: StageField, value: str) -> str:
    """A stage field's value as it reads, with its unit."""
    text = next((named(choice) for choice in field.choices if choice.value == value), value)
    unit = unit_name(field.unit)
    if not unit:
        return text
    return f"{text}{unit}" if unit in {"%", "℃"} else f"{text} {unit}"


def differences(old: Record, new: Record) -> list[tuple[str, str, str]]:
    """What a correction changed: label, before, after."""
    before, after = _all_values(old), _all_values(new)
    labels = list(dict.fromkeys([*before, *after]))
    return [
        (label, before.get(label, ""), after.get(label, ""))
        for label in labels
        if before.get(label) != after.get(label)
    ]


def _all_values(record: Record) -> dict[str, str]:
    values = {
        str(_("日期")): record.happened_on.isoformat(),
        str(_("名称")): record.product_name or "",
        **dict(details(record)),
        str(_("操作人")): record.operator,
        str(_("备注")): record.note,
        str(_("视频网址")): record.video_url or "",
    }
    if record.interval_days is not None:
        values[str(_("间隔期（天）"))] = str(record.interval_days)
    return {label: text for label, text in values.items() if text}


def video_site_name(url: str) -> str:
    """The platform that a video is on, by its name where it is a known one."""
    site = site_of(url)
    if site is None:
        return url.split("/")[2]
    return named(site)


def closed_to_wechat(url: str) -> bool:
    """Whether WeChat is known not to open a video's page."""
    site = site_of(url)
    return site is not None and not site.wechat
