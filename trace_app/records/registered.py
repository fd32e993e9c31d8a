"""What a registration number settles of a record that takes from no stock: it is one product's of the catalogue."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.accounts.models import User
from trace_app.folding import without_spaces
from trace_app.inputs.ingredients import key_of, keys_meant, names_in
from trace_app.inputs.models import InputProduct
from trace_app.inputs.service import products_registered
from trace_app.records.models import RecordType
from trace_app.values import Facts

_OF_ANOTHER = _("登记证号 %(number)s 是“%(name)s”的。请核对标签，改正名称或号码。")


class RegisteredNumbers:
    """The numbers of the catalogue that is offered to a user, each looked up once."""

    def __init__(self, user: User, record_type: RecordType) -> None:
        self._user = user
        self._type = record_type
        self._known: dict[str, list[InputProduct]] = {}

    def faults(self, facts: Facts) -> dict[str, str]:
        """What is wrong with a record's registration number, by field, in words: it is known, and as another's."""
        number = facts.get("registration_number") or ""
        if self._type not in (RecordType.PESTICIDE, RecordType.VETERINARY) or not number:
            return {}
        if number not in self._known:
            self._known[number] = products_registered(self._user, self._type.value, number)
        known = self._known[number]
        if not known or any(_is_meant(product, facts) for product in known):
            return {}
        return {"registration_number": str(_OF_ANOTHER) % {"number": number, "name": known[0].name}}


def _is_meant(product: InputProduct, facts: Facts) -> bool:
    """Whether a record speaks of a product: by its name, or by one of its active ingredients."""
    name = facts.get("product_name") or ""
    if without_spaces(name) == without_spaces(product.name):
        return True
    own = {one.key for one in product.ingredients} or {key_of(one) for one in names_in(product.name)}
    stated = facts.get("active_ingredient") or name
    meant = set(keys_meant(stated)) | {key_of(stated)}
    return bool(own & meant) or any(key_of(one) in meant for one in names_in(product.name))
