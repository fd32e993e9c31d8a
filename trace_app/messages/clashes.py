"""Telling authorities that two producers claim one GTIN."""

from __future__ import annotations

from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.accounts.models import Organisation
from trace_app.accounts.service import nearest_regulators
from trace_app.catalogue.service import GtinTaken
from trace_app.messages.service import tell
from trace_app.settings import address_of
from trace_app.values import JsonObject


def tell_of_clash(claimant: Organisation, clash: GtinTaken) -> None:
    """Tell the authorities of both producers' places, each once."""
    gtin, holder = str(clash.facts["gtin"]), clash.holder
    with force_locale("zh_CN"):
        title = str(_("商品条码冲突"))
        message: JsonObject = {
            "subject": f"[{title}] {gtin}",
            "lines": [
                str(
                    _(
                        "%(claimant)s 想登记 %(gtin)s，它属于 %(holder)s。平台没有接受。",
                        claimant=claimant.name,
                        gtin=gtin,
                        holder=holder.name,
                    )
                ),
                str(_("请核对双方的条码证书。")),
            ],
            "link": address_of("desk.show"),
            "type": "gtin-clash",
            "facts": {"gtin": gtin, "claimant": claimant.id, "holder": holder.id},
        }
    places = (claimant.division_code, holder.division_code)
    told = {authority.id: authority for place in places for authority in nearest_regulators(place)}
    for authority in told.values():
        tell(authority, message)
