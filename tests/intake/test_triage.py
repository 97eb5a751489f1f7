"""Triage and the service catalogue as they ship: nature and severity give the priority (D1-11, X-39), the nature says where it goes."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from common.contracts.claims import intake as claims
from common.contracts.fields import Priority as ContractPriority
from common.contracts.service_requests import Route
from common.kernel.faults import Fault, place
from common.store.documents import presets_of
from intake.domain.catalogue import CATALOGUE, ROUTES, Item
from intake.domain.triage import PRIORITIES, SEVERITIES, TRIAGE, Rules, triage


@pytest.fixture
def rules() -> Rules:
    [preset] = presets_of(TRIAGE)
    return TRIAGE.parse(preset.body)


@pytest.fixture
def items() -> Mapping[str, Item]:
    [preset] = presets_of(CATALOGUE)
    return CATALOGUE.parse(preset.body)


def test_what_is_critical_is_urgent_whatever_was_asked_for(rules: Rules) -> None:
    assert {triage(rules, nature, "critical", "low") for nature in rules} == {"urgent"}


def test_planned_maintenance_waits_longer_than_a_repair_of_the_same_severity(rules: Rules) -> None:
    assert (rules["repair"]["normal"], rules["maintenance"]["normal"]) == ("normal", "low")


def test_somebody_who_complains_is_never_last_in_the_queue(rules: Rules) -> None:
    assert triage(rules, "complaint", "low", "low") == "normal"


def test_a_nature_without_a_line_has_the_priority_of_the_catalogue(rules: Rules) -> None:
    assert triage(rules, "cleaning", "critical", "high") == "high"


def test_what_is_asked_for_on_site_has_a_work_order_and_what_is_complained_of_a_complaint(items: Mapping[str, Item]) -> None:
    assert {nature: item.route for nature, item in items.items()} == {
        "repair": "work_order",
        "installation": "work_order",
        "maintenance": "work_order",
        "consultation": "desk",
        "complaint": "complaint",
    }
    assert items["maintenance"] == Item("保养", "planned work", "work_order", "low")


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ({"zh": "清洗", "en": "cleaning", "route": "work_orders", "priority": "low"}, "natures.cleaning.route"),
        ({"zh": "清洗", "en": "cleaning", "route": "desk", "priority": "critical"}, "natures.cleaning.priority"),
        ({"zh": "", "en": "cleaning", "route": "desk", "priority": "low"}, "natures.cleaning.zh"),
        ({"en": "cleaning", "route": "desk", "priority": "low"}, "natures.cleaning.zh"),
        (5, "natures.cleaning"),
    ],
)
def test_an_item_of_the_catalogue_says_its_names_its_route_and_its_priority(item: object, fault: str) -> None:
    with pytest.raises(Fault) as refused:
        CATALOGUE.parse({"natures": {"cleaning": item}})
    assert place(refused.value.where) == fault


def test_what_ships_has_a_line_for_each_nature_in_words_that_the_contracts_know(rules: Rules, items: Mapping[str, Item]) -> None:
    assert set(rules) == set(items)
    assert get_args(claims.Severity) == SEVERITIES
    assert get_args(ContractPriority) == PRIORITIES
    assert get_args(Route) == ROUTES


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, [("priorities", "missing_field")]),
        ({"priorities": 5}, [("priorities", "bad_value")]),
        ({"priorities": {}, "prioritys": {}}, [("prioritys", "unknown_field")]),
        (
            {
                "priorities": {
                    "repair": {"low": "high", "normal": "normal", "high": "high", "critical": "urgent"},
                    "cleaning": {"low": "low", "normal": "now", "high": "high", "critical": "urgent"},
                    "advice": {"low": "low"},
                }
            },
            [
                ("priorities.repair", "falling_priority"),
                ("priorities.cleaning.normal", "bad_value"),
                ("priorities.advice.normal", "missing_field"),
            ],
        ),
    ],
)
def test_everything_that_is_wrong_with_triage_rules_is_found(body: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert TRIAGE.faults is not None
    found = [(place(fault.where), fault.rule) for fault in TRIAGE.faults(body)]
    assert found == faults
    with pytest.raises(Fault) as first:
        TRIAGE.parse(body)
    assert (place(first.value.where), first.value.rule) == faults[0]
