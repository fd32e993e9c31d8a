"""The compliance rules: small functions of a lot that say what they find, each with its legal source."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trace_app.findings.rules import Found
from trace_app.release.lot import Lot
from trace_app.release.rules import claims, commitments, corrections, inputs, photos, quantities, stages

CHECKS: tuple[Callable[[Lot], Iterator[Found]], ...] = (
    inputs.prohibited_ingredients,
    inputs.intervals_kept,
    inputs.doses_and_applications,
    inputs.stock_in_order,
    stages.mandatory_records,
    stages.order_of_stages,
    stages.contradictions,
    stages.only_once,
    stages.seasons,
    stages.lengths_of_stages,
    claims.geographical_indication,
    claims.marks_with_certificates,
    claims.tests_passed,
    commitments.sent_with_a_certificate,
    commitments.certificates_of_buyers,
    corrections.corrected_after_block,
    photos.photos_of_their_records,
    quantities.balances,
    quantities.labels_for_the_goods,
    quantities.plausible_yields,
)


def check(lot: Lot) -> list[Found]:
    """All that the rules find of a lot, once each."""
    found = {(one.rule, one.key): one for rule in CHECKS for one in rule(lot)}
    return list(found.values())
