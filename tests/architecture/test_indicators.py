"""What our own code and policies measure is in the registry of indicators, and who the registry says measures it exists."""

import ast
from pathlib import Path

import pytest

from appraisal.domain.indicators import REGISTRY
from common.contracts.topics import SERVICES
from common.sla.policy import shipped_document

ROOT = Path(__file__).parents[2]
REGISTERED = {one.id for one in REGISTRY}
OTHERS = {
    "complaint_rate",
    "complaint_satisfaction",
    "reception_satisfaction",
    "repair_quality",
    "repair_satisfaction",
    "repair_success",
    "safety_incidents",
    "skill_check",
}
"""Registered indicators that nothing of ours measures yet: other systems report them (`kpi.reported`)."""


def of_policies(service: str) -> set[str]:
    """The indicators that a service's clocks feed, as its policy ships."""
    stages = shipped_document(service)["stages"].values()
    return {indicator for rules in stages for rule in rules for indicator in rule.get("indicators", ())}


def of_code(service: str) -> set[str]:
    """The indicators that a service names in its code: `INDICATOR = "…"`, or `indicator="…"` in a call."""
    sources = [path.read_text("utf-8") for path in (ROOT / "services" / service / "src").rglob("*.py")]
    return set().union(*map(named_in, sources))


def named_in(source: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.keyword(arg="indicator", value=ast.Constant(value=str(name))):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id="INDICATOR")], value=ast.Constant(value=str(name))):
                found.add(name)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_measures_nothing_that_the_registry_does_not_know(service: str) -> None:
    assert of_policies(service) | of_code(service) <= REGISTERED


def test_what_is_registered_is_measured_by_the_services_that_it_names_or_reported_by_other_systems() -> None:
    measured = {service: of_policies(service) | of_code(service) for service in SERVICES}
    assert REGISTERED - set().union(*measured.values()) == OTHERS
    for one in REGISTRY:
        named = {service for service in SERVICES if service in one.source}
        assert named, f"{one.id}: its source names none of our services"
        if one.id not in OTHERS:
            assert {service for service in SERVICES if one.id in measured[service]} == named, one.id


def test_an_indicator_in_code_is_found_however_it_is_named() -> None:
    assert named_in('INDICATOR = "a"\nrecord(indicator="b")\nrecord(indicator=INDICATOR)\nother = "c"') == {"a", "b"}
