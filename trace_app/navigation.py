"""The menu of each role: a few entries that are used every day, and the rest behind one word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flask import request
from flask_babel import LazyString, lazy_ngettext
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import keeps_shared_tables
from trace_app.accounts.models import RoleName, User

MOST_ENTRIES = 7
"""How many entries a menu may have, the word for the rest included."""


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A way into a room.

    :ivar endpoint: of the page that it opens.
    :ivar prefixes: what the endpoints of pages begin with on which it is the current one.
    """

    text: LazyString
    endpoint: str
    prefixes: tuple[str, ...]
    values: dict[str, str] = field(default_factory=dict)

    def is_current(self, endpoint: str | None) -> bool:
        return endpoint is not None and endpoint.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Menu:
    """:ivar more: what stands behind "more"; nothing where all fits."""

    main: list[MenuEntry]
    more: list[MenuEntry]


_BATCHES = MenuEntry(_("批次"), "batches.index", ("batches.", "genealogy."))
_SHIPMENTS = MenuEntry(_("发货"), "shipments.index", ("shipments.",))
_FEEDBACK = MenuEntry(_("反馈"), "feedback.index", ("feedback.",))
_CERTIFICATES = MenuEntry(_("证书"), "certificates.index", ("certificates.",))
_SCANS = MenuEntry(_("扫码"), "scans.index", ("scans.",))
_NOTICES = MenuEntry(_("召回公告"), "public.recall_list", ("public.recall",))
_ACCOUNT = MenuEntry(
    _("我的账号"), "accounts.account", ("accounts.account", "accounts.change", "accounts.create", "messages.")
)

_PRODUCER = Menu(
    [
        MenuEntry(_("今天"), "today.show", ("today.",)),
        _BATCHES,
        MenuEntry(_("记录"), "field.home", ("field.", "records.", "weighings.")),
        MenuEntry(_("标签"), "labels.index", ("labels.",)),
        _SHIPMENTS,
        MenuEntry(_("投入品"), "stock.index", ("stock.", "inputs.")),
    ],
    [
        MenuEntry(_("待办"), "findings.to_do", ("findings.",)),
        _FEEDBACK,
        _CERTIFICATES,
        _SCANS,
        MenuEntry(_("产品"), "catalogue.products", ("catalogue.product", "catalogue.new_product", "catalogue.add")),
        MenuEntry(_("基地"), "catalogue.sites", ("catalogue.site", "catalogue.new_site")),
        MenuEntry(lazy_ngettext("农户", "农户", 2), "households.index", ("households.",)),
        MenuEntry(_("召回任务"), "recall_tasks.index", ("recall_tasks.",)),
        _NOTICES,
        _ACCOUNT,
    ],
)
_AUTHORITY = Menu(
    [
        MenuEntry(_("工作台"), "desk.show", ("desk.",)),
        _BATCHES,
        MenuEntry(_("预警"), "findings.index", ("findings.",)),
        MenuEntry(_("召回"), "recalls.scope", ("recalls.",)),
        _SHIPMENTS,
        _FEEDBACK,
    ],
    [
        MenuEntry(_("投入品追查"), "stock.trace_input", ("stock.",)),
        MenuEntry(_("投入品目录"), "inputs.index", ("inputs.",)),
        _CERTIFICATES,
        _SCANS,
        MenuEntry(_("标准数据"), "reference.show", ("reference.", "suggestions."), {"table_name": "limits"}),
        _NOTICES,
        _ACCOUNT,
    ],
)
_BUYER = Menu(
    [
        MenuEntry(_("发货和收货"), "shipments.index", ("shipments.",)),
        MenuEntry(_("召回任务"), "recall_tasks.index", ("recall_tasks.",)),
        _NOTICES,
        _ACCOUNT,
    ],
    [],
)
_LABORATORY = Menu([MenuEntry(_("检测"), "laboratory.start", ("laboratory.",)), _NOTICES, _ACCOUNT], [])
_ORGANISATIONS = MenuEntry(
    _("单位与用户"),
    "accounts.organisations",
    ("accounts.organisation", "accounts.new", "accounts.user", "accounts.edit"),
)
_KINDS = MenuEntry(_("品类管理"), "catalogue.kinds", ("catalogue.kinds",))


def menu_of(user: User) -> Menu:
    """The menu of who is signed in."""
    if user.role is RoleName.ADMINISTRATOR:
        own = [_ORGANISATIONS, *([_KINDS] if keeps_shared_tables(user) else [])]
        return Menu(_AUTHORITY.main, [*own, *_AUTHORITY.more])
    return {
        RoleName.PRODUCER: _PRODUCER,
        RoleName.REGULATOR: _AUTHORITY,
        RoleName.BUYER: _BUYER,
        RoleName.LABORATORY: _LABORATORY,
    }[user.role]


def current_of(entries: Sequence[MenuEntry]) -> MenuEntry | None:
    """The entry whose page is shown."""
    return next((entry for entry in entries if entry.is_current(request.endpoint)), None)
