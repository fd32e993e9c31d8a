"""Each compliance rule where it holds, where it is broken, and on the edge."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.trace_app.lots import TODAY, lot, rules_found, stage, stocked, used
from trace_app.certificates.models import Certificate, CertificateType
from trace_app.findings.rules import RULES
from trace_app.laboratory.models import TestReport, TestResult, TestSubject, Verdict
from trace_app.media.models import Photo
from trace_app.reference.models import GiArea, ProhibitedSubstance
from trace_app.release.rules import check, inputs, stages
from trace_app.stock.service import StockBalance

PLANTED, HARVESTED = ("planting", "2026-03-12"), ("harvest", "2026-11-06")


def _ginger(*records, **facts):
    return lot("ginger", stage(*PLANTED), stage(*HARVESTED, quantity_kg=8600), *records, **facts)


def _substance(
    name: str, since: str, scope: str = "", input_type: str = "pesticide", except_method: str = "", name_en: str = ""
):
    return ProhibitedSubstance(
        input_type=input_type,
        name=name,
        name_en=name_en,
        scope=scope,
        effective_from=date.fromisoformat(since),
        notice="公告",
        except_method=except_method,
    )


def _sprayed(ingredient: str, day: str = "2026-07-01", **facts):
    return used("pesticide", day, f"{ingredient} 40% 乳油", active_ingredient=ingredient, interval_days=7, **facts)


def _cadmium(verdict: Verdict, *, value: Decimal | None, limit: Decimal | None, detected: bool = True) -> TestReport:
    """A report on the product with one result."""
    result = TestResult(
        id=1,
        analyte="镉",
        analyte_en="cadmium",
        method="GB 5009.15",
        detected=detected,
        value=value,
        unit="mg/kg",
        verdict=verdict,
        limit_op="<=",
        limit_value=limit,
        limit_unit="mg/kg",
        limit_standard="GB 2762",
    )
    return TestReport(
        id=1,
        subject=TestSubject.PRODUCT,
        report_number="R1",
        laboratory="示例检测中心",
        cma_number="",
        sampled_on=date(2025, 9, 1),
        issued_on=date(2025, 9, 8),
        verdict=verdict,
        document=None,
        results=[result],
    )


def test_a_lot_that_keeps_all_rules_is_only_told_that_it_was_not_tested() -> None:
    assert rules_found(_ginger()) == {"no_test": "info"}


def test_every_rule_names_its_source_and_what_to_do() -> None:
    for rule in RULES.values():
        assert rule.source
        assert str(rule.advice)


class TestProhibited:
    OMETHOATE = _substance("氧乐果", "2026-06-01", name_en="omethoate")

    @pytest.mark.parametrize(
        ("day", "found"),
        [
            ("2026-06-01", "prohibited"),
            ("2026-05-31", "prohibition_coming"),
            ("2025-06-01", "prohibition_coming"),
            ("2025-05-31", None),
        ],
    )
    def test_by_the_day_of_use(self, day: str, found: str | None) -> None:
        rules = rules_found(_ginger(_sprayed("氧乐果", day), prohibited=[self.OMETHOATE]))
        assert {"prohibited", "prohibition_coming"} & set(rules) == ({found} if found else set())
        assert rules.get("prohibited", "block") == "block"

    @pytest.mark.parametrize(
        "typed", ["氧乐果 40%", "氧 乐 果", "Omethoate", "溴氰菊酯、氧乐果", "氧乐果乳油", "氧乐果（乙酰）"]
    )
    def test_by_the_names_that_people_type(self, typed: str) -> None:
        assert "prohibited" in rules_found(_ginger(_sprayed(typed), prohibited=[self.OMETHOATE]))

    def test_a_name_that_only_contains_another_is_not_it(self) -> None:
        listed = [_substance("磷胺", "2007-01-01"), _substance("乐果", "2019-08-01", "蔬菜")]
        assert "prohibited" not in rules_found(_ginger(_sprayed("甲胺磷胺样"), prohibited=listed))

    @pytest.mark.parametrize(("crop", "found"), [("ginger", True), ("coix", False)])
    def test_restricted_by_crop(self, crop: str, found: bool) -> None:
        listed = [_substance("毒死蜱", "2016-12-31", "蔬菜")]
        assert ("restricted" in rules_found(lot(crop, _sprayed("毒死蜱"), prohibited=listed))) is found

    def test_an_excepted_use_is_allowed(self) -> None:
        listed = [_substance("氟虫腈", "2009-10-01", except_method="seed_dressing")]
        assert "prohibited" not in rules_found(_ginger(_sprayed("氟虫腈", method="seed_dressing"), prohibited=listed))
        assert "prohibited" in rules_found(_ginger(_sprayed("氟虫腈", method="spray"), prohibited=listed))

    def test_veterinary_drugs_have_a_list_of_their_own(self) -> None:
        given = used("veterinary", "2026-01-01", "氯霉素片", active_ingredient="氯霉素", interval_days=0)
        assert "prohibited" in rules_found(
            lot("honey", given, prohibited=[_substance("氯霉素", "2019-12-27", input_type="veterinary")])
        )
        assert "prohibited" not in rules_found(lot("honey", given, prohibited=[_substance("氯霉素", "2019-12-27")]))

    def test_what_the_record_names_counts_where_the_label_names_another(self) -> None:
        stock = stocked("好药", "ginger", ingredients="苯醚甲环唑", interval_days=7)
        given = _sprayed("氧乐果", "2026-07-01", stock=stock)
        assert "prohibited" in rules_found(_ginger(given, prohibited=[self.OMETHOATE]))

    def test_the_labels_ingredients_count_where_the_record_names_another(self) -> None:
        stock = stocked("神药", "ginger", ingredients="氧乐果", interval_days=7)
        assert "prohibited" in rules_found(_ginger(_sprayed("植物精油", stock=stock), prohibited=[self.OMETHOATE]))


class TestIntervals:
    @pytest.mark.parametrize(("day", "broken"), [("2026-10-30", False), ("2026-10-31", True)])
    def test_seven_days_before_harvest(self, day: str, broken: bool) -> None:
        assert ("interval" in rules_found(_ginger(_sprayed("苯醚甲环唑", day)))) is broken

    def test_the_labels_interval_counts_where_the_record_understates_it(self) -> None:
        stock = stocked("苯醚甲环唑", "ginger", interval_days=14)
        found = rules_found(_ginger(_sprayed("苯醚甲环唑", "2026-10-30", stock=stock)))
        assert (found["interval"], found["interval_understated"]) == ("block", "warn")

    @pytest.mark.parametrize(
        ("stated", "required", "understated"), [(7, 14, True), (14, 14, False), (21, 14, False), (None, 14, False)]
    )
    def test_an_interval_is_understated_only_where_one_is_stated(
        self, stated: int | None, required: int, understated: bool
    ) -> None:
        record = _sprayed("苯醚甲环唑", stock=stocked("苯醚甲环唑", "ginger", interval_days=required))
        record.interval_days = stated
        assert ("interval_understated" in rules_found(_ginger(record))) is understated

    def test_withdrawal_before_slaughter(self) -> None:
        given = used("veterinary", "2024-11-01", "伊维菌素", interval_days=28, active_ingredient="伊维菌素")
        for day, broken in (("2024-11-28", True), ("2024-11-29", False)):
            killed = stage("slaughter", day, quarantine_certificate="1")
            assert ("interval" in rules_found(lot("ham", given, killed))) is broken

    def test_while_it_runs_it_says_from_when_on(self) -> None:
        one = lot("ginger", _sprayed("苯醚甲环唑", "2026-11-20"), produced_on=None)
        [found] = list(inputs.intervals_kept(one))
        assert (found.rule, found.facts["earliest"]) == ("interval_waiting", date(2026, 11, 27))

    def test_what_was_used_after_the_harvest_is_told_and_no_day_promised(self) -> None:
        cut = stage("harvest", "2026-11-18", quantity_kg="600")
        one = lot("ginger", _sprayed("苯醚甲环唑", "2026-11-20"), cut, produced_on=None)
        [found] = list(inputs.intervals_kept(one))
        assert (found.rule, found.facts["harvested"]) == ("used_after_harvest", date(2026, 11, 18))


class TestDoses:
    def _with(self, dose: str, unit: str, count: int = 1, **use):
        stock = stocked("药", "ginger", interval_days=7, **use)
        records = [_sprayed("药", f"2026-0{6 + n}-01", dose=dose, dose_unit=unit, stock=stock) for n in range(count)]
        return rules_found(_ginger(*records))

    @pytest.mark.parametrize(("dose", "over"), [("50", False), ("50.001", True)])
    def test_over_the_label(self, dose: str, over: bool) -> None:
        assert ("dose" in self._with(dose, "g_per_mu", dose_max=50, dose_unit="g_per_mu")) is over

    @pytest.mark.parametrize(("dose", "over"), [("0.05", False), ("0.06", True)])
    def test_in_another_unit(self, dose: str, over: bool) -> None:
        assert ("dose" in self._with(dose, "kg_per_mu", dose_max=50, dose_unit="g_per_mu")) is over

    @pytest.mark.parametrize(("dose", "over"), [("1000", False), ("999", True), ("1500", False)])
    def test_a_dilution_is_the_stronger_the_smaller_its_number(self, dose: str, over: bool) -> None:
        found = self._with(dose, "times_dilution", dose_min=1000, dose_max=1500, dose_unit="times_dilution")
        assert ("dose" in found) is over

    def test_units_that_cannot_be_compared_say_nothing(self) -> None:
        assert "dose" not in self._with("5000", "g_per_kg", dose_max=50, dose_unit="g_per_mu")

    @pytest.mark.parametrize(("count", "over"), [(2, False), (3, True)])
    def test_applications_in_a_season(self, count: int, over: bool) -> None:
        assert ("applications" in self._with("1", "g_per_mu", count, max_applications=2)) is over

    def test_a_crop_that_the_label_does_not_name(self) -> None:
        stock = stocked("药", "coix", interval_days=7)
        assert rules_found(_ginger(_sprayed("药", stock=stock)))["not_on_label"] == "warn"
        assert "not_on_label" not in rules_found(_ginger(_sprayed("药", stock=stocked("药", None, interval_days=7))))


class TestStock:
    @pytest.mark.parametrize(("expires", "found"), [("2026-07-01", False), ("2026-06-30", True)])
    def test_out_of_date_when_used(self, expires: str, found: bool) -> None:
        stock = stocked("药", "ginger", interval_days=7, expires_on=date.fromisoformat(expires))
        assert ("stock_expired" in rules_found(_ginger(_sprayed("药", stock=stock)))) is found

    @pytest.mark.parametrize(("used_up", "found"), [("10", False), ("10.001", True)])
    def test_more_used_than_received(self, used_up: str, found: bool) -> None:
        stock = stocked("药", "ginger", interval_days=7)
        balance = StockBalance(Decimal(used_up), Decimal(0), Decimal(0), 0)
        assert ("stock_overdrawn" in rules_found(_ginger(_sprayed("药", stock=stock), stock={5: balance}))) is found

    def test_more_ham_in_the_cakes_than_was_received_blocks(self) -> None:
        ham = used("ingredient", "2026-11-05", "火腿", dose=30, dose_unit="kg", stock=stocked("火腿", None))
        balance = StockBalance(Decimal(30), Decimal(0), Decimal(-20), 0)
        assert rules_found(lot("ham_mooncake", ham, stock={5: balance}))["stock_overdrawn"] == "block"


class TestStages:
    def test_what_each_kind_must_have(self) -> None:
        for code, count in (("ginger", 2), ("coix", 2), ("honey", 2), ("ham", 3), ("ham_mooncake", 3)):
            missing = [f for f in stages.mandatory_records(lot(code)) if f.rule == "missing" and f.key != "any"]
            assert len(missing) == count, code

    def test_a_lot_without_its_date_is_not_finished(self) -> None:
        assert rules_found(_ginger(produced_on=None))["no_produced_on"] == "block"

    @pytest.mark.parametrize(("salted", "found"), [("2025-11-20", False), ("2025-11-19", True)])
    def test_salting_is_not_before_slaughter(self, salted: str, found: bool) -> None:
        one = lot("ham", stage("slaughter", "2025-11-20", quarantine_certificate="1"), stage("salting", salted))
        assert ("order" in rules_found(one)) is found

    @pytest.mark.parametrize(("sown", "found"), [("2026-11-06", False), ("2026-11-07", True), ("2026-12-04", True)])
    def test_a_second_sowing_after_the_last_harvest_contradicts_it(self, sown: str, found: bool) -> None:
        one = _ginger(stage("planting", sown))
        assert (rules_found(one).get("too_late") == "warn") is found
        if found:
            [told] = stages.contradictions(one)
            assert (str(told.facts["earlier_day"]), str(told.facts["later_day"])) == (sown, "2026-11-06")

    def test_what_led_to_what_led_to_the_harvest_counts_too(self) -> None:
        assert rules_found(_ginger(stage("seed", "2026-03-01"), stage("seed", "2026-12-01")))["too_late"] == "warn"

    def test_one_contradiction_is_told_once(self) -> None:
        found = rules_found(lot("ginger", stage("planting", "2026-12-04"), stage(*HARVESTED, quantity_kg=8600)))
        assert found["order"] == "block"
        assert "too_late" not in found

    @pytest.mark.parametrize(
        ("second", "severity"),
        [("2026-03-12", "info"), ("2026-03-26", "info"), ("2026-03-27", "warn"), ("2026-12-04", "warn")],
    )
    def test_sowing_twice_is_told_with_both_days(self, second: str, severity: str) -> None:
        one = _ginger(stage("planting", second))
        assert rules_found(one)["twice"] == severity
        [told] = stages.only_once(one)
        assert (str(told.facts["first"]), str(told.facts["last"])) == (PLANTED[1], second)

    def test_what_may_be_done_often_is_not_asked_about(self) -> None:
        assert "twice" not in rules_found(_ginger(stage("irrigation", "2026-04-01"), stage("irrigation", "2026-08-01")))
        assert "twice" not in rules_found(_ginger())

    def test_a_harvest_after_the_lots_own_date(self) -> None:
        assert rules_found(lot("ginger", stage("harvest", "2026-11-07")))["after_finish"] == "block"
        assert "after_finish" not in rules_found(lot("ginger", stage("harvest", "2026-11-06")))

    @pytest.mark.parametrize(
        ("day", "found"), [("2025-10-23", False), ("2025-10-22", True), ("2026-02-05", False), ("2026-02-06", True)]
    )
    def test_ham_is_salted_between_frosts_descent_and_the_start_of_spring(self, day: str, found: bool) -> None:
        assert ("season" in rules_found(lot("ham", stage("salting", day), produced_on=date(2027, 3, 1)))) is found

    @pytest.mark.parametrize(("finished", "found"), [("2026-09-28", False), ("2026-09-27", True)])
    def test_ham_ferments_for_eight_months(self, finished: str, found: bool) -> None:
        one = lot("ham", stage("fermenting", "2026-01-31"), produced_on=date.fromisoformat(finished))
        assert ("too_short" in rules_found(one)) is found


class TestClaims:
    AREA = GiArea(kind_code="ginger", division_code="530324", valid_from=date(2010, 1, 1), valid_until=None)

    def _certificate(self, **facts) -> Certificate:
        values = {
            "type": CertificateType.GI,
            "product_id": None,
            "valid_from": date(2025, 1, 1),
            "valid_until": date(2026, 11, 6),
        }
        return Certificate(**values | facts)

    @pytest.mark.parametrize(("division", "found"), [("530324102", False), ("530323203", True)])
    def test_a_geographical_indication_needs_a_site_in_its_area(self, division: str, found: bool) -> None:
        one = _ginger(
            marks="农产品地理标志", division=division, gi_areas=[self.AREA], certificates=[self._certificate()]
        )
        assert ("gi_area" in rules_found(one)) is found

    def test_areas_have_a_period_of_validity(self) -> None:
        over = GiArea(
            kind_code="ginger", division_code="530324", valid_from=date(2010, 1, 1), valid_until=date(2026, 11, 5)
        )
        assert "gi_area" in rules_found(_ginger(marks="地理标志", gi_areas=[over]))

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ({}, False),
            ({"valid_until": date(2026, 11, 5)}, True),
            ({"valid_from": date(2026, 11, 7), "valid_until": date(2027, 1, 1)}, True),
            ({"product_id": 8}, True),
            ({"product_id": 7}, False),
            ({"type": CertificateType.ORGANIC}, True),
        ],
    )
    def test_a_mark_needs_its_certificate_on_the_day_of_harvest(self, change: dict, found: bool) -> None:
        one = _ginger(marks="地理标志", gi_areas=[self.AREA], certificates=[self._certificate(**change)])
        assert ("mark_without_certificate" in rules_found(one)) is found

    @pytest.mark.parametrize(("verdict", "found"), [(Verdict.FAIL, True), (Verdict.PASS, False), (Verdict.OPEN, False)])
    def test_a_failed_test_blocks(self, verdict: Verdict, found: bool) -> None:
        report = _cadmium(verdict, value=Decimal("0.18"), limit=Decimal("0.1"))
        assert ("failed_test" in rules_found(_ginger(tests=[report]))) is found
        assert "no_test" not in rules_found(_ginger(tests=[report]))

    @pytest.mark.parametrize(
        ("detected", "value", "limit", "said"),
        [
            (True, None, None, ("检出", "不得检出（GB 2762）")),
            (True, None, Decimal("0.1"), ("检出", "≤ 0.1 mg/kg（GB 2762）")),
            (True, Decimal("0.180"), Decimal("0.1"), ("0.18 mg/kg", "≤ 0.1 mg/kg（GB 2762）")),
            (False, None, Decimal("0.1"), ("未检出", "≤ 0.1 mg/kg（GB 2762）")),
        ],
    )
    def test_a_failed_test_is_told_with_or_without_its_numbers(
        self, detected: bool, value: Decimal | None, limit: Decimal | None, said: tuple[str, str]
    ) -> None:
        report = _cadmium(Verdict.FAIL, detected=detected, value=value, limit=limit)
        [found] = [found for found in check(_ginger(tests=[report])) if found.rule == "failed_test"]
        told = found.facts["result"]
        assert (told["zh"] if isinstance(told, dict) else told, found.facts["limit"]["zh"]) == said


class TestQuantities:
    @pytest.mark.parametrize(("quantity", "found"), [("8600", False), ("8643", False), ("8700", True)])
    def test_a_lot_is_not_more_than_its_harvest(self, quantity: str, found: bool) -> None:
        assert ("balance" in rules_found(_ginger(quantity=Decimal(quantity)))) is found

    def test_it_says_what_is_more_than_what(self) -> None:
        [found] = [found for found in check(_ginger(quantity=Decimal(8700))) if found.rule == "balance"]
        assert (found.facts["more"]["zh"], found.facts["more_amount"]) == ("批次数量", "8700")
        assert (found.facts["than"]["zh"], found.facts["than_amount"]) == ("采收采收量", "8600")

    def test_a_lot_in_another_unit_is_compared_in_one(self) -> None:
        assert "balance" not in rules_found(_ginger(quantity=Decimal("8.6"), unit="t"))
        assert "balance" in rules_found(_ginger(quantity=Decimal("8.7"), unit="t"))

    @pytest.mark.parametrize(("ham", "found"), [("108", False), ("107", True)])
    def test_cakes_hold_no_more_ham_than_was_received(self, ham: str, found: bool) -> None:
        one = lot(
            "ham_mooncake",
            used("ingredient", "2026-11-05", "宣威火腿", dose=ham, dose_unit="kg"),
            stage("filling", "2026-11-05", ham_percent=30, weight_kg=360),
        )
        assert ("balance" in rules_found(one)) is found

    @pytest.mark.parametrize(
        ("kilograms", "found"), [("168000", False), ("169000", True), ("839", True), ("840", False)]
    )
    def test_a_harvest_per_mu_is_plausible(self, kilograms: str, found: bool) -> None:
        one = lot("ginger", stage(*PLANTED), stage(*HARVESTED, quantity_kg=kilograms), quantity=Decimal(1))
        assert ("implausible" in rules_found(one)) is found

    def test_without_an_area_nothing_is_said(self) -> None:
        one = lot("ginger", stage(*HARVESTED, quantity_kg=900000), area_mu=None)
        assert "implausible" not in rules_found(one)


def test_a_restriction_counts_from_today_for_what_is_not_harvested_yet() -> None:
    assert lot("ginger", produced_on=None).judged_on == TODAY


class TestPhotos:
    """Of a lot at 24.885, 104.31, with one photo of its harvest on 6 November."""

    BOUNDARY = ((104.30, 24.88), (104.32, 24.88), (104.32, 24.89), (104.30, 24.89))

    def _found(self, place: tuple[str, str] | None, taken: str | None, boundary=None, position=True) -> dict[str, str]:
        one = _ginger()
        one.batch.site.boundary = boundary
        if position:
            one.batch.site.latitude, one.batch.site.longitude = Decimal("24.885"), Decimal("104.31")
        harvest = one.by_stage["harvest"][0]
        harvest.batch = one.batch
        latitude, longitude = map(Decimal, place) if place else (None, None)
        taken_at = datetime.fromisoformat(f"{taken}+08:00") if taken else None
        harvest.photos = [Photo(), Photo(latitude=latitude, longitude=longitude, taken_at=taken_at)]
        return {rule: severity for rule, severity in rules_found(one).items() if rule.startswith("photo_")}

    @pytest.mark.parametrize(
        ("place", "boundary", "far"),
        [
            (None, None, False),
            (("24.885", "104.31"), None, False),
            # 0.0179 degrees of latitude are 1.99 km, 0.0181 are 2.01; of longitude 0.0197 are 1.99, 0.0200 are 2.02.
            (("24.9029", "104.31"), None, False),
            (("24.9031", "104.31"), None, True),
            (("24.885", "104.3297"), None, False),
            (("24.885", "104.3300"), None, True),
            # From the nearest side of an outline, and nothing within it.
            (("24.889", "104.319"), BOUNDARY, False),
            (("24.9079", "104.31"), BOUNDARY, False),
            (("24.9081", "104.31"), BOUNDARY, True),
        ],
    )
    def test_one_far_from_its_site_warns(self, place, boundary, far: bool) -> None:
        assert self._found(place, None, boundary) == ({"photo_elsewhere": "warn"} if far else {})

    def test_a_site_whose_place_nobody_knows_is_far_from_nothing(self) -> None:
        assert self._found(("39.9", "116.4"), None, position=False) == {}

    @pytest.mark.parametrize(
        ("taken", "other"),
        [
            ("2026-11-06T08:00", False),
            ("2026-11-04T00:00", False),
            ("2026-11-03T23:59", True),
            ("2026-11-08T23:59", False),
            ("2026-11-09T00:00", True),
            ("2025-11-06T08:00", True),
        ],
    )
    def test_one_of_another_day_warns(self, taken: str, other: bool) -> None:
        assert self._found(None, taken) == ({"photo_of_another_day": "warn"} if other else {})
